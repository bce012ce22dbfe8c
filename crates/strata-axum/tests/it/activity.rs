//! What keeps a session alive, and how often that is written down.

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use strata_axum::{AuthSession, Background, Session};

use crate::browser::Browser;
use crate::requests::routes;
use crate::world::{MINUTE, World};

#[tokio::test]
async fn requests_keep_a_session_alive_until_its_cap() {
    let world = World::new();
    let mut browser = Browser::new(&world.app());
    browser.post("/login/ada").await;
    for minute in (0..24 * 60).step_by(50) {
        assert_eq!(browser.get("/me").await.body, "ada", "after {minute} minutes");
        world.clock.advance(50 * MINUTE);
    }
    assert_eq!(browser.get("/me").await.status, StatusCode::UNAUTHORIZED, "s08: the cap stands");
}

/// Not again: a page left open that polls keeps nothing alive.
#[tokio::test]
async fn polls_in_the_background_keep_nothing_alive() {
    let world = World::new();
    let polled = Router::new()
        .route("/poll", get(async |_: AuthSession| "there"))
        .route(
            "/poll/guest",
            get(async |session: Session| {
                session.get::<u32>("n").await.expect("get").unwrap_or(0).to_string()
            }),
        )
        .layer(axum::Extension(Background));
    let app = routes().merge(polled).layer(world.layer());
    for way in ["marker", "header", "prefetch"] {
        let mut browser = Browser::new(&app);
        browser.post("/n").await;
        browser.post("/login/ada").await;
        let (poll, mut poller) = match way {
            "marker" => ("/poll", browser.clone()),
            "header" => ("/me", browser.with("x-background", "1")),
            _ => ("/me", browser.with("sec-purpose", "prefetch;prerender")),
        };
        let guest = if way == "marker" { "/poll/guest" } else { "/n" };
        for minute in (5..30).step_by(5) {
            world.clock.advance(5 * MINUTE);
            assert_eq!(poller.get(poll).await.status, StatusCode::OK, "{way} after {minute} minutes");
            assert_eq!(poller.get(guest).await.body, "1", "{way} after {minute} minutes");
        }
        world.clock.advance(5 * MINUTE);
        assert_eq!(poller.get(guest).await.body, "0", "{way}: a guest's 30 minutes are over");
        for _ in 0..5 {
            assert_eq!(poller.get(poll).await.status, StatusCode::OK, "{way}");
            world.clock.advance(6 * MINUTE);
        }
        assert_eq!(poller.get(poll).await.status, StatusCode::UNAUTHORIZED, "{way}: a user's hour is over");
    }
}

#[tokio::test]
async fn activity_is_written_once_per_touch_interval() {
    let world = World::new();
    let mut browser = Browser::new(&world.app());
    browser.post("/login/ada").await;
    let calls = async |browser: &mut Browser| {
        let before = world.faulty.calls();
        assert_eq!(browser.get("/me").await.body, "ada");
        world.faulty.calls() - before
    };
    for _ in 0..20 {
        assert_eq!(calls(&mut browser).await, 1, "one read, and no other call");
    }
    world.clock.advance(30 * MINUTE);
    assert!(calls(&mut browser).await > 1, "due");
    assert_eq!(calls(&mut browser).await, 1, "and done");
}

#[tokio::test]
async fn a_request_reads_once_and_commits_once() {
    let world = World::new();
    let mut browser = Browser::new(&world.app());
    browser.post("/n").await;
    browser.post("/login/ada").await;
    for path in ["/n", "/user/n", "/set/x/1"] {
        let before = world.faulty.calls();
        assert_eq!(browser.post(path).await.status, StatusCode::OK);
        assert_eq!(world.faulty.calls() - before, 2, "{path}");
    }
    let before = world.faulty.calls();
    browser.post("/set/x/1").await;
    assert_eq!(world.faulty.calls() - before, 1, "what is there already is not stored again");
}
