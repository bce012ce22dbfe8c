//! The document itself: [`Document`], a tree of JSON values under names, bounded, and the changes between two of them.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strata_core::{Codec, Error, ErrorKind, Result};

use super::change::{Change, What};
use super::path::{MAX_DEPTH, Path, check_name};

/// How deep values may nest, the names of the document's top included.
const MAX_NESTING: usize = 2 * MAX_DEPTH;
/// The most values of one document, of every kind and depth.
const MAX_VALUES: usize = 8192;

/// A tree of JSON values under names. Objects are its branches; texts, numbers, arrays, `null` and objects without members are its leaves.
///
/// # Bounds
/// At most [`Document::MAX_BYTES`] as JSON, 8192 values, 32 levels. Every name follows the rules of a [`Path`]'s.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Document(pub(super) Map<String, Value>);

impl Document {
    /// The longest document, in bytes of compact JSON: 64 KiB less a little for what lies around it.
    pub const MAX_BYTES: usize = 60 * 1024;

    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value at `path`.
    pub fn value(&self, path: &Path) -> Option<&Value> {
        let (first, rest) = path.segments().split_first()?;
        rest.iter().try_fold(self.0.get(first)?, |value, name| value.as_object()?.get(name))
    }

    /// The value at `path` as a type.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`] for a value of another type.
    pub fn get<T: DeserializeOwned>(&self, path: &Path) -> Result<Option<T>> {
        let Some(value) = self.value(path) else { return Ok(None) };
        T::deserialize(value).map(Some).map_err(|_| {
            let message = format!("what lies at `{path}` is no `{}`", std::any::type_name::<T>());
            Error::new(ErrorKind::Mismatch, "read document", message)
        })
    }

    /// Puts a value at `path`, with the objects that lead there.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] where the way leads through something that is no object, and for a value with a name that is none.
    pub fn put(&mut self, path: &Path, value: Value) -> Result<()> {
        check_value(&value, path.segments().len(), &mut 0)?;
        let Some((last, way)) = path.segments().split_last() else { return Ok(()) };
        let mut members = &mut self.0;
        for name in way {
            members = members
                .entry(name.as_str())
                .or_insert_with(|| Value::Object(Map::new()))
                .as_object_mut()
                .ok_or_else(|| through(path, name))?;
        }
        members.insert(last.clone(), value);
        Ok(())
    }

    /// Puts a value of any type at `path`.
    ///
    /// # Errors
    /// As [`Document::put`]; also for a value that is no JSON.
    pub fn set<T: Serialize + ?Sized>(&mut self, path: &Path, value: &T) -> Result<()> {
        let value = serde_json::to_value(value).map_err(|_| {
            let message = format!("a `{}` is no JSON; its keys have to be texts", std::any::type_name::<T>());
            Error::new(ErrorKind::Invalid, "change document", message)
        })?;
        self.put(path, value)
    }

    /// Removes what lies at `path`; says whether something did.
    pub fn remove(&mut self, path: &Path) -> bool {
        let Some((last, way)) = path.segments().split_last() else { return false };
        let mut members = &mut self.0;
        for name in way {
            match members.get_mut(name).and_then(Value::as_object_mut) {
                Some(next) => members = next,
                None => return false,
            }
        }
        members.remove(last).is_some()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Refuses a document beyond its bounds.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] or [`ErrorKind::Invalid`].
    pub fn check(&self) -> Result<()> {
        let mut count = 0;
        for (name, value) in &self.0 {
            check_name(name)?;
            check_value(value, 1, &mut count)?;
        }
        Codec::Json.encode(self, &mut Vec::new(), Self::MAX_BYTES).map_err(|_| {
            too_large(format!(
                "the document takes more than {} bytes; keep the bulk elsewhere",
                Self::MAX_BYTES
            ))
        })
    }

    /// What has to be done to this one to get `to`: leaf by leaf, removals as large as they can be.
    pub(super) fn changes(&self, to: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        compare(&mut Vec::new(), &self.0, &to.0, &mut changes);
        changes
    }

    /// Does what `changes` say.
    ///
    /// # Errors
    /// As [`Document::put`].
    pub(super) fn apply(&mut self, changes: &[Change]) -> Result<()> {
        changes.iter().try_for_each(|change| match &change.what {
            What::Set(value) => self.put(&change.path, value.clone()),
            What::Remove => {
                self.remove(&change.path);
                Ok(())
            }
        })
    }

    /// Puts a value at `path` whatever is in the way, or takes it out.
    pub(super) fn force(&mut self, path: &Path, value: Option<Value>) {
        let Some(value) = value else {
            self.remove(path);
            return;
        };
        let Some((last, way)) = path.segments().split_last() else { return };
        let mut members = &mut self.0;
        for name in way {
            let next = members.entry(name.as_str()).or_insert_with(|| Value::Object(Map::new()));
            if !next.is_object() {
                *next = Value::Object(Map::new());
            }
            let Value::Object(inner) = next else { return };
            members = inner;
        }
        members.insert(last.clone(), value);
    }
}

fn compare(
    at: &mut Vec<String>,
    from: &Map<String, Value>,
    to: &Map<String, Value>,
    changes: &mut Vec<Change>,
) {
    for name in from.keys().filter(|name| !to.contains_key(*name)) {
        at.push(name.clone());
        changes.push(Change::to(at, What::Remove));
        at.pop();
    }
    for (name, new) in to {
        let old = from.get(name);
        if old == Some(new) {
            continue;
        }
        at.push(name.clone());
        match (old, new) {
            // Emptied is not replaced: what is gone from it is said name by name.
            (Some(Value::Object(old)), Value::Object(new)) if at.len() < MAX_DEPTH => {
                compare(at, old, new, changes);
            }
            (None, Value::Object(new)) if !new.is_empty() && at.len() < MAX_DEPTH => {
                compare(at, &Map::new(), new, changes);
            }
            _ => changes.push(Change::to(at, What::Set(new.clone()))),
        }
        at.pop();
    }
}

fn check_value(value: &Value, depth: usize, count: &mut usize) -> Result<()> {
    *count += 1;
    if depth > MAX_NESTING || *count > MAX_VALUES {
        return Err(too_large(format!(
            "a document has at most {MAX_NESTING} levels and {MAX_VALUES} values"
        )));
    }
    match value {
        Value::Object(members) => members.iter().try_for_each(|(name, value)| {
            check_name(name)?;
            check_value(value, depth + 1, count)
        }),
        Value::Array(items) => items.iter().try_for_each(|item| check_value(item, depth + 1, count)),
        _ => Ok(()),
    }
}

#[cold]
fn too_large(message: String) -> Error {
    Error::new(ErrorKind::TooLarge, "change document", message)
}

#[cold]
fn through(path: &Path, name: &str) -> Error {
    let message =
        format!("the way to `{path}` leads through `{name}`, which is no object; replace that first");
    Error::new(ErrorKind::Invalid, "change document", message)
}

/// Values are personal; only their number is told.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("members", &self.0.len()).finish_non_exhaustive()
    }
}

impl TryFrom<Value> for Document {
    type Error = Error;

    fn try_from(value: Value) -> Result<Self> {
        let Value::Object(members) = value else {
            return Err(Error::new(ErrorKind::Invalid, "read document", "a document is a JSON object"));
        };
        let document = Self(members);
        document.check()?;
        Ok(document)
    }
}

impl From<Document> for Value {
    fn from(document: Document) -> Self {
        Self::Object(document.0)
    }
}
