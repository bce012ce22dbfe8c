//! sled with a guard around every call: errors and panics end the handle, and nothing else of sled is reachable.
//!
//! `apply_batch`, `transaction` and `checksum` must never be called anywhere in the process: each takes sled's one
//! process-wide write lock, and the first call turns that lock on for every plain write, of every store, until the process
//! ends. And batches pile up in memory faster than the disk takes them. (`docs/decisions/0005-sled-without-its-batches.md`)

use std::fmt;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};

use sled::IVec;
use strata_core::Result;

use crate::error::Poison;

/// The tree that holds everything.
pub(crate) struct Engine {
    db: sled::Db,
    poison: Poison,
    #[cfg(test)]
    pub(crate) fuse: fuse::Fuse,
    /// A test's damaged page: no walk comes past this name.
    #[cfg(test)]
    broken_at: std::sync::OnceLock<Vec<u8>>,
}

impl Engine {
    pub(crate) fn new(db: sled::Db) -> Self {
        Self {
            db,
            poison: Poison::default(),
            #[cfg(test)]
            fuse: fuse::Fuse::default(),
            #[cfg(test)]
            broken_at: std::sync::OnceLock::new(),
        }
    }

    /// The value under a name.
    #[inline]
    pub(crate) fn get(&self, name: &[u8]) -> Result<Option<IVec>> {
        self.run("get", || self.db.get(name))
    }

    /// Puts a value under a name. Values stay under [`MAX_ENTRY`](crate::format::MAX_ENTRY).
    pub(crate) fn insert(&self, name: &[u8], value: impl Into<IVec>) -> Result<()> {
        #[cfg(test)]
        self.burn()?;
        let value = value.into();
        self.run("commit", || self.db.insert(name, value).map(drop))
    }

    /// Removes a name.
    pub(crate) fn remove(&self, name: &[u8]) -> Result<()> {
        #[cfg(test)]
        self.burn()?;
        self.run("commit", || self.db.remove(name).map(drop))
    }

    /// Entries in order of their names.
    pub(crate) fn range(&self, from: Bound<&[u8]>, to: &[u8]) -> Entries<'_> {
        Entries { engine: self, iter: self.db.range::<&[u8], _>((from, Bound::Excluded(to))) }
    }

    /// Entries whose names begin with `prefix`.
    pub(crate) fn prefix(&self, prefix: &[u8]) -> Entries<'_> {
        self.range(Bound::Included(prefix), &crate::format::after_prefix(prefix))
    }

    /// All entries.
    pub(crate) fn all(&self) -> Entries<'_> {
        Entries { engine: self, iter: self.db.iter() }
    }

    /// Hands everything written so far to the operating system; with the feature `power`, to the disk.
    pub(crate) fn flush(&self) -> Result<()> {
        self.run("flush", || self.db.flush().map(drop))
    }

    /// Bytes the files take, roughly.
    pub(crate) fn size_on_disk(&self) -> Result<u64> {
        self.run("stats", || self.db.size_on_disk())
    }

    /// The poison of this handle.
    pub(crate) fn poison(&self) -> &Poison {
        &self.poison
    }

    #[inline]
    fn run<T>(&self, operation: &'static str, call: impl FnOnce() -> sled::Result<T>) -> Result<T> {
        self.poison.check(operation)?;
        // After a panic the handle is poisoned, so nobody sees what it left behind.
        match catch_unwind(AssertUnwindSafe(call)) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.poison.by_sled(operation, error)),
            Err(_) => Err(self.poison.by_panic(operation)),
        }
    }

    /// Lets every walk fail, as on a damaged page, at the first entry named `name` or later.
    #[cfg(test)]
    pub(crate) fn break_walk_at(&self, name: &[u8]) {
        let _ = self.broken_at.set(name.to_vec());
    }

    #[cfg(test)]
    fn meet(&self, entry: (IVec, IVec)) -> Result<(IVec, IVec)> {
        match self.broken_at.get() {
            Some(name) if *entry.0 >= **name => {
                Err(self.poison.by_sled("scan", sled::Error::Corruption { at: None, bt: () }))
            }
            _ => Ok(entry),
        }
    }

    #[cfg(test)]
    fn burn(&self) -> Result<()> {
        if self.fuse.burn() {
            Ok(())
        } else {
            Err(self.poison.by_io("commit", std::io::Error::other("the fuse has blown")))
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("poison", &self.poison).finish_non_exhaustive()
    }
}

/// A walk over entries.
pub(crate) struct Entries<'a> {
    engine: &'a Engine,
    iter: sled::Iter,
}

impl Iterator for Entries<'_> {
    type Item = Result<(IVec, IVec)>;

    fn next(&mut self) -> Option<Self::Item> {
        let iter = &mut self.iter;
        let next = self.engine.run("scan", || iter.next().transpose()).transpose();
        #[cfg(test)]
        let next = next.map(|entry| entry.and_then(|entry| self.engine.meet(entry)));
        next
    }
}

/// A test's knife: lets so many writes through and none after.
#[cfg(test)]
pub(crate) mod fuse {
    use std::cell::Cell;
    use std::sync::atomic::{AtomicI64, Ordering};

    #[derive(Debug)]
    pub(crate) struct Fuse(AtomicI64);

    thread_local! {
        static NEXT: Cell<i64> = const { Cell::new(i64::MAX) };
    }

    impl Default for Fuse {
        fn default() -> Self {
            Self(AtomicI64::new(NEXT.replace(i64::MAX)))
        }
    }

    impl Fuse {
        /// Lets `writes` through in the store that this thread opens next, those of the open included.
        pub(crate) fn set_next(writes: i64) {
            NEXT.set(writes);
        }

        /// Lets `writes` more through.
        pub(crate) fn set(&self, writes: i64) {
            self.0.store(writes, Ordering::SeqCst);
        }

        pub(super) fn burn(&self) -> bool {
            self.0.fetch_sub(1, Ordering::SeqCst) > 0
        }
    }
}
