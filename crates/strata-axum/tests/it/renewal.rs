//! Sessions that get a new token, or begin and end, while a request is under way: what late answers may do to a browser's cookies.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Path;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use http::StatusCode;
use http::header::CACHE_CONTROL;
use strata_axum::{Auth, AuthSession, Rejection, Session, SessionLayer};
use strata_core::ErrorKind;
use strata_core::conformance::Fault;
use strata_session::auth::User;

use crate::browser::Browser;
use crate::requests::routes;
use crate::world::{MINUTE, World};

fn more() -> Router {
    routes()
        .route("/save/thrice", post(save_thrice))
        .route("/save/destroy", post(save_destroy))
        .route("/begun/ignored", post(begun_ignored))
        .route("/destroy/ignored", post(destroy_ignored))
        .route("/login/fail/{user}", post(login_and_fail))
        .route("/both/ended", post(both_ended))
        .route("/public", post(public))
        .route("/csrf", get(async |session: Session| csrf(session.csrf_token().await)))
        .route("/user/csrf", get(async |session: AuthSession| csrf(session.csrf_token().await)))
}

fn csrf(token: strata_core::Result<Option<String>>) -> Result<String, Rejection> {
    Ok(token?.unwrap_or_default())
}

async fn save_thrice(session: Session) -> Result<String, Rejection> {
    for name in ["a", "b", "n"] {
        session.set(name, &1_u32).await?;
        session.save().await?;
    }
    session.set("c", &1_u32).await?;
    Ok(session.id().await?.is_some().to_string())
}

async fn save_destroy(session: Session) -> Result<(), Rejection> {
    session.set("a", &1_u32).await?;
    session.save().await?;
    Ok(session.destroy().await?)
}

async fn begun_ignored(session: Session) -> Result<String, Rejection> {
    session.set("n", &1_u32).await?;
    Ok(session.begun().await.is_ok().to_string())
}

async fn destroy_ignored(session: Session) -> Result<String, Rejection> {
    session.destroy().await?;
    Ok(session.save().await.is_ok().to_string())
}

/// Somebody ends the user's session while the handler runs.
async fn both_ended(session: Session, user: AuthSession, auth: Auth) -> Result<(), Rejection> {
    session.set("n", &7_u32).await?;
    user.set("n", &7_u32).await?;
    assert!(auth.manager().revoke(user.id()).await?);
    Ok(())
}

async fn public(session: Session) -> Result<impl IntoResponse, Rejection> {
    session.set("n", &1_u32).await?;
    Ok([(CACHE_CONTROL, "public, max-age=3600")])
}

async fn login_and_fail(auth: Auth, Path(user): Path<String>) -> Result<StatusCode, Rejection> {
    auth.login(&User::new(user)).await?;
    Ok(StatusCode::BAD_GATEWAY)
}

#[tokio::test]
async fn a_visitor_who_is_saved_early_has_one_session() {
    let world = World::new();
    let mut browser = Browser::new(&more().layer(world.layer()));
    let answer = browser.post("/save/thrice").await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "true"));
    assert_eq!(world.raw().await.len(), 1, "each save is of the same session");
    assert_eq!(browser.get("/n").await.body, "1");
    let mut other = Browser { jar: std::collections::BTreeMap::new(), ..browser };
    assert_eq!(other.post("/save/destroy").await.status, StatusCode::OK);
    assert_eq!((world.raw().await.len(), other.jar.len()), (1, 0), "what was saved ends, too");
}

#[tokio::test]
async fn s35_a_handler_that_ignores_a_failed_save_claims_nothing() {
    let world = World::new();
    let mut browser = Browser::new(&more().layer(world.layer()));
    // The read after the commit that begins the session.
    world.faulty.arm(2, Fault::Unavailable);
    let answer = browser.post("/begun/ignored").await;
    assert_eq!(world.faulty.disarm(), 1);
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "false"));
    assert_eq!((browser.get("/n").await.body.as_str(), world.raw().await.len()), ("1", 1));

    for nth in 2..4 {
        world.faulty.arm(nth, Fault::Unavailable);
        let answer = browser.post("/destroy/ignored").await;
        assert_eq!(world.faulty.disarm(), 1, "{nth}");
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "false"), "{nth}");
        assert_eq!(
            (world.raw().await.len(), browser.jar.len()),
            (0, 0),
            "{nth}: ended at the end of the request"
        );
        browser.post("/n").await;
    }
}

/// Not again: the answer to a request sent with the old token came last, and put an empty session into the cookie.
#[tokio::test]
async fn s04_a_late_request_takes_no_cookie_from_a_guest() {
    let world = World::new();
    let mut browser = Browser::new(&more().layer(world.layer()));
    browser.post("/n").await;
    let mut late = browser.clone();
    browser.post("/login/ada").await;
    for path in ["/n", "/set/n/7", "/destroy", "/begun/ignored"] {
        let answer = late.post(path).await;
        if path == "/begun/ignored" {
            assert_eq!(answer.cookie(), None, "{path}");
            continue;
        }
        assert_eq!((answer.status, answer.cookie()), (StatusCode::UNAUTHORIZED, None), "{path}");
        assert_eq!(answer.code(), "session_ended", "{path}");
    }
    assert_eq!(late.get("/n").await.body, "0", "nothing is read by it");
    assert_eq!(browser.get("/n").await.body, "1");
    world.clock.advance(MINUTE);
    let answer = late.post("/n").await;
    assert_eq!(
        (answer.body.as_str(), answer.cookie().is_some()),
        ("1", true),
        "no request is under way so long"
    );
    assert_eq!(browser.get("/n").await.body, "1");
}

/// Signing out with the token of before says that it did not, instead of leaving a session behind that lives.
#[tokio::test]
async fn s13_a_late_sign_out_claims_nothing() {
    let world = World::new();
    let mut browser = Browser::new(&more().layer(world.layer()));
    browser.post("/login/ada").await;
    let mut late = browser.clone();
    browser.post("/user/rotate").await;
    let answer = late.post("/logout").await;
    assert_eq!((answer.status, answer.cookie()), (StatusCode::UNAUTHORIZED, None));
    assert_eq!(browser.get("/me").await.body, "ada");
    world.clock.advance(MINUTE);
    let answer = late.post("/logout").await;
    assert_eq!((answer.body.as_str(), late.jar.len()), ("false", 0), "a dead cookie can be got rid of");
    assert_eq!(browser.get("/me").await.body, "ada");
}

#[tokio::test]
async fn s04_a_guest_gets_a_new_token_though_the_sign_in_answers_5xx() {
    let world = World::new();
    let mut browser = Browser::new(&more().layer(world.layer()));
    browser.post("/n").await;
    let mut planted = browser.clone();
    assert_eq!(browser.post("/login/fail/ada").await.status, StatusCode::BAD_GATEWAY);
    assert_eq!((browser.get("/me").await.body, browser.get("/n").await.body), ("ada".into(), "1".into()));
    assert_eq!(planted.get("/n").await.body, "0", "whoever knew the guest's token has nothing");
}

#[tokio::test]
async fn programs_lose_no_token_and_set_no_cookie() {
    let world = World::new();
    let app = more().layer(SessionLayer::new(&world.sessions).expect("a layer"));
    let mut browser = Browser::new(&app);
    browser.post("/n").await;
    let bearer = format!("Bearer {}", browser.jar["__Host-session"]);
    let mut program = Browser::silent(&app).with("authorization", bearer);
    assert_eq!(program.post("/rotate").await.code(), "invalid", "the new token would be nobody's");
    assert_eq!(program.post("/n").await.body, "2");
    let answer = program.post("/destroy").await;
    assert_eq!((answer.status, answer.cookie()), (StatusCode::OK, None));
    assert!(world.raw().await.is_empty());
}

/// Cookies count for nothing beside a bearer token: they are not taken away either.
#[tokio::test]
async fn a_bearer_beside_cookies_leaves_them_alone() {
    let world = World::new();
    let mut browser = Browser::new(&more().layer(world.layer()));
    browser.post("/n").await;
    browser.post("/login/bob").await;
    let jar = browser.jar.clone();
    let mut both = browser.with("authorization", "Bearer x");
    for path in ["/destroy", "/rotate", "/logout"] {
        let answer = both.post(path).await;
        assert_eq!((answer.status, answer.cookie()), (StatusCode::OK, None), "{path}");
    }
    let program = both.with("authorization", "").post("/n").await;
    assert_eq!(program.status, StatusCode::BAD_REQUEST, "of two headers none is trusted, nor the cookies");
    let answer = both.post("/n").await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (StatusCode::BAD_REQUEST, "invalid"),
        "the client's fault"
    );
    assert_eq!(both.jar, jar);
    let token = browser.post("/token/ada").await.body;
    let answer = browser.with("authorization", format!("Bearer {token}")).post("/logout").await;
    assert_eq!(
        (answer.body.as_str(), answer.cookie()),
        ("true", None),
        "the program's session, not the browser's"
    );
    assert_eq!((browser.get("/n").await.body, browser.get("/me").await.body), ("1".into(), "bob".into()));
}

#[tokio::test]
async fn a_visitor_without_a_cookie_is_told_to_forget_none() {
    let world = World::new();
    let answer = Browser::new(&world.app()).post("/destroy").await;
    assert_eq!((answer.status, answer.cookie()), (StatusCode::OK, None));
}

/// Caches for everybody are not given a cookie, whatever a handler says of its answer.
#[tokio::test]
async fn s22_a_token_outweighs_what_a_handler_says_of_caching() {
    let world = World::new();
    let mut browser = Browser::new(&more().layer(world.layer()));
    let said = async |browser: &mut Browser| {
        let answer = browser.post("/public").await;
        let said: Vec<String> = answer
            .headers
            .get_all(CACHE_CONTROL)
            .iter()
            .map(|value| value.to_str().expect("text").to_owned())
            .collect();
        (answer.cookie().is_some(), said.join("; "))
    };
    assert_eq!(said(&mut browser).await, (true, "no-store".to_owned()));
    assert_eq!(said(&mut browser).await, (false, "public, max-age=3600".to_owned()));
}

#[tokio::test]
async fn s13_what_a_request_changed_for_a_user_who_was_signed_out_is_not_half_stored() {
    let world = World::new();
    let mut browser = Browser::new(&more().layer(world.layer()));
    browser.post("/n").await;
    browser.post("/login/ada").await;
    let answer = browser.post("/both/ended").await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::UNAUTHORIZED, "session_ended"));
    assert_eq!(browser.get("/n").await.body, "1", "the guest's part is not stored either");
}

#[tokio::test]
async fn s22_pages_with_a_token_against_forgery_are_stored_nowhere() {
    let world = World::new();
    let mut browser = Browser::new(&more().layer(world.layer()));
    assert!(!browser.get("/csrf").await.headers.contains_key(CACHE_CONTROL), "there is none yet");
    browser.post("/n").await;
    browser.post("/login/ada").await;
    for path in ["/csrf", "/user/csrf"] {
        let answer = browser.get(path).await;
        assert!(!answer.body.is_empty());
        assert_eq!(answer.headers[CACHE_CONTROL], "no-store", "{path}");
    }
}

/// The session of a guest ends in the middle of a sign-in: that alone does not matter, what was changed in it does.
#[tokio::test]
async fn a_sign_in_needs_no_guest_and_a_change_does() {
    let world = World::new();
    let sessions = world.sessions.clone();
    let sign_in = async move |session: Session, auth: Auth, Path(change): Path<bool>| {
        if change {
            session.set("n", &7_u32).await?;
        }
        if let Some(id) = session.id().await? {
            sessions.revoke(id).await?;
        }
        auth.login(&User::new("ada")).await?;
        Ok::<_, Rejection>(())
    };
    let mut browser =
        Browser::new(&more().route("/login/ended/{change}", post(sign_in)).layer(world.layer()));
    browser.post("/n").await;
    assert_eq!(browser.clone().post("/login/ended/false").await.status, StatusCode::OK);
    browser.jar.clear();
    browser.post("/n").await;
    assert_eq!(browser.post("/login/ended/true").await.code(), "session_ended");
    assert_eq!(browser.get("/me").await.body, "ada", "who has signed in has");
}

/// A stream that goes on after the head, or a task that was left behind.
#[tokio::test]
async fn extractors_change_nothing_after_the_response() {
    type Left = Arc<Mutex<Option<(Session, Auth, AuthSession)>>>;
    let (world, left) = (World::new(), Left::default());
    let leave = {
        let left = Arc::clone(&left);
        async move |session: Session, auth: Auth, user: AuthSession| {
            *left.lock().expect("lock") = Some((session, auth, user));
        }
    };
    let mut browser = Browser::new(&more().route("/leave", post(leave)).layer(world.layer()));
    browser.post("/n").await;
    browser.post("/login/ada").await;
    assert_eq!(browser.post("/leave").await.status, StatusCode::OK);
    let before = world.raw().await;
    let (session, auth, user) = left.lock().expect("lock").take().expect("left behind");
    for (act, done) in [
        ("get", session.get::<u32>("n").await.map(drop)),
        ("set", session.set("n", &7_u32).await),
        ("save", session.save().await),
        ("rotate", session.rotate().await),
        ("destroy", session.destroy().await),
        ("user set", user.set("n", &7_u32).await),
        ("user rotate", user.rotate().await),
        ("logout", auth.logout().await.map(drop)),
        ("everywhere", user.logout_everywhere().await.map(drop)),
        ("login", auth.login(&User::new("eve")).await.map(drop)),
    ] {
        assert_eq!(done.expect_err(act).kind(), ErrorKind::Invalid, "{act}");
    }
    assert_eq!(world.raw().await, before);
}

#[tokio::test]
async fn a_program_keeps_its_token_whatever_is_changed_of_its_user() {
    let world = World::new();
    let app = more()
        .route("/again", post(async |user: AuthSession| user.reauthenticate().await.map_err(Rejection::from)))
        .route(
            "/promote",
            post(async |user: AuthSession| user.change_user(|_| ()).await.map_err(Rejection::from)),
        )
        .layer(world.layer());
    let token = Browser::new(&app).post("/token/ada").await.body;
    let mut program = Browser::silent(&app).with("authorization", format!("Bearer {token}"));
    for path in ["/user/rotate", "/again", "/promote"] {
        let answer = program.post(path).await;
        assert_eq!((answer.status, answer.cookie()), (StatusCode::BAD_REQUEST, None), "{path}");
        assert_eq!(program.get("/me").await.body, "ada", "{path}");
    }
}
