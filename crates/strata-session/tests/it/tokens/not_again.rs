//! What the original got wrong: each of these would fail on it.

use std::time::Duration;

use strata_core::conformance::{Fault, block_on};
use strata_core::{Durability, ErrorKind, Handle, Protection};
use strata_session::tokens::{RefreshFailure, TokenAnswer, Tokens};

use super::{DAY, SECOND, Scene, scene, whole};
use crate::{MINUTE, World, grounds, kind_of, world_over};

/// (a) Memory fallback is a no-op option: tokens land in whatever is there, readable on disk.
#[test]
fn no_token_lands_on_a_plain_disk_by_accident() {
    let World { db, .. } = world_over(grounds::on_disk());
    let Scene { server, tokens, world } = scene();
    assert!(
        world.db.capabilities().durability == Durability::Volatile
            && db.protection() == Protection::Plaintext
    );
    let build = |db: &Handle, reason: Option<&str>| {
        let waits = super::Waits {
            clock: std::sync::Arc::clone(&world.clock),
            server: std::sync::Arc::clone(&server),
        };
        let builder = Tokens::builder(db, std::sync::Arc::clone(&server) as _, std::sync::Arc::new(waits));
        match reason {
            Some(reason) => builder.unprotected(reason).build(),
            None => builder.build(),
        }
    };
    let error = build(&db, None).expect_err("a plain disk");
    assert!(error.kind() == ErrorKind::Downgrade && error.to_string().contains("keyring"), "{error}");
    // A handle that asks little of its commits does not make a disk volatile.
    let lax = Handle::builder(std::sync::Arc::clone(db.store()), std::sync::Arc::clone(db.clock()))
        .durability(Durability::Volatile)
        .random(std::sync::Arc::clone(db.random()))
        .build()
        .expect("a handle");
    assert_eq!(kind_of(build(&lax, None)), ErrorKind::Downgrade);
    assert_eq!(kind_of(build(&db, Some(" "))), ErrorKind::Invalid, "a reason says something");
    build(&db, Some("a kiosk without users")).expect("said on purpose");
    build(&world.db, None).expect("memory is gone with the program");
    drop(tokens);
}

/// (b) Fixed 15 minutes and 30 days in place of the token's own.
#[test]
fn tokens_live_as_long_as_the_server_says() {
    let scene = scene();
    let answer = TokenAnswer::new("a").refresh("r").expires_in(5 * MINUTE).refresh_expires_in(DAY);
    block_on(scene.tokens.store("ada", answer)).expect("store");
    let info = block_on(scene.tokens.info("ada")).expect("info").expect("signed in");
    assert_eq!(info.access_until, scene.now().saturating_add(270 * SECOND));
    assert_eq!(info.refresh_until, Some(scene.now().saturating_add(DAY)));
    block_on(scene.tokens.store("bob", TokenAnswer::new("a").refresh("r"))).expect("store");
    let usual = block_on(scene.tokens.info("bob")).expect("info").expect("signed in");
    assert_eq!(usual.access_until, scene.now().saturating_add(870 * SECOND));
    assert_eq!(usual.refresh_until, Some(scene.now().saturating_add(30 * DAY)));
    scene.advance(DAY);
    assert_eq!(kind_of(block_on(scene.tokens.access_token("ada"))), ErrorKind::Gone);
}

/// (c) Three independent writes, so generations mix; without an id token the previous user's stays.
#[test]
fn a_generation_is_one_record_and_the_previous_users_id_token_is_gone() {
    let scene = scene();
    scene.sign_in("main");
    assert_eq!(whole(&scene.tokens, &**scene.world.faulty.inner(), "main"), Some(1));
    block_on(scene.tokens.store("main", TokenAnswer::new("other").refresh("r"))).expect("store");
    assert!(block_on(scene.tokens.id_token("main")).expect("id token").is_none(), "of the user before");
    // The write of the tokens fails: all of them are as before, none is.
    scene.world.faulty.arm_from(1, Fault::Unavailable);
    block_on(scene.tokens.store("main", scene.server.sign_in())).expect_err("the store is away");
    scene.world.faulty.disarm();
    assert_eq!(scene.access("main"), "other");
}

/// (d) A refresh per caller, and the rotated refresh token thrown away, so the next refresh is reuse.
#[test]
fn the_rotated_refresh_token_is_used_next() {
    let scene = scene();
    scene.sign_in("ada");
    for serial in 2..12 {
        scene.advance(14 * MINUTE);
        assert_eq!(
            scene.access("ada"),
            format!("access-{serial}"),
            "a server that detects reuse would refuse"
        );
    }
    assert_eq!(scene.server.refreshes(), 10);
    assert_eq!(scene.server.most.load(std::sync::atomic::Ordering::SeqCst), 1, "never two at a time");
}

/// (f) `invalid_grant` not told from offline; an answer without an access token stored.
#[test]
fn a_dead_token_and_a_dead_network_are_different() {
    let scene = scene().due();
    scene.advance(MINUTE);
    scene.server.fails_with(RefreshFailure::OFFLINE);
    assert_eq!(kind_of(block_on(scene.tokens.access_token("ada"))), ErrorKind::Unavailable);
    assert_eq!(block_on(scene.tokens.accounts()).expect("accounts"), ["ada"], "kept");
    scene.advance(MINUTE);
    scene.server.next_is(Ok(TokenAnswer::new("").refresh("refresh-9")));
    assert_eq!(kind_of(block_on(scene.tokens.access_token("ada"))), ErrorKind::Invalid);
    assert_eq!(
        whole(&scene.tokens, &**scene.world.faulty.inner(), "ada"),
        Some(1),
        "nothing of it is stored"
    );
    scene.advance(MINUTE);
    scene.server.fails_with(RefreshFailure::Invalid);
    assert_eq!(kind_of(block_on(scene.tokens.access_token("ada"))), ErrorKind::Gone);
    assert!(block_on(scene.tokens.accounts()).expect("accounts").is_empty(), "cleared");
    let asked = scene.server.refreshes();
    assert_eq!(kind_of(block_on(scene.tokens.access_token("ada"))), ErrorKind::Gone);
    assert_eq!(scene.server.refreshes(), asked, "no storm of retries with a dead token");
}

/// (g) Fixed names: one account.
#[test]
fn accounts_are_side_by_side() {
    let scene = scene();
    let names =
        ["ada", "bob", "ada:bob", "ada%3Abob", "*", "ada?", "~x", "a/b", "ÄÖ", "ada@example.org", r"\"];
    for name in names {
        scene.sign_in(name);
    }
    for (serial, name) in (1..).zip(names) {
        assert_eq!(scene.access(name), format!("access-{serial}"), "{name}");
    }
    block_on(scene.tokens.clear("*")).expect("clear");
    block_on(scene.tokens.clear("ada")).expect("clear");
    let left: Vec<_> = names.into_iter().filter(|name| !["*", "ada"].contains(name)).collect();
    assert_eq!(block_on(scene.tokens.accounts()).expect("accounts"), left);
}

/// Short lives end in no storm of refreshes: each token is used for at least half of its life.
#[test]
fn a_short_life_is_used() {
    let scene = scene();
    for life in [1, 2, 5, 20, 40] {
        let answer = TokenAnswer::new("short").refresh("r").expires_in(Duration::from_secs(life));
        block_on(scene.tokens.store("ada", answer)).expect("store");
        scene.advance(Duration::from_millis(life * 500 - 1));
        assert_eq!(scene.access("ada"), "short", "{life}");
    }
    assert_eq!(scene.server.refreshes(), 0);
}
