//! `GET /api/me`: who this browser is to the service. Asking is no activity.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use strata::session::auth::{SessionInfo, User};

use super::answer::Answer;
use super::cart;
use super::identity::Identity;
use super::service::Shared;

/// The user, the session, the guest's session if there is one, and the cart.
pub(crate) async fn me(State(service): State<Shared>, identity: Identity) -> Answer<Json<Value>> {
    let guest = match identity.guest.id().await? {
        Some(id) => service.sessions.info(id).await?.map(|info| {
            json!({
                "id": id,
                "created": info.created.as_millis(),
                "expires": info.expiry.deadline().map(strata::Timestamp::as_millis),
                "latest": info.expiry.not_after().map(strata::Timestamp::as_millis),
            })
        }),
        None => None,
    };
    let cart = cart::of(&service, &identity).await?;
    Ok(Json(json!({
        "user": identity.user.as_ref().map(|open| user(open.user())),
        "session": identity.user.as_ref().map(|open| session(open.info())),
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
