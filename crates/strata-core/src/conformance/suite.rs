//! The list of subjects, [`SUBJECTS`], and the ways to run them: [`all`], [`check`] and the macro `conformance_suite!`.

use std::sync::Arc;

use crate::bounds::BoxFuture;
use crate::store::Store;

use super::{
    Drive, atomicity, basics, cancellation, due, guards, limits, lost_updates, model, one_winner, paging,
    paging_under_writers, prefixes, refusals, slides, slides_and_removals, tags, torn_batches, versions,
};

/// One part of the suite.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// Its name, which is also that of its function and of its test.
    pub name: &'static str,
    run: Run,
}

/// A subject in one future.
type Calm = for<'a> fn(&'a dyn Store) -> BoxFuture<'a, ()>;

#[derive(Clone, Copy, Debug)]
enum Run {
    Calm(Calm),
    Threads(fn(&dyn Store, Drive)),
    Fresh(fn(&dyn Fn() -> Arc<dyn Store>, Drive)),
}

macro_rules! calm {
    ($name:ident) => {
        Subject { name: stringify!($name), run: Run::Calm(|store| Box::pin($name(store))) }
    };
}

macro_rules! threads {
    ($name:ident) => {
        Subject { name: stringify!($name), run: Run::Threads($name) }
    };
}

/// Every subject, the plainest first.
pub const SUBJECTS: &[Subject] = &[
    calm!(basics),
    calm!(refusals),
    calm!(guards),
    calm!(versions),
    calm!(slides),
    calm!(tags),
    calm!(prefixes),
    calm!(due),
    calm!(paging),
    calm!(limits),
    calm!(atomicity),
    calm!(cancellation),
    threads!(lost_updates),
    threads!(one_winner),
    threads!(torn_batches),
    threads!(slides_and_removals),
    threads!(paging_under_writers),
    Subject { name: "model", run: Run::Fresh(|make, drive| model(make, drive)) },
];

impl Subject {
    /// Runs the subject; panics with what the store did wrong. `make` gives a fresh store each time.
    pub fn check(&self, make: &dyn Fn() -> Arc<dyn Store>, drive: Drive) {
        match self.run {
            Run::Calm(run) => drive(run(&*make())),
            Run::Threads(run) => run(&*make(), drive),
            Run::Fresh(run) => run(make, drive),
        }
    }
}

/// Runs every subject, each on a store of its own.
pub fn all(make: impl Fn() -> Arc<dyn Store>, drive: Drive) {
    for subject in SUBJECTS {
        subject.check(&make, drive);
    }
}

/// Runs the subject called `name`.
pub fn check(name: &str, make: impl Fn() -> Arc<dyn Store>, drive: Drive) {
    let subject = SUBJECTS.iter().find(|subject| subject.name == name);
    subject.unwrap_or_else(|| panic!("the suite has no subject `{name}`")).check(&make, drive);
}

/// One `#[test]` per subject of the conformance suite.
///
/// The first argument is called without arguments and gives an `Arc<dyn Store>`, fresh and empty; the second, optional
/// one is a [`Drive`](crate::conformance::Drive), [`parked`](crate::conformance::parked) by default. Inside a module, the macro can be used several times in
/// one test binary.
#[macro_export]
macro_rules! conformance_suite {
    ($make:expr $(,)?) => {
        $crate::conformance_suite!($make, $crate::conformance::parked);
    };
    ($make:expr, $drive:expr $(,)?) => {
        $crate::conformance_suite!(
            @tests $make, $drive;
            basics refusals guards versions slides tags prefixes due paging limits atomicity cancellation
            lost_updates one_winner torn_batches slides_and_removals paging_under_writers model
        );
    };
    (@tests $make:expr, $drive:expr; $($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                $crate::conformance::check(stringify!($name), $make, $drive);
            }
        )*

        #[test]
        fn no_subject_is_left_out() {
            let listed = [$(stringify!($name)),*];
            assert!($crate::conformance::SUBJECTS.iter().map(|subject| subject.name).eq(listed));
        }
    };
}
