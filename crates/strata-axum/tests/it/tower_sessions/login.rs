//! An axum-login application over a Strata store: it knows tower-sessions 0.14 and nothing of us.

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use axum_login::{AuthManagerLayerBuilder, AuthSession, AuthUser, AuthnBackend, UserId, login_required};
use http::{Request, Response, StatusCode, header};
use tower::ServiceExt as _;

use super::{World, world};

#[derive(Clone, Debug)]
struct User {
    name: String,
    /// A new one for a new password: sessions of the old one end.
    stamp: u8,
}

impl AuthUser for User {
    type Id = String;

    fn id(&self) -> String {
        self.name.clone()
    }

    fn session_auth_hash(&self) -> &[u8] {
        std::slice::from_ref(&self.stamp)
    }
}

#[derive(Clone, Debug)]
struct Backend {
    stamp: u8,
}

impl AuthnBackend for Backend {
    type User = User;
    type Credentials = String;
    type Error = std::convert::Infallible;

    async fn authenticate(&self, name: String) -> Result<Option<User>, Self::Error> {
        Ok((name == "ada").then_some(User { name, stamp: self.stamp }))
    }

    async fn get_user(&self, id: &UserId<Self>) -> Result<Option<User>, Self::Error> {
        Ok(Some(User { name: id.clone(), stamp: self.stamp }))
    }
}

async fn login(mut auth: AuthSession<Backend>) -> StatusCode {
    let user = auth.authenticate("ada".to_owned()).await.expect("never fails").expect("ada");
    if auth.login(&user).await.is_ok() { StatusCode::NO_CONTENT } else { StatusCode::INTERNAL_SERVER_ERROR }
}

async fn logout(mut auth: AuthSession<Backend>) -> StatusCode {
    if auth.logout().await.is_ok() { StatusCode::NO_CONTENT } else { StatusCode::INTERNAL_SERVER_ERROR }
}

async fn visit(auth: AuthSession<Backend>) -> StatusCode {
    if auth.session.insert("seen", true).await.is_ok() {
        StatusCode::OK
    } else {
        StatusCode::INTERNAL_SERVER_ERROR
    }
}

fn application(world: &World, stamp: u8) -> Router {
    let sessions = axum_login::tower_sessions::SessionManagerLayer::new(world.store.clone());
    let auth = AuthManagerLayerBuilder::new(Backend { stamp }, sessions).build();
    Router::new()
        .route("/secret", get(async || "secret"))
        .route_layer(login_required!(Backend))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .route("/visit", get(visit))
        .layer(auth)
}

async fn ask(application: &Router, method: &str, path: &str, cookie: &str) -> Response<Body> {
    let request = Request::builder().method(method).uri(path).header(header::COOKIE, cookie);
    application.clone().oneshot(request.body(Body::empty()).expect("a request")).await.expect("an answer")
}

fn cookie_of(response: &Response<Body>) -> String {
    let cookie = response.headers().get(header::SET_COOKIE).expect("a cookie").to_str().expect("text");
    cookie.split(';').next().expect("a pair").to_owned()
}

#[tokio::test]
async fn a_user_signs_in_and_out() {
    let world = world();
    let application = application(&world, 1);
    assert_eq!(ask(&application, "GET", "/secret", "").await.status(), StatusCode::UNAUTHORIZED);
    let cookie = cookie_of(&ask(&application, "POST", "/login", "").await);
    assert_eq!(ask(&application, "GET", "/secret", &cookie).await.status(), StatusCode::OK);
    assert_eq!(ask(&application, "POST", "/logout", &cookie).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(ask(&application, "GET", "/secret", &cookie).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(world.records().await, 0);
}

#[tokio::test]
async fn a_visitor_who_signs_in_gets_a_new_identifier() {
    let world = world();
    let application = application(&world, 1);
    let first = cookie_of(&ask(&application, "GET", "/visit", "").await);
    let second = cookie_of(&ask(&application, "POST", "/login", &first).await);
    assert_ne!(first, second);
    assert_eq!(ask(&application, "GET", "/secret", &first).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(ask(&application, "GET", "/secret", &second).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn another_password_ends_sessions() {
    let world = world();
    let cookie = cookie_of(&ask(&application(&world, 1), "POST", "/login", "").await);
    let changed = application(&world, 2);
    assert_eq!(ask(&changed, "GET", "/secret", &cookie).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn sessions_ended_by_an_operator_are_refused_at_once() {
    let world = world();
    let application = application(&world, 1);
    let cookie = cookie_of(&ask(&application, "POST", "/login", "").await);
    world.store.handle().clear().await.expect("cleared");
    assert_eq!(ask(&application, "GET", "/secret", &cookie).await.status(), StatusCode::UNAUTHORIZED);
}
