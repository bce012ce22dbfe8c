//! `POST /api/session/sync`: who may, and what carries the protocol.

use serde_json::{Value, json};
use strata_core::conformance::Fault;
use strata_session::document::SyncRequest;

use super::Scene;

const SYNC: &str = "/api/session/sync";

pub(super) fn request(number: u8, revision: Option<&str>, changes: &Value) -> String {
    let request = format!("{number:02x}").repeat(16);
    json!({"protocol": 1, "replica": "0a".repeat(16), "request": request, "revision": revision, "changes": changes})
        .to_string()
}

#[tokio::test]
async fn changes_are_taken_once_and_stale_ones_are_a_conflict() {
    let scene = Scene::new();
    let (_, access) = scene.signs_in("ada").await;
    let dark = json!([{"path": ["ui", "theme"], "set": "dark"}]);
    let first = scene.json(SYNC, Some(&access), request(1, None, &dark)).await;
    assert_eq!((first.status.as_u16(), first.json()["outcome"].as_str()), (200, Some("applied")));
    let revision = first.text("revision");
    assert_eq!(first.headers["etag"].to_str().ok(), Some(format!("\"{revision}\"").as_str()));
    let again = scene.json(SYNC, Some(&access), request(1, None, &dark)).await;
    assert_eq!((again.status.as_u16(), again.text("revision")), (200, revision), "the same request");
    let stale = scene.json(SYNC, Some(&access), request(2, None, &dark)).await;
    assert_eq!((stale.status.as_u16(), stale.json()["outcome"].as_str()), (409, Some("conflict")));
    assert_eq!(stale.json()["document"], json!({"ui": {"theme": "dark"}}));
    let owned = json!([{"path": ["auth", "roles"], "set": "admin"}]);
    let refused = scene.json(SYNC, Some(&access), request(3, Some(&stale.text("revision")), &owned)).await;
    assert_eq!(refused.json()["refused"], json!([["auth"]]));
}

#[tokio::test]
async fn only_who_is_signed_in_has_a_document() {
    let scene = Scene::new();
    let (_, access) = scene.signs_in("ada").await;
    let body = || request(1, None, &json!([]));
    for bearer in [None, Some("x"), Some("")] {
        let answer = scene.json(SYNC, bearer, body()).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "signed_out"));
    }
    let other_site =
        [("cookie", format!("__Host-auth={access}")), ("sec-fetch-site", "cross-site".to_owned())];
    let other_site = other_site.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(scene.post(SYNC, "application/json", body(), &other_site).await.code(), "cross_site");
    assert_eq!(scene.json("/api/session/logout", Some(&access), "").await.status, 200);
    assert_eq!(scene.json(SYNC, Some(&access), body()).await.status, 401, "on the next request");
}

#[tokio::test]
async fn a_program_left_alone_keeps_no_session_alive() {
    let scene = Scene::new();
    let (_, access) = scene.signs_in("ada").await;
    for (number, status) in [(1, 200), (2, 401)] {
        scene.world.clock.advance(40 * crate::world::MINUTE);
        let answer = scene.json(SYNC, Some(&access), request(number, None, &json!([]))).await;
        assert_eq!(answer.status, status, "an hour without activity is over");
    }
}

#[tokio::test]
async fn a_document_of_a_session_ends_with_it() {
    let scene = Scene::new();
    let (_, access) = scene.signs_in("ada").await;
    let change = json!([{"path": ["a"], "set": 1}]);
    assert_eq!(scene.json(SYNC, Some(&access), request(1, None, &change)).await.status, 200);
    let session = strata_session::SessionToken::parse(&access).expect("a token").id().to_string();
    assert!(scene.documents.read(&session).await.expect("read").is_some());
    assert_eq!(scene.json("/api/session/logout", Some(&access), "").await.status, 200);
    assert!(scene.documents.read(&session).await.expect("read").is_none());
}

#[tokio::test]
async fn bad_requests_and_outages_are_told_apart() {
    let scene = Scene::new();
    let (_, access) = scene.signs_in("ada").await;
    let newer = request(1, None, &json!([])).replace("\"protocol\":1", "\"protocol\":2");
    for (sort, body, status, code) in [
        ("application/json", "{}".to_owned(), 400, "invalid"),
        ("application/json", newer, 400, "unsupported_version"),
        ("application/json", request(1, None, &json!([{"path": ["__proto__"], "set": 1}])), 400, "invalid"),
        ("text/plain", request(1, None, &json!([])), 415, "unsupported_media_type"),
        ("application/json", " ".repeat(SyncRequest::MAX_BYTES + 1), 413, "too_large"),
    ] {
        let bearer = format!("Bearer {access}");
        let answer = scene.post(SYNC, sort, body, &[("authorization", &bearer)]).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code));
    }
    scene.world.faulty.arm_from(1, Fault::Unavailable);
    let answer = scene.json(SYNC, Some(&access), request(1, None, &json!([]))).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (503, "unavailable"), "never nobody");
    scene.world.faulty.disarm();
}
