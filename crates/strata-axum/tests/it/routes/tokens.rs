//! `POST /api/auth/refresh` and `POST /api/auth/revoke`.

use std::time::Duration;

use axum::body::Body;
use serde_json::json;
use strata_session::refresh::RefreshToken;

use super::{FORM, JSON, Scene};

#[tokio::test]
async fn s22_tokens_are_handed_out_and_never_cached() {
    let scene = Scene::new();
    let (first, _) = scene.signs_in("ada").await;
    let answer = scene.refresh(&first).await;
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, "no-store"));
    assert_eq!(answer.cookie(), None, "a program has no cookie");
    assert_eq!((answer.text("token_type"), answer.text("sub")), ("Bearer".to_owned(), "ada".to_owned()));
    assert_eq!(answer.json()["expires_in"], 3600, "the idle time of the access session");
    assert_eq!(answer.json()["user"]["roles"], json!(["editor"]));
    assert!(scene.lets_in(&answer.text("access_token")).await);
    let token = answer.refresh_token();
    assert_eq!(token.generation(), 1);

    let body =
        json!({"grant_type": "refresh_token", "refresh_token": *token.expose(), "client_id": "desktop"});
    let answer = scene.json("/api/auth/refresh", None, body.to_string()).await;
    assert_eq!((answer.status.as_u16(), answer.refresh_token().generation()), (200, 2));
}

#[tokio::test]
async fn s23_a_retry_has_the_same_successor_and_reuse_ends_everything() {
    let scene = Scene::new();
    let (first, access) = scene.signs_in("ada").await;
    let (once, again) = (scene.refresh(&first).await, scene.refresh(&first).await);
    assert_eq!(once.text("refresh_token"), again.text("refresh_token"));
    assert_ne!(once.text("access_token"), again.text("access_token"));
    assert!(!scene.lets_in(&access).await, "two access tokens at a time");
    scene.world.clock.advance(Duration::from_secs(11));
    let reused = scene.refresh(&first).await;
    assert_eq!((reused.status.as_u16(), reused.code().as_str()), (400, "invalid_grant"));
    for access in [once.text("access_token"), again.text("access_token")] {
        assert!(!scene.lets_in(&access).await, "with the family go its access tokens");
    }
    assert_eq!(scene.families("ada").await, 0);
}

#[tokio::test]
async fn refusals_say_the_same_whatever_the_verdict() {
    let scene = Scene::new();
    let (first, _) = scene.signs_in("ada").await;
    let reused = {
        let second = scene.refresh(&first).await.refresh_token();
        assert_eq!(scene.refresh(&second).await.status, 200);
        scene.refresh(&first).await
    };
    let unknown = scene.refresh(&first).await;
    let before = scene.world.faulty.calls();
    let malformed =
        scene.post("/api/auth/refresh", FORM, "grant_type=refresh_token&refresh_token=x", &[]).await;
    assert_eq!(scene.world.faulty.calls(), before, "s03: no store is asked about what cannot be a token");
    let (_, access) = scene.signs_in("ada").await;
    let other_kind = format!("grant_type=refresh_token&refresh_token={access}");
    let other_kind = scene.post("/api/auth/refresh", FORM, other_kind, &[]).await;
    let mallory = {
        let (token, _) = scene.grants.tokens().issue("mallory", "").await.expect("issued");
        scene.refresh(&token).await
    };
    for answer in [&unknown, &malformed, &other_kind, &mallory] {
        assert_eq!((answer.status, &answer.body), (reused.status, &reused.body));
    }
    assert_eq!(reused.code(), "invalid_grant");
    assert_eq!(scene.families("mallory").await, 0);
}

#[tokio::test]
async fn a_user_who_is_found_under_another_id_gets_nothing() {
    let scene = Scene::new();
    assert!(scene.grants.grant("eve", "desktop").await.expect("asked").is_none());
    assert_eq!((scene.families("eve").await, scene.families("ada").await), (0, 0));
    assert!(scene.world.users.list("ada").await.expect("listed").is_empty());
}

#[tokio::test]
async fn records_do_not_grow_with_refreshes() {
    let scene = Scene::new();
    let (mut token, _) = scene.signs_in("ada").await;
    let mut records = Vec::new();
    for _ in 0..5 {
        token = scene.refresh(&token).await.refresh_token();
        records.push(scene.world.raw().await.len());
    }
    assert_eq!(records[1..], [records[0]; 4]);
}

#[tokio::test]
async fn a_token_is_good_for_its_client_only() {
    let scene = Scene::new();
    let (first, access) = scene.signs_in("ada").await;
    let body = format!("grant_type=refresh_token&client_id=tablet&refresh_token={}", *first.expose());
    assert_eq!(scene.post("/api/auth/refresh", FORM, body, &[]).await.code(), "invalid_grant");
    assert!(scene.families("ada").await == 0 && !scene.lets_in(&access).await);
}

#[tokio::test]
async fn bad_requests_are_told_what_is_wrong() {
    let scene = Scene::new();
    let (token, _) = scene.signs_in("ada").await;
    let text = token.expose();
    let twice = format!("grant_type=refresh_token&refresh_token={0}&refresh_token={0}", *text);
    let long = format!("grant_type=refresh_token&refresh_token={}", "x".repeat(17_000));
    for (path, sort, body, status, code) in [
        ("/api/auth/refresh", FORM, String::new(), 400, "invalid_request"),
        ("/api/auth/refresh", FORM, format!("refresh_token={}", *text), 400, "invalid_request"),
        ("/api/auth/refresh", FORM, "grant_type=refresh_token".to_owned(), 400, "invalid_request"),
        (
            "/api/auth/refresh",
            FORM,
            "grant_type=password&refresh_token=x".to_owned(),
            400,
            "unsupported_grant_type",
        ),
        ("/api/auth/refresh", FORM, twice, 400, "invalid_request"),
        ("/api/auth/refresh", JSON, "{".to_owned(), 400, "invalid_request"),
        ("/api/auth/refresh", JSON, r#"{"grant_type":7}"#.to_owned(), 400, "invalid_request"),
        ("/api/auth/refresh", JSON, "[]".to_owned(), 400, "invalid_request"),
        ("/api/auth/refresh", "text/plain", String::new(), 415, "unsupported_media_type"),
        ("/api/auth/refresh", "", String::new(), 415, "unsupported_media_type"),
        ("/api/auth/refresh", FORM, long, 413, "too_large"),
        ("/api/auth/revoke", FORM, String::new(), 400, "invalid_request"),
        ("/api/auth/revoke", "multipart/form-data", String::new(), 415, "unsupported_media_type"),
        ("/api/auth/revoke", JSON, "x".repeat(17_000), 413, "too_large"),
    ] {
        let answer = scene.post(path, sort, body.clone(), &[]).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (status, code),
            "{path} {sort} {body:.60}"
        );
        assert!(!answer.body.contains(&**text), "s05: nothing of the request is told");
    }
    let body = format!("grant_type=refresh_token&refresh_token={}", *text);
    let two_types = scene.post("/api/auth/refresh", FORM, body, &[("content-type", JSON)]).await;
    assert_eq!(
        two_types.code(),
        "unsupported_media_type",
        "read one way here, and another way by what stands before"
    );
    let broken = Body::from_stream(broken());
    assert_eq!(scene.post("/api/auth/refresh", FORM, broken, &[]).await.code(), "invalid_request");
    assert_eq!(scene.refresh(&token).await.status, 200, "none of that has used it up");
}

/// A body that breaks off.
struct Broken(bool);

fn broken() -> Broken {
    Broken(false)
}

impl futures_core::Stream for Broken {
    type Item = Result<Vec<u8>, std::io::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        let first = !std::mem::replace(&mut self.0, true);
        let error = || Err(std::io::Error::other("the client went away"));
        std::task::Poll::Ready(Some(if first { Ok(b"grant_type=".to_vec()) } else { error() }))
    }
}

#[tokio::test]
async fn a_revocation_ends_what_it_names_and_tells_nothing() {
    let scene = Scene::new();
    let (token, access) = scene.signs_in("ada").await;
    let revoke = async |text: &str| scene.post("/api/auth/revoke", FORM, format!("token={text}"), &[]).await;
    let stranger = RefreshToken::parse(&token.expose().replace('1', "2"));
    for text in ["x", &stranger.map_or_else(|_| "y".to_owned(), |token| token.expose().to_string())] {
        assert_eq!((revoke(text).await.status.as_u16(), revoke(text).await.body.as_str()), (200, "{}"));
    }
    assert!(scene.lets_in(&access).await);
    assert_eq!(revoke(&access).await.status, 200);
    assert!(!scene.lets_in(&access).await, "an access token ends by itself");
    assert_eq!(scene.families("ada").await, 1);

    let next = scene.refresh(&token).await;
    for _ in 0..2 {
        assert_eq!((revoke(&token.expose()).await.body.as_str(), scene.families("ada").await), ("{}", 0));
    }
    assert!(!scene.lets_in(&next.text("access_token")).await);
}
