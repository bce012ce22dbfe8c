//! `POST /api/login`: a name and a password become a session, and what the guest had becomes the user's.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde::Deserialize;
use serde_json::{Value, json};
use strata::ErrorKind;
use strata::session::auth::User;
use strata_axum::{Auth, Password, Session};

use super::answer::{Answer, Refusal};
use super::device::Client;
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
    auth: Auth,
    guest: Session,
    JsonBody(asked): JsonBody<Asked>,
) -> Answer {
    let user = authenticate(&service, &client, &asked).await?;
    let device = client.device();
    if asked.token {
        let label = device.label.unwrap_or_default();
        let grant = service.grants.grant(&user.id, &label).await?.ok_or_else(wrong)?;
        service.metrics.login(Outcome::Done);
        return Ok(grant.into_response());
    }
    let mut login = auth.login(&user).device(device);
    if asked.remember {
        login = login.remember();
    }
    let session = login.await?;
    service.metrics.login(Outcome::Done);
    let migration = bring_along(&service, &guest, &user).await?;
    Ok(Json(json!({
        "user": me::user(&user),
        "session": me::session(session.info()),
        "migration": migration,
    }))
    .into_response())
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

/// Gives the user what the guest had, and ends the guest's session. A failure is told and does not undo the sign-in: the guest's cookie
/// stays, so the next sign-in tries again.
async fn bring_along(service: &Service, guest: &Session, user: &User) -> Answer<Value> {
    let migrated = match guest.migrate(&service.guests, &user.id).await {
        Ok(None) => return Ok(Value::Null),
        Ok(Some(report)) => {
            json!({ "moved": report.moved, "merged": report.merged, "kept": report.kept })
        }
        // The guest has become somebody already, or is over.
        Err(error) if matches!(error.kind(), ErrorKind::Gone | ErrorKind::Denied) => Value::Null,
        Err(error) => {
            tracing::warn!(target: "strata::service", "{error}");
            let message = "what you had as a guest could not be brought along; sign in again to retry";
            return Ok(json!({ "error": "not_migrated", "message": message }));
        }
    };
    guest.destroy().await?;
    Ok(migrated)
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
