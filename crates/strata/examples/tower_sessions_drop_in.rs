//! An application of axum-login whose sessions are kept by Strata. One line differs from what it was with the store in memory of tower-sessions;
//! it is marked. Sessions are then sealed, outlive the process on a store on disk, and end when they are told to.
//!
//! Run it with `cargo run -p strata --features tower-sessions-0-14 --example tower_sessions_drop_in`. It listens on a free port, visits itself and
//! ends.

use axum::Router;
use axum::extract::Form;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum_login::tower_sessions::{Expiry, SessionManagerLayer, cookie::time::Duration};
use axum_login::{AuthManagerLayerBuilder, AuthSession, AuthUser, AuthnBackend, UserId, login_required};
use serde::Deserialize;
use strata::axum::tower_sessions::StrataStore;
use strata::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

type Outcome<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let folder = tempfile::tempdir()?;
    let keys = Keys::file(folder.path().join("key"));
    let db = strata::builder().sled(folder.path().join("data")).keys(keys).open().await?; // or strata::open("./data")

    let store = StrataStore::new(&db)?; // was: MemoryStore::default()

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let served = tokio::spawn(async move { axum::serve(listener, application(store)).await });
    let visited = visit(&address.to_string(), &db).await;
    served.abort();
    visited
}

/// The application, which knows nothing of Strata.
fn application<S: axum_login::tower_sessions::SessionStore + Clone>(store: S) -> Router {
    let sessions = SessionManagerLayer::new(store)
        .with_secure(false) // there is no TLS here
        .with_expiry(Expiry::OnInactivity(Duration::hours(1)));
    let auth = AuthManagerLayerBuilder::new(Users, sessions).build();
    Router::new()
        .route("/secret", get(secret))
        .route_layer(login_required!(Users))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .layer(auth)
}

#[derive(Clone, Debug)]
struct User {
    name: String,
}

impl AuthUser for User {
    type Id = String;

    fn id(&self) -> String {
        self.name.clone()
    }

    fn session_auth_hash(&self) -> &[u8] {
        b"of a hash of the password, in an application"
    }
}

#[derive(Clone, Debug, Deserialize)]
struct Credentials {
    name: String,
    password: String,
}

/// One user. An application looks into its database and checks a slow hash, such as Argon2id.
#[derive(Clone, Debug)]
struct Users;

impl AuthnBackend for Users {
    type User = User;
    type Credentials = Credentials;
    type Error = std::convert::Infallible;

    async fn authenticate(&self, given: Credentials) -> std::result::Result<Option<User>, Self::Error> {
        let right = given.name == "ada" && given.password == "tea";
        Ok(right.then_some(User { name: given.name }))
    }

    async fn get_user(&self, id: &UserId<Self>) -> std::result::Result<Option<User>, Self::Error> {
        Ok((id == "ada").then(|| User { name: id.clone() }))
    }
}

async fn login(mut auth: AuthSession<Users>, Form(given): Form<Credentials>) -> StatusCode {
    match auth.authenticate(given).await {
        Ok(Some(user)) if auth.login(&user).await.is_ok() => StatusCode::NO_CONTENT,
        Ok(None) => StatusCode::UNAUTHORIZED,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

async fn secret(auth: AuthSession<Users>) -> String {
    format!("a page for {} alone", auth.user.map(|user| user.name).unwrap_or_default())
}

async fn logout(mut auth: AuthSession<Users>) -> StatusCode {
    if auth.logout().await.is_ok() { StatusCode::NO_CONTENT } else { StatusCode::INTERNAL_SERVER_ERROR }
}

/// A browser's way through it.
async fn visit(address: &str, db: &Strata) -> Outcome {
    let (status, _, _) = ask(address, "GET", "/secret", "", "").await?;
    println!("without a session: {status}");
    assert_eq!(status, 401);

    let (status, _, _) = ask(address, "POST", "/login", "", "name=ada&password=coffee").await?;
    assert_eq!(status, 401);
    let (_, cookie, _) = ask(address, "POST", "/login", "", "name=ada&password=tea").await?;
    let (status, _, body) = ask(address, "GET", "/secret", &cookie, "").await?;
    println!("signed in: {status}, {body:?}");
    assert_eq!((status, body.as_str()), (200, "a page for ada alone"));

    let sessions = StrataStore::new(db)?;
    let names = sessions.handle().keys("*").collect().await?;
    println!("the store has {} session, under a hash of what the cookie says", names.len());
    assert!(names.len() == 1 && !cookie.contains(&names[0]));

    let (other, _, _) = ask(address, "POST", "/logout", &cookie, "").await?;
    let (status, _, _) = ask(address, "GET", "/secret", &cookie, "").await?;
    println!("signed out: {other}, then {status}");
    assert_eq!((other, status), (204, 401));

    let (_, cookie, _) = ask(address, "POST", "/login", "", "name=ada&password=tea").await?;
    sessions.handle().clear().await?;
    let (status, _, _) = ask(address, "GET", "/secret", &cookie, "").await?;
    println!("ended by an operator: {status}");
    assert_eq!(status, 401);
    Ok(())
}

/// One request: status, cookie, body.
async fn ask(
    address: &str,
    method: &str,
    path: &str,
    cookie: &str,
    form: &str,
) -> Outcome<(u16, String, String)> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("an answer has an end of its head")?;
    let status = head.split(' ').nth(1).ok_or("an answer has a status")?.parse()?;
    let set = head.lines().find_map(|line| line.strip_prefix("set-cookie: "));
    let cookie = set.and_then(|set| set.split(';').next()).unwrap_or_default();
    Ok((status, cookie.to_owned(), body.to_owned()))
}
