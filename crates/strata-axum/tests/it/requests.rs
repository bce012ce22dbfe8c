//! What a request does to sessions: lazy, one commit, one cookie.

use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use http::StatusCode;
use strata_axum::{Auth, AuthSession, Rejection, Session};
use strata_session::auth::User;

use crate::browser::Browser;
use crate::world::{MINUTE, World};

/// An application with a route for each act.
pub(crate) fn routes() -> Router {
    Router::new()
        .route("/plain", get(async || "plain").post(async || "plain"))
        .route("/unused", get(async |_session: Session| "unused"))
        .route("/n", get(read).post(add))
        .route("/set/{name}/{value}", get(set).post(set))
        .route("/fail", post(fail))
        .route("/rotate", post(async |session: Session| session.rotate().await.map_err(Rejection::from)))
        .route("/destroy", get(destroy).post(destroy))
        .route("/login/{user}", get(login).post(login))
        .route("/remember/{user}", post(remember))
        .route("/token/{user}", post(token))
        .route("/logout", get(logout).post(logout))
        .route("/me", get(me).post(me))
        .route("/who", get(who))
        .route("/user/n", get(user_read).post(user_add))
        .route(
            "/user/rotate",
            post(async |session: AuthSession| session.rotate().await.map_err(Rejection::from)),
        )
}

async fn read(session: Session) -> Result<String, Rejection> {
    Ok(session.get::<u32>("n").await?.unwrap_or(0).to_string())
}

async fn add(session: Session) -> Result<String, Rejection> {
    session.update("n", |n: Option<u32>| Some(n.unwrap_or(0) + 1)).await?;
    Ok(session.get::<u32>("n").await?.unwrap_or(0).to_string())
}

async fn set(session: Session, Path((name, value)): Path<(String, u32)>) -> Result<(), Rejection> {
    Ok(session.set(&name, &value).await?)
}

async fn fail(session: Session) -> Result<StatusCode, Rejection> {
    session.set("n", &99_u32).await?;
    Ok(StatusCode::BAD_GATEWAY)
}

async fn destroy(session: Session) -> Result<(), Rejection> {
    Ok(session.destroy().await?)
}

async fn login(auth: Auth, Path(user): Path<String>) -> Result<String, Rejection> {
    Ok(auth.login(&User::new(user).role("reader")).await?.user().id.clone())
}

async fn remember(auth: Auth, Path(user): Path<String>) -> Result<(), Rejection> {
    auth.login(&User::new(user)).remember().await?;
    Ok(())
}

async fn token(auth: Auth, Path(user): Path<String>) -> Result<String, Rejection> {
    let (token, _) = auth.login(&User::new(user)).bearer().await?;
    Ok(token.expose().to_string())
}

async fn logout(auth: Auth) -> Result<String, Rejection> {
    Ok(auth.logout().await?.to_string())
}

async fn me(session: AuthSession) -> String {
    session.user().id.clone()
}

async fn who(session: Option<AuthSession>) -> String {
    session.map_or_else(|| "nobody".to_owned(), |session| session.user().id.clone())
}

async fn user_read(session: AuthSession) -> Result<String, Rejection> {
    Ok(session.get::<u32>("n").await?.unwrap_or(0).to_string())
}

async fn user_add(session: AuthSession) -> Result<String, Rejection> {
    session.update("n", |n: Option<u32>| Some(n.unwrap_or(0) + 1)).await?;
    Ok(session.get::<u32>("n").await?.unwrap_or(0).to_string())
}

#[tokio::test]
async fn a_visitor_who_stores_nothing_costs_nothing() {
    let world = World::new();
    let mut browser = Browser::new(&world.app());
    for path in ["/plain", "/unused", "/n", "/who"] {
        let answer = browser.get(path).await;
        assert_eq!((answer.status, answer.cookie()), (StatusCode::OK, None), "{path}");
    }
    assert_eq!(world.faulty.calls(), 0, "no store call");
}

#[tokio::test]
async fn values_are_kept_from_request_to_request() {
    let world = World::new();
    let mut browser = Browser::new(&world.app());
    assert_eq!(browser.post("/n").await.body, "1");
    assert_eq!(browser.jar.len(), 1);
    assert_eq!(browser.post("/n").await.body, "2");
    let answer = browser.get("/n").await;
    assert_eq!((answer.body.as_str(), answer.cookie()), ("2", None), "no cookie is written again");
    assert_eq!(world.raw().await.len(), 1);
    world.clock.advance(31 * MINUTE);
    assert_eq!(browser.get("/n").await.body, "0");
}

#[tokio::test]
async fn people_sign_in_and_out() {
    let world = World::new();
    let mut browser = Browser::new(&world.app());
    assert_eq!(browser.get("/me").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(browser.post("/login/ada").await.body, "ada");
    assert_eq!(browser.get("/me").await.body, "ada");
    assert_eq!(browser.post("/user/n").await.body, "1");
    assert_eq!(browser.get("/user/n").await.body, "1");
    assert_eq!(browser.post("/logout").await.body, "true");
    assert!(browser.jar.is_empty());
    assert_eq!(browser.get("/me").await.code(), "signed_out");
}
