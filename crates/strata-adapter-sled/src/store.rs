//! The store itself: [`SledStore`], its verbs, and its close.

use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use strata_core::{
    Batch, Capabilities, Committed, Durability, Error, Key, Page, Record, Result, Scan, Store, Version,
};

use crate::check::{Check, check};
use crate::config::SledConfig;
use crate::core::Core;
use crate::error::from_io;
use crate::format::FORMAT;
use crate::home::show_id;
use crate::repair::Repair;
use crate::scan::scan;
use crate::{group, open};

/// Records on disk, in a directory that one process has open at a time. Dropping the store writes out everything and
/// waits for that.
///
/// Reads and the writes themselves run on the calling thread: they take microseconds, some more when a page has to be
/// read from disk. Waiting for durability is asynchronous, on any runtime.
///
/// A damaged record is [`Corrupt`](strata_core::ErrorKind::Corrupt) for whoever reads it. A walk by prefix or tag ends with that
/// error when it comes to it; a walk for what is due, and so the sweeper, leaves it out. If its value is damaged, it can still
/// be removed and overwritten; if its header is, nobody knows which entries of the indexes are its own, and only an open
/// with [`SledConfig::repair`] takes it out of the way. [`SledStore::check`] names all that are damaged.
///
/// A commit can be seen by others before it is durable: they may read what a crash then takes back, unless they wait
/// for a barrier themselves (a commit without operations is one).
pub struct SledStore {
    pub(crate) core: Arc<Core>,
    leader: Option<JoinHandle<()>>,
    repair: Option<Repair>,
}

/// What [`SledStore::stats`] tells.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// The number of records, dead ones included. `None` when it is not known: after a crash, until a
    /// [`SledStore::check`] during which no record comes or goes has counted them.
    pub records: Option<u64>,
    /// Bytes of all files.
    pub bytes_on_disk: u64,
    /// The number of the format on disk.
    pub format: u32,
    /// The store's id: drawn when it was created, in hexadecimal.
    pub id: String,
}

impl SledStore {
    pub(crate) fn open(config: &SledConfig) -> Result<Self> {
        let shown = format!("sled({})", config.path.display());
        let (core, repair) = open::open(config).map_err(|error| error.in_store(shown))?;
        let core = Arc::new(core);
        let leader = group::lead(Arc::clone(&core))
            .map_err(|error| from_io("open", "the barrier thread cannot be started", error))?;
        Ok(Self { core, leader: Some(leader), repair })
    }

    /// Waits until everything committed so far, relaxed commits included, is as durable as this store can make it.
    pub async fn flush(&self) -> Result<()> {
        self.wait("flush", self.core.barrier.level()).await
    }

    /// How many barriers were made since the store was opened. Commits that wait at the same time share one.
    pub fn barriers(&self) -> u64 {
        self.core.barrier.made()
    }

    /// The number of records, the size on disk, format and id. Reads no records.
    pub fn stats(&self) -> Result<Stats> {
        Ok(Stats {
            records: self.core.records.get(),
            bytes_on_disk: self.core.engine.size_on_disk().map_err(|error| error.in_store(self))?,
            format: u32::from(FORMAT),
            id: show_id(self.core.id),
        })
    }

    /// Walks everything and says whether the indexes equal the records and every checksum fits. Blocks for as long as
    /// that takes, a second or so for 100,000 records; commits go on meanwhile.
    ///
    /// Damage is in the report. It also counts the records for [`SledStore::stats`]. Errors are failures of reading itself.
    pub fn check(&self) -> Result<Check> {
        check(&self.core).map_err(|error| error.in_store(self))
    }

    /// What was repaired, if this store was opened with [`SledConfig::repair`].
    pub fn repair(&self) -> Option<&Repair> {
        self.repair.as_ref()
    }

    async fn wait(&self, operation: &'static str, level: Durability) -> Result<()> {
        if self.core.group.wait(level).await { Ok(()) } else { Err(self.failed(operation)) }
    }

    #[cold]
    fn failed(&self, operation: &'static str) -> Error {
        self.core.engine.poison().first(operation).in_store(self)
    }

    /// The next version number; waits for a longer lease once in a million, if the barrier thread has not seen to it yet.
    async fn next_version(&self) -> Result<Version> {
        loop {
            if let Some(version) = self.core.versions.take() {
                return Ok(version);
            }
            self.wait("commit", Durability::Process).await?;
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for SledStore {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        self.core.load(key).map_err(|error| error.in_store(self))
    }

    async fn commit(&self, batch: Batch) -> Result<Committed> {
        batch.validate(&self.core.capabilities(), self)?;
        let durability = batch.durability;
        let version = self.next_version().await?;
        if self.core.versions.is_low() {
            self.core.group.nudge();
        }
        // No await in here: a commit whose future is dropped has been made wholly or not at all.
        let committed = self.core.apply(batch, version).map_err(|error| error.in_store(self))?;
        if durability > Durability::Relaxed {
            self.wait("commit", durability).await?;
        }
        Ok(committed)
    }

    async fn scan(&self, request: Scan) -> Result<Page> {
        scan(&self.core, &request).map_err(|error| error.in_store(self))
    }

    fn capabilities(&self) -> Capabilities {
        self.core.capabilities()
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        self.core.group.close();
        if let Some(leader) = self.leader.take() {
            // A panic in there has been printed, and nobody is left to be told.
            let _ = leader.join();
        }
    }
}

impl fmt::Debug for SledStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SledStore")
            .field("path", &self.core.home.path())
            .field("durability", &self.core.barrier.level())
            .field("poisoned", &self.core.engine.poison().is_set())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for SledStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sled({})", self.core.home.path().display())
    }
}
