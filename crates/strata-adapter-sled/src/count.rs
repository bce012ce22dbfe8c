//! The number of records: [`Count`], kept in memory, written at a close and taken out of the store by the next open. So a
//! crash leaves no number rather than an old one; a walk over everything finds it again.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use strata_core::Result;

use crate::engine::Engine;
use crate::error::damaged;
use crate::format::{frame, meta_name, space, unframe};

const UNKNOWN: i64 = i64::MIN;

/// The number of records of one open store, if it is known.
#[derive(Debug)]
pub(crate) struct Count {
    /// How many there were when `grown` was zero, or [`UNKNOWN`].
    base: AtomicI64,
    grown: AtomicI64,
    // Commits that make or remove records, as they begin and as they end.
    begun: AtomicU64,
    ended: AtomicU64,
}

/// A moment, to tell whether records came or went since.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    ended: u64,
    grown: i64,
}

impl Count {
    pub(crate) fn new(records: Option<u64>) -> Self {
        Self {
            base: AtomicI64::new(records.map_or(UNKNOWN, signed)),
            grown: AtomicI64::new(0),
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
        }
    }

    /// Takes the number out of the store. A store without a single record needs none.
    pub(crate) fn load(engine: &Engine) -> Result<Self> {
        let name = meta_name("records");
        if let Some(framed) = engine.get(&name)? {
            let bytes = unframe(&name, &framed, "the number of records")?;
            let records = bytes.try_into().map_err(|_| damaged("the number of records"))?;
            engine.remove(&name)?;
            return Ok(Self::new(Some(u64::from_le_bytes(records))));
        }
        let some = engine.prefix(&[space::RECORD]).next().transpose()?;
        Ok(Self::new(if some.is_some() { None } else { Some(0) }))
    }

    /// Takes whatever number is in the store out of it: a repair has counted.
    pub(crate) fn after_repair(engine: &Engine, records: u64) -> Result<Self> {
        engine.remove(&meta_name("records"))?;
        Ok(Self::new(Some(records)))
    }

    /// Writes the number at a close, if it is known.
    pub(crate) fn store(&self, engine: &Engine) -> Result<()> {
        let Some(records) = self.get() else { return Ok(()) };
        let name = meta_name("records");
        engine.insert(&name, frame(&name, &records.to_le_bytes()))
    }

    /// The number, if it is known.
    pub(crate) fn get(&self) -> Option<u64> {
        match self.base.load(Ordering::SeqCst) {
            UNKNOWN => None,
            base => Some(u64::try_from(base + self.grown.load(Ordering::SeqCst)).unwrap_or(0)),
        }
    }

    /// Makes a change that makes or removes records, `grown` in sum.
    pub(crate) fn change(&self, grown: i64, make: impl FnOnce() -> Result<()>) -> Result<()> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        // A change that fails ends the handle, and never ends here: no walk counts any more.
        make()?;
        self.grown.fetch_add(grown, Ordering::SeqCst);
        self.ended.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// Now.
    pub(crate) fn mark(&self) -> Mark {
        Mark { ended: self.ended.load(Ordering::SeqCst), grown: self.grown.load(Ordering::SeqCst) }
    }

    /// A walk since `mark` found so many records. That is the number, unless records came or went meanwhile.
    pub(crate) fn found(&self, mark: Mark, records: u64) {
        // As many have begun as had ended: none was under way at the mark, and none has begun since.
        if self.begun.load(Ordering::SeqCst) == mark.ended {
            self.base.store(signed(records) - mark.grown, Ordering::SeqCst);
        }
    }
}

fn signed(records: u64) -> i64 {
    i64::try_from(records).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_counts_unless_records_came_or_went_meanwhile() {
        let count = Count::new(None);
        count.change(1, || Ok(())).expect("made");
        let mark = count.mark();
        count.change(1, || Ok(())).expect("made");
        count.found(mark, 7);
        assert_eq!(count.get(), None, "one came while it walked");
        count
            .change(1, || {
                count.found(count.mark(), 7);
                Ok(())
            })
            .expect("made");
        assert_eq!(count.get(), None, "one was under way");
        let mark = count.mark();
        count.found(mark, 7);
        assert_eq!(count.get(), Some(7));
        count.change(-2, || Ok(())).expect("made");
        assert_eq!(count.get(), Some(5));
    }
}
