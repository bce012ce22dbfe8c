//! What the map holds for a name: [`State`], a record and where it is filed in the due index, in 72 bytes.

use strata_core::{Existing, Expiry, Payload, Record, Tags, Timestamp, Version};

use crate::index::Bucket;

/// A record, packed: 72 bytes are the most that fit an 80-byte block of the usual allocators, and there are as many of
/// these as sessions.
pub(crate) struct State {
    payload: Payload,
    tags: Tags,
    version: Version,
    expiry: Expiry,
    /// Creation time in the upper 48 bits, upper half of the bucket below.
    created: u64,
    /// Time of the last change in the upper 48 bits, lower half of the bucket below.
    updated: u64,
}

/// The bits below a timestamp, which has 48: the end of the year 9999 is less than 2^48 ms away from 1970.
const SPARE: u32 = 16;
const LOW: u64 = (1 << SPARE) - 1;
const _: () = assert!(Timestamp::MAX.as_millis() < 1 << (u64::BITS - SPARE));

impl State {
    /// Packs a record that is filed nowhere.
    pub(crate) fn new(record: Record) -> Self {
        let Record { payload, version, created, updated, expiry, tags } = record;
        let mut state = Self { payload, tags, version, expiry, created: 0, updated: 0 };
        state.stamp(created, updated, Bucket::NONE);
        state
    }

    /// The record; counts one reference to the payload and one to the tags.
    #[inline]
    pub(crate) fn record(&self) -> Record {
        Record {
            payload: self.payload.clone(),
            version: self.version,
            created: Timestamp::from_millis(self.created >> SPARE),
            updated: Timestamp::from_millis(self.updated >> SPARE),
            expiry: self.expiry,
            tags: self.tags.clone(),
        }
    }

    /// All that guards and writes look at. Counts no reference: the counts lie in memory that may be far, and each makes
    /// the processor wait for what it has begun.
    #[inline]
    pub(crate) fn existing(&self) -> Existing<'_> {
        Existing {
            payload: &self.payload,
            version: self.version,
            created: Timestamp::from_millis(self.created >> SPARE),
            expiry: self.expiry,
            tags: &self.tags,
        }
    }

    /// Touches each cache line of the payload, so that their misses overlap: counting the reference that follows makes the
    /// processor wait, and whoever reads copies all of them next.
    #[inline]
    pub(crate) fn approach(&self) {
        const LINE: usize = 64;
        const LINES: usize = 32;
        let touched =
            self.payload.as_bytes().iter().step_by(LINE).take(LINES).fold(0, |all, byte| all ^ byte);
        std::hint::black_box(touched);
    }

    /// Touches the payload's beginning, beside which its count lies, so that a write that will let it go does not wait then.
    #[inline]
    pub(crate) fn approach_count(&self) {
        std::hint::black_box(self.payload.as_bytes().first().copied());
    }

    /// Takes over `record`, keeping the bucket; gives back the tags it had.
    #[inline]
    pub(crate) fn replace(&mut self, record: Record) -> Tags {
        let Record { payload, version, created, updated, expiry, tags } = record;
        self.payload = payload;
        self.version = version;
        self.expiry = expiry;
        self.stamp(created, updated, self.bucket());
        std::mem::replace(&mut self.tags, tags)
    }

    /// Moves the deadline later.
    pub(crate) fn slide(&mut self, target: Timestamp) {
        self.expiry.slide_to(target);
    }

    /// Where it is filed in the due index.
    #[inline]
    pub(crate) fn bucket(&self) -> Bucket {
        // Two halves of 16 bits make 32.
        #[allow(clippy::cast_possible_truncation)]
        Bucket::from_stored(((self.created & LOW) << SPARE | self.updated & LOW) as u32)
    }

    /// Remembers where it is filed.
    pub(crate) fn set_bucket(&mut self, bucket: Bucket) {
        let stamp = |word: u64| Timestamp::from_millis(word >> SPARE);
        self.stamp(stamp(self.created), stamp(self.updated), bucket);
    }

    /// When it dies.
    #[inline]
    pub(crate) fn expiry(&self) -> &Expiry {
        &self.expiry
    }

    /// Its labels.
    pub(crate) fn tags(&self) -> &Tags {
        &self.tags
    }

    /// The length of its payload, in bytes.
    pub(crate) fn payload_len(&self) -> usize {
        self.payload.len()
    }

    #[inline]
    fn stamp(&mut self, created: Timestamp, updated: Timestamp, bucket: Bucket) {
        let bucket = u64::from(bucket.to_stored());
        self.created = created.as_millis() << SPARE | bucket >> SPARE;
        self.updated = updated.as_millis() << SPARE | bucket & LOW;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_loses_nothing_and_fits() {
        assert_eq!(size_of::<State>(), 72);
        let record = Record {
            payload: Payload::from(&b"value"[..]),
            version: Version::new(u64::MAX),
            created: Timestamp::MAX,
            updated: Timestamp::EPOCH,
            expiry: Expiry::at(Timestamp::MAX),
            tags: Tags::none(),
        };
        let mut state = State::new(record.clone());
        assert_eq!(state.bucket(), Bucket::NONE);
        let bucket = Bucket::from_stored(0x1234_5678);
        state.set_bucket(bucket);
        assert_eq!((state.record(), state.bucket()), (record.clone(), bucket));
        state.replace(Record { updated: Timestamp::MAX, ..record.clone() });
        assert_eq!((state.record().updated, state.bucket()), (Timestamp::MAX, bucket));
    }
}
