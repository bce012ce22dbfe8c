//! `POST /api/session/logout`: ends the session behind the cookie or bearer token, and the refresh tokens that belong to it.

use axum::Json;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Deserialize;
use strata_core::Value;
use strata_session::refresh::RefreshToken;
use zeroize::Zeroizing;

use super::body;
use super::gate::Gate;
use super::grants::Grants;
use super::sync::{Owner, SyncRoute};
use crate::extract::Auth;
use crate::reject::Rejection;

/// The longest request, in bytes: a refresh token at most.
const MAX_BODY: usize = 4096;

#[derive(Clone, Debug)]
pub(super) struct LogoutRoute {
    pub(super) gate: Gate,
    pub(super) grants: Option<Grants>,
    pub(super) documents: Option<SyncRoute>,
}

/// A program whose access token is over names what it still has.
#[derive(Default, Deserialize)]
struct Fields {
    refresh_token: Option<String>,
}

pub(super) fn router<C: Value + Send + Sync>(route: LogoutRoute) -> Router {
    Router::new().route("/api/session/logout", post(logout::<C>)).with_state(route)
}

/// Done as well where nobody is signed in. What depends on the session ends before it, so that whoever is interrupted can call again.
async fn logout<C: Value + Send + Sync>(
    State(route): State<LogoutRoute>,
    auth: Auth<C>,
    request: Request,
) -> Result<Response, Rejection> {
    let (parts, body) = request.into_parts();
    route.gate.pass("logout", &parts).await?;
    let bytes = body::read(body, MAX_BODY).await?;
    let fields = if bytes.is_empty() {
        Fields::default()
    } else {
        body::only_json(&parts.headers)?;
        body::json(&bytes)?
    };
    if let Some(session) = auth.session().await? {
        if let Some(grants) = &route.grants {
            grants.end_of(session.id()).await?;
        }
        if let Some(SyncRoute { documents, owner: Owner::Session, .. }) = &route.documents {
            documents.end(&session.id().to_string()).await?;
        }
    }
    if let (Some(grants), Some(text)) = (&route.grants, fields.refresh_token.map(Zeroizing::new))
        && let Ok(presented) = RefreshToken::parse(&text)
    {
        grants.end(&presented).await?;
    }
    auth.logout().await?;
    Ok(([(CACHE_CONTROL, "no-store")], Json(serde_json::json!({}))).into_response())
}
