//! What a URL says: [`InPath`] and [`InQuery`], refused as everything is, with nothing of it repeated.

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::answer::Refusal;
use super::service::Shared;

/// The one variable part of a path.
#[derive(Debug)]
pub(crate) struct InPath(pub(crate) String);

/// The words behind the question mark.
#[derive(Debug)]
pub(crate) struct InQuery<T>(pub(crate) T);

impl FromRequestParts<Shared> for InPath {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, service: &Shared) -> Result<Self, Refusal> {
        let Path(text) = Path::from_request_parts(parts, service)
            .await
            .map_err(|_| Refusal::invalid("the path is no text; escape it as UTF-8"))?;
        Ok(Self(text))
    }
}

impl<T: DeserializeOwned> FromRequestParts<Shared> for InQuery<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, service: &Shared) -> Result<Self, Refusal> {
        let Query(words) = Query::from_request_parts(parts, service)
            .await
            .map_err(|_| Refusal::invalid("the query is not of the expected form; say each word once"))?;
        Ok(Self(words))
    }
}
