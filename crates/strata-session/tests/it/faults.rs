//! Every store call of every operation fails once, in each way: the session is as before or as after, never between.

use std::sync::Arc;

use strata_core::conformance::{Fault, block_on};
use strata_core::{ErrorKind, ReferenceStore, Result, Store};
use strata_session::{Session, SessionToken};

use crate::single::Single;
use crate::{World, opened, raw, world, world_over};

/// What a fault may leave of an operation that gave an error.
fn may_have_happened(fault: Fault) -> bool {
    fault == Fault::LostAnswer
}

/// A session with one value, `n` = 1.
async fn prepared(world: &World) -> (SessionToken, Session) {
    let (token, session) = world.sessions.create().await.expect("create");
    session.set("n", &1_u32).await.expect("set");
    (token, session)
}

async fn value(world: &World, token: &SessionToken) -> Option<u32> {
    let session = opened(&world.sessions, token).expect("alive");
    session.get("n").await.expect("get")
}

fn is_expected(error: &strata_core::Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Conflict)
}

/// Fails each call of `act`, which makes `n` into `after` when it is done.
async fn fails_whole(after: Option<u32>, act: impl AsyncFn(&Session) -> Result<()>) {
    for fault in Fault::ALL {
        for nth in 1.. {
            let world = world();
            let (token, session) = prepared(&world).await;
            world.faulty.arm(nth, fault);
            let result = act(&session).await;
            let fired = world.faulty.disarm();
            let found = value(&world, &token).await;
            match result {
                Ok(()) => assert_eq!(found, after, "{fault:?} at call {nth}"),
                Err(error) => {
                    assert!(fired == 1 && is_expected(&error), "{error:?}");
                    assert!(found == Some(1) || (may_have_happened(fault) && found == after), "{found:?}");
                }
            }
            if fired == 0 {
                assert!(nth > 2, "a read and a commit, each failed once");
                break;
            }
        }
    }
}

#[test]
fn s35_changes_of_values_fail_whole() {
    block_on(async {
        fails_whole(Some(5), async |session| session.set("n", &5_u32).await).await;
        fails_whole(Some(2), async |session| session.update("n", |n: Option<u32>| n.map(|n| n + 1)).await)
            .await;
        fails_whole(None, async |session| session.remove("n").await.map(drop)).await;
        fails_whole(None, async |session| session.clear().await.map(drop)).await;
    });
}

#[test]
fn s35_a_failed_creation_leaves_nothing_that_opens() {
    block_on(async {
        for fault in Fault::ALL {
            let world = world();
            world.faulty.arm(1, fault);
            let error = world.sessions.create().await.expect_err("one call, which fails");
            world.faulty.disarm();
            assert!(is_expected(&error), "{error:?}");
            let left = raw(&*world.faulty).await.len();
            assert_eq!(left, usize::from(fault == Fault::LostAnswer), "only what nobody was told of");
        }
    });
}

#[test]
fn s35_a_failed_rotation_leaves_exactly_one_token() {
    block_on(async {
        for fault in Fault::ALL {
            for nth in 1..=4 {
                let world = world();
                let (old, mut session) = prepared(&world).await;
                world.faulty.arm(nth, fault);
                let result = session.rotate().await;
                world.faulty.disarm();
                match result {
                    Ok(new) => {
                        assert!(opened(&world.sessions, &old).is_none());
                        assert_eq!(value(&world, &new).await, Some(1), "{fault:?} at call {nth}");
                        session.set("n", &2_u32).await.expect("the session goes on");
                    }
                    Err(error) => {
                        assert!(is_expected(&error), "{error:?}");
                        assert_eq!(value(&world, &old).await, Some(1), "{fault:?} at call {nth}");
                        session.set("n", &2_u32).await.expect("the session goes on");
                    }
                }
            }
        }
    });
}

#[test]
fn s35_a_failed_destruction_can_be_repeated() {
    block_on(async {
        for fault in Fault::ALL {
            for nth in 1..=3 {
                let world = world();
                let (token, session) = prepared(&world).await;
                world.faulty.arm(nth, fault);
                let first = session.destroy().await;
                world.faulty.disarm();
                if let Err(error) = &first {
                    assert!(is_expected(error), "{error:?}");
                }
                let again = session.destroy().await.expect("destroy");
                let done = matches!(first, Ok(true));
                assert!(done != again || may_have_happened(fault), "ended once: {first:?}, then {again}");
                assert!(opened(&world.sessions, &token).is_none());
            }
        }
    });
}

/// Over a store that commits many keys at once and over one that does not: sessions that ended before the failure stay ended, a
/// second call ends the others, and the two together count each at most once.
#[test]
fn s35_a_failed_revocation_of_all_can_be_repeated() {
    let stores: [fn() -> Arc<dyn Store>; 2] =
        [|| Arc::new(ReferenceStore::new()), || Arc::new(Single(Arc::new(ReferenceStore::new())))];
    block_on(async {
        // A page and its commits: three of up to 64 removals, or one for each.
        for (store, (sessions, calls)) in stores.into_iter().zip([(130, 4), (8, 9)]) {
            for fault in Fault::ALL {
                for nth in 1.. {
                    let world = world_over(store());
                    for _ in 0..sessions {
                        world.sessions.create().await.expect("create");
                    }
                    world.faulty.arm(nth, fault);
                    let first = world.sessions.revoke_all().await;
                    let fired = world.faulty.disarm();
                    let left = raw(&*world.faulty).await.len() as u64;
                    let again = world.sessions.revoke_all().await.expect("revoke");
                    assert_eq!(again, left, "{fault:?} at call {nth}");
                    assert!(raw(&*world.faulty).await.is_empty());
                    match first {
                        Ok(revoked) => assert_eq!((revoked, left, fired), (sessions, 0, 0)),
                        Err(error) => assert!(fired == 1 && is_expected(&error), "{error:?}"),
                    }
                    if fired == 0 {
                        assert_eq!(nth, calls + 1, "every call was failed once");
                        break;
                    }
                }
            }
        }
    });
}
