//! Bounded walks over a store: [`Scan`], what it [`Select`]s, and the [`Page`] it gives.

use crate::key::{Key, KeyPrefix, Tag};
use crate::record::Record;
use crate::time::Timestamp;

/// Which records a walk visits. Each is answered by an index, in a time that does not grow with the other records.
#[derive(Clone, Debug)]
pub enum Select {
    /// Keys with this prefix, in key order, system records included.
    Prefix(KeyPrefix),
    /// Records with this tag, in key order.
    Tag(Tag),
    /// Records whose deadline is at or before this instant, dead or not. The order is the store's; a key whose deadline
    /// changes during the walk may be seen again or not at all.
    Due(Timestamp),
    /// These records, where they exist, in the order given.
    Keys(Vec<Key>),
}

/// Where a walk goes on. Opaque, valid for the same selection on the same store, also after writes and restarts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(Box<[u8]>);

impl Cursor {
    /// Wraps a store's own position.
    pub fn new(position: impl Into<Box<[u8]>>) -> Self {
        Self(position.into())
    }

    /// The store's own position.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// One step of a walk.
#[derive(Clone, Debug)]
pub struct Scan {
    /// What to visit.
    pub select: Select,
    /// Where the last page ended, or `None` to start.
    pub after: Option<Cursor>,
    /// The most records to return, 1 to [`Scan::MAX_LIMIT`]; stores clamp it.
    pub limit: usize,
}

impl Scan {
    /// The most records one page can have.
    pub const MAX_LIMIT: usize = 1024;

    /// The first page of a walk.
    pub fn new(select: Select, limit: usize) -> Self {
        Self { select, after: None, limit }
    }

    /// The limit, clamped to its range.
    pub fn limit(&self) -> usize {
        self.limit.clamp(1, Self::MAX_LIMIT)
    }
}

/// Some of the records selected, dead ones included, and where to go on. A page may be short, or even empty, while
/// there are more; the walk is over when `next` is `None`.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The records, each as it was at some moment during the call.
    pub entries: Vec<(Key, Record)>,
    /// The cursor of the next page.
    pub next: Option<Cursor>,
}
