//! What the original got wrong with refresh tokens, each tried here.

use strata_core::conformance::block_on;
use strata_session::refresh::{RefreshToken, Verdict};

use super::{SECOND, copy, ground, same};
use crate::raw;

/// The original's client invented its refresh token and never told the server. Here only what was issued here rotates.
#[test]
fn a_refresh_token_invented_by_the_client_is_refused() {
    let ground = ground();
    ground.issue("ada");
    let before = block_on(raw(&*ground.world.faulty));
    for invented in ["refresh-token", "c2VjcmV0", "11111111-2222-3333-4444-555555555555"] {
        assert!(RefreshToken::parse(invented).is_err());
    }
    let shaped = format!("{}.00000000.{}.{}", "ab".repeat(16), "A".repeat(43), "A".repeat(22));
    assert_eq!(ground.refused(&RefreshToken::parse(&shaped).expect("well formed")), Verdict::Unknown);
    assert_eq!(block_on(raw(&*ground.world.faulty)), before);
}

/// The original threw the rotated token away, so that its next refresh was a reuse. Here a client that lost the answer, or threw it
/// away, has the same one by asking again, and goes on with it for as long as the family lives.
#[test]
fn a_rotated_token_that_was_thrown_away_is_had_again() {
    let ground = ground();
    let mut token = ground.issue("ada");
    for _ in 0..20 {
        let thrown_away = ground.rotated(&token);
        let again = ground.retried(&token);
        assert!(same(&again, &thrown_away));
        ground.advance(3600 * SECOND);
        token = again;
    }
    assert_eq!(ground.list("ada")[0].generation, 20);
}

/// The original replaced a token by a new one of its own on every success, and knew no families: an old copy went on for ever.
#[test]
fn reuse_is_noticed_however_late() {
    let ground = ground();
    let token = ground.issue("ada");
    let stolen = copy(&token);
    let mut current = ground.rotated(&token);
    for _ in 0..50 {
        ground.advance(3600 * SECOND);
        current = ground.rotated(&current);
    }
    assert_eq!(ground.refused(&stolen), Verdict::StaleLineage);
    assert_eq!(ground.refused(&current), Verdict::Unknown, "the whole family has ended");
    assert!(ground.list("ada").is_empty());
}

/// The original kept one refresh token under one name: a second account, or a second device, overwrote the first.
#[test]
fn users_and_devices_have_families_of_their_own() {
    let ground = ground();
    let tokens = ["ada", "ada", "bob"].map(|user| ground.issue(user));
    assert!(block_on(ground.tokens.end(&tokens[0])).expect("end"));
    ground.rotated(&tokens[1]);
    ground.rotated(&tokens[2]);
    assert_eq!((ground.list("ada").len(), ground.list("bob").len()), (1, 1));
}
