//! Signing in: what a session knows, what displaces another, and the parallel limit.

use strata_core::conformance::block_on;
use strata_core::{Codec, ErrorKind, Needs};
use strata_session::SessionToken;
use strata_session::auth::{AtLimit, AuthSessions, Device, User};
use strata_ttl::Policy;

use super::{Claims, ada, audited, auth, ids_of, named, opened, sign_in};
use crate::single::Single;
use crate::{MINUTE, grounds, kind_of, raw, world, world_over};

#[test]
fn a_session_knows_its_user_and_its_device() {
    grounds::each(|world| {
        block_on(async {
            let auth = auth(&world);
            let user = ada().named("Ada").email("ada@example.org");
            let device = Device::new().label("laptop").agent("Firefox").address("192.0.2.7");
            let (token, session) = auth.login(&user).device(device.clone()).await.expect("login");
            assert_eq!(session.user().await.expect("user"), user);
            assert!(session.is_authenticated().await.expect("asked"));
            let session = auth.open(&token).await.expect("open").expect("alive");
            assert_eq!(session.user().await.expect("user"), user);
            let info = session.info().await.expect("info");
            let now = world.db.clock().now();
            assert_eq!((info.id, &info.device, info.remembered), (token.id(), &device, false));
            assert_eq!((info.created, info.authenticated, info.last_active), (now, now, now));
            assert_eq!(info.user, user.clone().claims(()));
            assert_eq!(info.expires, now.saturating_add(60 * MINUTE));
            assert_eq!(info.latest, now.saturating_add(24 * 60 * MINUTE));
            audited(&world.db);
        });
    });
}

#[test]
fn claims_of_another_type_are_a_mismatch_and_never_misread() {
    block_on(async {
        let world = world();
        let (token, _) = sign_in(&auth(&world), &ada());
        let other = AuthSessions::<(i64, i64)>::new(&world.db).expect("a manager");
        assert_eq!(kind_of(other.open(&token).await), ErrorKind::Mismatch);
        let operator = AuthSessions::<()>::new(&world.db).expect("a manager");
        let info = operator.info(token.id()).await.expect("info").expect("alive");
        assert_eq!(info.user, ada().claims(()), "an operator reads the rest");
        let json = AuthSessions::<Claims>::builder(&world.db).codec(Codec::Json).build().expect("a manager");
        let (_, session) = json.login(&ada()).await.expect("login");
        assert_eq!(session.user().await.expect("user"), ada(), "the codec is found by itself");
    });
}

#[test]
fn s04_a_sign_in_ends_the_session_it_takes_the_place_of() {
    grounds::each(|world| {
        block_on(async {
            let auth = auth(&world);
            let (planted, _) = sign_in(&auth, &named("eve"));
            let (fresh, session) = auth.login(&ada()).instead_of(&planted).await.expect("login");
            assert!(opened(&auth, &planted).is_none(), "what an attacker planted opens nothing");
            assert_eq!(session.user().await.expect("user").id, "ada");
            let (again, _) = auth.login(&ada()).instead_of(&fresh).await.expect("login");
            assert!(opened(&auth, &fresh).is_none());
            assert_eq!((ids_of(&auth, "ada"), ids_of(&auth, "eve")), (vec![again.id()], vec![]));
            let (last, _) =
                auth.login(&ada()).replacing(&opened(&auth, &again).expect("alive")).await.expect("login");
            assert_eq!(ids_of(&auth, "ada"), [last.id()]);
            audited(&world.db);
        });
    });
}

#[test]
fn a_guess_at_the_old_token_ends_nothing() {
    block_on(async {
        let world = world();
        let auth = auth(&world);
        let (victim, _) = sign_in(&auth, &ada());
        let guess = SessionToken::parse(&format!("{}.{}", victim.id(), "A".repeat(43))).expect("a token");
        auth.login(&named("eve")).instead_of(&guess).await.expect("login");
        assert!(opened(&auth, &victim).is_some());
        auth.revoke(victim.id()).await.expect("revoke");
        auth.login(&named("eve")).instead_of(&victim).await.expect("a session that has ended is no obstacle");
        audited(&world.db);
    });
}

#[test]
fn s15_the_limit_ends_the_oldest_or_the_least_active_or_refuses() {
    for at_limit in [AtLimit::EndOldest, AtLimit::EndLeastActive, AtLimit::Refuse] {
        grounds::each(|world| {
            block_on(async {
                let auth = AuthSessions::<Claims>::builder(&world.db).parallel(3, at_limit).build();
                let auth = auth.expect("a manager");
                let mut held = Vec::new();
                for _ in 0..3 {
                    held.push(sign_in(&auth, &ada()));
                    world.clock.advance(10 * MINUTE);
                }
                held[0].1.touch().await.expect("touch");
                let other = sign_in(&auth, &named("bob"));
                let fourth = auth.login(&ada()).await;
                let lives = |index: usize| opened(&auth, &held[index].0).is_some();
                let left = (lives(0), lives(1), lives(2));
                match at_limit {
                    AtLimit::EndOldest => assert_eq!(left, (false, true, true)),
                    AtLimit::EndLeastActive => assert_eq!(left, (true, false, true)),
                    _ => assert_eq!(left, (true, true, true)),
                }
                match fourth {
                    Ok(_) => assert_eq!(ids_of(&auth, "ada").len(), 3),
                    Err(error) => assert_eq!((error.kind(), at_limit), (ErrorKind::Full, AtLimit::Refuse)),
                }
                assert!(opened(&auth, &other.0).is_some(), "another user's limit is another");
                audited(&world.db);
            });
        });
    }
}

/// Neither too strict nor too lax: what died by idleness takes no place, what lives does.
#[test]
fn s15_sessions_that_died_by_idleness_take_no_place() {
    block_on(async {
        let world = world();
        let builder = AuthSessions::<Claims>::builder(&world.db).parallel(2, AtLimit::Refuse);
        let auth = builder.build().expect("a manager");
        let (_, first) = sign_in(&auth, &ada());
        let (second, _) = sign_in(&auth, &ada());
        world.clock.advance(50 * MINUTE);
        first.touch().await.expect("touch");
        assert_eq!(kind_of(auth.login(&ada()).await), ErrorKind::Full);
        world.clock.advance(10 * MINUTE);
        assert!(opened(&auth, &second).is_none(), "an hour without activity");
        sign_in(&auth, &ada());
        assert_eq!(kind_of(auth.login(&ada()).await), ErrorKind::Full, "and again there are two");
        audited(&world.db);
    });
}

/// A limit that was lowered ends as many as it takes, and the session a login takes the place of counts for nothing.
#[test]
fn s15_a_lowered_limit_holds_from_the_next_login_on() {
    block_on(async {
        let world = world();
        let wide = auth(&world);
        let held: Vec<_> = (0..6).map(|_| sign_in(&wide, &ada()).0).collect();
        let narrow = AuthSessions::<Claims>::builder(&world.db).parallel(2, AtLimit::Refuse).build();
        let narrow = narrow.expect("a manager");
        assert_eq!(kind_of(narrow.login(&ada()).instead_of(&held[0]).await), ErrorKind::Full);
        assert!(opened(&wide, &held[0]).is_some(), "a refused login replaces nothing");
        let narrow = AuthSessions::<Claims>::builder(&world.db).parallel(2, AtLimit::EndOldest).build();
        let (token, _) = narrow.expect("a manager").login(&ada()).instead_of(&held[5]).await.expect("login");
        assert_eq!(ids_of(&wide, "ada").len(), 2);
        assert!(opened(&wide, &token).is_some() && opened(&wide, &held[4]).is_some());
        audited(&world.db);
    });
}

#[test]
fn bad_input_is_refused_before_the_store_is_asked() {
    block_on(async {
        let world = world();
        let auth = auth(&world);
        let before = world.faulty.calls();
        for (user, kind) in [
            (named(""), ErrorKind::Invalid),
            (named("a\u{7f}"), ErrorKind::Invalid),
            (named(&"x".repeat(257)), ErrorKind::TooLarge),
            (ada().role("x".repeat(129)), ErrorKind::TooLarge),
        ] {
            assert_eq!(kind_of(auth.login(&user).await), kind);
        }
        let device = Device::new().agent("a\u{1b}[0m");
        assert_eq!(kind_of(auth.login(&ada()).device(device).await), ErrorKind::Invalid);
        assert_eq!(kind_of(auth.list("").await), ErrorKind::Invalid);
        assert_eq!(kind_of(auth.revoke_user("\n").await), ErrorKind::Invalid);
        assert_eq!(world.faulty.calls(), before);
        assert!(raw(&*world.faulty).await.is_empty());
    });
}

#[test]
fn bad_settings_are_refused() {
    let world = world();
    let build = |limit| AuthSessions::<()>::builder(&world.db).parallel(limit, AtLimit::EndOldest).build();
    assert_eq!(kind_of(build(0)), ErrorKind::Invalid);
    let most = world.db.capabilities().max_batch - 4;
    assert_eq!(kind_of(build(most + 1)), ErrorKind::Invalid);
    assert!(build(most).is_ok());
    let endless = Policy::aal1().loosened("a test", None, std::time::Duration::MAX).expect("a reason");
    assert_eq!(kind_of(AuthSessions::<()>::builder(&world.db).policy(endless).build()), ErrorKind::Invalid);
    assert_eq!(kind_of(AuthSessions::<()>::builder(&world.db).namespace("a:b").build()), ErrorKind::Invalid);
    let single =
        world_over(std::sync::Arc::new(Single(std::sync::Arc::new(strata_core::ReferenceStore::new()))));
    assert_eq!(kind_of(AuthSessions::<()>::new(&single.db)), ErrorKind::Unsupported);
    assert!(single.db.require(&Needs::LEAST).is_ok());
}

/// A user's id is no place to reach into another's records.
#[test]
fn ids_of_users_are_kept_apart() {
    block_on(async {
        let world = world();
        let auth = auth(&world);
        for id in ["a", "a:b", "*", "a*", "~", "user:a", "../a", "é", " "] {
            sign_in(&auth, &User::new(id).claims(named("x").claims));
            assert_eq!(ids_of(&auth, id).len(), 1, "{id}");
        }
        assert_eq!(auth.revoke_user("*").await.expect("revoke"), 1);
        assert_eq!(ids_of(&auth, "a").len(), 1);
        audited(&world.db);
    });
}
