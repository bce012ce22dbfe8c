//! `POST /api/login`: a name and a password become a session, and what the guest had becomes the user's.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use strata::ErrorKind;
use strata::session::auth::{AuthSession, SessionInfo, User};
use strata::session::{Session, SessionToken};
use strata_axum::Password;

use super::answer::{Answer, Refusal};
use super::device::Client;
use super::identity::{Cookies, Identity};
use super::json_body::JsonBody;
use super::me;
use super::metrics::Login as Outcome;
use super::service::{Service, Shared};

/// What is sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    user: String,
    password: Password,
    /// Stay signed in for 30 days.
    #[serde(default)]
    remember: bool,
    /// Answer with tokens, for programs, and set no cookie.
    #[serde(default)]
    token: bool,
}

/// Signs in.
pub(crate) async fn login(
    State(service): State<Shared>,
    client: Client,
    identity: Identity,
    JsonBody(asked): JsonBody<Asked>,
) -> Answer {
    let user = authenticate(&service, &client, &asked).await?;
    let device = client.device();
    let mut login = service.auth.login(&user).device(device.clone());
    if asked.remember {
        login = login.remember();
    }
    if !asked.token
        && let Some(session) = &identity.user
    {
        login = login.replacing(session);
    }
    let (token, session) = login.await?;
    service.metrics.login(Outcome::Done);
    let info = session.info().await?;
    if asked.token {
        return tokens(&service, &user, &token, &info, device.label.as_deref()).await;
    }
    let mut cookies = Cookies::default();
    cookies.sign_in(&token, &info, service.now());
    let cart = match identity.guest {
        Some(guest) => bring_along(&service, guest, &user, &mut cookies).await,
        None => Value::Null,
    };
    let body = json!({ "user": me::user(&user), "session": me::session(&info), "migration": cart });
    Ok((cookies, Json(body)).into_response())
}

/// Who it is. Wrong passwords, unknown names and names that cannot be are told alike.
async fn authenticate(service: &Service, client: &Client, asked: &Asked) -> Answer<User> {
    if asked.password.is_out_of_bounds() {
        service.metrics.login(Outcome::Wrong);
        return Err(wrong());
    }
    let attempt = service.attempts.begin(client.address, &asked.user).map_err(|wait| {
        service.metrics.login(Outcome::Limited);
        too_often(wait)
    })?;
    match service.verifier.verify(&asked.user, &asked.password).await {
        Ok(Some(user)) => {
            attempt.forgive();
            Ok(user)
        }
        Ok(None) => {
            service.metrics.login(Outcome::Wrong);
            Err(wrong())
        }
        Err(error) => {
            attempt.cancel();
            service.metrics.login(Outcome::Unavailable);
            Err(error.into())
        }
    }
}

/// What a program gets: an access token, which is the session's, and a refresh token of a family of its own.
async fn tokens(
    service: &Service,
    user: &User,
    token: &SessionToken,
    info: &SessionInfo,
    client: Option<&str>,
) -> Answer {
    let (refresh, _) = service.refresh.issue(&user.id, client.unwrap_or_default()).await?;
    let body = json!({
        "user": me::user(user),
        "session": me::session(info),
        "access_token": *token.expose(),
        "token_type": "Bearer",
        "expires_in": info.expires.since(service.now()).as_secs(),
        "refresh_token": *refresh.expose(),
    });
    Ok(Json(body).into_response())
}

/// Gives the user what the guest had. A failure is told and does not undo the sign-in: the guest's cookie stays, so the next sign-in
/// tries again.
async fn bring_along(service: &Service, mut guest: Session, user: &User, cookies: &mut Cookies) -> Value {
    match service.guests.migrate(&mut guest, &user.id).ending_session().await {
        Ok(migrated) => {
            cookies.end_guest();
            json!({ "moved": migrated.report.moved, "merged": migrated.report.merged, "kept": migrated.report.kept })
        }
        // The guest has become somebody already, or is over.
        Err(error) if matches!(error.kind(), ErrorKind::Gone | ErrorKind::Denied) => {
            cookies.end_guest();
            Value::Null
        }
        Err(error) => {
            tracing::warn!(target: "strata::service", "{error}");
            json!({ "error": "not_migrated", "message": "what you had as a guest could not be brought along; sign in again to retry" })
        }
    }
}

/// The session of `session`, or nobody's.
pub(crate) fn of(session: Option<AuthSession>) -> Answer<AuthSession> {
    session.ok_or_else(Refusal::signed_out)
}

fn wrong() -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, "wrong_credentials", "the name or the password is wrong")
}

fn too_often(wait: Duration) -> Refusal {
    let message = "there were too many attempts; wait a little";
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", message).retry_after(wait)
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asked").finish_non_exhaustive()
    }
}

/// What a response is, where cookies go with it.
pub(crate) fn with(cookies: Cookies, body: Value) -> Response {
    (cookies, Json(body)).into_response()
}
