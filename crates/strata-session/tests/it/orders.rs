//! Every order in which the store calls of two and three operations can meet.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use strata_core::conformance::block_on;
use strata_core::{ErrorKind, ManualClock, ReferenceStore, Result, Store};
use strata_session::{Session, SessionToken, Sessions};

use crate::{MINUTE, created, opened, raw, world_over};
use strata_core::conformance::{Stepped, Task, World, every_schedule};

/// A session with one value that several operations meet on, and what became of them.
struct Meeting {
    store: Arc<Stepped>,
    clock: Arc<ManualClock>,
    sessions: Sessions,
    token: SessionToken,
    session: Session,
    said: Arc<Said>,
}

#[derive(Default)]
struct Said {
    results: Mutex<Vec<(&'static str, Result<bool>)>>,
    rotated: Mutex<Option<SessionToken>>,
    has_rotated: AtomicBool,
    has_ended: AtomicBool,
}

impl Said {
    fn note(&self, what: &'static str, result: Result<bool>) {
        self.results.lock().expect("lock").push((what, result));
    }

    /// What an operation came to: `Some(true)` if it was done, `None` if the session was gone for it.
    fn of(&self, what: &str) -> Option<bool> {
        let results = self.results.lock().expect("lock");
        let (_, result) = results.iter().find(|(name, _)| *name == what).expect("it took part");
        match result {
            Ok(done) => Some(*done),
            Err(error) if error.kind() == ErrorKind::Gone => None,
            Err(error) => panic!("{what}: {error:?}"),
        }
    }
}

impl Meeting {
    fn new() -> Self {
        let store = Stepped::over(Arc::new(ReferenceStore::new()));
        let world = world_over(Arc::clone(&store) as Arc<dyn Store>);
        let (token, session) = created(&world.sessions);
        block_on(session.set("n", &0_u32)).expect("set");
        Self { store, clock: world.clock, sessions: world.sessions, token, session, said: Arc::default() }
    }

    /// One operation by its name, through its own clone of the session. An operation that began after the session had
    /// ended or been rotated must be refused.
    fn task(&self, what: &'static str) -> Task {
        let (mut session, said) = (self.session.clone(), Arc::clone(&self.said));
        Box::pin(async move {
            let (late, over) =
                (said.has_rotated.load(Ordering::SeqCst), said.has_ended.load(Ordering::SeqCst));
            let result = act(what, &mut session, &said).await;
            let refused = matches!(&result, Err(error) if error.kind() == ErrorKind::Gone);
            assert!(!late || over || refused, "{what} with a token that had been replaced");
            assert!(!over || refused || matches!(result, Ok(false)), "{what} on a session that had ended");
            said.note(what, result);
        })
    }

    fn world(self, tasks: Vec<Task>, check: impl FnOnce(&Self) + 'static) -> World {
        World { store: Arc::clone(&self.store), tasks, check: Box::new(move || check(&self)) }
    }

    /// The session as its present token opens it.
    fn now(&self) -> Option<Session> {
        match &*self.said.rotated.lock().expect("lock") {
            Some(token) => opened(&self.sessions, token),
            None => opened(&self.sessions, &self.token),
        }
    }

    fn value(&self, name: &str) -> Option<u32> {
        self.now().and_then(|session| block_on(session.get(name)).expect("get"))
    }
}

async fn act(what: &'static str, session: &mut Session, said: &Said) -> Result<bool> {
    match what {
        "set a" => session.set("a", &1_u32).await.map(|()| true),
        "set b" => session.set("b", &1_u32).await.map(|()| true),
        "add" | "add again" => {
            session.update("n", |n: Option<u32>| Some(n.unwrap_or(0) + 1)).await.map(|()| true)
        }
        "remove" => session.remove("n").await,
        "clear" => session.clear().await.map(|count| count > 0),
        "rotate" => {
            let token = session.rotate().await?;
            *said.rotated.lock().expect("lock") = Some(token);
            said.has_rotated.store(true, Ordering::SeqCst);
            Ok(true)
        }
        "destroy" => {
            let done = session.destroy().await?;
            said.has_ended.store(true, Ordering::SeqCst);
            Ok(done)
        }
        _ => unreachable!("no operation `{what}`"),
    }
}

/// Runs these operations in every order; `check` looks at the end of each.
fn meet(operations: &'static [&'static str], check: fn(&Meeting)) -> usize {
    every_schedule(|| {
        let meeting = Meeting::new();
        let tasks = operations.iter().map(|operation| meeting.task(operation)).collect();
        meeting.world(tasks, check)
    })
}

#[test]
fn changes_of_different_values_lose_nothing() {
    let count = meet(&["set a", "set b"], |end| {
        assert_eq!((end.said.of("set a"), end.said.of("set b")), (Some(true), Some(true)));
        assert_eq!((end.value("a"), end.value("b"), end.value("n")), (Some(1), Some(1), Some(0)));
    });
    assert!(count >= 20, "{count} schedules");
    let count = meet(&["set a", "set b", "add"], |end| {
        assert_eq!((end.value("a"), end.value("b"), end.value("n")), (Some(1), Some(1), Some(1)));
    });
    assert!(count >= 1680, "{count} schedules");
}

#[test]
fn updates_of_one_value_are_atomic() {
    let count = meet(&["add", "add again", "set a"], |end| {
        assert_eq!((end.value("n"), end.value("a")), (Some(2), Some(1)));
    });
    assert!(count >= 1680, "{count} schedules");
}

/// Whatever meets a destruction, the session has ended and nothing of it is left.
#[test]
fn s13_a_destroyed_session_stays_destroyed() {
    fn over(end: &Meeting) {
        assert_eq!(end.said.of("destroy"), Some(true));
        assert!(end.now().is_none() && opened(&end.sessions, &end.token).is_none());
        assert!(block_on(raw(&*end.store)).is_empty(), "nothing is left in the store");
    }
    for pair in [["set a", "destroy"], ["add", "destroy"], ["remove", "destroy"], ["clear", "destroy"]] {
        let count = meet(Vec::leak(pair.to_vec()), over);
        assert!(count >= 20, "{pair:?}: {count} schedules");
    }
    let count = meet(&["set a", "add", "destroy"], over);
    assert!(count >= 1680, "{count} schedules");
}

/// A change by the old token happened before the rotation, or not at all.
#[test]
fn s04_a_token_that_was_replaced_never_writes() {
    fn before_or_never(end: &Meeting) {
        assert_eq!(end.said.of("rotate"), Some(true));
        assert!(opened(&end.sessions, &end.token).is_none(), "the old token opens nothing");
        let set = end.said.of("set a");
        assert_eq!(end.value("a"), set.map(|_| 1), "acknowledged and there, or refused and not");
    }
    let count = meet(&["set a", "rotate"], before_or_never);
    assert!(count >= 20, "{count} schedules");
    let count = meet(&["set a", "rotate", "add"], |end| {
        before_or_never(end);
        assert_eq!(end.value("n"), Some(u32::from(end.said.of("add").is_some())));
    });
    assert!(count >= 1000, "{count} schedules");
}

/// Rotation and destruction by one token: whichever comes first, the other is refused or too late, and never both tokens live.
#[test]
fn s13_rotation_and_destruction_do_not_race_past_each_other() {
    fn one_of_them(end: &Meeting) {
        assert!(opened(&end.sessions, &end.token).is_none(), "the old token opens nothing either way");
        match (end.said.of("rotate"), end.said.of("destroy")) {
            // The session goes on under the new token: the destruction held a replaced one.
            (Some(true), None) => assert!(end.now().is_some()),
            (None, Some(true)) => assert!(block_on(raw(&*end.store)).is_empty()),
            other => panic!("rotate and destroy came to {other:?}"),
        }
    }
    let count = meet(&["rotate", "destroy"], one_of_them);
    assert!(count >= 20, "{count} schedules");
    let count = meet(&["rotate", "destroy", "set a"], |end| {
        one_of_them(end);
        if end.now().is_some() {
            assert_eq!(end.value("a"), end.said.of("set a").map(|_| 1));
        }
    });
    assert!(count >= 1000, "{count} schedules");
}

/// An operator's revocation needs no token and wins over whatever is in flight.
#[test]
fn s13_a_revoked_session_stays_revoked() {
    let count = every_schedule(|| {
        let meeting = Meeting::new();
        let (sessions, id) = (meeting.sessions.clone(), meeting.session.id());
        let revoke: Task = Box::pin(async move { assert!(sessions.revoke(id).await.expect("revoke")) });
        let tasks = vec![meeting.task("set a"), meeting.task("rotate"), revoke];
        meeting.world(tasks, |end| {
            assert!(end.now().is_none() && opened(&end.sessions, &end.token).is_none());
            assert!(block_on(raw(&*end.store)).is_empty());
        })
    });
    assert!(count >= 500, "{count} schedules");
}

/// Whoever is active while all sessions are revoked does not get away with it, and is counted.
#[test]
fn s14_no_activity_evades_the_revocation_of_all() {
    for (operations, least) in
        [(&["set a"][..], 20), (&["rotate"], 20), (&["add"], 20), (&["set a", "rotate"], 500)]
    {
        let count = every_schedule(|| {
            let meeting = Meeting::new();
            let sessions = meeting.sessions.clone();
            let revoke: Task =
                Box::pin(async move { assert_eq!(sessions.revoke_all().await.expect("revoke"), 1) });
            let active = operations.iter().map(|operation| meeting.task(operation));
            let tasks = active.chain([revoke]).collect();
            meeting.world(tasks, |end| {
                assert!(end.now().is_none() && opened(&end.sessions, &end.token).is_none());
                assert!(block_on(raw(&*end.store)).is_empty(), "nothing is left in the store");
            })
        });
        assert!(count >= least, "{operations:?}: {count} schedules");
    }
}

/// Who destroys a session just when it has died by idleness is told that it had ended. A change that began before that does not make
/// this untrue.
#[test]
fn s13_no_change_outlives_the_destruction_of_a_dead_session() {
    for with in ["set a", "add", "remove"] {
        let count = every_schedule(|| {
            let meeting = Meeting::new();
            let clock = Arc::clone(&meeting.clock);
            let pass: Task = Box::pin(async move { clock.advance(30 * MINUTE) });
            let tasks = vec![meeting.task(with), pass, meeting.task("destroy")];
            meeting.world(tasks, |end| {
                if end.said.of("destroy").is_some() {
                    assert!(block_on(raw(&*end.store)).is_empty(), "nothing is left in the store");
                }
            })
        });
        assert!(count >= 50, "{with}: {count} schedules");
    }
}
