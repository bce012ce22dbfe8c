//! What a store is opened with: [`SledConfig`].

use std::path::{Path, PathBuf};
use std::time::Duration;

use strata_core::Result;

use crate::store::SledStore;

/// How to open a [`SledStore`].
///
/// ```
/// # fn main() -> strata_core::Result<()> {
/// # let folder = tempfile::tempdir().expect("a folder");
/// use strata_adapter_sled::SledConfig;
///
/// let store = SledConfig::new(folder.path().join("data")).cache_bytes(64 << 20).open()?;
/// assert_eq!(store.stats()?.records, Some(0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a configuration does nothing until it is opened"]
pub struct SledConfig {
    pub(crate) path: PathBuf,
    pub(crate) create: bool,
    pub(crate) repair: bool,
    pub(crate) flush_every: Duration,
    pub(crate) cache_bytes: u64,
    pub(crate) max_payload: usize,
}

impl SledConfig {
    /// The longest payload that can be configured, in bytes: 16 MiB.
    pub const MAX_PAYLOAD: usize = 16 << 20;

    /// A store in the directory `path`, which is made with mode 0700 if it is missing.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            create: true,
            repair: false,
            flush_every: Duration::from_millis(500),
            cache_bytes: 256 << 20,
            max_payload: 1 << 20,
        }
    }

    /// Whether a missing store is created (it is, by default) or refused.
    pub fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// Whether opening walks everything, sets damaged records aside and builds the indexes anew; and goes on from what is left
    /// of a log that lost its end. Off by default: it takes time in proportion to the store, and a store that `check` finds
    /// whole has no use for it. It does not help where sled itself cannot read its files.
    pub fn repair(mut self, repair: bool) -> Self {
        self.repair = repair;
        self
    }

    /// How often relaxed commits are written out: 500 ms by default, 10 ms to 1 minute. A crash can take twice that
    /// ([`Capabilities::relaxed_window`](strata_core::Capabilities::relaxed_window)): what gathered, and what was under way.
    pub fn flush_every(mut self, interval: Duration) -> Self {
        self.flush_every = interval.clamp(Duration::from_millis(10), Duration::from_mins(1));
        self
    }

    /// How many bytes of pages sled keeps in memory: 256 MiB by default, at least 1 MiB. The process takes more than that.
    pub fn cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = bytes.max(1 << 20);
        self
    }

    /// The longest payload, in bytes: 1 MiB by default, at most [`SledConfig::MAX_PAYLOAD`].
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.max_payload = bytes.min(Self::MAX_PAYLOAD);
        self
    }

    /// Opens the store. Blocks for as long as sled reads its log: milliseconds for a small store, seconds for a large one
    /// after a crash; an asynchronous program calls it on a thread for blocking work.
    ///
    /// Errors: `Locked` (another process has it), `Foreign` (not ours), `Newer`, `ReadOnly`, `Full`, `Corrupt`, each with
    /// the way out; `Invalid` when there is no store and none may be created. None of them changes data, but for one: that
    /// the log lost what it ended with at the last close shows (`Corrupt`) only after sled has opened what is left.
    pub fn open(self) -> Result<SledStore> {
        SledStore::open(&self)
    }
}
