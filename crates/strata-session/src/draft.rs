//! Values on their way into a session: [`Edit`], through which several change in one commit, and [`Draft`], which notes such changes and
//! makes them again on a fresh record. What is written of them is the managers' matter.

use std::fmt;

use strata_core::{Codec, Result, Value};

use crate::limits::Limits;
use crate::values::{OWN, Stored, Values};

/// The values of a session while they are changed: all of it becomes one commit. What reads see includes what was changed before.
pub struct Edit<'v> {
    values: &'v mut Values,
    limits: &'v Limits,
}

impl<'v> Edit<'v> {
    pub(crate) fn of(values: &'v mut Values, limits: &'v Limits) -> Self {
        Self { values, limits }
    }

    /// The value under `name`.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`](strata_core::ErrorKind::Mismatch) for a value stored as another type.
    pub fn get<T: Value>(&self, name: &str) -> Result<Option<T>> {
        if name.starts_with(OWN) { Ok(None) } else { self.values.value(name) }
    }

    /// Puts a value under `name`, in place of one that may be there.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`](strata_core::ErrorKind::TooLarge) over a limit,
    /// [`ErrorKind::Invalid`](strata_core::ErrorKind::Invalid) for a name that is empty or has control characters.
    pub fn set<T: Value>(&mut self, name: &str, value: &T) -> Result<()> {
        self.set_as(Codec::default(), name, value)
    }

    /// As [`Edit::set`], encoded by `codec`. Reading finds the codec by itself.
    pub fn set_as<T: Value>(&mut self, codec: Codec, name: &str, value: &T) -> Result<()> {
        self.limits.check_name(name)?;
        let stored = Stored::encode(codec, value, self.limits)?;
        self.values.put(name, stored, self.limits)
    }

    /// Makes what `change` returns of the value under `name`: from nothing it creates, `None` removes.
    pub fn update<T: Value>(
        &mut self,
        name: &str,
        change: impl FnOnce(Option<T>) -> Option<T>,
    ) -> Result<()> {
        self.limits.check_name(name)?;
        let codec = self.values.codec_of(name)?.unwrap_or_default();
        let Some(value) = change(self.values.value(name)?) else {
            self.values.remove(name);
            return Ok(());
        };
        self.values.put(name, Stored::encode(codec, &value, self.limits)?, self.limits)
    }

    /// Removes the value under `name`, and says whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        !name.starts_with(OWN) && self.values.remove(name)
    }

    /// Removes all values, and says how many there were.
    pub fn clear(&mut self) -> usize {
        self.values.clear()
    }

    /// The names of all values, in order.
    pub fn list(&self) -> Vec<String> {
        self.values.names()
    }
}

impl fmt::Debug for Edit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Edit").field(&self.values).finish()
    }
}

/// What one read found of a session's values, and what was changed in them since. Nothing is stored until the draft is committed;
/// every change is made again, in order, on the fresh values if somebody else was faster.
///
/// It is as old as that read: good for one request, never longer.
pub struct Draft {
    values: Values,
    limits: Limits,
    steps: Vec<Step>,
}

/// A change that can be made again.
enum Step {
    Put(String, Stored),
    Remove(String),
    Clear,
    Act(Act),
}

type Act = Box<dyn FnMut(&mut Edit<'_>) -> Result<()> + Send>;

impl Draft {
    pub(crate) fn new(values: Values, limits: Limits) -> Self {
        Self { values, limits, steps: Vec::new() }
    }

    /// The value under `name`, with what was changed since the read.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`](strata_core::ErrorKind::Mismatch) for a value stored as another type.
    pub fn get<T: Value>(&self, name: &str) -> Result<Option<T>> {
        if name.starts_with(OWN) { Ok(None) } else { self.values.value(name) }
    }

    /// Puts a value under `name`; one that is there already in the same bytes is no change.
    ///
    /// # Errors
    /// As [`Edit::set`].
    pub fn set<T: Value>(&mut self, name: &str, value: &T) -> Result<()> {
        self.limits.check_name(name)?;
        let stored = Stored::encode(Codec::default(), value, &self.limits)?;
        if !self.values.has(name, &stored) {
            self.values.put(name, stored.clone(), &self.limits)?;
            self.steps.push(Step::Put(name.to_owned(), stored));
        }
        Ok(())
    }

    /// Makes what `change` returns of the value under `name`: from nothing it creates, `None` removes. It runs now, and again on the
    /// fresh value as long as somebody else was faster.
    ///
    /// # Errors
    /// As [`Edit::update`].
    pub fn update<T: Value>(
        &mut self,
        name: &str,
        mut change: impl FnMut(Option<T>) -> Option<T> + Send + 'static,
    ) -> Result<()> {
        let name = name.to_owned();
        self.edit(move |edit| edit.update(&name, &mut change))
    }

    /// Several changes that belong together. Runs now, and again on the fresh values as long as somebody else was faster. What it
    /// refuses is not noted.
    pub fn edit(&mut self, mut act: impl FnMut(&mut Edit<'_>) -> Result<()> + Send + 'static) -> Result<()> {
        let mut tried = self.values.clone();
        act(&mut Edit::of(&mut tried, &self.limits))?;
        if tried != self.values {
            self.values = tried;
            self.steps.push(Step::Act(Box::new(act)));
        }
        Ok(())
    }

    /// Removes the value under `name`, and says whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let had = !name.starts_with(OWN) && self.values.remove(name);
        if had {
            self.steps.push(Step::Remove(name.to_owned()));
        }
        had
    }

    /// Removes all values, and says how many there were.
    pub fn clear(&mut self) -> usize {
        let count = self.values.clear();
        if count > 0 {
            self.steps.push(Step::Clear);
        }
        count
    }

    /// The names of all values, in order.
    pub fn list(&self) -> Vec<String> {
        self.values.names()
    }

    /// Whether there is something to commit.
    pub fn is_changed(&self) -> bool {
        !self.steps.is_empty()
    }

    /// The values as they would be stored.
    pub(crate) fn values(&mut self) -> &mut Values {
        &mut self.values
    }

    /// Makes all changes again on other values.
    pub(crate) fn replay(&mut self, values: &mut Values) -> Result<()> {
        for step in &mut self.steps {
            match step {
                Step::Put(name, stored) => values.put(name, stored.clone(), &self.limits)?,
                Step::Remove(name) => _ = values.remove(name),
                Step::Clear => _ = values.clear(),
                Step::Act(act) => act(&mut Edit::of(values, &self.limits))?,
            }
        }
        Ok(())
    }

    /// The changes are stored.
    pub(crate) fn settle(&mut self) {
        self.steps.clear();
    }

    /// The changes are stored, and these are the values then.
    pub(crate) fn settle_as(&mut self, values: Values) {
        self.values = values;
        self.settle();
    }

    /// Carries the changes over to what another read found.
    pub(crate) fn rebase(&mut self, mut values: Values) -> Result<()> {
        self.replay(&mut values)?;
        self.values = values;
        Ok(())
    }
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft").field("values", &self.values).field("changes", &self.steps.len()).finish()
    }
}
