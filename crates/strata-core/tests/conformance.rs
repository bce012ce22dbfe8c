//! The suite on the stores of this crate, and the suite itself: each deliberate mistake has to be caught.

mod reference {
    //! The oracle against itself and against the tables of the suite.
    use std::sync::Arc;

    use strata_core::{ReferenceStore, Store};

    strata_core::conformance_suite!(|| -> Arc<dyn Store> { Arc::new(ReferenceStore::new()) });
}

mod faulty {
    //! The fault injector while nothing is injected.
    use std::sync::Arc;

    use strata_core::conformance::Faulty;
    use strata_core::{ReferenceStore, Store};

    strata_core::conformance_suite!(|| -> Arc<dyn Store> {
        let inner: Arc<dyn Store> = Arc::new(ReferenceStore::new());
        Arc::new(Faulty::new(inner))
    });
}
