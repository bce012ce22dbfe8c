//! What a [`MemoryStore`](crate::MemoryStore) is told when it is made: [`MemoryConfig`], [`WhenFull`].

/// Limits of a store in memory. The default has no bound on the whole and 1 MiB on one payload.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MemoryConfig {
    /// The most records held at once, dead ones included; `None` for no bound.
    pub max_records: Option<u64>,
    /// The most bytes held at once; `None` for no bound. Counted are keys, payloads, tags and
    /// [`MemoryConfig::RECORD_BYTES`] for each record, [`MemoryConfig::TAG_BYTES`] for each tag on it.
    pub max_bytes: Option<u64>,
    /// What happens to a write that does not fit.
    pub when_full: WhenFull,
    /// The longest payload, in bytes, header and seal included.
    pub max_payload: usize,
    /// The most operations in one batch.
    pub max_batch: usize,
}

/// What happens to a write that does not fit under a bound.
///
/// In either case records that are dead as of the write are dropped first, which reads can't tell from their being
/// dead. They are counted in [`Stats::reclaimed`](crate::Stats::reclaimed); nobody announces them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// The write fails as [`ErrorKind::Full`](strata_core::ErrorKind::Full) and nothing is lost.
    #[default]
    Refuse,
    /// Living records are dropped, the one nearest its deadline first (to within a 32nd of the time it had left when it
    /// was filed). Records without a deadline are never dropped; when only those are left, the write is refused. Dropped
    /// ones are counted in [`Stats::evicted`](crate::Stats::evicted); nobody announces them.
    EvictNearestDeadline,
}

impl MemoryConfig {
    /// What a record costs beside its key and payload, in bytes, as [`MemoryConfig::max_bytes`] counts it.
    pub const RECORD_BYTES: u64 = 180;
    /// What a tag on a record costs beside its text, in bytes, as [`MemoryConfig::max_bytes`] counts it.
    pub const TAG_BYTES: u64 = 130;

    /// No bounds but those on one payload and one batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bounds the number of records.
    #[must_use]
    pub fn max_records(mut self, records: u64) -> Self {
        self.max_records = Some(records);
        self
    }

    /// Bounds the bytes held.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Says what happens to a write that does not fit.
    #[must_use]
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }

    /// Sets the longest payload, in bytes.
    #[must_use]
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.max_payload = bytes;
        self
    }

    /// Sets the most operations in one batch, at least one.
    #[must_use]
    pub fn max_batch(mut self, operations: usize) -> Self {
        self.max_batch = operations.max(1);
        self
    }
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self {
            max_records: None,
            max_bytes: None,
            when_full: WhenFull::Refuse,
            max_payload: 1 << 20,
            max_batch: 1024,
        }
    }
}
