//! Every store call of every operation fails once, in each way: the tokens are as before or as after, whole, and what the server rotated is
//! never lost.

use std::sync::Arc;

use strata_core::conformance::{Fault, block_on, every_call};
use strata_core::{ErrorKind, Result};

use super::{SECOND, Scene, scene, whole};

/// Runs `act` in a fresh scene for each call it makes, and each way to fail; `check` is given whether it said it was done.
fn each(
    prepare: fn() -> Scene,
    act: &impl AsyncFn(&Scene) -> Result<()>,
    check: impl Fn(&Scene, bool, Fault),
) -> u64 {
    let mut calls = 0;
    for fault in Fault::ALL {
        for nth in 1.. {
            let scene = prepare();
            let faulty = Arc::clone(&scene.world.faulty);
            faulty.arm(nth, fault);
            let result = block_on(act(&scene));
            let fired = faulty.disarm();
            if let Err(error) = &result {
                assert!(fired == 1, "{error:?}");
                assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Conflict), "{error:?}");
            }
            check(&scene, result.is_ok(), fault);
            if fired == 0 {
                calls += nth - 1;
                break;
            }
        }
    }
    calls
}

fn due() -> Scene {
    scene().due()
}

fn signed_in() -> Scene {
    let scene = scene();
    scene.sign_in("ada");
    // So that the next sign-in has to be listed for longer.
    scene.advance(SECOND);
    scene
}

fn stored(scene: &Scene) -> Option<u32> {
    whole(&scene.sibling(), &**scene.world.faulty.inner(), "ada")
}

#[test]
fn s35_a_refresh_that_fails_loses_no_token() {
    let calls = each(
        due,
        &async |scene: &Scene| scene.tokens.access_token("ada").await.map(drop),
        |scene, done, fault| {
            let server = scene.server.refreshes();
            assert!(!done || stored(scene) == Some(2), "stored before it was handed out");
            assert!(server <= 1);
            // The program goes on: what the server gave is in memory or in the store, so it is not asked with a spent token.
            assert_eq!(scene.access("ada"), "access-2", "{fault:?}");
            assert_eq!((stored(scene), scene.server.refreshes()), (Some(2), 1), "{fault:?}");
            assert_eq!(scene.server.present(), "refresh-2");
        },
    );
    assert!(calls >= 3 * 5, "{calls}");
}

/// The commit fails until the program ends: the next one asks again, with the predecessor, as after a lost answer.
#[test]
fn s35_an_outage_of_the_store_keeps_the_rotated_token() {
    let scene = due();
    // Read, lease, read; then every write fails.
    scene.world.faulty.arm_from(4, Fault::Unavailable);
    for _ in 0..3 {
        let error = block_on(scene.tokens.access_token("ada")).expect_err("the store is away");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
    scene.world.faulty.disarm();
    assert_eq!(scene.server.refreshes(), 1);
    assert_eq!(scene.access("ada"), "access-2");
    assert_eq!((stored(&scene), scene.server.refreshes()), (Some(2), 1), "kept in memory meanwhile");
}

/// Signing out while a rotated token has found no place ends that one, too.
#[test]
fn s35_a_sign_out_takes_the_unsaved_token_along() {
    let scene = due();
    scene.world.faulty.arm_from(4, Fault::Unavailable);
    block_on(scene.tokens.access_token("ada")).expect_err("the store is away");
    scene.world.faulty.disarm();
    assert!(block_on(scene.tokens.clear("ada")).expect("clear"));
    assert_eq!(block_on(scene.tokens.revoke_pending()).expect("drain").left, 0);
    assert_eq!(scene.server.state().revoked, ["refresh-1", "refresh-2"]);
    block_on(scene.tokens.access_token("ada")).expect_err("signed out");
}

/// Without a store that takes writes, the server is not asked to rotate at all.
#[test]
fn a_store_that_takes_no_writes_spends_no_token() {
    let scene = due();
    scene.world.faulty.arm_from(2, Fault::Unavailable);
    block_on(scene.tokens.access_token("ada")).expect_err("the store is away");
    scene.world.faulty.disarm();
    assert_eq!(scene.server.refreshes(), 0);
}

#[test]
fn s35_a_sign_in_is_stored_whole_or_not() {
    let calls = each(
        signed_in,
        &async |scene: &Scene| scene.tokens.store("ada", scene.server.sign_in()).await,
        |scene, done, fault| {
            let found = stored(scene).expect("one of them");
            let after = done && found == 2 || !done && (found == 1 || fault == Fault::LostAnswer);
            assert!(after, "{found} {done} {fault:?}");
            block_on(scene.tokens.store("ada", scene.server.sign_in())).expect("again");
            assert_eq!(stored(scene), Some(3));
        },
    );
    assert!(calls >= 3 * 4, "{calls}");
}

#[test]
fn s35_a_sign_out_can_be_repeated() {
    let calls = each(
        signed_in,
        &async |scene: &Scene| scene.tokens.clear("ada").await.map(drop),
        |scene, done, _| {
            assert!(!done || stored(scene).is_none());
            block_on(scene.tokens.clear("ada")).expect("again");
            assert!(stored(scene).is_none());
            block_on(scene.tokens.revoke_pending()).expect("drain");
            assert_eq!(scene.server.state().revoked, ["refresh-1"], "once queued, whichever try did it");
        },
    );
    assert!(calls >= 3 * 2, "{calls}");
}

#[test]
fn s35_a_refused_token_is_cleared_or_not() {
    let calls = each(
        || {
            let scene = due();
            scene.server.state().serial += 5;
            scene
        },
        &async |scene: &Scene| match scene.tokens.access_token("ada").await {
            Err(error) if error.kind() == ErrorKind::Gone => Ok(()),
            other => other.map(|_| panic!("a token the server refused")),
        },
        |scene, done, _| {
            assert!(!done || stored_raw(scene) == 0);
            scene.advance(SECOND);
            let error = block_on(scene.tokens.access_token("ada")).expect_err("gone");
            assert_eq!(error.kind(), ErrorKind::Gone);
            assert_eq!(stored_raw(scene), 0, "and nothing to revoke");
        },
    );
    assert!(calls >= 3 * 5, "{calls}");
}

/// How many accounts have a record.
fn stored_raw(scene: &Scene) -> usize {
    let key = strata_core::Key::new("tokens:ada").expect("a key");
    let found = block_on(strata_core::Store::get(&**scene.world.faulty.inner(), &key)).expect("get");
    found.into_iter().count()
}

#[test]
fn s35_a_drain_loses_no_revocation() {
    let calls = each(
        || {
            let scene = signed_in();
            block_on(scene.tokens.clear("ada")).expect("clear");
            scene
        },
        &async |scene: &Scene| scene.tokens.revoke_pending().await.map(drop),
        |scene, _, fault| {
            scene.advance(60 * SECOND);
            block_on(scene.tokens.revoke_pending()).expect("again");
            let revoked = scene.server.state().revoked.clone();
            assert!(
                !revoked.is_empty() && revoked.iter().all(|token| token == "refresh-1"),
                "{fault:?}: {revoked:?}"
            );
            assert_eq!(stored_raw(scene), 0);
        },
    );
    assert!(calls >= 3 * 5, "{calls}");
}

/// Readers say what the store says.
#[test]
fn s35_a_store_that_is_away_is_not_a_sign_out() {
    block_on(async {
        let scene = signed_in();
        let faulty = Arc::clone(&scene.world.faulty);
        let failed = every_call(&faulty, Fault::Unavailable, async |_| {
            let said = [
                scene.tokens.access_token("ada").await.map(drop),
                scene.tokens.id_token("ada").await.map(drop),
                scene.tokens.info("ada").await.map(drop),
                scene.tokens.accounts().await.map(drop),
                scene.tokens.renew("nobody").await.map(drop),
            ];
            for error in said.into_iter().filter_map(Result::err) {
                assert_eq!(error.kind(), ErrorKind::Unavailable);
            }
        })
        .await;
        assert_eq!(failed, 6, "each once, and the list of accounts twice");
    });
}
