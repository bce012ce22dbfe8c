//! The stores that managers are tried over: the reference, in memory and on disk. What a seal adds is tried in the umbrella.

use std::sync::Arc;

use strata_adapter_memory::MemoryStore;
use strata_adapter_sled::SledConfig;
use strata_core::conformance::Kept;
use strata_core::{ReferenceStore, Store};

use super::{World, world_over};

/// Runs `scene` over the reference store, the store in memory and the store on disk. Each gets a fresh world.
pub(super) fn each(scene: impl Fn(World)) {
    scene(world_over(Arc::new(ReferenceStore::new())));
    scene(world_over(Arc::new(MemoryStore::new())));
    scene(world_over(on_disk()));
}

/// A fresh store on disk that removes itself.
pub(super) fn on_disk() -> Arc<dyn Store> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = SledConfig::new(folder.path().join("data")).open().expect("a store on disk");
    Arc::new(Kept::new(store, folder))
}
