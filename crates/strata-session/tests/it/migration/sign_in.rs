//! A guest signs in, from end to end: the login makes a session of the user, then the migration ends the guest's. Killed
//! at every store call and at every wait, and asked again with the cookie the client still has, it comes to the same end.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use strata_core::conformance::{Fault, PerKey, Stepped, block_on};
use strata_core::{ErrorKind, Handle, Result, Store};
use strata_session::auth::{AuthSessions, User};
use strata_session::migration::{Cart, Guests, Report};
use strata_session::{SessionToken, Sessions};

use super::{ADA, Scene, batches, cart, opens};
use crate::{kind_of, world_over};

/// A program: guests where `scene` has them, users' sessions where commits hold several records, as they need it. Both
/// in one store, whose calls fail in both.
struct Program {
    scene: Scene,
    auth: Handle,
}

/// A guest with a cart and a draft, and a user with a cart.
fn prepared(kind: Kind, store: Arc<dyn Store>) -> Program {
    let mut world = world_over(store);
    let auth = world.db.clone();
    if kind == Kind::PerKey {
        let store = PerKey::over(Arc::clone(&world.faulty) as _);
        let handle = Handle::builder(Arc::new(store), Arc::clone(&world.clock) as _);
        world.db = handle.random(Arc::clone(&world.random) as _).build().expect("a handle");
        world.sessions = Sessions::new(&world.db).expect("a manager");
    }
    let scene = Scene::in_world(world);
    scene.set("cart", &cart(&[("tea", 2)]));
    scene.set("draft", &7_u8);
    scene.give("cart", &cart(&[("tea", 1), ("milk", 1)]));
    Program { scene, auth }
}

/// How guests are stored: where a commit holds a migration, or one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Batches,
    PerKey,
}

impl Kind {
    /// Each, and the fewest calls that a sign-in makes there.
    const ALL: [(Self, u64); 2] = [(Self::Batches, 11), (Self::PerKey, 40)];
}

/// What a program does when somebody has proved to be ada and comes with a guest's cookie: as in a process of its own,
/// with nothing but the store and the cookie. The report is `None` where the guest's session has ended by now, which it
/// does when all is moved.
async fn sign_in(program: &Program, cookie: &str) -> Result<(SessionToken, Option<Report>)> {
    let db = &program.scene.world.db;
    let (sessions, guests) = (Sessions::new(db)?, Guests::new(db)?);
    let auth = AuthSessions::<()>::new(&program.auth)?;
    let (token, _) = auth.login(&User::new(ADA)).await?;
    let report = match sessions.open(&SessionToken::parse(cookie)?).await? {
        Some(mut guest) => Some(guests.migrate(&mut guest, ADA).ending_session().await?.report),
        None => None,
    };
    Ok((token, report))
}

/// The one end there is, whatever happened on the way. A login whose answer never came has left a session that nobody has
/// the token of; it is in the user's list, where it can be ended.
fn assert_end(program: &Program, token: &SessionToken, logins: u64, what: &str) {
    let scene = &program.scene;
    assert_eq!(scene.users::<Cart>("cart"), Some(cart(&[("tea", 3), ("milk", 1)])), "{what}");
    assert_eq!(scene.users::<u8>("draft"), Some(7), "{what}");
    scene.assert_clean();
    assert!(!opens(&scene.world.sessions, &scene.token), "{what}: the guest's token opens nothing");
    let left = block_on(scene.world.sessions.info(scene.token.id())).expect("a look");
    assert!(left.is_none(), "{what}: the guest's session has ended, not only its token");
    let late = block_on(async { scene.guest.set("draft", &8_u8).await });
    assert_eq!(kind_of(late), ErrorKind::Gone, "{what}: a guest no more");
    block_on(async {
        let auth = AuthSessions::<()>::new(&program.auth).expect("a manager");
        let session = auth.open(token).await.expect("open").expect("signed in");
        assert_eq!(session.user().await.expect("the user").id, ADA, "{what}");
        let others = session.logout_others().await.expect("ended");
        assert!(others < logins, "{what}: {others} other sessions of {logins} logins");
        assert_eq!(session.siblings().await.expect("a list").len(), 1, "{what}");
        assert_eq!(crate::auth::audit(&program.auth).await, Vec::<String>::new(), "{what}");
    });
}

const SAID: &str = "moved: draft; merged: cart";

/// Signs in again after whatever came of the first time, and once more after that.
fn ends_alike(program: &Program, cookie: &str, what: &str) {
    let (token, report) = block_on(sign_in(program, cookie)).expect(what);
    // Without a report the first run had done it all, to the end of the session.
    assert!(report.is_none_or(|report| report.to_string() == SAID), "{what}");
    assert_end(program, &token, 2, what);
    let (token, report) = block_on(sign_in(program, cookie)).expect(what);
    assert!(report.is_none(), "{what}: nothing is left to do");
    assert_end(program, &token, 2, what);
}

/// Fails each call of a sign-in, and signs in again. Says how many calls there were.
fn killed_at_every_call(kind: Kind, fault: Fault, lasting: bool) -> u64 {
    for nth in 1.. {
        let program = prepared(kind, batches());
        let scene = &program.scene;
        let cookie = scene.token.expose().to_string();
        if lasting {
            scene.world.faulty.arm_from(nth, fault);
        } else {
            scene.world.faulty.arm(nth, fault);
        }
        let first = block_on(sign_in(&program, &cookie));
        let failed = scene.world.faulty.disarm();
        let what = format!("{fault:?} at call {nth}, lasting: {lasting}");
        match first {
            Ok((token, report)) => {
                assert_eq!(report.expect("the guest's session was open").to_string(), SAID, "{what}");
                assert_end(&program, &token, 1, &what);
            }
            Err(error) => assert!(error.is_retryable(), "{what}: {error:?}"),
        }
        ends_alike(&program, &cookie, &what);
        if failed == 0 {
            return nth - 1;
        }
    }
    unreachable!("it ends")
}

#[test]
fn s35_a_guest_who_signs_in_is_the_user_wherever_it_is_killed() {
    for (kind, least) in Kind::ALL {
        for fault in Fault::ALL {
            for lasting in [false, true] {
                let calls = killed_at_every_call(kind, fault, lasting);
                println!("{kind:?}, {fault:?}: {calls} calls failed, lasting: {lasting}");
                assert!(calls >= least, "{calls} calls");
            }
        }
    }
}

/// The process is gone at any wait: its future is dropped there, and its answer never sent.
#[test]
fn a_sign_in_that_is_dropped_at_any_wait_comes_to_the_same_end() {
    for (kind, least) in Kind::ALL {
        for stop in 0.. {
            let stepped = Stepped::over(batches());
            let program = prepared(kind, Arc::clone(&stepped) as Arc<dyn Store>);
            let cookie = program.scene.token.expose().to_string();
            stepped.pause(true);
            let running = {
                let mut future = Box::pin(sign_in(&program, &cookie));
                let mut context = Context::from_waker(Waker::noop());
                (0..=stop).all(|_| matches!(future.as_mut().poll(&mut context), Poll::Pending))
            };
            stepped.pause(false);
            ends_alike(&program, &cookie, &format!("dropped at {stop}"));
            if !running {
                assert!(stop >= least, "{stop} waits");
                break;
            }
        }
    }
}
