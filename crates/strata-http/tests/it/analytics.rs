//! Reports through the transport: only a 2xx is a delivery.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use strata_session::analytics::{AnalyticsTransport as _, Report, SendFailure};

use crate::server::{self, Act, Server, response};
use crate::{Times, client};

fn report(text_bytes: usize) -> Report {
    let event =
        json!({"sequence": 0, "at": 1, "act": {"view": {"path": "x".repeat(text_bytes), "left": null}}});
    let report =
        json!({"version": 1, "visit": "0a".repeat(16), "started": 1, "summary": null, "events": [event]});
    serde_json::from_value(report).expect("a report")
}

#[tokio::test]
async fn only_a_whole_2xx_is_a_delivery() {
    let cut = Act::SayAndClose(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{".to_vec());
    let wait = SendFailure::RetryAfter(Duration::from_secs(5));
    for (act, came) in [
        (server::json("200 OK", r#"{"results":[]}"#), Ok(())),
        (Act::Say(response("204 No Content", &[], "")), Ok(())),
        (Act::Say(response("202 Accepted", &[], "thanks")), Ok(())),
        (cut, Err(SendFailure::Unavailable)),
        (Act::Reset, Err(SendFailure::Unavailable)),
        (Act::Say(response("500 Internal Server Error", &[], "")), Err(SendFailure::Unavailable)),
        (Act::Say(response("503 Service Unavailable", &["Retry-After: 5"], "")), Err(wait)),
        (Act::Say(response("413 Content Too Large", &[], "")), Err(SendFailure::TooLarge)),
        (Act::Say(response("422 Unprocessable Content", &[], "")), Err(SendFailure::Rejected)),
        (Act::Say(response("301 Moved Permanently", &["Location: /x"], "")), Err(SendFailure::Unavailable)),
    ] {
        let (server, times) = (Server::start([act.clone()]).await, Arc::new(Times::default()));
        assert_eq!(client(&server, &times).send(&[report(3)]).await, came, "{act:?}");
        let [seen] = &server.seen()[..] else { panic!("one request") };
        assert!(seen.head.starts_with("POST /api/analytics/session"), "{}", seen.head);
        let body: serde_json::Value = serde_json::from_slice(&seen.body).expect("json");
        assert_eq!(body["reports"][0]["events"][0]["act"]["view"]["path"], "xxx");
        assert_eq!(seen.header("authorization"), None);
    }
}

#[tokio::test]
async fn a_batch_that_is_too_long_is_split_before_it_is_sent() {
    let (server, times) = (Server::start([server::json("200 OK", "{}")]).await, Arc::new(Times::default()));
    let came = client(&server, &times).send(&[report(600_000), report(600_000)]).await;
    assert_eq!(came, Err(SendFailure::TooLarge));
    assert!(server.seen().is_empty());
}
