//! The suite every store has to pass, on a keyring in memory: as it is, with the limits of Windows, with a lock among processes, and
//! with large values elsewhere.

use std::sync::Arc;

use strata_adapter_keyring::KeyringConfig;
use strata_core::Store;

use super::{mock, on_tokio, opened, runtime, shared};

fn store(config: KeyringConfig) -> Arc<dyn Store> {
    runtime().block_on(async { shared(opened(config).await) })
}

mod plain {
    use super::{mock, on_tokio, store};

    strata_core::conformance_suite!(|| store(mock()), on_tokio);
}

mod as_small_as_on_windows {
    use strata_core::conformance::SUBJECTS;
    use strata_core::{ErrorKind, Guard};

    use super::{mock, on_tokio, store};
    use crate::{commit, get, runtime, tagged};

    #[test]
    fn all_of_the_suite_holds_but_for_the_most_tags() {
        for subject in SUBJECTS.iter().filter(|subject| subject.name != "tags") {
            subject.check(&|| store(mock().max_entry(2560)), on_tokio);
        }
    }

    #[test]
    fn more_tags_than_fit_are_refused_and_nothing_is_written() {
        let store = store(mock().max_entry(2560));
        runtime().block_on(async {
            let refused = commit(&*store, "a", Guard::Any, tagged(b"x", 32)).await.expect_err("too many");
            assert_eq!(refused.kind(), ErrorKind::TooLarge, "{refused}");
            assert!(get(&*store, "a").await.is_none());
            commit(&*store, "a", Guard::Any, tagged(b"x", 8)).await.expect("they fit");
        });
    }
}

mod among_processes {
    use std::sync::Arc;

    use strata_core::Store;
    use strata_core::conformance::Kept;

    use super::{mock, on_tokio, store};

    fn locked() -> Arc<dyn Store> {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(mock().lock_file(folder.path().join("lock")));
        assert_eq!(store.capabilities().guards, strata_core::GuardScope::Machine);
        Arc::new(Kept::new(store, folder))
    }

    strata_core::conformance_suite!(locked, on_tokio);
}

mod all_in_an_overflow {
    use std::sync::Arc;

    use strata_core::ReferenceStore;

    use super::{mock, on_tokio, store};

    strata_core::conformance_suite!(
        || store(mock().overflow(Arc::new(ReferenceStore::new())).overflow_above(0)),
        on_tokio
    );
}
