//! Every order in which the store calls of two and three operations can meet.

use std::sync::{Arc, Mutex};

use strata_core::conformance::{Stepped, Task, World, block_on, every_schedule};
use strata_core::{ErrorKind, ReferenceStore, Result, Store};
use strata_session::Session;
use strata_session::fingerprint::{Features, Fingerprints, Unknown, Verdict};

use super::{laptop, prints, stranger, updated};
use crate::{created, raw, world_over};

/// A session that several managers meet on, and what became of them.
struct Meeting {
    store: Arc<Stepped>,
    world: crate::World,
    session: Session,
    /// The one manager of all tasks, which has its key; if there is none, each has its own, as in a process of its own.
    shared: Option<Fingerprints>,
    said: Arc<Mutex<Vec<Result<()>>>>,
    seen: Arc<Mutex<Vec<Verdict>>>,
}

impl Meeting {
    fn new() -> Self {
        let store = Stepped::over(Arc::new(ReferenceStore::new()));
        let world = world_over(Arc::clone(&store) as Arc<dyn Store>);
        let (_, session) = created(&world.sessions);
        Self { store, world, session, shared: None, said: Arc::default(), seen: Arc::default() }
    }

    /// One with a reference.
    fn bound_to(features: &Features) -> Self {
        let meeting = Self::new();
        let prints = prints(&meeting.world);
        block_on(prints.bind(&meeting.session, features)).expect("bind");
        Self { shared: Some(prints), ..meeting }
    }

    /// One with a reference, and with managers that have not read their key.
    fn bound_before_to(features: &Features) -> Self {
        Self { shared: None, ..Self::bound_to(features) }
    }

    fn task<F: Future<Output = Result<()>> + Send + 'static>(
        &self,
        act: impl FnOnce(Fingerprints, Session) -> F,
    ) -> Task {
        let prints = self.shared.clone().unwrap_or_else(|| prints(&self.world));
        let (act, said) = (act(prints, self.session.clone()), Arc::clone(&self.said));
        Box::pin(async move {
            let result = act.await;
            said.lock().expect("lock").push(result);
        })
    }

    fn bind(&self, features: Features) -> Task {
        self.task(|prints, session| async move { prints.bind(&session, &features).await })
    }

    fn adopt(&self, features: Features) -> Task {
        self.task(|prints, session| async move { prints.adopt(&session, &features).await })
    }

    fn check(&self, features: Features) -> Task {
        let seen = Arc::clone(&self.seen);
        self.task(|prints, session| async move {
            let verdict = prints.check(&session, &features).await?;
            seen.lock().expect("lock").push(verdict);
            Ok(())
        })
    }

    fn destroy(&self) -> Task {
        self.task(|_, session| async move {
            assert!(session.destroy().await?);
            Ok(())
        })
    }

    fn is_bound_to(&self, features: &Features) -> bool {
        block_on(prints(&self.world).check(&self.session, features)).expect("check") == Verdict::Match
    }

    /// How many came to nothing, all of them for this reason.
    fn refused(&self, kind: ErrorKind) -> usize {
        let said = self.said.lock().expect("lock");
        let errors: Vec<_> = said.iter().filter_map(|result| result.as_ref().err()).collect();
        assert!(errors.iter().all(|error| error.kind() == kind), "{errors:?}");
        errors.len()
    }

    fn world(self, tasks: Vec<Task>, check: impl FnOnce(&Self) + 'static) -> World {
        World { store: Arc::clone(&self.store), tasks, check: Box::new(move || check(&self)) }
    }
}

/// The key is drawn by one of them, whichever comes first, and both use it.
#[test]
fn of_two_bindings_one_is_refused_and_both_draw_one_key() {
    let count = every_schedule(|| {
        let meeting = Meeting::new();
        let tasks = vec![meeting.bind(laptop()), meeting.bind(stranger())];
        meeting.world(tasks, |end| {
            assert_eq!(end.refused(ErrorKind::Conflict), 1);
            assert!(end.is_bound_to(&laptop()) != end.is_bound_to(&stranger()));
            assert_eq!(block_on(raw(&*end.store)).len(), 2, "a session and a key");
        })
    });
    assert!(count >= 600, "{count} schedules");
}

#[test]
fn two_bindings_of_the_same_are_one() {
    let count = every_schedule(|| {
        let meeting = Meeting::new();
        let tasks = vec![meeting.bind(laptop()), meeting.bind(laptop())];
        meeting.world(tasks, |end| {
            assert_eq!(end.refused(ErrorKind::Conflict), 0);
            assert!(end.is_bound_to(&laptop()));
        })
    });
    assert!(count >= 600, "{count} schedules");
}

/// Whoever checks meanwhile sees the reference from before or the one from after, and never changes what is there.
#[test]
fn a_check_beside_an_adoption_sees_one_reference_or_the_other() {
    fn one_or_the_other(end: &Meeting) {
        assert_eq!(end.refused(ErrorKind::Conflict), 0);
        assert!(end.is_bound_to(&stranger()));
        let seen = end.seen.lock().expect("lock");
        assert!(
            !seen.is_empty() && seen.iter().all(|verdict| !matches!(verdict, Verdict::Unknown(_))),
            "{seen:?}"
        );
    }
    let count = every_schedule(|| {
        let meeting = Meeting::bound_to(&laptop());
        let tasks = vec![meeting.check(updated()), meeting.adopt(stranger()), meeting.check(laptop())];
        meeting.world(tasks, one_or_the_other)
    });
    assert!(count >= 210, "{count} schedules");
    let count = every_schedule(|| {
        let meeting = Meeting::bound_before_to(&laptop());
        let tasks = vec![meeting.check(updated()), meeting.adopt(stranger())];
        meeting.world(tasks, one_or_the_other)
    });
    assert!(count >= 35, "{count} schedules");
}

/// A check that comes before the binding is through knows nothing, and leaves nothing.
#[test]
fn a_check_beside_the_first_binding() {
    let count = every_schedule(|| {
        let meeting = Meeting::new();
        let tasks = vec![meeting.bind(laptop()), meeting.check(laptop())];
        meeting.world(tasks, |end| {
            assert_eq!(end.refused(ErrorKind::Conflict), 0);
            assert!(end.is_bound_to(&laptop()));
            let seen = end.seen.lock().expect("lock");
            assert!(
                matches!(&seen[..], [Verdict::Match | Verdict::Unknown(Unknown::NoReference)]),
                "{seen:?}"
            );
        })
    });
    assert!(count >= 28, "{count} schedules");
}

#[test]
fn s13_no_fingerprint_brings_a_session_back() {
    fn over(end: &Meeting) {
        end.refused(ErrorKind::Gone);
        assert_eq!(block_on(raw(&*end.store)).len(), 1, "only the key is left");
    }
    let count = every_schedule(|| {
        let meeting = Meeting::bound_to(&laptop());
        let tasks = vec![meeting.adopt(stranger()), meeting.destroy(), meeting.check(laptop())];
        meeting.world(tasks, over)
    });
    assert!(count >= 600, "{count} schedules");
    let count = every_schedule(|| {
        let meeting = Meeting::bound_before_to(&laptop());
        let tasks = vec![meeting.adopt(stranger()), meeting.destroy()];
        meeting.world(tasks, over)
    });
    assert!(count >= 35, "{count} schedules");
    // The key is drawn while the session ends.
    let count = every_schedule(|| {
        let meeting = Meeting::new();
        let tasks = vec![meeting.bind(laptop()), meeting.destroy()];
        meeting.world(tasks, over)
    });
    assert!(count >= 84, "{count} schedules");
}

/// An adoption by a token that is being replaced happened before, or not at all.
#[test]
fn s04_an_adoption_beside_a_rotation() {
    let count = every_schedule(|| {
        let meeting = Meeting::bound_to(&laptop());
        let kept = Arc::new(Mutex::new(None));
        let (mut rotating, keep) = (meeting.session.clone(), Arc::clone(&kept));
        let rotate: Task = Box::pin(async move {
            let _token = rotating.rotate().await.expect("rotate");
            *keep.lock().expect("lock") = Some(rotating);
        });
        let tasks = vec![meeting.adopt(stranger()), rotate];
        meeting.world(tasks, move |end| {
            let refused = end.refused(ErrorKind::Gone);
            let session = kept.lock().expect("lock").take().expect("it goes on");
            let reference = if refused == 1 { laptop() } else { stranger() };
            let verdict = block_on(prints(&end.world).check(&session, &reference)).expect("check");
            assert_eq!(verdict, Verdict::Match);
        })
    });
    assert!(count >= 20, "{count} schedules");
}

/// Values an application sets at the same time lose nothing to a binding, nor it to them.
#[test]
fn a_binding_beside_a_change_of_the_applications_values() {
    let count = every_schedule(|| {
        let meeting = Meeting::new();
        let set = meeting.task(|_, session| async move { session.set("theme", &1_u8).await });
        let tasks = vec![meeting.bind(laptop()), set];
        meeting.world(tasks, |end| {
            assert_eq!(end.refused(ErrorKind::Conflict), 0);
            assert!(end.is_bound_to(&laptop()));
            assert_eq!(block_on(end.session.get::<u8>("theme")).expect("get"), Some(1));
        })
    });
    assert!(count >= 84, "{count} schedules");
}
