//! What a request is refused with: [`Refusal`], `{ "error": code, "message": text }`. Messages are the service's own words; nothing a
//! client sent, and nothing of the store's inside, is in them.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use strata::ErrorKind;

/// An answer, or why there is none.
pub(crate) type Answer<T = Response> = Result<T, Refusal>;

/// Why a request is refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    retry_after: Option<Duration>,
    /// What the store reported, for the log and the counters.
    cause: Option<strata::Error>,
}

/// Left in a refusal for the counters: how the store failed, if it did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoreFailure(pub(crate) Option<ErrorKind>);

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None, cause: None }
    }

    /// Nobody has signed in here.
    pub(crate) fn signed_out() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "signed_out", "nobody is signed in; sign in first")
    }

    pub(crate) fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "this takes the role of an operator; sign in as one")
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is nothing of this name; see docs/service.md")
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", message)
    }

    /// Come back after this long; told in whole seconds, at least one.
    pub(crate) fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

impl From<strata::Error> for Refusal {
    fn from(error: strata::Error) -> Self {
        use ErrorKind::{
            Conflict, Denied, Full, Gone, Invalid, Locked, Mismatch, Poisoned, StepUp, TooLarge, Unavailable,
        };
        let (status, code) = match error.kind() {
            Gone => (StatusCode::UNAUTHORIZED, "session_ended"),
            StepUp => (StatusCode::UNAUTHORIZED, "step_up"),
            Denied => (StatusCode::FORBIDDEN, "forbidden"),
            Conflict | Mismatch => (StatusCode::CONFLICT, "conflict"),
            Invalid => (StatusCode::BAD_REQUEST, "invalid"),
            TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Unavailable | Locked | Poisoned | Full => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        };
        let message = if status.is_server_error() {
            "the service cannot do this just now; try again".to_owned()
        } else {
            error.message().to_owned()
        };
        let mut refusal = Self::new(status, code, message);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            refusal.retry_after = Some(Duration::from_secs(1));
        }
        refusal.cause = Some(error);
        refusal
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self { status, code, message, retry_after, cause } = self;
        let mut response = (status, Json(json!({ "error": code, "message": message }))).into_response();
        if let Some(wait) = retry_after {
            let seconds = wait.as_millis().div_ceil(1000).max(1);
            if let Ok(value) = HeaderValue::from_str(&seconds.to_string()) {
                response.headers_mut().insert(header::RETRY_AFTER, value);
            }
        }
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"strata\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        let cause = cause.filter(|_| status.is_server_error());
        if let Some(cause) = &cause {
            tracing::warn!(target: "strata::service", code, "{cause}");
        }
        response.extensions_mut().insert(StoreFailure(cause.map(|cause| cause.kind())));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strata::Error;

    #[test]
    fn a_lost_store_is_no_ended_session_and_its_inside_is_not_told() {
        let error = Error::new(ErrorKind::Unavailable, "get", "the disk /secret/path is away");
        let response = Refusal::from(error).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
        assert!(matches!(response.extensions().get(), Some(StoreFailure(Some(ErrorKind::Unavailable)))));
        let full = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "full").into_response();
        assert!(matches!(full.extensions().get(), Some(StoreFailure(None))), "no failure of the store");
        let refusal = Refusal::from(Error::new(ErrorKind::Corrupt, "get", "the disk /secret/path is bad"));
        assert!(refusal.status == StatusCode::INTERNAL_SERVER_ERROR && !refusal.message.contains("secret"));
        let gone = Refusal::from(Error::new(ErrorKind::Gone, "get", "over")).into_response();
        assert_eq!(gone.status(), StatusCode::UNAUTHORIZED);
        assert!(gone.headers().contains_key(header::WWW_AUTHENTICATE));
    }

    #[test]
    fn a_wait_is_told_in_whole_seconds_never_zero() {
        let told = |millis| {
            let refusal = Refusal::invalid("x").retry_after(Duration::from_millis(millis));
            refusal.into_response().headers()[header::RETRY_AFTER].clone()
        };
        assert_eq!(
            (told(0), told(1000), told(1001)),
            ("1".parse().unwrap(), "1".parse().unwrap(), "2".parse().unwrap())
        );
    }
}
