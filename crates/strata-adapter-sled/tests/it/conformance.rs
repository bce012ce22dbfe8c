//! The suite of `strata-core`, each subject on a fresh store, which has to pass its own check afterwards.

use std::sync::Arc;

use strata_adapter_sled::SledStore;
use strata_core::Store;
use strata_core::conformance::Kept;
use tempfile::TempDir;

use super::{assert_clean, folder, open};

/// Checks the store when a subject is over with it, then lets go of the folder.
struct Ground {
    store: Arc<SledStore>,
    _folder: TempDir,
}

impl Drop for Ground {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_clean(&self.store);
        }
    }
}

fn fresh() -> Arc<dyn Store> {
    let folder = folder();
    let store = Arc::new(open(folder.path()));
    Arc::new(Kept::new(Arc::clone(&store), Ground { store, _folder: folder }))
}

strata_core::conformance_suite!(fresh);
