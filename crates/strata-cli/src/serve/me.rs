//! `GET /api/me`: who this browser is to the service. Asking is no activity.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use strata::ErrorKind;
use strata::session::auth::{SessionInfo, User};

use super::answer::Answer;
use super::cart;
use super::identity::Identity;
use super::service::Shared;

/// The user, the session, the guest's session if there is one, and the cart.
pub(crate) async fn me(State(service): State<Shared>, identity: Identity) -> Answer<Json<Value>> {
    let found = match &identity.user {
        Some(open) => match open.info().await {
            Ok(info) => Some((open.user().await?, info)),
            // It ended since it was opened.
            Err(error) if error.kind() == ErrorKind::Gone => None,
            Err(error) => return Err(error.into()),
        },
        None => None,
    };
    let guest = match &identity.guest {
        Some(guest) => service.sessions.info(guest.id()).await?.map(|info| {
            json!({
                "id": guest.id(),
                "created": info.created.as_millis(),
                "expires": info.expiry.deadline().map(strata::Timestamp::as_millis),
                "latest": info.expiry.not_after().map(strata::Timestamp::as_millis),
            })
        }),
        None => None,
    };
    let cart =
        cart::of(&service, found.as_ref().map(|(user, _)| user.id.as_str()), identity.guest.as_ref()).await?;
    Ok(Json(json!({
        "user": found.as_ref().map(|(who, _)| user(who)),
        "session": found.as_ref().map(|(_, info)| session(info)),
        "guest": guest,
        "cart": cart::lines(&cart),
        "now": service.now().as_millis(),
    })))
}

/// A user, for the browser of that user.
pub(crate) fn user(user: &User) -> Value {
    json!({ "id": user.id, "name": user.name, "roles": user.roles })
}

/// A session, for its own user or an operator. Times are milliseconds since 1970.
pub(crate) fn session(info: &SessionInfo) -> Value {
    json!({
        "id": info.id,
        "device": info.device.label,
        "address": info.device.address,
        "created": info.created.as_millis(),
        "authenticated": info.authenticated.as_millis(),
        "last_active": info.last_active.as_millis(),
        "expires": info.expires.as_millis(),
        "latest": info.latest.as_millis(),
        "remembered": info.remembered,
        "current": info.current,
    })
}
