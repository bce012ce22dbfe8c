//! What an operator asks of the store: [`Stats`], how much it holds, and [`Check`], whether its parts agree.

use std::sync::atomic::Ordering;

use strata_core::{Key, Tag};

use crate::index::Bucket;
use crate::name::Name;
use crate::room::Size;
use crate::state::State;
use crate::store::MemoryStore;

/// How much a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Records, dead ones included.
    pub records: usize,
    /// Pairs of a record and a tag on it.
    pub tag_entries: usize,
    /// Records that have a deadline.
    pub due_entries: usize,
    /// The bytes held, as [`MemoryConfig::max_bytes`](crate::MemoryConfig::max_bytes) counts them; `None` where the store
    /// has no bound, because it does not count then.
    pub bytes: Option<u64>,
    /// Dead records dropped to make room since the store was made.
    pub reclaimed: u64,
    /// Living records dropped to make room since the store was made.
    pub evicted: u64,
}

/// What a full walk found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// Records, dead ones included.
    pub records: usize,
    /// Pairs in the tag index.
    pub tag_entries: usize,
    /// Names in the deadline index.
    pub due_entries: usize,
    /// What does not agree; empty in a sound store.
    pub problems: Vec<Problem>,
}

/// Something that does not agree. Each would be a bug of this crate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// A record that prefix walks miss.
    Unlisted(Key),
    /// A record that walks by this tag miss.
    Untagged(Key, Tag),
    /// A record with a deadline that due walks miss, or find too late.
    Unfiled(Key),
    /// A name that is not a key.
    BadName,
    /// An index has entries without a record: so many of them, all indexes together.
    Strays(usize),
    /// What is counted under the bounds is not what is held: bytes counted, bytes held.
    Miscounted(u64, u64),
}

impl MemoryStore {
    /// How much the store holds, in a time that does not grow with it.
    pub fn stats(&self) -> Stats {
        Stats {
            records: self.indexes.keys.len(),
            tag_entries: self.indexes.tags.len(),
            due_entries: self.indexes.due.len(),
            bytes: self.room.held().map(|size| size.bytes),
            reclaimed: self.room.reclaimed.load(Ordering::Relaxed),
            evicted: self.room.evicted.load(Ordering::Relaxed),
        }
    }

    /// Compares every record with every index. Writes wait meanwhile, and reads too: about six seconds for a
    /// million records.
    pub fn check(&self) -> Check {
        let _alone = self.gate.alone();
        let mut walk = Walk::default();
        for entry in &self.map {
            walk.visit(self, entry.key(), entry.value());
        }
        let mut check = Check {
            records: usize::try_from(walk.size.records).unwrap_or(usize::MAX),
            tag_entries: self.indexes.tags.len(),
            due_entries: self.indexes.due.len(),
            problems: walk.problems,
        };
        let entries = self.indexes.keys.len() + check.tag_entries + check.due_entries;
        let strays = entries.saturating_sub(walk.indexed);
        if strays > 0 {
            check.problems.push(Problem::Strays(strays));
        }
        if let Some(counted) = self.room.held().filter(|&counted| counted != walk.size) {
            check.problems.push(Problem::Miscounted(counted.bytes, walk.size.bytes));
        }
        check
    }
}

/// What has been seen of the records so far.
#[derive(Default)]
struct Walk {
    size: Size,
    /// Index entries that belong to a record.
    indexed: usize,
    problems: Vec<Problem>,
}

impl Walk {
    fn visit(&mut self, store: &MemoryStore, name: &Name, state: &State) {
        let size = Size::of(name.as_bytes().len(), state.payload_len(), state.tags());
        self.size = [self.size, size].into_iter().sum();
        let Ok(key) = name.key() else {
            self.problems.push(Problem::BadName);
            return;
        };
        self.expect(store.indexes.keys.contains(name), || Problem::Unlisted(key.clone()));
        for tag in state.tags() {
            self.expect(store.indexes.tags.contains(tag, name), || {
                Problem::Untagged(key.clone(), tag.clone())
            });
        }
        let bucket = state.bucket();
        if let Some(deadline) = state.expiry().deadline() {
            let filed = bucket <= Bucket::at(deadline) && store.indexes.due.contains(bucket, name);
            self.expect(filed, || Problem::Unfiled(key.clone()));
        }
    }

    fn expect(&mut self, holds: bool, problem: impl FnOnce() -> Problem) {
        if holds {
            self.indexed += 1;
        } else {
            self.problems.push(problem());
        }
    }
}
