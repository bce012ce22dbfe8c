//! Tokens: where they are told, when they change, and by which of them a request is judged.

use std::fmt::Write as _;

use axum::Router;
use axum::routing::{get, post};
use http::StatusCode;
use http::header::{CACHE_CONTROL, WWW_AUTHENTICATE};
use strata_axum::{AuthSession, Rejection};

use crate::browser::{Answer, Browser};
use crate::requests::routes;
use crate::traced;
use crate::world::{MINUTE, World};

fn is_uncached(answer: &Answer) -> bool {
    answer.headers.get(CACHE_CONTROL).is_some_and(|value| value == "no-store")
}

fn guarded() -> Router {
    Router::new()
        .route("/renew", post(async |session: AuthSession| session.rotate().await.map_err(Rejection::from)))
        .route(
            "/again",
            post(async |session: AuthSession| session.reauthenticate().await.map_err(Rejection::from)),
        )
        .route("/promote", post(promote))
        .route(
            "/admin",
            get(async |session: AuthSession| session.require_role("admin").map_err(Rejection::from)),
        )
        .route("/fresh", get(fresh))
        .route("/others", post(others))
        .route("/everywhere", post(everywhere))
}

async fn promote(session: AuthSession) -> Result<(), Rejection> {
    Ok(session.change_user(|user| _ = user.roles.insert("admin".to_owned())).await?)
}

async fn fresh(session: AuthSession) -> Result<String, Rejection> {
    Ok(session.require_fresh(5 * MINUTE).await?.user().to_owned())
}

async fn others(session: AuthSession) -> Result<String, Rejection> {
    Ok(session.logout_others().await?.to_string())
}

async fn everywhere(session: AuthSession) -> Result<String, Rejection> {
    Ok(session.logout_everywhere().await?.to_string())
}

#[tokio::test]
async fn s22_responses_with_a_token_are_stored_nowhere() {
    let world = World::new();
    let app = routes().merge(guarded()).layer(world.layer());
    let mut browser = Browser::new(&app);
    for path in [
        "/n",
        "/rotate",
        "/login/ada",
        "/renew",
        "/again",
        "/promote",
        "/destroy",
        "/logout",
        "/remember/ada",
    ] {
        let answer = browser.post(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert!(answer.cookie().is_some() && is_uncached(&answer), "{path}: {:?}", answer.headers);
    }
    let token = browser.post("/token/ada").await;
    assert!(token.cookie().is_none() && is_uncached(&token), "the token is in the body");
    for path in ["/plain", "/n", "/me"] {
        let answer = browser.get(path).await;
        assert!(!is_uncached(&answer), "{path} may be stored");
    }
}

#[tokio::test]
async fn s04_signing_in_changes_every_token() {
    let world = World::new();
    let app = world.app();
    let mut browser = Browser::new(&app);
    browser.post("/n").await;
    browser.post("/login/ada").await;
    let before = browser.jar.clone();
    browser.post("/n").await;
    assert_eq!(browser.jar, before, "no change without a cause");
    browser.post("/login/bob").await;
    for name in ["__Host-session", "__Host-auth"] {
        assert_ne!(browser.jar[name], before[name], "{name}");
    }
    assert_eq!((browser.get("/n").await.body, browser.get("/me").await.body), ("2".into(), "bob".into()));
    let mut planted = Browser { jar: before, ..Browser::new(&app) };
    assert_eq!(planted.get("/n").await.body, "0", "the guest's old token opens nothing");
    assert_eq!(planted.get("/me").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn s04_a_change_of_privilege_changes_the_token() {
    let world = World::new();
    let app = routes().merge(guarded()).layer(world.layer());
    let mut browser = Browser::new(&app);
    browser.post("/login/ada").await;
    browser.post("/user/n").await;
    assert_eq!(browser.get("/admin").await.code(), "forbidden");
    for path in ["/promote", "/renew", "/again"] {
        let before = browser.jar.clone();
        assert_eq!(browser.post(path).await.status, StatusCode::OK, "{path}");
        assert_ne!(browser.jar, before, "{path}");
        let mut old = Browser { jar: before, ..Browser::new(&app) };
        assert_eq!(old.get("/me").await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(browser.get("/admin").await.status, StatusCode::OK);
    assert_eq!(browser.get("/user/n").await.body, "1", "values go on");
}

#[tokio::test]
async fn s17_a_step_up_is_asked_for_and_answered() {
    let world = World::new();
    let mut browser = Browser::new(&routes().merge(guarded()).layer(world.layer()));
    browser.post("/login/ada").await;
    assert_eq!(browser.get("/fresh").await.body, "ada");
    world.clock.advance(6 * MINUTE);
    let answer = browser.get("/fresh").await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::UNAUTHORIZED, "step_up"));
    let challenge = answer.headers[WWW_AUTHENTICATE].to_str().expect("text");
    assert!(challenge.contains("insufficient_user_authentication"), "{challenge}");
    browser.post("/again").await;
    assert_eq!(browser.get("/fresh").await.body, "ada");
}

#[tokio::test]
async fn s14_sessions_end_on_the_next_request() {
    let world = World::new();
    let app = routes().merge(guarded()).layer(world.layer());
    let mut browsers = [Browser::new(&app), Browser::new(&app), Browser::new(&app)];
    for browser in &mut browsers {
        browser.post("/login/ada").await;
    }
    let [one, two, three] = &mut browsers;
    assert_eq!(one.post("/others").await.body, "2");
    assert_eq!(two.get("/me").await.code(), "signed_out");
    assert_eq!(three.get("/me").await.code(), "signed_out");
    two.post("/login/ada").await;
    assert_eq!(one.post("/everywhere").await.body, "2");
    assert!(one.jar.is_empty());
    assert_eq!(two.get("/me").await.code(), "signed_out");
}

#[tokio::test]
async fn programs_bring_their_token_in_a_header() {
    let world = World::new();
    let app = world.app();
    let mut browser = Browser::new(&app);
    browser.post("/login/bob").await;
    let token = browser.post("/token/ada").await.body;
    assert_eq!(browser.get("/me").await.body, "bob", "the browser's own session goes on");
    let mut program = Browser::silent(&app).with("authorization", format!("Bearer {token}"));
    assert_eq!(program.get("/me").await.body, "ada");
    let answer = program.post("/user/n").await;
    assert_eq!((answer.body.as_str(), answer.cookie()), ("1", None), "no cookie, and nobody can forge it");
    assert_eq!(
        Browser::silent(&app).with("authorization", format!("bearer {token}")).get("/me").await.body,
        "ada"
    );
    assert_eq!(program.post("/logout").await.body, "true");
    let refused = program.get("/me").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(refused.headers[WWW_AUTHENTICATE], "Bearer");
}

/// The header wins, a good one or not: else a page of another site could choose by which a request is judged.
#[tokio::test]
async fn of_header_and_cookie_the_header_counts() {
    let world = World::new();
    let app = world.app();
    let mut browser = Browser::new(&app);
    browser.post("/n").await;
    browser.post("/login/bob").await;
    let ada = browser.post("/token/ada").await.body;
    assert_eq!(browser.with("authorization", format!("Bearer {ada}")).get("/me").await.body, "ada");
    let calls = world.faulty.calls();
    let silent = Browser { jar: browser.jar.clone(), ..Browser::silent(&app) };
    for bad in [
        "Bearer x".to_owned(),
        "Bearer ".to_owned(),
        format!("Bearer {ada}x"),
        format!("Bearer {}", "x".repeat(8000)),
    ] {
        let answer = silent.with("authorization", bad).post("/me").await;
        assert_eq!(answer.code(), "signed_out", "no falling back to the cookie");
    }
    let twice = silent.with("authorization", format!("Bearer {ada}")).with("authorization", "Bearer x");
    assert_eq!(twice.clone().get("/me").await.code(), "signed_out");
    assert_eq!(world.faulty.calls(), calls, "no store call for what is malformed");
    let basic = silent.with("authorization", "Basic YTpi");
    assert_eq!(
        basic.clone().post("/me").await.code(),
        "cross_site",
        "other schemes are sent by browsers themselves"
    );
}

#[tokio::test]
async fn s03_a_token_that_was_never_issued_is_not_adopted() {
    let world = World::new();
    let app = world.app();
    let mut real = Browser::new(&app);
    real.post("/n").await;
    let mut other = Browser::new(&World::new().app());
    for _ in 0..2 {
        other.post("/n").await;
    }
    other.post("/rotate").await;
    let planted = other.jar["__Host-session"].clone();
    let mut victim = Browser { jar: other.jar.clone(), ..Browser::new(&app) };
    assert_eq!(planted[..32], real.jar["__Host-session"][..32], "the id of a session that lives");
    assert_eq!(victim.get("/n").await.body, "0");
    world.clock.advance(MINUTE);
    assert_eq!(victim.post("/n").await.body, "1");
    assert_ne!(victim.jar["__Host-session"], planted, "a token of our own");
}

#[tokio::test]
async fn the_handlers_of_the_application_come_through_whole() {
    let world = World::new();
    let mut browser = Browser::new(&world.app());
    let answer = browser.post("/fail").await;
    assert_eq!((answer.status, answer.cookie()), (StatusCode::BAD_GATEWAY, None));
    assert!(world.raw().await.is_empty(), "a response of 5xx stores nothing");
    browser.post("/n").await;
    browser.post("/fail").await;
    assert_eq!(browser.get("/n").await.body, "1");
}

#[test]
fn s05_nothing_traced_or_printed_holds_a_secret() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let (secrets, text) = traced::during(|| {
        runtime.block_on(async {
            let world = World::new();
            let app = world.app();
            let mut browser = Browser::new(&app);
            browser.post("/n").await;
            browser.post("/login/ada").await;
            let secrets: Vec<String> = browser.jar.values().map(|token| token[33..].to_owned()).collect();
            let auth = browser.jar["__Host-auth"].clone();
            let mut printed = format!("{:?}", world.layer());
            let twice =
                browser.with("cookie", format!("__Host-auth={auth}; __Host-auth={auth}")).get("/me").await;
            let forged = browser.with("sec-fetch-site", "cross-site").post("/n").await;
            browser.post("/logout").await;
            browser.jar.insert("__Host-auth".to_owned(), auth);
            let ended = browser.get("/me").await;
            world.faulty.arm_from(1, strata_core::conformance::Fault::Unavailable);
            let out = browser.get("/n").await;
            world.faulty.disarm();
            for answer in [twice, forged, ended, out] {
                write!(printed, "{answer:?}").expect("a string takes it");
            }
            tracing::info!(printed);
            secrets
        })
    });
    assert!(
        text.contains("several cookies of one name") && text.contains("another site"),
        "it was traced: {text}"
    );
    assert!(secrets.len() == 2 && secrets.iter().all(|secret| secret.len() == 43));
    for secret in secrets {
        assert!(!text.contains(&secret), "{text}");
    }
}
