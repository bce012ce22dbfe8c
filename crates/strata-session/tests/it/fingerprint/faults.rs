//! Every store call of every operation fails once, in each way: the reference is as before or as after, a verdict is never made of a
//! failure, and the same call again succeeds.

use strata_core::ErrorKind;
use strata_core::conformance::{Fault, block_on};
use strata_session::Session;
use strata_session::fingerprint::{Fingerprints, Unknown, Verdict};

use super::{laptop, prints, stranger};
use crate::{World, world};

fn is_expected(error: &strata_core::Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Conflict) && error.is_retryable()
}

/// Runs `act` in a fresh world for each store call it makes, that call failing, until none does. Says how many there were.
async fn each_call(act: impl AsyncFn(&World, &Session, u64) -> u64) -> u64 {
    for nth in 1.. {
        let world = world();
        let (_, session) = world.sessions.create().await.expect("create");
        if act(&world, &session, nth).await == 0 {
            return nth - 1;
        }
        assert!(nth < 100, "it retries for ever");
    }
    unreachable!("numbers do not end")
}

async fn verdict(prints: &Fingerprints, session: &Session) -> Verdict {
    prints.check(session, &laptop()).await.expect("check")
}

#[test]
fn s35_a_failed_binding_leaves_a_reference_or_none() {
    block_on(async {
        for fault in Fault::ALL {
            let calls = each_call(async |world, session, nth| {
                let prints = prints(world);
                world.faulty.arm(nth, fault);
                let result = prints.bind(session, &laptop()).await;
                let fired = world.faulty.disarm();
                let found = verdict(&prints, session).await;
                match result {
                    Ok(()) => assert_eq!(found, Verdict::Match, "{fault:?} at call {nth}"),
                    Err(error) => {
                        assert!(fired == 1 && is_expected(&error), "{error:?}");
                        let lost = fault == Fault::LostAnswer && found == Verdict::Match;
                        assert!(lost || found == Verdict::Unknown(Unknown::NoReference), "{found:?}");
                        prints.bind(session, &laptop()).await.expect("it can be repeated");
                        assert_eq!(verdict(&prints, session).await, Verdict::Match);
                    }
                }
                // A manager in another process, which has only what lies in the store.
                assert_eq!(verdict(&crate::fingerprint::prints(world), session).await, Verdict::Match);
                fired
            });
            // The key is looked for, drawn and read back; the session is read and written. A conflict there is tried again.
            assert_eq!(calls.await, 5, "{fault:?}");
        }
    });
}

#[test]
fn s35_a_failed_adoption_leaves_the_old_reference_or_the_new_one() {
    block_on(async {
        for fault in Fault::ALL {
            let calls = each_call(async |world, session, nth| {
                prints(world).bind(session, &stranger()).await.expect("bind");
                let prints = prints(world);
                world.faulty.arm(nth, fault);
                let result = prints.adopt(session, &laptop()).await;
                let fired = world.faulty.disarm();
                let adopted = verdict(&prints, session).await == Verdict::Match;
                let stood = prints.check(session, &stranger()).await.expect("check") == Verdict::Match;
                assert!(adopted != stood, "one of them, whole");
                match result {
                    Ok(()) => assert!(adopted, "{fault:?} at call {nth}"),
                    Err(error) => {
                        assert!(fired == 1 && is_expected(&error), "{error:?}");
                        assert!(stood || fault == Fault::LostAnswer, "{fault:?} at call {nth}");
                        prints.adopt(session, &laptop()).await.expect("it can be repeated");
                        assert_eq!(verdict(&prints, session).await, Verdict::Match);
                    }
                }
                fired
            });
            assert_eq!(calls.await, 3, "{fault:?}: the key and the session are read, the session is written");
        }
    });
}

#[test]
fn s35_a_failed_check_is_an_error_and_never_a_verdict() {
    block_on(async {
        for fault in Fault::ALL {
            for enforces in [false, true] {
                let calls = each_call(async |world, session, nth| {
                    prints(world).bind(session, &laptop()).await.expect("bind");
                    let prints = prints(world);
                    let mut events = prints.log().subscribe();
                    world.faulty.arm(nth, fault);
                    let failed = if enforces {
                        prints.enforce(session, &stranger()).await.map(drop)
                    } else {
                        prints.check(session, &stranger()).await.map(drop)
                    };
                    let fired = world.faulty.disarm();
                    assert_eq!(failed.is_err(), fired == 1, "{fault:?} at call {nth}");
                    if let Err(error) = failed {
                        assert_eq!(error.kind(), ErrorKind::Unavailable);
                        assert!(events.try_next().is_none(), "an outage is no misuse");
                    }
                    assert_eq!(verdict(&prints, session).await, Verdict::Match);
                    fired
                });
                assert_eq!(calls.await, 2, "{fault:?}: the session and the key are read");
            }
        }
    });
}
