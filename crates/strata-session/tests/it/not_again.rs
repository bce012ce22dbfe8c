//! The faults of the pattern this replaces, one by one: each is shown not to be here.

use std::collections::BTreeSet;
use std::sync::Arc;

use strata_core::conformance::block_on;
use strata_core::{ErrorKind, Store};
use strata_session::{Session, SessionToken};

use crate::{MINUTE, created, kind_of, opened, raw, world, world_over};
use strata_core::conformance::{Stepped, Task, World, every_schedule};

#[test]
fn not_again_one_shared_key_for_all_sessions() {
    block_on(async {
        let world = world();
        let mut tokens = Vec::new();
        for number in 0..50_u32 {
            let (token, session) = world.sessions.create().await.expect("create");
            session.set("number", &number).await.expect("set");
            tokens.push(token);
        }
        for (number, token) in (0_u32..).zip(&tokens) {
            let session = opened(&world.sessions, token).expect("alive");
            assert_eq!(session.get::<u32>("number").await.expect("get"), Some(number));
        }
        assert_eq!(raw(&*world.faulty).await.len(), 50);
    });
}

#[test]
fn not_again_an_id_made_of_the_time() {
    let world = world();
    // The clock stands still: whatever differs came from the generator.
    let tokens: Vec<_> = (0..200).map(|_| created(&world.sessions).0).collect();
    let ids: BTreeSet<_> = tokens.iter().map(SessionToken::id).collect();
    let secrets: BTreeSet<_> = tokens.iter().map(|token| token.expose()[33..].to_owned()).collect();
    assert_eq!((ids.len(), secrets.len()), (200, 200));
    let later = crate::world();
    later.clock.advance(MINUTE);
    assert_eq!(
        created(&later.sessions).0.id(),
        tokens[0].id(),
        "the same generator, another time: the same id"
    );
}

#[test]
fn not_again_check_then_set() {
    // An id that is there already is never taken over: the second session is refused, the first untouched.
    block_on(async {
        let world = world();
        let (token, session) = world.sessions.create().await.expect("create");
        session.set("owner", &"ada".to_owned()).await.expect("set");
        *world.random.state.lock().expect("lock") = 0;
        assert_eq!(kind_of(world.sessions.create().await), ErrorKind::Conflict);
        let session = opened(&world.sessions, &token).expect("alive");
        assert_eq!(session.get::<String>("owner").await.expect("get").as_deref(), Some("ada"));
    });
    let count = every_schedule(|| {
        let store = Stepped::over(Arc::new(strata_core::ReferenceStore::new()));
        let world = world_over(Arc::clone(&store) as Arc<dyn Store>);
        let create = || -> Task {
            let sessions = world.sessions.clone();
            Box::pin(async move {
                let (token, session) = sessions.create().await.expect("create");
                session.set("n", &1_u8).await.expect("set");
                assert!(sessions.open(&token).await.expect("open").is_some());
            })
        };
        let tasks = vec![create(), create()];
        let sessions = world.sessions.clone();
        let check = Box::new(move || {
            assert_eq!(
                block_on(sessions.ids().collect()).expect("ids").len(),
                2,
                "both have one of their own"
            );
        });
        World { store, tasks, check }
    });
    assert!(count >= 252, "{count} schedules of five store calls each");
}

#[test]
fn not_again_no_rotation() {
    let world = world();
    let (planted, mut session) = created(&world.sessions);
    let token = block_on(session.rotate()).expect("rotate at sign-in");
    assert!(
        opened(&world.sessions, &planted).is_none(),
        "a token planted before sign-in is worth nothing after"
    );
    assert!(opened(&world.sessions, &token).is_some());
}

#[test]
fn not_again_values_and_session_expiring_apart() {
    block_on(async {
        let world = world();
        let (token, session) = world.sessions.create().await.expect("create");
        session.set("early", &1_u8).await.expect("set");
        world.clock.advance(29 * MINUTE);
        session.set("late", &2_u8).await.expect("set");
        world.clock.advance(29 * MINUTE);
        assert_eq!(session.list().await.expect("list"), ["early", "late"], "both live with the session");
        world.clock.advance(30 * MINUTE);
        assert!(opened(&world.sessions, &token).is_none());
        assert!(
            world.sessions.handle().keys("*").collect().await.expect("keys").is_empty(),
            "and end with it"
        );
        assert_eq!(raw(&*world.faulty).await.len(), 1, "one record to sweep, no orphans");
    });
}

/// A reader beside a clear sees all of the values or none, in every order.
#[test]
fn not_again_a_clear_that_others_see_halfway() {
    let count = every_schedule(|| {
        let store = Stepped::over(Arc::new(strata_core::ReferenceStore::new()));
        let world = world_over(Arc::clone(&store) as Arc<dyn Store>);
        let (_, session) = created(&world.sessions);
        for name in ["a", "b", "c"] {
            block_on(session.set(name, &1_u8)).expect("set");
        }
        let clear = |session: Session| -> Task {
            Box::pin(async move { assert_eq!(session.clear().await.expect("clear"), 3) })
        };
        let look = |session: Session| -> Task {
            Box::pin(async move {
                for _ in 0..2 {
                    let seen = session.list().await.expect("list").len();
                    assert!(seen == 0 || seen == 3, "{seen} of three values");
                }
            })
        };
        let tasks = vec![clear(session.clone()), look(session.clone())];
        let check = Box::new(move || assert!(block_on(session.list()).expect("list").is_empty()));
        World { store, tasks, check }
    });
    assert!(count >= 20, "{count} schedules");
}
