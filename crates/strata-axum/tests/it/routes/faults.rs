//! Every store call of every route is failed once, in each way.

use strata_core::conformance::{Fault, every_call};

use super::{FORM, Scene};

/// The client comes back at once, and is where it would have been: one line of tokens, whatever was lost.
#[tokio::test]
async fn s35_a_refresh_that_failed_is_made_good_by_the_next() {
    for fault in Fault::ALL {
        let scene = Scene::new();
        let tried = every_call(&scene.world.faulty, fault, async |nth| {
            scene.world.faulty.disarm();
            let (token, _) = scene.signs_in("ada").await;
            scene.world.faulty.arm(nth, fault);
            let first = scene.refresh(&token).await;
            scene.world.faulty.disarm();
            if first.status != 200 {
                assert_eq!(first.status, 503, "{fault:?} of call {nth}");
                assert!(first.headers.get("retry-after").is_none(), "it may have rotated: come back at once");
            }
            let again = scene.refresh(&token).await;
            assert_eq!(
                (again.status.as_u16(), again.refresh_token().generation()),
                (200, 1),
                "{fault:?} of call {nth}"
            );
            assert!(scene.lets_in(&again.text("access_token")).await);
            assert_eq!(scene.families("ada").await, 1);
            let answer =
                scene.post("/api/auth/revoke", FORM, format!("token={}", *token.expose()), &[]).await;
            assert_eq!((answer.status.as_u16(), scene.families("ada").await), (200, 0));
            if fault == Fault::Unavailable {
                let left = scene.world.users.list("ada").await.expect("listed");
                assert!(left.is_empty(), "call {nth} leaves a session that nobody has the token of");
            }
        })
        .await;
        assert!(tried >= 6, "{tried} calls");
    }
}

/// Whoever holds a stolen token may go away, or the store, between the end of the family and that of its access tokens.
#[tokio::test]
async fn s23_a_reuse_that_was_interrupted_ends_everything_at_the_next_try() {
    for fault in Fault::ALL {
        let scene = Scene::new();
        let tried = every_call(&scene.world.faulty, fault, async |nth| {
            scene.world.faulty.disarm();
            let (first, access) = scene.signs_in("ada").await;
            let second = scene.refresh(&first).await.text("access_token");
            scene.world.clock.advance(std::time::Duration::from_secs(11));
            scene.world.faulty.arm(nth, fault);
            let reused = scene.refresh(&first).await;
            scene.world.faulty.disarm();
            assert!(matches!(reused.status.as_u16(), 400 | 503), "{fault:?} of call {nth}: {reused:?}");
            assert_eq!(scene.refresh(&first).await.code(), "invalid_grant");
            assert_eq!(scene.families("ada").await, 0, "{fault:?} of call {nth}");
            for access in [&access, &second] {
                assert!(!scene.lets_in(access).await, "{fault:?} of call {nth}: it outlives its family");
            }
        })
        .await;
        assert!(tried >= 3, "{tried} calls");
    }
}

#[tokio::test]
async fn s35_a_logout_or_revocation_that_failed_is_made_good_by_the_next() {
    for (path, fault) in Fault::ALL.into_iter().flat_map(|fault| [("logout", fault), ("revoke", fault)]) {
        let scene = Scene::new();
        let tried = every_call(&scene.world.faulty, fault, async |nth| {
            scene.world.faulty.disarm();
            let (token, access) = scene.signs_in("ada").await;
            let act = async || match path {
                "logout" => {
                    let body = format!(r#"{{"refresh_token":"{}"}}"#, *token.expose());
                    scene.json("/api/session/logout", Some(&access), body).await
                }
                _ => scene.post("/api/auth/revoke", FORM, format!("token={}", *token.expose()), &[]).await,
            };
            scene.world.faulty.arm(nth, fault);
            let first = act().await;
            scene.world.faulty.disarm();
            assert!(matches!(first.status.as_u16(), 200 | 503), "{path}, {fault:?} of call {nth}: {first:?}");
            if first.status == 503 {
                assert_eq!(act().await.status, 200, "{path}, {fault:?} of call {nth}");
            }
            assert!(!scene.lets_in(&access).await, "{path}, {fault:?} of call {nth}");
            assert_eq!(scene.families("ada").await, 0, "{path}, {fault:?} of call {nth}");
        })
        .await;
        assert!(tried >= 4, "{path}: {tried} calls");
    }
}
