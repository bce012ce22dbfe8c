//! Bodies in JSON: [`JsonBody`], with a bound on their size and refusals that repeat nothing of them.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;

use super::answer::Refusal;
use super::service::Shared;

/// The largest body, in bytes.
pub(crate) const MAX_BODY: usize = 64 * 1024;

/// A body of JSON.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Shared> for JsonBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &Shared) -> Result<Self, Refusal> {
        let media = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !media.is_some_and(is_json) {
            return Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "send the body as `application/json`",
            ));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                too_large()
            } else {
                Refusal::invalid("the body broke off; send it again")
            }
        })?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            // Where, not what: the text may be a password.
            Refusal::invalid(format!(
                "the body is no JSON of the expected form (line {}, column {})",
                error.line(),
                error.column()
            ))
        })
    }
}

/// The refusal of a body beyond [`MAX_BODY`].
pub(crate) fn too_large() -> Refusal {
    let message = format!("the body has more than {MAX_BODY} bytes; send less");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
}

fn is_json(media: &str) -> bool {
    let kind = media.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_media_type_is_compared_without_its_parameters() {
        assert!(is_json("application/json") && is_json("Application/JSON; charset=utf-8"));
        assert!(!is_json("application/jsonp") && !is_json("text/plain") && !is_json(""));
    }
}
