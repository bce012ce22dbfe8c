//! What operators see and end: everybody's sessions, what visits came to, what the store holds. Behind the role [`ROLE`].

use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use strata::session::SessionId;
use strata::session::analytics::Insight;

use super::answer::{Answer, Refusal};
use super::identity::Identity;
use super::me;
use super::service::Shared;
use super::url::{InPath, InQuery};
use crate::words;

/// The role that all of this takes.
pub(crate) const ROLE: &str = "operator";
/// How many sessions one list has at most.
const MOST_LISTED: usize = 500;

/// The proof that an operator asks. The role is read from the store with each request.
#[derive(Debug)]
pub(crate) struct Operator;

impl FromRequestParts<Shared> for Operator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, service: &Shared) -> Result<Self, Response> {
        let session = Identity::from_request_parts(parts, service).await?.signed_in();
        let session = session.map_err(axum::response::IntoResponse::into_response)?;
        session.require_role(ROLE).map(|()| Self).map_err(|_| Refusal::forbidden().into_response())
    }
}

/// `GET /api/operator/sessions`: those of users, in the order of their ids, up to 500 of them, and whether there are more.
pub(crate) async fn sessions(_: Operator, State(service): State<Shared>) -> Answer<Json<Value>> {
    let mut infos = service.auth.infos();
    let (mut sessions, mut more) = (Vec::new(), false);
    while let Some(info) = infos.next().await {
        if sessions.len() == MOST_LISTED {
            more = true;
            break;
        }
        let info = info?;
        let mut session = me::session(&info);
        session["user"] = me::user(&info.user);
        sessions.push(session);
    }
    Ok(Json(json!({ "sessions": sessions, "more": more })))
}

/// `DELETE /api/operator/sessions/{id}`: ends a session, of a user or of a guest.
pub(crate) async fn revoke(
    _: Operator,
    State(service): State<Shared>,
    InPath(id): InPath,
) -> Answer<Json<Value>> {
    let id = SessionId::parse(&id).map_err(|_| Refusal::not_found())?;
    if service.end_session(id).await? || service.sessions.revoke(id).await? {
        return Ok(Json(json!({ "ended": 1 })));
    }
    Err(Refusal::not_found())
}

/// `DELETE /api/operator/users/{user}/sessions`: ends all of a user's sessions and refresh tokens.
pub(crate) async fn revoke_user(
    _: Operator,
    State(service): State<Shared>,
    InPath(user): InPath,
) -> Answer<Json<Value>> {
    let ended = service.end_sessions_of(std::iter::once(user.as_str())).await?;
    Ok(Json(json!({ "ended": ended })))
}

/// The words of an insight.
#[derive(Debug, Deserialize)]
pub(crate) struct Since {
    /// How far back, such as `15m`, `24h` or `7d`; a day if it is not said.
    since: Option<String>,
}

/// `GET /api/operator/insight?since=24h`.
pub(crate) async fn insight(
    _: Operator,
    State(service): State<Shared>,
    InQuery(Since { since }): InQuery<Since>,
) -> Answer<Json<Insight>> {
    let since =
        since.as_deref().map_or(Ok(Duration::from_hours(24)), words::duration).map_err(Refusal::invalid)?;
    Ok(Json(service.visits.insight(since).await?))
}

/// `GET /api/operator/stats`: how many sessions live, and how the store is kept.
pub(crate) async fn stats(_: Operator, State(service): State<Shared>) -> Answer<Json<Value>> {
    let users = service.auth.handle().select().count().await?;
    let guests = service.sessions.handle().select().count().await?;
    Ok(Json(json!({
        "sessions": { "users": users, "guests": guests },
        "store": service.handle.store().to_string(),
        "protection": format!("{:?}", service.handle.protection()).to_lowercase(),
        "durability": service.handle.durability().to_string(),
        "policy": service.auth.describe(),
        "now": service.now().as_millis(),
    })))
}
