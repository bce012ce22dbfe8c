//! A user's own sessions: the list, and ending one of them.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use strata::session::SessionId;

use super::answer::{Answer, Refusal};
use super::identity::Identity;
use super::me;
use super::service::Shared;
use super::url::InPath;

/// `GET /api/sessions`: oldest first, the one that asks is `current`.
pub(crate) async fn list(identity: Identity) -> Answer<Json<Value>> {
    let sessions = identity.signed_in()?.siblings().await?;
    let sessions: Vec<Value> = sessions.iter().map(me::session).collect();
    Ok(Json(json!({ "sessions": sessions })))
}

/// `DELETE /api/sessions/{id}`: ends one of one's own. Somebody else's is as unknown as one that never was.
pub(crate) async fn revoke(
    State(service): State<Shared>,
    identity: Identity,
    InPath(id): InPath,
) -> Answer<Json<Value>> {
    let session = identity.signed_in()?;
    let id = SessionId::parse(&id).map_err(|_| Refusal::not_found())?;
    let is_own = session.siblings().await?.iter().any(|sibling| sibling.id == id);
    if is_own && service.end_session(id).await? {
        return Ok(Json(json!({ "ended": 1 })));
    }
    Err(Refusal::not_found())
}
