//! Bodies of requests: their type, their length, and what is read from them.

use std::error::Error as _;

use axum::body::{Body, to_bytes};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;
use strata_core::Codec;
use zeroize::Zeroizing;

use super::refusals;
use crate::reject::Rejection;

/// What a body says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Json,
    Form,
}

/// Tells the type of a body. A page of another site cannot send JSON without being asked for leave first (CORS), which is why text that
/// looks like it is not taken.
pub(super) fn kind(headers: &HeaderMap) -> Result<Kind, Rejection> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let text = values.next().and_then(|value| value.to_str().ok()).unwrap_or_default();
    let sort = text.split(';').next().unwrap_or_default().trim();
    if values.next().is_none() {
        if sort.eq_ignore_ascii_case("application/json") {
            return Ok(Kind::Json);
        }
        if sort.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Ok(Kind::Form);
        }
    }
    Err(refusals::UNSUPPORTED_MEDIA_TYPE)
}

/// As [`kind`], where nothing but JSON is taken.
pub(super) fn only_json(headers: &HeaderMap) -> Result<(), Rejection> {
    if kind(headers)? == Kind::Json { Ok(()) } else { Err(refusals::UNSUPPORTED_MEDIA_TYPE) }
}

/// Reads a body up to a bound. It may hold tokens, so what is kept of it here is wiped; buffers of the connection are not in reach.
pub(super) async fn read(body: Body, most: usize) -> Result<Zeroizing<Vec<u8>>, Rejection> {
    match to_bytes(body, most).await {
        Ok(bytes) => Ok(Zeroizing::new(bytes.into())),
        Err(error) if error.source().is_some_and(<dyn std::error::Error>::is::<LengthLimitError>) => {
            Err(refusals::TOO_LARGE)
        }
        Err(_) => Err(refusals::BROKEN_BODY),
    }
}

/// Reads JSON. The parser's own words may quote the body, so they are not told.
pub(super) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Rejection> {
    Codec::Json.decode(bytes).map_err(|_| refusals::INVALID_JSON)
}
