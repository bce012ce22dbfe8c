//! The suite on the stores of this crate and on odd ones that are allowed, and the suite itself: each deliberate
//! mistake has to be caught.

mod broken;
mod faults;
mod handle;
mod legal;

mod reference {
    //! The oracle, against itself and against the tables of the suite.
    use std::sync::Arc;

    use strata_core::conformance::{self, Model};
    use strata_core::{ReferenceStore, Store};

    fn fresh() -> Arc<dyn Store> {
        Arc::new(ReferenceStore::new())
    }

    strata_core::conformance_suite!(fresh);

    /// Subjects keep to their own names: after all of them, each still holds on a store that was used.
    #[test]
    fn subjects_share_a_store() {
        let store = fresh();
        for subject in conformance::SUBJECTS.iter().filter(|subject| subject.name != "model") {
            subject.check(&|| Arc::clone(&store), conformance::parked);
        }
    }

    #[test]
    fn another_seed_holds_as_well() {
        Model::default().cases(32).steps(120).seed(7).run(fresh, conformance::parked);
    }
}

mod faulty {
    //! The fault injector while nothing is injected, over a store that is kept with its ground.
    use std::sync::Arc;

    use strata_core::conformance::{Faulty, Kept};
    use strata_core::{ReferenceStore, Store};

    strata_core::conformance_suite!(|| -> Arc<dyn Store> {
        let inner: Arc<dyn Store> = Arc::new(Kept::new(ReferenceStore::new(), "ground"));
        Arc::new(Faulty::new(inner))
    });
}

mod narrow {
    //! A store that can do the least: one key, no listing.
    use std::sync::Arc;

    use strata_core::Store;

    use crate::legal::Narrow;

    strata_core::conformance_suite!(|| -> Arc<dyn Store> { Arc::new(Narrow::default()) });
}

mod per_key {
    //! A store of batches narrowed to one key at a time.
    use std::sync::Arc;

    use strata_core::conformance::PerKey;
    use strata_core::{ReferenceStore, Store};

    strata_core::conformance_suite!(|| -> Arc<dyn Store> {
        Arc::new(PerKey::over(Arc::new(ReferenceStore::new())))
    });
}

mod sparse {
    //! A store that answers late, with short and with empty pages, driven by a runtime.
    use std::sync::{Arc, LazyLock};

    use strata_core::{BoxFuture, Store};
    use tokio::runtime::Runtime;

    use crate::legal::Sparse;

    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime starts"));

    fn on_tokio(future: BoxFuture<'_, ()>) {
        RUNTIME.block_on(future);
    }

    strata_core::conformance_suite!(|| -> Arc<dyn Store> { Arc::new(Sparse::default()) }, on_tokio);
}
