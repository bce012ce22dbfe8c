//! What an open store says of itself: [`Report`], how it is protected and kept; [`Stats`], how much it holds.

use std::fmt;
use std::time::Duration;

use strata_core::{Durability, Protection};

/// How a store is protected and kept, as [`Strata::report`](crate::Strata::report) tells it. Prints as a few lines. Holds
/// no secret.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The store, as it prints itself.
    pub store: String,
    /// Why it is not the one that was wanted first, as with [`Builder::or_memory`](crate::Builder::or_memory).
    pub instead: Option<String>,
    /// How values are protected.
    pub protection: Protection,
    /// Where the keys came from, and whether they were made now. `None` for plaintext.
    #[cfg(feature = "crypto")]
    pub keys: Option<strata_crypto::KeyReport>,
    /// The durability of commits that name none.
    pub durability: Durability,
    /// The highest durability the store has.
    pub highest_durability: Durability,
    /// How much acknowledged work a crash can take from commits at [`Durability::Relaxed`].
    pub relaxed_window: Duration,
    /// What the clock met: steps of the wall, a watermark ahead of it. Empty for a clock that was given.
    #[cfg(feature = "ttl")]
    pub clock: Vec<strata_ttl::ClockReport>,
    /// What has been swept. `None` where the store cannot be walked.
    #[cfg(feature = "ttl")]
    pub sweeps: Option<strata_ttl::SweepReport>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { store, protection, durability, relaxed_window, .. } = self;
        write!(f, "{store}: {protection:?}, {durability} durability")?;
        if *durability == Durability::Relaxed {
            write!(f, " (a crash takes up to {relaxed_window:?})")?;
        }
        if let Some(reason) = &self.instead {
            write!(f, "\ninstead of a keyring, gone with the process: {reason}")?;
        }
        #[cfg(feature = "crypto")]
        if let Some(keys) = &self.keys {
            write!(f, "\nkeys: {keys}")?;
        }
        #[cfg(feature = "ttl")]
        for report in &self.clock {
            write!(f, "\nclock: {report}")?;
        }
        #[cfg(feature = "ttl")]
        if let Some(failure) = self.sweeps.as_ref().and_then(|sweeps| sweeps.last_failure.as_ref()) {
            write!(f, "\nsweeper: {}", failure.message)?;
        }
        Ok(())
    }
}

/// How much a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Records, dead ones and the store's own included. `None` when the number is not known: on disk after a crash, until
    /// [`Strata::check`](crate::Strata::check) has counted.
    pub records: Option<u64>,
    /// The bytes they take where they are kept: all files on disk. `None` where the store does not count.
    pub bytes: Option<u64>,
}

#[cfg(feature = "sled")]
impl From<&strata_adapter_sled::Stats> for Stats {
    fn from(stats: &strata_adapter_sled::Stats) -> Self {
        Self { records: stats.records, bytes: Some(stats.bytes_on_disk) }
    }
}

#[cfg(feature = "memory")]
impl From<&strata_adapter_memory::Stats> for Stats {
    fn from(stats: &strata_adapter_memory::Stats) -> Self {
        Self { records: Some(stats.records as u64), bytes: stats.bytes }
    }
}
