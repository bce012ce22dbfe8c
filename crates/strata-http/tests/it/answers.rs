//! Whatever a server answers or does not, told by what follows from it: seen through the transport of documents, which tells the most.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use strata_http::HttpClient;
use strata_session::document::{SyncAnswer, SyncFailure, SyncRequest, SyncTransport};
use tokio::net::TcpListener;

use crate::server::{self, Act, Server, response};
use crate::{Times, client, settings};

fn request() -> SyncRequest {
    let text = json!({"protocol": 1, "replica": "0a".repeat(16), "request": "0b".repeat(16)});
    serde_json::from_value(text).expect("a request")
}

const ANSWER: &str =
    r#"{"protocol":1,"outcome":"applied","revision":null,"document":{"ui":{"theme":"dark"}}}"#;

async fn asked(act: Act) -> Result<SyncAnswer, SyncFailure> {
    let (server, times) = (Server::start([act]).await, Arc::new(Times::default()));
    let came = client(&server, &times).sync(&request(), None).await;
    assert_eq!(server.seen().len(), 1, "a transport sends once");
    came
}

#[tokio::test]
async fn a_good_answer_arrives_and_the_connection_is_used_again() {
    let server = Server::start([server::json("200 OK", ANSWER)]).await;
    let client = client(&server, &Arc::new(Times::default()));
    for _ in 0..3 {
        let answer = client.clone().sync(&request(), Some("hunter2")).await.expect("an answer");
        assert_eq!(serde_json::to_value(answer.document).expect("json"), json!({"ui": {"theme": "dark"}}));
    }
    let seen = server.seen();
    assert!(seen.iter().all(|seen| seen.connection == 0), "one pool for all clones");
    assert!(seen[0].head.starts_with("POST /api/session/sync HTTP/1.1"), "{}", seen[0].head);
    assert_eq!(seen[0].header("authorization"), Some("Bearer hunter2"));
    assert_eq!(seen[0].header("content-type"), Some("application/json"));
    assert_eq!(seen[0].header("user-agent"), Some(concat!("strata-http/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(seen[0].header("cookie"), None);
    assert_eq!(serde_json::from_slice::<SyncRequest>(&seen[0].body).expect("a request"), request());
}

#[tokio::test]
async fn statuses_are_told_apart() {
    let offline = |seconds| SyncFailure::Offline { retry_after: Some(Duration::from_secs(seconds)) };
    for (status, header, failure) in [
        ("429 Too Many Requests", "Retry-After: 7", offline(7)),
        ("503 Service Unavailable", "Retry-After: 7", offline(7)),
        ("503 Service Unavailable", "Retry-After: 9999999", offline(86_400)),
        ("503 Service Unavailable", "Retry-After: soon", SyncFailure::Unanswered),
        ("500 Internal Server Error", "X: y", SyncFailure::Unanswered),
        ("502 Bad Gateway", "X: y", SyncFailure::Unanswered),
        ("401 Unauthorized", "WWW-Authenticate: Bearer", SyncFailure::Unauthorized),
        ("413 Content Too Large", "X: y", SyncFailure::TooLarge),
    ] {
        let came = asked(Act::Say(response(status, &[header], "<html>no</html>"))).await;
        assert_eq!(came.expect_err(status), failure, "{status}, {header}");
    }
    let dates = ["Retry-After: Wed, 01 Jan 2031 00:01:00 GMT", "Date: Wed, 01 Jan 2031 00:00:00 GMT"];
    let came = asked(Act::Say(response("429 Too Many Requests", &dates, ""))).await;
    assert_eq!(came.expect_err("a refusal"), offline(60), "a date, by the server's own clock");
}

#[tokio::test]
async fn garbage_is_no_answer() {
    let of_type =
        |sort: &str, body: &str| Act::Say(response("200 OK", &[&format!("Content-Type: {sort}")], body));
    for act in [
        of_type("text/html", ANSWER),
        of_type("text/html", "<html>Sign in to the café's network</html>"),
        of_type("application/json", "<html>"),
        of_type("application/json", ""),
        of_type("application/json", "{}"),
        Act::Say(response("200 OK", &[], ANSWER)),
        Act::Say(response("204 No Content", &[], "")),
    ] {
        let failure = asked(act.clone()).await.expect_err("garbage");
        assert!(matches!(failure, SyncFailure::Protocol(_)), "{failure:?} of {act:?}");
    }
    let failure =
        asked(Act::SayAndClose(b"\x16\x03\x01 what is this?\r\n\r\n".to_vec())).await.expect_err("garbage");
    assert_eq!(failure, SyncFailure::Unanswered, "no HTTP at all");
}

#[tokio::test]
async fn half_an_answer_is_none() {
    let whole = response("200 OK", &["Content-Type: application/json"], ANSWER);
    for cut in [1, whole.len() / 4, whole.len() / 2, whole.len() - 1] {
        let came = asked(Act::SayAndClose(whole[..cut].to_vec())).await;
        assert_eq!(came.expect_err("half"), SyncFailure::Unanswered, "cut at {cut} of {}", whole.len());
    }
    assert_eq!(asked(Act::SayAndClose(Vec::new())).await.expect_err("none"), SyncFailure::Unanswered);
    assert_eq!(asked(Act::Reset).await.expect_err("reset"), SyncFailure::Unanswered);
}

#[tokio::test]
async fn nobody_there_is_told_from_no_answer() {
    // A port that was free a moment ago, and refuses connections now.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let client = HttpClient::new(&format!("http://{address}/")).expect("a client");
    assert_eq!(client.sync(&request(), None).await.expect_err("nobody"), SyncFailure::OFFLINE);
}

#[tokio::test]
async fn encryption_that_does_not_come_about_sends_nothing() {
    let server = Server::start([Act::SayAndClose(b"HTTP/1.1 200 OK\r\n\r\n".to_vec())]).await;
    let address = server.address().replace("http://", "https://");
    let config = {
        let provider = Arc::new(strata_http::rustls::crypto::ring::default_provider());
        let builder = strata_http::rustls::ClientConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().expect("versions");
        builder.with_root_certificates(strata_http::rustls::RootCertStore::empty()).with_no_client_auth()
    };
    let client = HttpClient::builder(&address).tls(config).connect_timeout(Duration::from_millis(200));
    let client = client.build().expect("a client");
    assert_eq!(client.sync(&request(), Some("hunter2")).await.expect_err("no TLS"), SyncFailure::OFFLINE);
    assert!(server.seen().is_empty(), "no request in the clear");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let (server, times) = (Server::start([Act::Hang]).await, Arc::new(Times::default()));
    let waiting = client(&server, &times);
    let waiting = tokio::spawn(async move { waiting.sync(&request(), None).await });
    server.has_seen(1).await;
    times.is_over();
    assert_eq!(waiting.await.expect("a task").expect_err("nothing"), SyncFailure::Unanswered);

    // And without the total time, for no byte comes for so long.
    let impatient =
        settings(&server, &times).read_timeout(Duration::from_millis(30)).build().expect("a client");
    assert_eq!(impatient.sync(&request(), None).await.expect_err("nothing"), SyncFailure::Unanswered);
}

#[tokio::test]
async fn a_slow_drip_is_given_up_by_the_total_time() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000000\r\n\r\n";
    let (server, times) = (Server::start([Act::Drip(head.to_vec())]).await, Arc::new(Times::default()));
    let patient = settings(&server, &times).max_answer(1 << 30).build().expect("a client");
    let waiting = tokio::spawn(async move { patient.sync(&request(), None).await });
    server.has_dripped(100).await;
    times.is_over();
    assert_eq!(waiting.await.expect("a task").expect_err("a drip"), SyncFailure::Unanswered);
}

#[tokio::test]
async fn s38_no_more_of_an_answer_is_read_than_its_bound() {
    let long = response("200 OK", &["Content-Type: application/json"], &" ".repeat(64 * 1024 + 1));
    let failure = asked(Act::Say(long)).await.expect_err("too long");
    assert!(matches!(failure, SyncFailure::Protocol(_)), "{failure:?}");

    // One without an end that does not say how long it is.
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
    let (server, times) = (Server::start([Act::Drip(head.to_vec())]).await, Arc::new(Times::default()));
    let bounded = settings(&server, &times).max_answer(100).build().expect("a client");
    let failure = bounded.sync(&request(), None).await.expect_err("endless");
    assert!(matches!(failure, SyncFailure::Protocol(_)), "{failure:?}");
    server.has_dripped(100).await;

    let wordy = Act::SayAndClose([b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'; 1 << 20]].concat());
    assert_eq!(asked(wordy).await.expect_err("an endless header"), SyncFailure::Unanswered);
}

#[tokio::test]
async fn s05_no_redirect_is_followed() {
    let elsewhere = Server::start([server::json("200 OK", ANSWER)]).await;
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let location = format!("Location: {}api/session/sync", elsewhere.address());
        let server = Server::start([Act::Say(response(status, &[&location], ""))]).await;
        let came = client(&server, &Arc::new(Times::default())).sync(&request(), Some("hunter2")).await;
        assert!(matches!(came, Err(SyncFailure::Protocol(_))), "{came:?}");
    }
    assert!(elsewhere.seen().is_empty());
}
