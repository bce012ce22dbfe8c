//! Requests of other sites, and methods that promise to change nothing (s21).

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Method, Request, StatusCode, Version};
use strata_axum::{Auth, AuthSession, Rejection, Session, SessionLayer};
use strata_session::auth::User;

use crate::browser::{Browser, ask};
use crate::requests::routes;
use crate::world::World;

#[tokio::test]
async fn s21_other_sites_change_nothing() {
    let world = World::new();
    let app = world.app();
    let mut own = Browser::new(&app);
    own.post("/n").await;
    let calls = world.faulty.calls();
    for (what, headers) in [
        ("cross-site", vec![("sec-fetch-site", "cross-site")]),
        ("a sister host", vec![("sec-fetch-site", "same-site")]),
        ("a word nobody knows", vec![("sec-fetch-site", "SAME-ORIGIN")]),
        ("two answers", vec![("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")]),
        ("the origin disagrees", vec![("sec-fetch-site", "cross-site"), ("origin", "https://shop.example")]),
        ("another origin", vec![("origin", "https://evil.example")]),
        ("no origin to speak of", vec![("origin", "null")]),
        ("two origins", vec![("origin", "https://shop.example"), ("origin", "https://evil.example")]),
        ("another port", vec![("origin", "https://shop.example:8443")]),
        ("a plain connection", vec![("origin", "http://shop.example")]),
        ("a longer host", vec![("origin", "https://shop.example.evil.example")]),
        ("silence", vec![]),
    ] {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let mut browser = Browser::silent(&app);
            browser.jar = own.jar.clone();
            browser.extra = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            let answer = browser.send(method.clone(), "/n").await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (StatusCode::FORBIDDEN, "cross_site"),
                "{what}, {method}"
            );
        }
    }
    assert_eq!(world.faulty.calls(), calls, "refused before the handler ran");
    assert_eq!(own.get("/n").await.body, "1");
}

#[tokio::test]
async fn s21_nobody_is_signed_in_by_another_site() {
    let world = World::new();
    let mut browser = Browser::silent(&world.app()).with("sec-fetch-site", "cross-site");
    assert_eq!(browser.post("/login/eve").await.code(), "cross_site");
    assert!(browser.jar.is_empty());
    let twice = Browser::silent(&world.app()).with("origin", "https://evil.example");
    let mut twice = twice.with("origin", "https://shop.example");
    assert_eq!(
        twice.post("/login/eve").await.code(),
        "cross_site",
        "not taken for a request that says nothing"
    );
}

#[tokio::test]
async fn s21_the_sites_own_pages_change_state() {
    let world = World::new();
    let app = world.app();
    for (what, headers) in [
        ("fetch metadata", vec![("sec-fetch-site", "same-origin")]),
        ("typed by the user", vec![("sec-fetch-site", "none")]),
        ("origin", vec![("origin", "https://shop.example")]),
        ("origin with its port", vec![("origin", "https://SHOP.example:443")]),
        ("both", vec![("sec-fetch-site", "same-origin"), ("origin", "https://shop.example")]),
    ] {
        let mut browser = Browser::silent(&app);
        browser.extra = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        assert_eq!(browser.post("/n").await.body, "1", "{what}");
        assert_eq!(browser.post("/n").await.body, "2", "{what}");
    }
}

#[tokio::test]
async fn s21_an_origin_may_be_allowed_by_name() {
    let world = World::new();
    let layer = SessionLayer::builder().guests(&world.sessions).allow_origin("https://app.example").build();
    let app = routes().layer(layer.expect("a layer"));
    let post = async |origin: &str, site: &str| {
        let browser = Browser::silent(&app).with("origin", origin).with("sec-fetch-site", site);
        browser.clone().post("/n").await.status
    };
    assert_eq!(post("https://app.example", "same-site").await, StatusCode::OK);
    assert_eq!(post("https://app.example", "cross-site").await, StatusCode::OK);
    assert_eq!(post("http://app.example", "cross-site").await, StatusCode::FORBIDDEN);
    assert_eq!(post("https://app.example.evil", "cross-site").await, StatusCode::FORBIDDEN);
}

/// A browser that says nothing of where its requests come from proves that a page of the session made them.
#[tokio::test]
async fn s21_a_token_is_the_last_resort() {
    let world = World::new();
    let tokens = Router::new().route(
        "/csrf",
        get(async |session: Session| Ok::<_, Rejection>(session.csrf_token().await?.unwrap_or_default())),
    );
    let app = routes().merge(tokens).layer(world.layer());
    let mut browser = Browser::silent(&app);
    assert_eq!(
        browser.post("/n").await.body,
        "1",
        "there is no session yet in whose name something could be forged"
    );
    let csrf = browser.get("/csrf").await.body;
    assert!(!csrf.is_empty());
    let mut other = Browser::new(&app);
    other.post("/n").await;
    let foreign = other.get("/csrf").await.body;
    for wrong in ["", "x", &foreign, &csrf[1..]] {
        let answer = browser.with("x-csrf-token", wrong).post("/n").await;
        assert_eq!(answer.code(), "cross_site", "{wrong}");
    }
    assert_eq!(browser.with("x-csrf-token", csrf.clone()).post("/n").await.body, "2");
    browser.with("x-csrf-token", csrf.clone()).post("/rotate").await;
    let cross = browser.with("x-csrf-token", csrf).with("sec-fetch-site", "cross-site").post("/n").await;
    assert_eq!(cross.code(), "cross_site", "no token outweighs what the browser says");
}

#[tokio::test]
async fn s21_a_method_that_promises_nothing_changes_nothing() {
    let world = World::new();
    let mut browser = Browser::new(&world.app());
    browser.post("/n").await;
    browser.post("/login/ada").await;
    let before = browser.jar.clone();
    for path in ["/set/a/1", "/destroy", "/login/eve", "/logout"] {
        for method in [Method::GET, Method::HEAD] {
            let answer = browser.send(method.clone(), path).await;
            assert_eq!((answer.status, answer.cookie()), (StatusCode::FORBIDDEN, None), "{method} {path}");
        }
    }
    assert_eq!(browser.jar, before);
    assert_eq!((browser.get("/n").await.body, browser.get("/me").await.body), ("1".into(), "ada".into()));
}

#[tokio::test]
async fn s21_a_layer_may_let_values_change_and_no_more() {
    let world = World::new();
    let layer = SessionLayer::builder().guests(&world.sessions).users(&world.users);
    let layer = layer.values_on_safe_methods("the page seen last").build().expect("a layer");
    let mut browser = Browser::new(&routes().layer(layer));
    assert_eq!(browser.get("/set/n/7").await.status, StatusCode::OK);
    assert_eq!(browser.get("/n").await.body, "7");
    for path in ["/destroy", "/login/eve", "/logout"] {
        assert_eq!(browser.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn s21_a_handler_may_say_why_it_changes_state_by_get() {
    async fn callback(auth: Auth) -> Result<(), Rejection> {
        auth.allow_on_safe_method("the provider's answer, checked by its state");
        auth.login(&User::new("ada")).await?;
        Ok(())
    }
    let world = World::new();
    let app = routes().route("/callback", get(callback)).layer(world.layer());
    let mut browser = Browser::silent(&app).with("sec-fetch-site", "cross-site");
    assert_eq!(browser.get("/callback").await.status, StatusCode::OK);
    assert_eq!(browser.get("/me").await.body, "ada");
}

/// Every act on a session, by a method that promises to change nothing.
#[tokio::test]
async fn s21_no_act_on_a_session_is_done_by_get() {
    fn told<T>(result: strata_core::Result<T>) -> Result<(), Rejection> {
        Ok(result.map(|_| ())?)
    }
    let acts = Router::new()
        .route("/1", get(async |session: Session| told(session.rotate().await)))
        .route("/2", get(async |session: Session| told(session.begun().await)))
        .route("/3", get(async |session: Session| told(session.remove("n").await)))
        .route("/4", get(async |session: Session| told(session.clear().await)))
        .route("/5", get(async |session: Session| told(session.edit(|edit| edit.set("n", &9_u32)).await)))
        .route("/6", get(async |user: AuthSession| told(user.set("n", &9_u32).await)))
        .route("/7", get(async |user: AuthSession| told(user.update("n", |_: Option<u32>| Some(9)).await)))
        .route("/8", get(async |user: AuthSession| told(user.edit(|edit| edit.set("n", &9_u32)).await)))
        .route("/9", get(async |user: AuthSession| told(user.remove("n").await)))
        .route("/10", get(async |user: AuthSession| told(user.clear().await)))
        .route("/11", get(async |user: AuthSession| told(user.logout_others().await)))
        .route("/12", get(async |user: AuthSession| told(user.logout_everywhere().await)))
        .route("/13", get(async |user: AuthSession| told(user.extend(crate::world::MINUTE).await)))
        .route("/14", get(async |user: AuthSession| told(user.rotate().await)))
        .route("/15", get(async |user: AuthSession| told(user.reauthenticate().await)))
        .route("/16", get(async |user: AuthSession| told(user.change_user(|_| ()).await)))
        .route("/17", get(async |auth: Auth| told(auth.login(&User::new("eve")).bearer().await)));
    let world = World::new();
    let mut browser = Browser::new(&routes().merge(acts).layer(world.layer()));
    for path in ["/n", "/login/ada", "/n", "/user/n"] {
        browser.post(path).await;
    }
    let before = (browser.jar.clone(), world.raw().await);
    for act in 1..=17 {
        let answer = browser.get(&format!("/{act}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::FORBIDDEN, "forbidden"), "{act}");
    }
    assert_eq!((browser.jar.clone(), world.raw().await), before);
}

/// Over HTTP/2 the host is in the target of the request.
#[tokio::test]
async fn s21_the_host_of_http_2_is_the_one_of_the_request() {
    let world = World::new();
    let app = world.app();
    let post = async |origin: &str, host: Option<&str>| {
        let mut request =
            Request::post("https://shop.example/n").version(Version::HTTP_2).header("origin", origin);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        ask(&app, request.body(Body::empty()).expect("a request")).await.status
    };
    assert_eq!(post("https://shop.example", None).await, StatusCode::OK);
    assert_eq!(post("https://evil.example", None).await, StatusCode::FORBIDDEN);
    assert_eq!(post("https://evil.example", Some("shop.example")).await, StatusCode::FORBIDDEN);
}
