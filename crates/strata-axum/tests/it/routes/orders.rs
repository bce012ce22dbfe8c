//! A refresh meets the end of its family, and a document the end of its session, in drawn orders: neither an access token nor a document is
//! left.

use std::sync::Arc;

use strata_core::ReferenceStore;
use strata_core::conformance::{Stepped, Task, World, block_on, sampled_schedules};
use strata_session::auth::User;

use super::{FORM, Scene};

/// Of tens of thousands of orders, as many as take seconds; a race that was once here is found by a few hundred.
fn meet(ending: &'static str) -> usize {
    sampled_schedules(0x5eed, 1500, || {
        let store = Stepped::over(Arc::new(ReferenceStore::new()));
        let scene = Arc::new(Scene::over(Arc::clone(&store) as _, |routes| routes));
        let (token, access) = block_on(scene.signs_in("ada"));
        let (refreshing, text) = (Arc::clone(&scene), token.expose().to_string());
        let body = format!("grant_type=refresh_token&refresh_token={text}");
        let refresh: Task = Box::pin(async move {
            let answer = refreshing.post("/api/auth/refresh", FORM, body, &[]).await;
            assert!(matches!(answer.status.as_u16(), 200 | 400), "{answer:?}");
        });
        let ended = Arc::clone(&scene);
        let end: Task = Box::pin(async move {
            let answer = match ending {
                "logout" => ended.json("/api/session/logout", Some(&access), "{}").await,
                _ => ended.post("/api/auth/revoke", FORM, format!("token={text}"), &[]).await,
            };
            assert_eq!(answer.status, 200, "{answer:?}");
        });
        let check = Box::new(move || {
            block_on(async {
                assert_eq!(scene.families("ada").await, 0);
                let left = scene.world.users.list("ada").await.expect("listed");
                assert!(left.is_empty(), "{} access tokens outlive their family", left.len());
            });
        });
        World { store, tasks: vec![refresh, end], check }
    })
}

#[test]
fn s13_no_access_token_outlives_a_revoked_family() {
    let count = meet("revoke");
    assert!(count >= 50, "{count} schedules");
}

#[test]
fn s13_no_access_token_outlives_a_logout() {
    let count = meet("logout");
    assert!(count >= 50, "{count} schedules");
}

/// Two windows of one program refresh at once: both have tokens, and both access tokens end with the family.
#[test]
fn s13_what_two_refreshes_at_once_are_given_ends_with_the_family() {
    let count = sampled_schedules(0x5eed, 700, || {
        let store = Stepped::over(Arc::new(ReferenceStore::new()));
        let scene = Arc::new(Scene::over(Arc::clone(&store) as _, |routes| routes));
        let (token, _) = block_on(scene.signs_in("ada"));
        let form = format!("grant_type=refresh_token&refresh_token={}", *token.expose());
        let refresh = || -> Task {
            let (scene, form) = (Arc::clone(&scene), form.clone());
            Box::pin(async move {
                assert_eq!(scene.post("/api/auth/refresh", FORM, form, &[]).await.status, 200);
            })
        };
        let tasks = vec![refresh(), refresh()];
        let check = Box::new(move || {
            block_on(async {
                let alive = scene.world.users.list("ada").await.expect("listed").len();
                assert_eq!(alive, 2, "the newest, and the one before");
                assert!(scene.grants.revoke(token.family()).await.expect("revoked"));
                let left = scene.world.users.list("ada").await.expect("listed");
                assert!(left.is_empty(), "{} access tokens outlive their family", left.len());
            });
        });
        World { store, tasks, check }
    });
    assert!(count >= 50, "{count} schedules");
}

#[test]
fn s13_no_document_outlives_the_logout_of_its_session() {
    let count = sampled_schedules(0x5eed, 1000, || {
        let store = Stepped::over(Arc::new(ReferenceStore::new()));
        let scene = Arc::new(Scene::over(Arc::clone(&store) as _, |routes| routes));
        let (token, _) =
            block_on(scene.world.users.login(&User::new("ada")).into_future()).expect("signed in");
        let (access, session) = (token.expose().to_string(), token.id().to_string());
        let (syncing, bearer) = (Arc::clone(&scene), access.clone());
        let sync: Task = Box::pin(async move {
            let changes = serde_json::json!([{"path": ["a"], "set": 1}]);
            let body = super::sync::request(1, None, &changes);
            let answer = syncing.json("/api/session/sync", Some(&bearer), body).await;
            assert!(matches!(answer.status.as_u16(), 200 | 401), "{answer:?}");
        });
        let leaving = Arc::clone(&scene);
        let leave: Task = Box::pin(async move {
            assert_eq!(leaving.json("/api/session/logout", Some(&access), "").await.status, 200);
        });
        let check = Box::new(move || {
            let left = block_on(scene.documents.read(&session)).expect("read");
            assert!(left.is_none(), "{left:?}");
        });
        World { store, tasks: vec![sync, leave], check }
    });
    assert!(count >= 20, "{count} schedules");
}
