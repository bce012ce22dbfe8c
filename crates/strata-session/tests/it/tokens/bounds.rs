//! What is refused, and how much there may be.

use std::sync::Arc;
use std::time::Duration;

use strata_core::conformance::block_on;
use strata_core::{ErrorKind, Handle, ManualClock, ReferenceStore};
use strata_session::tokens::{TokenAnswer, TokenPolicy};

use super::{SECOND, builder, scene};
use crate::{MINUTE, kind_of, raw};

#[test]
fn bad_answers_store_nothing() {
    let scene = scene();
    let long = "x".repeat(16 * 1024 + 1);
    let good = || TokenAnswer::new("a").refresh("r");
    let bad = [
        TokenAnswer::new(""),
        TokenAnswer::new(&long),
        TokenAnswer::new("with space"),
        TokenAnswer::new("line\r\nSet-Cookie: x"),
        TokenAnswer::new("ünïcode"),
        good().refresh(""),
        good().refresh(&long),
        good().id(""),
        good().id(&long),
        good().expires_in(Duration::ZERO),
        good().refresh_expires_in(Duration::ZERO),
        good().subject(""),
        good().subject("s".repeat(257)),
        good().user(vec![b'x'; 16 * 1024 + 1]),
    ];
    for answer in bad {
        let shown = format!("{answer:?}");
        assert_eq!(kind_of(block_on(scene.tokens.store("ada", answer))), ErrorKind::Invalid, "{shown}");
    }
    assert!(block_on(raw(&**scene.world.faulty.inner())).is_empty());
    let full = "x".repeat(16 * 1024);
    let answer =
        TokenAnswer::new(&full).refresh(&full).id(&full).user(vec![b'x'; 16 * 1024]).subject("s".repeat(256));
    block_on(scene.tokens.store("ada", answer)).expect("the largest there may be");
    assert_eq!(scene.access("ada"), full);
    for _ in 0..10 {
        let answer =
            TokenAnswer::new("a").refresh(format!("{}{}", &full[4..], scene.server.sign_in_serial()));
        block_on(scene.tokens.store("ada", answer)).expect("store");
        block_on(scene.tokens.clear("ada")).expect("a full queue of the largest fits");
    }
}

#[test]
fn a_refresh_with_a_bad_answer_changes_nothing() {
    let scene = scene().due();
    for answer in
        [TokenAnswer::new(""), TokenAnswer::new("a").refresh("x".repeat(20_000)), TokenAnswer::new("a b")]
    {
        scene.server.next_is(Ok(answer));
        assert_eq!(kind_of(block_on(scene.tokens.renew("ada"))), ErrorKind::Invalid);
    }
    assert_eq!(super::whole(&scene.tokens, &**scene.world.faulty.inner(), "ada"), Some(1));
}

#[test]
fn bad_account_names_reach_no_store() {
    let scene = scene();
    let calls = scene.world.faulty.calls();
    let long = "x".repeat(257);
    for (name, kind) in [
        ("", ErrorKind::Invalid),
        ("a\0b", ErrorKind::Invalid),
        ("a\nb", ErrorKind::Invalid),
        (&long, ErrorKind::TooLarge),
    ] {
        assert_eq!(kind_of(block_on(scene.tokens.access_token(name))), kind);
        assert_eq!(kind_of(block_on(scene.tokens.store(name, TokenAnswer::new("a")))), kind);
        assert_eq!(kind_of(block_on(scene.tokens.clear(name))), kind);
        assert_eq!(kind_of(block_on(scene.tokens.renew(name))), kind);
        assert_eq!(kind_of(block_on(scene.tokens.id_token(name))), kind);
        assert_eq!(kind_of(block_on(scene.tokens.info(name))), kind);
    }
    assert_eq!(scene.world.faulty.calls(), calls);
}

/// 256 accounts; those that have signed out make room for others.
#[test]
fn the_list_of_accounts_is_bounded() {
    let scene = scene();
    for number in 0..256 {
        scene.sign_in(&format!("user {number}"));
    }
    assert_eq!(kind_of(block_on(scene.tokens.store("one more", TokenAnswer::new("a")))), ErrorKind::Full);
    assert!(block_on(scene.tokens.info("one more")).expect("info").is_none());
    scene.sign_in("user 7");
    block_on(scene.tokens.clear("user 9")).expect("clear");
    assert_eq!(kind_of(block_on(scene.tokens.store("one more", TokenAnswer::new("a")))), ErrorKind::Full);
    block_on(scene.tokens.revoke_pending()).expect("drain");
    scene.sign_in("one more");
    let accounts = block_on(scene.tokens.accounts()).expect("accounts");
    assert!(accounts.len() == 256 && !accounts.iter().any(|account| account == "user 9"));
}

/// Tokens that are refreshed for years stay in the list.
#[test]
fn a_long_life_stays_listed() {
    let scene = scene();
    scene.sign_in("ada");
    for _ in 0..40 {
        scene.advance(29 * super::DAY);
        scene.access("ada");
        assert_eq!(block_on(scene.tokens.accounts()).expect("accounts"), ["ada"]);
    }
}

/// A record that cannot be read any more holds nobody up for ever, and is not thrown away unasked.
#[test]
fn an_unreadable_record_can_be_forgotten() {
    let scene = scene();
    scene.sign_in("ada");
    scene.sign_in("bob");
    block_on(scene.db().set("tokens:ada", &7_u8).into_future()).expect("set");
    for kind in [
        kind_of(block_on(scene.tokens.access_token("ada"))),
        kind_of(block_on(scene.tokens.store("ada", TokenAnswer::new("a")))),
        kind_of(block_on(scene.tokens.clear("ada"))),
    ] {
        assert_eq!(kind, ErrorKind::Mismatch);
    }
    assert_eq!(
        block_on(scene.tokens.accounts()).expect("accounts"),
        ["ada", "bob"],
        "to be found, and forgotten"
    );
    scene.sign_in("eve");
    block_on(scene.tokens.clear("eve")).expect("clear");
    assert_eq!(kind_of(block_on(scene.tokens.revoke_pending())), ErrorKind::Mismatch, "it is told");
    assert_eq!(scene.server.state().revoked, ["refresh-3"], "and holds no other account up");
    assert!(block_on(scene.tokens.forget("ada")).expect("forget"));
    assert!(!block_on(scene.tokens.forget("ada")).expect("forget"));
    assert_eq!(block_on(scene.tokens.accounts()).expect("accounts"), ["bob"]);
    scene.sign_in("ada");
    assert_eq!((scene.access("ada").as_str(), scene.access("bob").as_str()), ("access-4", "access-2"));
}

#[test]
fn bad_settings_are_refused() {
    let scene = scene();
    let day = super::DAY;
    let policies = [
        TokenPolicy::default().access(Duration::ZERO, day),
        TokenPolicy::default().refresh(2 * day, day),
        TokenPolicy::default().id(SECOND / 2, day),
        TokenPolicy::default().timeout(Duration::ZERO),
        TokenPolicy::default().timeout(MINUTE),
        TokenPolicy::default().lease(MINUTE, Duration::ZERO),
        TokenPolicy::default().lease(MINUTE, 2 * MINUTE),
    ];
    for policy in policies {
        let built = builder(&scene.world, &scene.server).policy(policy).build();
        assert_eq!(kind_of(built), ErrorKind::Invalid, "{policy:?}");
    }
    for name in ["", "a:b", "*", "~x"] {
        assert_eq!(kind_of(builder(&scene.world, &scene.server).namespace(name).build()), ErrorKind::Invalid);
    }
    let other = builder(&scene.world, &scene.server).namespace("other").build().expect("a manager");
    scene.sign_in("ada");
    assert_eq!(
        kind_of(block_on(other.access_token("ada"))),
        ErrorKind::Gone,
        "namespaces do not see each other"
    );
    let plain = Handle::builder(Arc::new(ReferenceStore::new()), Arc::new(ManualClock::default()));
    let waits = super::Waits { clock: Arc::clone(&scene.world.clock), server: Arc::clone(&scene.server) };
    let db = plain.build().expect("a handle");
    let built = strata_session::tokens::Tokens::new(&db, Arc::clone(&scene.server) as _, Arc::new(waits));
    assert_eq!(kind_of(built), ErrorKind::Unsupported, "no randomness");
}
