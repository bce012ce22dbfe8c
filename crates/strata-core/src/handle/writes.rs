//! Several changes in one commit: [`Writes`], made of [`Staged`] ones.

use std::fmt;
use std::sync::Arc;

use super::pipe::Pipe;
use super::write::Set;
use super::{Handle, Key};
use crate::batch::{Batch, Committed, Durability, Guard, Op, Ops, Outcome, Write};
use crate::error::{Error, ErrorKind, Result};

/// A change that waits for its commit: a [`Set`], [`Handle::removal`] or [`Handle::check`].
#[must_use = "a staged change does nothing until it is added to `Writes` and committed"]
pub struct Staged<'h>(Stage<'h>);

// Stages are few and short-lived; a box for each would cost more than the room.
#[allow(clippy::large_enum_variant)]
enum Stage<'h> {
    Set(Set<'h>),
    Plain { handle: &'h Handle, key: Result<Key>, guard: Guard, write: Write },
}

impl<'h> From<Set<'h>> for Staged<'h> {
    fn from(set: Set<'h>) -> Self {
        Self(Stage::Set(set))
    }
}

impl fmt::Debug for Staged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Stage::Set(set) => set.fmt(f),
            Stage::Plain { key, guard, .. } => {
                f.debug_struct("Staged").field("key", key).field("guard", guard).finish()
            }
        }
    }
}

/// Changes that are committed together or not at all. Durable as the handle says, or as the strictest of its sets asks.
#[must_use = "nothing is written until `commit` is awaited"]
#[derive(Debug)]
pub struct Writes<'h> {
    handle: &'h Handle,
    staged: Vec<Staged<'h>>,
}

impl Handle {
    /// Starts a set of changes that commit together. Changes of any namespace and collection over the same store may be
    /// added; a key may occur once.
    pub fn writes(&self) -> Writes<'_> {
        Writes { handle: self, staged: Vec::new() }
    }

    /// A removal to be committed with other changes.
    pub fn removal(&self, name: &str) -> Staged<'_> {
        self.plain(name, Guard::Any, Write::Remove)
    }

    /// A removal that holds only under `guard`.
    pub fn guarded_removal(&self, name: &str, guard: Guard) -> Staged<'_> {
        self.plain(name, guard, Write::Remove)
    }

    /// A condition on a record that is left as it is; if it does not hold, none of the changes is made.
    pub fn check(&self, name: &str, guard: Guard) -> Staged<'_> {
        self.plain(name, guard, Write::Check)
    }

    fn plain(&self, name: &str, guard: Guard, write: Write) -> Staged<'_> {
        Staged(Stage::Plain { handle: self, key: self.key(name), guard, write })
    }
}

impl<'h> Writes<'h> {
    /// Adds a change.
    pub fn stage(mut self, change: impl Into<Staged<'h>>) -> Self {
        self.staged.push(change.into());
        self
    }

    /// Commits all of it or none of it, and says what each change found and left, in order.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] or [`ErrorKind::Gone`] when a guard does not hold; [`ErrorKind::Unsupported`] when the store
    /// is not atomic over several keys; [`ErrorKind::Invalid`] for a key named twice or a change made for another store.
    pub async fn commit(self) -> Result<Vec<Outcome>> {
        let pipe = &self.handle.pipe;
        let now = pipe.now();
        let mut durability = pipe.durability;
        let mut ops = Ops::with_capacity(self.staged.len());
        for staged in self.staged {
            let (op, wanted) = staged.into_op(pipe, now)?;
            durability = durability.max(wanted.unwrap_or(Durability::Volatile));
            ops.push(op);
        }
        let count = ops.len();
        let Committed { outcomes } = pipe.commit(Batch { now, durability, ops }).await?;
        Ok(outcomes.into_iter().take(count).collect())
    }
}

impl Staged<'_> {
    fn into_op(self, pipe: &Arc<Pipe>, now: crate::time::Timestamp) -> Result<(Op, Option<Durability>)> {
        let of = match &self.0 {
            Stage::Set(set) => set.handle,
            Stage::Plain { handle, .. } => handle,
        };
        if !Arc::ptr_eq(&of.pipe, pipe) {
            return Err(Error::new(
                ErrorKind::Invalid,
                "commit",
                "a change was made through a handle of another store; commit it there",
            ));
        }
        match self.0 {
            Stage::Set(mut set) => set.take_op(now).map(|(op, durability)| (op, Some(durability))),
            Stage::Plain { key, guard, write, .. } => Ok((Op { key: key?, guard, write }, None)),
        }
    }
}
