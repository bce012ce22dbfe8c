//! `POST /api/session/sync`: the document of whoever is signed in takes a client's changes. The protocol is `strata_session::document`'s.

use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, ETAG};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Json, Router};
use strata_core::{Error, Value};
use strata_session::document::{Documents, SyncAnswer, SyncProblem, SyncRequest};

use super::body;
use super::gate::Gate;
use crate::extract::Auth;
use crate::reject::Rejection;
use crate::request::Background;

/// Whose document it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Owner {
    /// The user's: all of their devices share it, and it outlives a sign-out.
    #[default]
    User,
    /// The session's: it ends when the session is logged out here.
    Session,
}

#[derive(Clone, Debug)]
pub(super) struct SyncRoute {
    pub(super) documents: Documents,
    pub(super) owner: Owner,
    pub(super) gate: Gate,
}

/// Clients synchronise by themselves, so it is no activity: a program left alone keeps no session alive.
pub(super) fn router<C: Value + Send + Sync>(route: SyncRoute) -> Router {
    let router = Router::new().route("/api/session/sync", post(sync::<C>)).layer(Extension(Background));
    router.with_state(route)
}

async fn sync<C: Value + Send + Sync>(
    State(route): State<SyncRoute>,
    auth: Auth<C>,
    request: Request,
) -> Result<Response, Rejection> {
    let (parts, body) = request.into_parts();
    route.gate.pass("sync", &parts).await?;
    let session = auth.session().await?.ok_or(Rejection::signed_out())?;
    body::only_json(&parts.headers)?;
    let bytes = body::read(body, SyncRequest::MAX_BYTES).await?;
    let owner = match route.owner {
        Owner::User => session.user().id.clone(),
        Owner::Session => session.id().to_string(),
    };
    let synced = match SyncRequest::from_body(&bytes) {
        Ok(request) => route.documents.sync(&owner, &request).await,
        Err(error) => Err(error),
    };
    Ok(synced.map_or_else(|error| problem(&error), |synced| answer(&synced)))
}

fn answer(synced: &SyncAnswer) -> Response {
    // One of two statuses, both of them known.
    let status = StatusCode::from_u16(synced.status()).expect("200 or 409");
    let mut response = (status, [(CACHE_CONTROL, "no-store")], Json(synced)).into_response();
    if let Some(Ok(etag)) = synced.etag().map(|etag| HeaderValue::from_str(&etag)) {
        response.headers_mut().insert(ETAG, etag);
    }
    response
}

/// Without `Retry-After` for a store that is away: the changes may be in, and the client asks again under the same id.
fn problem(error: &Error) -> Response {
    let (status, problem) = SyncProblem::of(error);
    let status = StatusCode::from_u16(status).expect("a status of the protocol");
    if status.is_server_error() {
        tracing::warn!(target: "strata::http", kind = %error.kind(), operation = error.operation(), "a document could not be synchronised");
    }
    (status, [(CACHE_CONTROL, "no-store")], Json(problem)).into_response()
}
