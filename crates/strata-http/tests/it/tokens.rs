//! Refresh and revocation through the manager of tokens, which is what calls the transport.

use std::sync::Arc;
use std::time::Duration;

use strata_core::{BoxFuture, ErrorKind, Timer};
use strata_session::tokens::{Renewal, TokenAnswer, Tokens};

use crate::server::{Act, Server, json, response};
use crate::{Times, handle, settings};

/// The manager's own patience never ends here: the client's is what is looked at.
#[derive(Debug)]
struct Patient;

impl Timer for Patient {
    fn sleep(&self, _duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

async fn signed_in(server: &Server, times: &Arc<Times>) -> Tokens {
    let client = settings(server, times).client_id("desk top&1").build().expect("a client");
    let tokens = Tokens::new(&handle(), Arc::new(client), Arc::new(Patient)).expect("tokens");
    let answer = TokenAnswer::new("access-0").refresh("refresh+0/=&");
    tokens.store("ada", answer).await.expect("stored");
    tokens
}

const TOKENS: &str = r#"{"access_token":"access-1","token_type":"Bearer","expires_in":600,"refresh_token":"refresh-1",
    "sub":"u1","user":{"id":"u1","roles":["editor"],"claims":7}}"#;

#[tokio::test]
async fn a_refresh_is_a_form_and_its_answer_is_understood() {
    let (server, times) = (Server::start([json("200 OK", TOKENS)]).await, Arc::new(Times::default()));
    let tokens = signed_in(&server, &times).await;
    let Renewal::Renewed(renewed) = tokens.renew("ada").await.expect("renewed") else {
        panic!("not renewed")
    };
    assert_eq!(renewed.subject.as_deref(), Some("u1"));
    let user: serde_json::Value = serde_json::from_slice(&renewed.user.expect("a user")).expect("json");
    assert_eq!((&user["roles"][0], &user["claims"]), (&"editor".into(), &7.into()));
    assert_eq!(tokens.access_token("ada").await.expect("a token").expose(), "access-1");
    let [seen] = &server.seen()[..] else { panic!("one request") };
    assert!(seen.head.starts_with("POST /api/auth/refresh HTTP/1.1"), "{}", seen.head);
    assert_eq!(seen.header("content-type"), Some("application/x-www-form-urlencoded"));
    let body = String::from_utf8(seen.body.clone()).expect("text");
    assert_eq!(body, "grant_type=refresh_token&refresh_token=refresh%2B0%2F%3D%26&client_id=desk+top%261");
}

#[tokio::test]
async fn a_refused_token_signs_out_and_an_outage_does_not() {
    let (server, times) = (
        Server::start([json("400 Bad Request", r#"{"error":"invalid_grant"}"#)]).await,
        Arc::new(Times::default()),
    );
    let tokens = signed_in(&server, &times).await;
    assert!(matches!(tokens.renew("ada").await, Ok(Renewal::Invalid)));
    assert!(tokens.info("ada").await.expect("info").is_none());

    let busy = Act::Say(response("429 Too Many Requests", &["Retry-After: 30"], ""));
    let (server, times) = (Server::start([busy]).await, Arc::new(Times::default()));
    let tokens = signed_in(&server, &times).await;
    let Ok(Renewal::Offline(error)) = tokens.renew("ada").await else { panic!("not offline") };
    assert!(error.to_string().contains("30s"), "{error}");
    assert!(tokens.info("ada").await.expect("info").is_some());
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_once_more_at_once() {
    let whole = response("200 OK", &["Content-Type: application/json"], TOKENS);
    for lost in [
        Act::Reset,
        Act::SayAndClose(Vec::new()),
        Act::SayAndClose(whole[..whole.len() - 9].to_vec()),
        Act::SayAndClose(
            response("400 Bad Request", &["Content-Type: application/json"], r#"{"error":"invalid_grant"}"#)
                [..80]
                .to_vec(),
        ),
        Act::Say(response("502 Bad Gateway", &[], "")),
    ] {
        let server = Server::start([lost.clone(), json("200 OK", TOKENS)]).await;
        let tokens = signed_in(&server, &Arc::new(Times::default())).await;
        let renewal = tokens.renew("ada").await.expect("renewed");
        assert!(matches!(renewal, Renewal::Renewed(_)), "{renewal:?} after {lost:?}");
        let seen = server.seen();
        assert_eq!(seen.len(), 2);
        assert_eq!(seen[0].body, seen[1].body, "the same token");
    }
}

#[tokio::test]
async fn nonsense_stores_nothing_and_keeps_the_tokens() {
    for act in [
        json("200 OK", "{}"),
        json("200 OK", r#"{"access_token":"a","sub":7}"#),
        json("200 OK", &format!(r#"{{"access_token":"{}"}}"#, "a".repeat(70_000))),
        json("400 Bad Request", r#"{"error":"invalid_client"}"#),
        Act::Say(response("200 OK", &["Content-Type: text/html"], TOKENS)),
        Act::Say(response("302 Found", &["Location: /elsewhere"], "")),
    ] {
        let server = Server::start([act.clone()]).await;
        let tokens = signed_in(&server, &Arc::new(Times::default())).await;
        let error = tokens.renew("ada").await.expect_err("nonsense");
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?} of {act:?}");
        assert_eq!(tokens.info("ada").await.expect("info").expect("tokens").generation, 1);
    }
}

#[tokio::test]
async fn a_sign_out_reaches_the_server_when_it_is_there() {
    let busy = Act::Say(response("503 Service Unavailable", &["Retry-After: 1"], ""));
    let (server, times) = (Server::start([busy, json("200 OK", "{}")]).await, Arc::new(Times::default()));
    let tokens = signed_in(&server, &times).await;
    assert!(tokens.clear("ada").await.expect("cleared"));
    let first = tokens.revoke_pending().await.expect("drained");
    assert_eq!((first.revoked, first.left), (0, 1));
    let body = String::from_utf8(server.seen()[0].body.clone()).expect("text");
    assert_eq!(body, "token=refresh%2B0%2F%3D%26&token_type_hint=refresh_token&client_id=desk+top%261");
    assert!(server.seen()[0].head.starts_with("POST /api/auth/revoke"));
}

#[tokio::test]
async fn s05_no_token_is_in_what_is_printed() {
    let server =
        Server::start([Act::Say(response("500 Internal Server Error", &[], "refresh+0 access-0"))]).await;
    let times = Arc::new(Times::default());
    let tokens = signed_in(&server, &times).await;
    let renewal = tokens.renew("ada").await.expect("told");
    let client = settings(&server, &times).client_id("desk").build().expect("a client");
    let logout = client.logout("hunter2-token").await.expect_err("refused");
    let unsendable = client.logout("hunter2-token\r\nX: y").await.expect_err("refused");
    for text in
        [format!("{renewal:?}"), format!("{client:?}"), format!("{logout:?}"), format!("{unsendable:?}")]
    {
        assert!(
            !text.contains("refresh+0") && !text.contains("access-0") && !text.contains("hunter2"),
            "{text}"
        );
    }
    assert!(server.seen().iter().all(|seen| !seen.head.lines().next().expect("a line").contains("hunter2")));
}
