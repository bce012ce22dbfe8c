//! What is measured: encrypted handles as a program builds them, over memory and over sled.

use std::path::Path;
use std::sync::Arc;

use rustix::time::{ClockId, clock_gettime};
use strata_adapter_memory::MemoryStore;
use strata_adapter_sled::{SledConfig, SledStore};
use strata_core::{Clock, Durability, Handle, HandleBuilder, Protection, Store, Timestamp, Touch};
use strata_crypto::{Keyset, Nonces, Sealer, SystemRandom};

/// A clock that reads the system's, as a program's does.
#[derive(Debug)]
pub struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let time = clock_gettime(ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let millis = seconds * 1000 + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000_000;
        Timestamp::from_millis(1_767_225_600_000 + millis)
    }
}

/// An encrypted handle over memory.
pub fn memory(clock: Arc<dyn Clock>, touch: Touch) -> Handle {
    sealed(Arc::new(MemoryStore::new()), clock).touch(touch).build().expect("handle")
}

/// An encrypted handle over sled in `folder`, with sled's cache at `cache` bytes.
pub fn disk(folder: &Path, cache: u64, durability: Durability) -> Handle {
    disk_and_store(folder, cache, durability).0
}

/// The same, and the store itself, for what a handle does not tell.
pub fn disk_and_store(folder: &Path, cache: u64, durability: Durability) -> (Handle, Arc<SledStore>) {
    let store = Arc::new(SledConfig::new(folder).cache_bytes(cache).open().expect("store"));
    let builder = sealed(Arc::clone(&store) as _, Arc::new(WallClock)).durability(durability);
    (builder.build().expect("handle"), store)
}

/// A handle over `store` that seals, to be finished.
pub fn sealed(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> HandleBuilder {
    let random = Arc::new(SystemRandom::new());
    let keyset = Keyset::generate(&*random, clock.now()).expect("keyset");
    let seal = Sealer::new(keyset, Nonces::default(), Protection::Sealed, random).expect("seal");
    Handle::builder(store, clock).seal(Arc::new(seal))
}
