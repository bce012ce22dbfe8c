//! The store itself: [`MemoryStore`], its parts and its reads. Writes are in `commit`, walks in `walk`.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use dashmap::DashMap;
use strata_core::{
    Atomicity, Batch, Capabilities, Coherence, Committed, Durability, GuardScope, Key, Listing, Page,
    Protection, Record, Result, Scan, Store, Version,
};

use crate::config::MemoryConfig;
use crate::gate::Gate;
use crate::index::Indexes;
use crate::name::Name;
use crate::room::Room;
use crate::state::State;

/// The fewest parts of the map. Many small ones keep each one's growth, which holds its lock, well under a millisecond.
const SHARDS: usize = 64;

/// Records in memory, shared by reference: put it in an `Arc` to use it from many places.
///
/// A read is one look-up and a few reference counts; a write locks one entry. What is stored is gone with the process,
/// so the most durable commit is [`Durability::Volatile`]. The store encrypts nothing; what it is given may be sealed.
///
/// A batch is made alone: no other write is under way, and whoever has read one change of it reads all of it from then on.
pub struct MemoryStore {
    pub(crate) map: DashMap<Name, Box<State>, ahash::RandomState>,
    pub(crate) gate: Gate,
    pub(crate) indexes: Indexes,
    pub(crate) room: Room,
    pub(crate) config: MemoryConfig,
    sequence: AtomicU64,
}

impl MemoryStore {
    /// An empty store without a bound on the whole.
    pub fn new() -> Self {
        Self::with_config(MemoryConfig::default())
    }

    /// An empty store.
    pub fn with_config(config: MemoryConfig) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let shards = (4 * threads).next_power_of_two().max(SHARDS);
        Self {
            map: DashMap::with_hasher_and_shard_amount(ahash::RandomState::new(), shards),
            gate: Gate::default(),
            indexes: Indexes::default(),
            room: Room::new(&config),
            config,
            sequence: AtomicU64::new(0),
        }
    }

    /// The next number of the sequence. Only its being unique counts, so no order with other memory is needed.
    pub(crate) fn next_version(&self) -> Version {
        Version::new(self.sequence.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// The record of a key, as it is just now.
    #[inline]
    pub(crate) fn read(&self, key: &[u8]) -> Option<Record> {
        self.map.get(key).map(|state| {
            state.approach();
            state.record()
        })
    }
}

#[cfg_attr(not(target_arch = "wasm32"), async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
#[deny(clippy::missing_trait_methods)]
impl Store for MemoryStore {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        self.gate.settle();
        Ok(self.read(key.as_bytes()))
    }

    async fn commit(&self, mut batch: Batch) -> Result<Committed> {
        batch.validate(&self.capabilities(), self)?;
        self.make(&mut batch).map_err(|error| error.in_store(self))
    }

    async fn scan(&self, scan: Scan) -> Result<Page> {
        self.gate.settle();
        self.walk(&scan).map_err(|error| error.in_store(self))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            atomicity: Atomicity::Batch,
            guards: GuardScope::Process,
            durability: Durability::Volatile,
            relaxed_window: Duration::ZERO,
            coherence: Coherence::Strong,
            listing: Listing::Indexed,
            max_payload: self.config.max_payload,
            max_batch: self.config.max_batch,
            protection: Protection::Plaintext,
        }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("records", &self.indexes.keys.len())
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("memory")
    }
}
