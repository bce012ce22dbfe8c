//! `POST /api/auth/refresh` (RFC 6749, section 6) and `POST /api/auth/revoke` (RFC 7009): bodies as forms or JSON.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Deserializer};
use strata_session::refresh::RefreshToken;
use zeroize::Zeroizing;

use super::body::{self, Kind};
use super::gate::Gate;
use super::grants::{Grants, Refreshed};
use super::refusals;
use crate::reject::Rejection;

/// The longest request, in bytes: a token and who sends it.
const MAX_BODY: usize = 16 * 1024;

/// What both requests may say.
#[derive(Default, Deserialize)]
struct Fields {
    grant_type: Option<String>,
    #[serde(default, deserialize_with = "wiped")]
    refresh_token: Option<Zeroizing<String>>,
    #[serde(default, deserialize_with = "wiped")]
    token: Option<Zeroizing<String>>,
    client_id: Option<String>,
}

fn wiped<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Zeroizing<String>>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Zeroizing::new))
}

#[derive(Clone, Debug)]
pub(super) struct TokenRoutes {
    pub(super) grants: Grants,
    pub(super) gate: Gate,
}

pub(super) async fn refresh(
    State(routes): State<TokenRoutes>,
    request: Request,
) -> Result<Response, Rejection> {
    let (parts, body) = request.into_parts();
    let client = routes.gate.pass("refresh", &parts).await?;
    let fields = fields(&parts.headers, body).await?;
    match fields.grant_type.as_deref() {
        Some("refresh_token") => {}
        None => return Err(refusals::NO_GRANT_TYPE),
        Some(_) => return Err(refusals::UNSUPPORTED_GRANT_TYPE),
    }
    let text = fields.refresh_token.ok_or(refusals::NO_REFRESH_TOKEN)?;
    // What cannot be one of ours reaches no store.
    let presented = RefreshToken::parse(&text).map_err(|_| refusals::INVALID_GRANT)?;
    routes.gate.pass_account("refresh", client, &presented.family().to_string()).await?;
    // The token may have been rotated by a call that failed afterwards: the client is to come back at once and have the same
    // successor, and not after the window for that is over.
    let refreshed = routes.grants.refresh(&presented, fields.client_id.as_deref()).await;
    match refreshed.map_err(|error| Rejection::from(error).uncertain())? {
        Refreshed::Granted(grant) => Ok(grant.into_response()),
        Refreshed::Refused => Err(refusals::INVALID_GRANT),
    }
}

/// The answer is the same whether or not the token was known (RFC 7009, section 2.2).
pub(super) async fn revoke(
    State(routes): State<TokenRoutes>,
    request: Request,
) -> Result<Response, Rejection> {
    let (parts, body) = request.into_parts();
    routes.gate.pass("revoke", &parts).await?;
    let fields = fields(&parts.headers, body).await?;
    let text = fields.token.ok_or(refusals::NO_TOKEN)?;
    match RefreshToken::parse(&text) {
        Ok(presented) => routes.grants.end(&presented).await?,
        Err(_) => routes.grants.end_access(&text).await?,
    }
    Ok(([(CACHE_CONTROL, "no-store")], Json(serde_json::json!({}))).into_response())
}

async fn fields(headers: &HeaderMap, body: Body) -> Result<Fields, Rejection> {
    let kind = body::kind(headers)?;
    let bytes = body::read(body, MAX_BODY).await?;
    match kind {
        Kind::Json => body::json(&bytes),
        Kind::Form => form(&bytes),
    }
}

/// A field that comes twice could be read one way here and another way by what stands before this server (RFC 6749, section 3.2).
fn form(bytes: &[u8]) -> Result<Fields, Rejection> {
    let mut fields = Fields::default();
    for (name, value) in form_urlencoded::parse(bytes) {
        let value = value.into_owned();
        let before = match &*name {
            "grant_type" => fields.grant_type.replace(value).is_some(),
            "client_id" => fields.client_id.replace(value).is_some(),
            "refresh_token" => fields.refresh_token.replace(Zeroizing::new(value)).is_some(),
            "token" => fields.token.replace(Zeroizing::new(value)).is_some(),
            _ => false,
        };
        if before {
            return Err(refusals::TWICE);
        }
    }
    Ok(fields)
}
