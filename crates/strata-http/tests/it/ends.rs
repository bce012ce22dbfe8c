//! Logout and revocation by the client itself, which repeats them.

use std::sync::Arc;
use std::time::Duration;

use strata_core::ErrorKind;

use crate::server::{Act, Server, json, response};
use crate::{Times, client, settings};

fn busy(seconds: u64) -> Act {
    Act::Say(response("429 Too Many Requests", &[&format!("Retry-After: {seconds}")], ""))
}

#[tokio::test]
async fn a_logout_is_repeated_until_it_is_certain() {
    let gone = || Act::SayAndClose(Vec::new());
    let script =
        [gone(), busy(3), Act::Say(response("500 Internal Server Error", &[], "")), json("200 OK", "{}")];
    let (server, times) = (Server::start(script).await, Arc::new(Times::default()));
    client(&server, &times).logout("token-1").await.expect("logged out");
    let (seen, pauses) = (server.seen(), times.pauses());
    assert_eq!((seen.len(), pauses.len()), (4, 3));
    assert!(seen.iter().all(|seen| seen.header("authorization") == Some("Bearer token-1")));
    assert!(pauses[0] <= Duration::from_millis(250), "{pauses:?}");
    assert_eq!(pauses[1], Duration::from_secs(3), "what the server asked for");
    assert!(pauses[2] <= Duration::from_secs(1), "{pauses:?}");
}

#[tokio::test]
async fn a_session_that_has_ended_is_logged_out() {
    let (server, times) = (Server::start([json("401 Unauthorized", "{}")]).await, Arc::new(Times::default()));
    client(&server, &times).logout("token-1").await.expect("logged out");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn attempts_end() {
    let (server, times) = (Server::start([Act::Reset]).await, Arc::new(Times::default()));
    let error = client(&server, &times).revoke_refresh_token("r").await.expect_err("away");
    assert_eq!((error.kind(), server.seen().len()), (ErrorKind::Unavailable, 4));
    assert!(error.is_retryable());
    assert!(server.seen().iter().all(|seen| seen.body == b"token=r&token_type_hint=refresh_token"));

    let once =
        settings(&server, &times).retries(1, Duration::ZERO, Duration::ZERO).build().expect("a client");
    assert_eq!(once.logout("t").await.expect_err("away").kind(), ErrorKind::Unavailable);
    assert_eq!(server.seen().len(), 5);
}

#[tokio::test]
async fn a_server_that_asks_for_long_is_left_alone() {
    let (server, times) = (Server::start([busy(3600)]).await, Arc::new(Times::default()));
    let error = client(&server, &times).logout("t").await.expect_err("busy");
    assert_eq!((error.kind(), server.seen().len(), times.pauses().len()), (ErrorKind::Unavailable, 1, 0));
    assert!(error.to_string().contains("3600s"), "{error}");
}

#[tokio::test]
async fn what_would_fail_again_is_not_repeated() {
    for (act, hint) in [
        (json("404 Not Found", "{}"), "404"),
        (json("403 Forbidden", "{}"), "403"),
        (Act::Say(response("307 Temporary Redirect", &["Location: /x"], "")), "redirects"),
    ] {
        let (server, times) = (Server::start([act]).await, Arc::new(Times::default()));
        let error = client(&server, &times).logout("t").await.expect_err("refused");
        assert_eq!((error.kind(), server.seen().len()), (ErrorKind::Invalid, 1));
        assert!(error.to_string().contains(hint), "{error}");
    }
}
