//! Signing out on all other devices, and everywhere. Refresh tokens end with the sessions. Signing out here is the route of
//! `strata-axum`.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::answer::Answer;
use super::identity::Identity;
use super::service::Shared;

/// `POST /api/session/logout-others`: ends all other sessions of the user, and all refresh tokens.
pub(crate) async fn others(State(service): State<Shared>, identity: Identity) -> Answer<Json<Value>> {
    let session = identity.signed_in()?;
    let families = service.grants.tokens().revoke_user(&session.user().id).await;
    let ended = session.logout_others().await?;
    families?;
    Ok(Json(json!({ "ended": ended })))
}

/// `POST /api/session/logout-everywhere`: ends all sessions of the user, this one too, and all refresh tokens.
pub(crate) async fn everywhere(State(service): State<Shared>, identity: Identity) -> Answer<Json<Value>> {
    let session = identity.signed_in()?;
    let families = service.grants.tokens().revoke_user(&session.user().id).await;
    let ended = session.logout_everywhere().await?;
    families?;
    Ok(Json(json!({ "ended": ended })))
}
