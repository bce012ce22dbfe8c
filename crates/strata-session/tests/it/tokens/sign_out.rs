//! Signing out: local first, and the server is told when it can be.

use strata_core::ErrorKind;
use strata_core::conformance::block_on;
use strata_session::tokens::RefreshFailure;

use super::{DAY, SECOND, scene, scene_in};
use crate::{MINUTE, grounds, kind_of, raw};

#[test]
fn s16_signing_out_works_with_the_network_down() {
    grounds::each(|world| {
        let scene = scene_in(world);
        scene.sign_in("ada");
        scene.server.fails_with(RefreshFailure::OFFLINE);
        assert!(block_on(scene.tokens.clear("ada")).expect("clear"));
        assert!(scene.server.state().asked.is_empty(), "without a call");
        assert_eq!(kind_of(block_on(scene.tokens.access_token("ada"))), ErrorKind::Gone);
        assert!(block_on(scene.tokens.id_token("ada")).expect("id token").is_none());
        assert!(block_on(scene.tokens.accounts()).expect("accounts").is_empty());
        assert!(!block_on(scene.tokens.clear("ada")).expect("clear"), "once");
        assert_eq!(block_on(scene.tokens.revoke_pending()).expect("drain").left, 1);
        scene.server.recovers();
        // By another process, after this one has ended.
        let later = scene.sibling();
        assert_eq!(block_on(later.revoke_pending()).expect("drain").revoked, 0, "not due again yet");
        scene.advance(30 * SECOND);
        let drained = block_on(later.revoke_pending()).expect("drain");
        assert_eq!((drained.revoked, drained.left), (1, 0));
        assert_eq!(scene.server.state().revoked, ["refresh-1"]);
        assert!(block_on(scene.tokens.info("ada")).expect("info").is_none());
    });
}

#[test]
fn nothing_is_left_when_all_is_told() {
    let scene = scene();
    scene.sign_in("ada");
    block_on(scene.tokens.clear("ada")).expect("clear");
    block_on(scene.tokens.revoke_pending()).expect("drain");
    for record in block_on(raw(&**scene.world.faulty.inner())) {
        let bytes = String::from_utf8_lossy(record.payload.as_bytes()).into_owned();
        assert!(!bytes.contains("refresh-") && !bytes.contains("access-"), "{bytes}");
    }
}

#[test]
fn tries_are_counted_and_put_off() {
    let scene = scene();
    scene.sign_in("ada");
    block_on(scene.tokens.clear("ada")).expect("clear");
    scene.server.fails_with(RefreshFailure::OFFLINE);
    let mut tries = Vec::new();
    for minute in 0..(26 * 60) {
        let before = scene.server.state().asked.len();
        block_on(scene.tokens.revoke_pending()).expect("drain");
        if scene.server.state().asked.len() > before {
            tries.push(minute);
        }
        scene.advance(MINUTE);
    }
    assert_eq!(tries[..6], [0, 1, 2, 4, 8, 16], "minutes of the tries");
    assert!(tries.windows(2).all(|pair| pair[1] - pair[0] <= 6 * 60), "{tries:?}");
    scene.server.fails_with(RefreshFailure::Offline { retry_after: Some(DAY) });
    scene.advance(DAY);
    let before = scene.server.state().asked.len();
    block_on(scene.tokens.revoke_pending()).expect("drain");
    scene.advance(23 * 60 * MINUTE);
    block_on(scene.tokens.revoke_pending()).expect("drain");
    assert_eq!(scene.server.state().asked.len(), before + 1, "when the server said");
    scene.advance(30 * DAY);
    assert_eq!(block_on(scene.tokens.revoke_pending()).expect("drain").left, 0, "it is dead by itself");
}

#[test]
fn a_nonsensical_answer_keeps_the_revocation_and_an_unknown_token_ends_it() {
    let scene = scene();
    for account in ["ada", "bob"] {
        scene.sign_in(account);
        block_on(scene.tokens.clear(account)).expect("clear");
    }
    scene.server.fails_with(RefreshFailure::Protocol("nonsense"));
    let drained = block_on(scene.tokens.revoke_pending()).expect("drain");
    assert_eq!(
        (drained.revoked, drained.left, scene.server.state().asked.len()),
        (0, 2, 2),
        "both are tried"
    );
    scene.server.fails_with(RefreshFailure::Invalid);
    scene.advance(MINUTE);
    assert_eq!(block_on(scene.tokens.revoke_pending()).expect("drain").left, 0);
}

#[test]
fn the_queue_is_bounded_and_outlives_the_next_sign_in() {
    let scene = scene();
    for _ in 0..12 {
        scene.sign_in("ada");
        block_on(scene.tokens.clear("ada")).expect("clear");
    }
    scene.sign_in("ada");
    let drained = block_on(scene.tokens.revoke_pending()).expect("drain");
    assert_eq!((drained.revoked, drained.left), (8, 0));
    let newest: Vec<String> = (5..=12).map(|serial| format!("refresh-{serial}")).collect();
    assert_eq!(scene.server.state().revoked, newest);
    assert_eq!(scene.access("ada"), "access-13", "the living tokens are not touched");
}

#[test]
fn another_users_sign_in_ends_the_old_tokens_at_the_server() {
    let scene = scene();
    scene.server.state().subject = Some("u1".to_owned());
    scene.sign_in("main");
    scene.sign_in("main");
    assert_eq!(
        block_on(scene.tokens.revoke_pending()).expect("drain").revoked,
        0,
        "the same user's are left alone"
    );
    scene.server.state().subject = Some("u2".to_owned());
    scene.sign_in("main");
    block_on(scene.tokens.revoke_pending()).expect("drain");
    assert_eq!(scene.server.state().revoked, ["refresh-2"]);
}
