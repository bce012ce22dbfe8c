//! The suite every store has to pass, on a store without bounds and on one with bounds that are never reached.

use std::sync::Arc;

use strata_adapter_memory::{MemoryConfig, MemoryStore};
use strata_core::Store;

mod unbounded {
    use super::{Arc, MemoryStore, Store};

    strata_core::conformance_suite!(|| -> Arc<dyn Store> { Arc::new(MemoryStore::new()) });
}

mod bounded {
    use super::{Arc, MemoryConfig, MemoryStore, Store};

    strata_core::conformance_suite!(|| -> Arc<dyn Store> {
        Arc::new(MemoryStore::with_config(MemoryConfig::new().max_records(1 << 20).max_bytes(1 << 30)))
    });
}
