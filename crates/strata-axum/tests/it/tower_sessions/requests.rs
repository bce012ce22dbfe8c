//! The layer of tower-sessions over a Strata store: what its documentation promises of cookies, expiry, cycle and flush.

use std::time::Duration;

use axum::body::Body;
use axum::routing::get;
use axum::{Json, Router};
use http::{Request, Response, StatusCode, header};
use tower::ServiceExt as _;
use tower_sessions::cookie::time::Duration as Length;
use tower_sessions::{Expiry, Session, SessionManagerLayer};

use super::{HOUR, World, world};

/// An application with a route for everything a session can do.
fn application(world: &World, expiry: Option<Expiry>) -> Router {
    let mut layer = SessionManagerLayer::new(world.store.clone());
    if let Some(expiry) = expiry {
        layer = layer.with_expiry(expiry);
    }
    Router::new()
        .route("/", get(async || "no session"))
        .route("/insert", get(async |session: Session| told(&session.insert("key", 42).await)))
        .route("/get", get(async |session: Session| Json(session.get::<u32>("key").await.ok().flatten())))
        .route("/remove", get(async |session: Session| told(&session.remove::<u32>("key").await)))
        .route("/cycle", get(async |session: Session| told(&session.cycle_id().await)))
        .route("/flush", get(async |session: Session| told(&session.flush().await)))
        .layer(layer)
}

fn told<T>(result: &Result<T, tower_sessions::session::Error>) -> StatusCode {
    if result.is_ok() { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR }
}

struct Answer {
    status: StatusCode,
    cookie: Option<String>,
    body: String,
}

async fn ask(application: &Router, path: &str, cookie: Option<&str>) -> Answer {
    let mut request = Request::get(path);
    if let Some(cookie) = cookie {
        request = request.header(header::COOKIE, cookie);
    }
    let request = request.body(Body::empty()).expect("a request");
    let response: Response<Body> = application.clone().oneshot(request).await.expect("an answer");
    let cookie = response.headers().get(header::SET_COOKIE);
    let cookie = cookie.map(|cookie| cookie.to_str().expect("text").to_owned());
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 1024).await.expect("a body");
    Answer { status, cookie, body: String::from_utf8(body.to_vec()).expect("text") }
}

/// What a browser sends back.
fn kept(cookie: Option<&String>) -> &str {
    cookie.expect("a cookie").split(';').next().expect("a pair")
}

#[tokio::test]
async fn who_stores_nothing_gets_no_cookie_and_no_record() {
    let world = world();
    let application = application(&world, None);
    for path in ["/", "/get", "/remove"] {
        let answer = ask(&application, path, None).await;
        assert_eq!((answer.status, answer.cookie), (StatusCode::OK, None), "{path}");
    }
    assert_eq!((world.records().await, world.faulty.calls()), (0, 1), "the count itself is the only call");
}

#[tokio::test]
async fn cookies_that_were_never_issued_are_not_adopted() {
    let world = world();
    let application = application(&world, None);
    for bogus in
        ["id=AAAAAAAAAAAAAAAAAAAAAA", "id=bogus", "id=", "id=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]
    {
        assert_eq!(ask(&application, "/get", Some(bogus)).await.body, "null");
        let answer = ask(&application, "/insert", Some(bogus)).await;
        assert_ne!(kept(answer.cookie.as_ref()), bogus);
    }
}

#[tokio::test]
async fn what_one_request_stores_the_next_one_reads() {
    let world = world();
    let application = application(&world, None);
    let inserted = ask(&application, "/insert", None).await;
    let cookie = kept(inserted.cookie.as_ref());
    assert_eq!(ask(&application, "/get", Some(cookie)).await.body, "42");
    let removed = ask(&application, "/remove", Some(cookie)).await;
    assert_eq!(kept(removed.cookie.as_ref()), cookie, "a session without values is one");
    assert_eq!(ask(&application, "/get", Some(cookie)).await.body, "null");
    assert_eq!(world.records().await, 1);
}

/// What a layer is told of expiry, which may depend on the time.
type Kind = fn(&World) -> Option<Expiry>;

#[tokio::test]
async fn every_kind_of_expiry_ends_the_record() {
    let kinds: [(Kind, Duration); 4] = [
        (|_| None, 14 * 24 * HOUR),
        (|_| Some(Expiry::OnSessionEnd), 14 * 24 * HOUR),
        (|_| Some(Expiry::OnInactivity(Length::hours(1))), HOUR),
        (|world| Some(Expiry::AtDateTime(world.later(2 * HOUR))), 2 * HOUR),
    ];
    for (expiry, life) in kinds {
        let world = world();
        let application = application(&world, expiry(&world));
        let inserted = ask(&application, "/insert", None).await;
        let cookie = kept(inserted.cookie.as_ref());
        let lasts = inserted.cookie.as_ref().is_some_and(|cookie| cookie.contains("Max-Age"));
        assert_eq!(lasts, life < 24 * HOUR, "only a session of the browser's has no age");
        // The layer reads the system's clock, which has moved on a little since the test's stood still.
        world.clock.advance(life.saturating_sub(Duration::from_mins(1)));
        assert_eq!(ask(&application, "/get", Some(cookie)).await.body, "42");
        world.clock.advance(Duration::from_mins(2));
        assert_eq!(ask(&application, "/get", Some(cookie)).await.body, "null");
    }
}

#[tokio::test]
async fn reading_prolongs_nothing() {
    let world = world();
    let application = application(&world, Some(Expiry::OnInactivity(Length::hours(1))));
    let inserted = ask(&application, "/insert", None).await;
    let cookie = kept(inserted.cookie.as_ref());
    let ends = async |world: &World| {
        let infos = world.store.handle().select().infos(8).await.expect("infos");
        infos[0].1.expiry.deadline().expect("a deadline")
    };
    let first = ends(&world).await;
    assert_eq!(ask(&application, "/get", Some(cookie)).await.cookie, None, "reading saves nothing");
    assert_eq!(ends(&world).await, first);
    let again = ask(&application, "/insert", Some(cookie)).await;
    assert_eq!(again.cookie, None, "the same value is no change");
    assert_eq!(ends(&world).await, first);
}

#[tokio::test]
async fn a_cycled_session_keeps_its_values_and_nothing_answers_to_the_old_identifier() {
    let world = world();
    let application = application(&world, None);
    let inserted = ask(&application, "/insert", None).await;
    let old = kept(inserted.cookie.as_ref());
    let cycled = ask(&application, "/cycle", Some(old)).await;
    let new = kept(cycled.cookie.as_ref());
    assert_ne!(old, new);
    assert_eq!(ask(&application, "/get", Some(new)).await.body, "42");
    assert_eq!(ask(&application, "/get", Some(old)).await.body, "null");
    assert_eq!(world.records().await, 1);
}

#[tokio::test]
async fn a_flushed_session_is_gone_with_its_cookie() {
    let world = world();
    let application = application(&world, None);
    let inserted = ask(&application, "/insert", None).await;
    let cookie = kept(inserted.cookie.as_ref());
    let flushed = ask(&application, "/flush", Some(cookie)).await;
    assert!(flushed.cookie.expect("a removal").contains("Max-Age=0"));
    assert_eq!(ask(&application, "/get", Some(cookie)).await.body, "null");
    assert_eq!(world.records().await, 0);
}
