//! Fingerprints of users who have signed in: in an [`AuthSession`], of whatever claims.

use std::time::Duration;

use strata_core::conformance::{Fault, block_on};
use strata_core::{ErrorKind, Ttl};
use strata_session::SessionToken;
use strata_session::auth::{AuthSession, AuthSessions, User};
use strata_session::fingerprint::{Action, Unknown, Verdict};

use super::{checked, is_mismatch, laptop, prints, stranger, updated};
use crate::{MINUTE, World, grounds, kind_of, raw, world};

const DAY: Duration = Duration::from_hours(24);

/// Claims of a type of its own, so that the session's type is one.
type Signed = AuthSession<(String, u8)>;

fn manager(world: &World) -> AuthSessions<(String, u8)> {
    AuthSessions::new(&world.db).expect("a manager")
}

fn ada() -> User<(String, u8)> {
    User::new("ada").claims(("acme".to_owned(), 1))
}

/// Ada, who asked to be remembered for 30 days.
fn remembered(world: &World) -> (SessionToken, Signed) {
    block_on(async { manager(world).login(&ada()).remember().await }).expect("login")
}

/// Not again (e): a fingerprint of 24 hours in a session of 30 days.
#[test]
fn not_again_e_a_24_h_fingerprint_in_a_30_day_session() {
    grounds::each(|world| {
        let (token, session) = remembered(&world);
        let prints = prints(&world);
        block_on(prints.bind(&session, &laptop())).expect("bind");
        for day in 1..30 {
            world.clock.advance(DAY);
            assert_eq!(checked(&prints, &session, &laptop()), Verdict::Match, "known on day {day}");
            assert!(is_mismatch(&checked(&prints, &session, &stranger())), "and nobody else on day {day}");
        }
        world.clock.advance(DAY);
        for late in [
            block_on(prints.check(&session, &laptop())).map(drop),
            block_on(prints.bind(&session, &laptop())),
            block_on(prints.adopt(&session, &laptop())),
        ] {
            assert_eq!(kind_of(late), ErrorKind::Gone, "the session has ended, and its reference with it");
        }
        assert!(block_on(manager(&world).open(&token)).expect("open").is_none(), "nothing brought it back");
    });
}

#[test]
fn it_is_bound_once_checked_and_adopted() {
    grounds::each(|world| {
        let (token, session) = remembered(&world);
        let prints = prints(&world);
        assert_eq!(checked(&prints, &session, &laptop()), Verdict::Unknown(Unknown::NoReference));
        block_on(prints.bind(&session, &laptop())).expect("bind");
        assert_eq!(kind_of(block_on(prints.bind(&session, &updated()))), ErrorKind::Conflict);
        assert_eq!(block_on(prints.enforce(&session, &stranger())).expect("enforce"), Action::StepUp);
        block_on(prints.adopt(&session, &updated())).expect("adopt");
        let again = block_on(manager(&world).open(&token)).expect("open").expect("alive");
        assert_eq!(checked(&prints, &again, &updated()), Verdict::Match);
        assert!(
            matches!(checked(&prints, &again, &laptop()), Verdict::Similar { .. }),
            "no longer the reference"
        );
        let user = block_on(again.user()).expect("the user");
        assert_eq!(
            (user.id.as_str(), &user.claims),
            ("ada", &("acme".to_owned(), 1)),
            "the claims are as they were"
        );
    });
}

/// What changes the session's secret keeps the reference; the token before it neither checks nor adopts.
#[test]
fn s04_it_survives_rotation_and_a_new_authentication() {
    let world = world();
    let (_, mut session) = remembered(&world);
    let prints = prints(&world);
    block_on(prints.bind(&session, &laptop())).expect("bind");
    let stale = session.clone();
    let _token = block_on(session.rotate()).expect("rotate");
    let _token = block_on(session.reauthenticate()).expect("authenticated");
    assert_eq!(checked(&prints, &session, &laptop()), Verdict::Match);
    assert_eq!(kind_of(block_on(prints.check(&stale, &laptop()))), ErrorKind::Gone);
    assert_eq!(kind_of(block_on(prints.adopt(&stale, &stranger()))), ErrorKind::Gone);
    block_on(session.set("theme", &1_u8)).expect("set");
    assert_eq!(block_on(session.list()).expect("list"), ["theme"], "out of the application's reach");
    assert_eq!(block_on(session.clear()).expect("clear"), 1);
    assert_eq!(checked(&prints, &session, &laptop()), Verdict::Match);
}

#[test]
fn s13_it_dies_with_its_session() {
    grounds::each(|world| {
        let prints = prints(&world);
        for end in ["logout", "revoke", "revoke user"] {
            let (token, session) = remembered(&world);
            block_on(prints.bind(&session, &laptop())).expect("bind");
            block_on(async {
                match end {
                    "logout" => session.logout().await.map(drop),
                    "revoke" => manager(&world).revoke(token.id()).await.map(drop),
                    _ => manager(&world).revoke_user("ada").await.map(drop),
                }
            })
            .expect(end);
            assert_eq!(kind_of(block_on(prints.check(&session, &laptop()))), ErrorKind::Gone, "{end}");
            assert_eq!(kind_of(block_on(prints.bind(&session, &laptop()))), ErrorKind::Gone, "{end}");
            assert_eq!(kind_of(block_on(prints.adopt(&session, &stranger()))), ErrorKind::Gone, "{end}");
            assert_eq!(
                block_on(raw(&*world.faulty)).len(),
                1,
                "{end}: the key is all that lies in the store"
            );
        }
    });
}

/// A request that only checks keeps nothing alive, and writes nothing.
#[test]
fn a_check_is_no_activity() {
    let world = world();
    let (token, session) = block_on(async { manager(&world).login(&ada()).await }).expect("login");
    let prints = prints(&world);
    block_on(prints.bind(&session, &laptop())).expect("bind");
    let before = block_on(raw(&*world.faulty));
    world.clock.advance(20 * MINUTE);
    checked(&prints, &session, &stranger());
    block_on(prints.enforce(&session, &laptop())).expect("enforce");
    assert_eq!(block_on(raw(&*world.faulty)), before);
    let left = block_on(world.db.ttl(&format!("auth:session:{}", token.id()))).expect("ttl");
    assert_eq!(left, Ttl::Left(40 * MINUTE), "of an hour");
}

/// A store that is away is no other device, and a binding that failed left a reference or none.
#[test]
fn s35_a_failure_is_no_verdict() {
    for fault in Fault::ALL {
        for nth in 1.. {
            let world = world();
            let (_, session) = remembered(&world);
            let prints = prints(&world);
            world.faulty.arm(nth, fault);
            let bound = block_on(prints.bind(&session, &laptop()));
            if world.faulty.disarm() == 0 {
                assert!(nth > 3, "{nth} calls");
                break;
            }
            if let Err(error) = bound {
                assert!(error.is_retryable(), "{fault:?} at call {nth}: {error:?}");
                block_on(prints.bind(&session, &laptop())).expect("the same again");
            }
            world.faulty.arm(1, Fault::Unavailable);
            assert_eq!(kind_of(block_on(prints.check(&session, &stranger()))), ErrorKind::Unavailable);
            assert_eq!(checked(&prints, &session, &laptop()), Verdict::Match, "{fault:?} at call {nth}");
        }
    }
}

#[test]
fn futures_can_be_spawned() {
    fn is_send(_: &impl Send) {}
    let world = world();
    let (_, session) = remembered(&world);
    let (prints, features) = (prints(&world), laptop());
    is_send(&prints.bind(&session, &features));
    is_send(&prints.adopt(&session, &features));
    is_send(&prints.enforce(&session, &features));
}
