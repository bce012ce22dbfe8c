//! What a store is asked to change, all of it or none of it: [`Batch`], [`Op`], [`Guard`], [`Write`].
//!
//! The meaning of guards and writes is here too, as [`Guard::judge`] and [`Write::apply`]: a store that calls them inside
//! its atomic step can't differ from another.

use std::fmt;

use smallvec::SmallVec;

use crate::error::{Error, ErrorKind, Result};
use crate::expiry::Expiry;
use crate::key::{Key, Tags};
use crate::record::{Payload, Record, Version};
use crate::store::Capabilities;
use crate::time::Timestamp;

/// What is true of a commit once it is acknowledged. Ordered: each level holds the ones before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Durability {
    /// Gone with the process.
    Volatile,
    /// On its way to disk; may be lost within [`Capabilities::relaxed_window`] before a crash.
    Relaxed,
    /// There after the process is killed. The handle's default.
    #[default]
    Process,
    /// There after power is lost.
    Power,
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Volatile => "volatile",
            Self::Relaxed => "relaxed",
            Self::Process => "process",
            Self::Power => "power",
        })
    }
}

/// The operations of a batch; one of them needs no allocation.
pub type Ops = SmallVec<[Op; 1]>;

/// Changes that a store makes together or not at all. An empty batch is a barrier: once it is acknowledged, all
/// commits acknowledged before it are as durable as it asks.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The instant the guards are judged at.
    pub now: Timestamp,
    /// What has to be true before the commit is acknowledged.
    pub durability: Durability,
    /// The operations; a key occurs at most once.
    pub ops: Ops,
}

/// One guarded change of one key.
#[derive(Clone, Debug)]
pub struct Op {
    /// Which record.
    pub key: Key,
    /// What has to hold of it.
    pub guard: Guard,
    /// What becomes of it.
    pub write: Write,
}

/// What has to hold of a record for a batch to be made. A record that is dead at [`Batch::now`] is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Anything.
    Any,
    /// No living record.
    Absent,
    /// A living record.
    Present,
    /// A living record in exactly this version.
    Version(Version),
}

/// What becomes of a record.
#[derive(Clone, Debug)]
pub enum Write {
    /// Creates or replaces it.
    Put {
        /// The new bytes.
        payload: Payload,
        /// The new expiry, or that of the living record.
        expiry: Keep<Expiry>,
        /// The new tags, or those of the living record.
        tags: Keep<Tags>,
    },
    /// Moves the deadline of a living record that has an idle time later, never past its cap. Same version, no event. Never creates or revives; on
    /// anything but a living record it does nothing.
    Slide(Timestamp),
    /// Gives a living record another expiry, as a real change with a new version. On anything else it does nothing.
    Expire(Expiry),
    /// Removes it, living or dead.
    Remove,
    /// Leaves it; the guard is the point.
    Check,
}

/// A part of a record that a write replaces or leaves as it is. A dead record's metadata is never inherited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep<T> {
    /// What the living record has, else the default.
    Keep,
    /// This.
    Set(T),
}

/// What a commit did, one outcome per operation, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// What happened to each operation's record.
    pub outcomes: SmallVec<[Outcome; 1]>,
}

/// What one operation found and left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The record as it was found.
    pub before: Before,
    /// The version it has now if a write left a record, living or dead on arrival; `None` after a removal or when nothing
    /// was done.
    pub after: Option<Version>,
}

/// A record as an operation found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// There was none.
    Absent,
    /// One that had died and not been removed yet. Whoever removes or replaces it announces the expiry.
    Dead(Version),
    /// A living one.
    Live(Version),
}

/// What a store has to do for one operation once all guards hold.
#[derive(Debug)]
pub enum Effect {
    /// Nothing.
    Nothing,
    /// Store this record in place of whatever is there.
    Put(Record),
    /// Store this later deadline, nothing else.
    Slide(Timestamp),
    /// Remove what is there.
    Remove,
}

/// What guards and writes look at of a record, borrowed from wherever a store keeps it: nothing is counted or copied.
#[derive(Clone, Copy, Debug)]
pub struct Existing<'r> {
    /// The bytes.
    pub payload: &'r Payload,
    /// The number of the last real change.
    pub version: Version,
    /// When this life of the key began.
    pub created: Timestamp,
    /// When it dies.
    pub expiry: Expiry,
    /// Its labels.
    pub tags: &'r Tags,
}

impl<'r> From<&'r Record> for Existing<'r> {
    #[inline]
    fn from(record: &'r Record) -> Self {
        let Record { payload, version, created, expiry, tags, .. } = record;
        Self { payload, version: *version, created: *created, expiry: *expiry, tags }
    }
}

impl Batch {
    /// A batch of one operation.
    #[inline]
    pub fn one(now: Timestamp, durability: Durability, op: Op) -> Self {
        Self { now, durability, ops: Ops::from_buf([op]) }
    }

    /// Checks what needs no record: limits, levels, keys named twice. Every store calls it first, so that a refusal
    /// leaves nothing written.
    pub fn validate(&self, capabilities: &Capabilities, store: &dyn fmt::Display) -> Result<()> {
        if self.durability > capabilities.durability {
            return Err(unsupported(format!(
                "durability `{}` was asked for, the most this store has is `{}`; ask for less or open another store",
                self.durability, capabilities.durability
            ))
            .in_store(store));
        }
        if self.ops.len() > 1 {
            self.validate_many(capabilities, store)?;
        }
        for op in &self.ops {
            if let Write::Put { payload, .. } = &op.write
                && payload.len() > capabilities.max_payload
            {
                return Err(Error::new(
                    ErrorKind::TooLarge,
                    "commit",
                    format!(
                        "the value of `{}` takes {} bytes sealed, at most {} are allowed here; split it",
                        op.key,
                        payload.len(),
                        capabilities.max_payload
                    ),
                )
                .in_store(store));
            }
        }
        Ok(())
    }

    #[cold]
    fn validate_many(&self, capabilities: &Capabilities, store: &dyn fmt::Display) -> Result<()> {
        if capabilities.atomicity < crate::store::Atomicity::Batch {
            return Err(unsupported(format!(
                "a batch of {} operations was asked for, this store is atomic over one key",
                self.ops.len()
            ))
            .in_store(store));
        }
        if self.ops.len() > capabilities.max_batch {
            return Err(Error::new(
                ErrorKind::TooLarge,
                "commit",
                format!(
                    "{} operations in one batch, at most {} are allowed; split it",
                    self.ops.len(),
                    capabilities.max_batch
                ),
            )
            .in_store(store));
        }
        let mut keys: Vec<&Key> = self.ops.iter().map(|op| &op.key).collect();
        keys.sort_unstable();
        if let Some([key, ..]) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::new(
                ErrorKind::Invalid,
                "commit",
                format!("`{key}` occurs twice in one batch; combine the two writes"),
            )
            .in_store(store));
        }
        Ok(())
    }
}

impl Guard {
    /// Whether the guard holds of `existing` at `now`; [`ErrorKind::Conflict`] or [`ErrorKind::Gone`] if not.
    #[inline]
    pub fn judge(self, key: &Key, existing: Option<&Record>, now: Timestamp) -> Result<()> {
        self.judge_existing(key, existing.map(Existing::from), now)
    }

    /// As [`Guard::judge`], for stores that hold no [`Record`].
    #[inline]
    pub fn judge_existing(self, key: &Key, existing: Option<Existing<'_>>, now: Timestamp) -> Result<()> {
        let live = existing.filter(|record| !record.expiry.is_dead(now)).map(|record| record.version);
        match (self, live) {
            (Self::Any, _) | (Self::Absent, None) | (Self::Present, Some(_)) => Ok(()),
            (Self::Version(wanted), Some(found)) if wanted == found => Ok(()),
            (guard, live) => Err(guard.broken(key, live.is_some())),
        }
    }

    #[cold]
    fn broken(self, key: &Key, live: bool) -> Error {
        match (self, live) {
            (Self::Absent, _) => Error::new(
                ErrorKind::Conflict,
                "commit",
                format!("`{key}` exists already; read it and change it instead"),
            ),
            (_, true) => Error::new(
                ErrorKind::Conflict,
                "commit",
                format!("`{key}` was changed by somebody else; read it again and retry"),
            ),
            (_, false) => Error::new(
                ErrorKind::Gone,
                "commit",
                format!("`{key}` has ended or never was; create it anew if that is meant"),
            ),
        }
    }
}

impl Write {
    /// What the write makes of `existing` at `now`, `version` being the number a real change gets.
    #[inline]
    pub fn apply(self, existing: Option<&Record>, now: Timestamp, version: Version) -> (Effect, Outcome) {
        self.apply_existing(existing.map(Existing::from), now, version)
    }

    /// As [`Write::apply`], for stores that hold no [`Record`].
    #[inline]
    pub fn apply_existing(
        self,
        existing: Option<Existing<'_>>,
        now: Timestamp,
        version: Version,
    ) -> (Effect, Outcome) {
        let live = existing.filter(|record| !record.expiry.is_dead(now));
        let before = match (existing, live) {
            (None, _) => Before::Absent,
            (Some(record), None) => Before::Dead(record.version),
            (_, Some(record)) => Before::Live(record.version),
        };
        let (effect, after) = match (self, live) {
            (Self::Put { payload, expiry, tags }, live) => {
                let expiry = match expiry {
                    Keep::Set(expiry) => expiry,
                    Keep::Keep => live.map_or(Expiry::NEVER, |record| record.expiry),
                };
                let tags = match tags {
                    Keep::Set(tags) => tags,
                    Keep::Keep => live.map_or_else(Tags::none, |record| record.tags.clone()),
                };
                let created = live.map_or(now, |record| record.created);
                (Effect::Put(Record { payload, version, created, updated: now, expiry, tags }), Some(version))
            }
            (Self::Expire(expiry), Some(Existing { payload, created, tags, .. })) => {
                let (payload, tags) = (payload.clone(), tags.clone());
                (Effect::Put(Record { payload, version, created, updated: now, expiry, tags }), Some(version))
            }
            (Self::Slide(target), Some(record)) => {
                let mut expiry = record.expiry;
                if expiry.slide_to(target) {
                    let target = expiry.deadline().unwrap_or(target);
                    (Effect::Slide(target), Some(record.version))
                } else {
                    (Effect::Nothing, None)
                }
            }
            (Self::Remove, _) if existing.is_some() => (Effect::Remove, None),
            _ => (Effect::Nothing, None),
        };
        (effect, Outcome { before, after })
    }
}

#[cold]
fn unsupported(message: String) -> Error {
    Error::new(ErrorKind::Unsupported, "commit", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::ReferenceStore;
    use crate::store::Store;

    #[test]
    fn s38_batches_and_payloads_are_bounded_and_keys_named_once() {
        let store = ReferenceStore::new();
        let capabilities = store.capabilities();
        let op = |name: &str, len| Op {
            key: Key::new(name).expect("key"),
            guard: Guard::Any,
            write: Write::Put { payload: Payload::from(vec![0; len]), expiry: Keep::Keep, tags: Keep::Keep },
        };
        let judge = |ops: Vec<Op>| {
            let batch = Batch { now: Timestamp::EPOCH, durability: Durability::Volatile, ops: ops.into() };
            batch.validate(&capabilities, &store).map_err(|error| error.kind())
        };
        let many = |count: usize| (0..count).map(|number| op(&number.to_string(), 0)).collect::<Vec<_>>();
        assert_eq!(judge(many(capabilities.max_batch)), Ok(()));
        assert_eq!(judge(many(capabilities.max_batch + 1)), Err(ErrorKind::TooLarge));
        assert_eq!(judge(vec![op("a", capabilities.max_payload)]), Ok(()));
        assert_eq!(judge(vec![op("a", capabilities.max_payload + 1)]), Err(ErrorKind::TooLarge));
        assert_eq!(judge(vec![op("a", 0), op("b", 0), op("a", 0)]), Err(ErrorKind::Invalid));
    }
}
