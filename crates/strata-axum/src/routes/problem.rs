//! What a route answers when it does not do what was asked: [`Problem`], `{ "error": code, "message": text }`. Never a secret, never
//! a store's own words.

use std::time::Duration;

use axum::Json;
use axum::http::header::{CACHE_CONTROL, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use strata_core::{Error, ErrorKind};

use crate::limit::Wait;

/// A refusal or failure of a route, as its answer. Not to be cached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
    retry_after: Option<Duration>,
}

#[derive(Serialize)]
struct Wire<'p> {
    error: &'p str,
    message: &'p str,
}

impl Problem {
    /// A problem by its status, a code for programs and a sentence for people. Neither holds anything that the client sent.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    /// Asks to come back after this long; whole seconds, rounded up.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    pub(super) fn invalid_request(message: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", message)
    }

    pub(super) fn invalid_grant() -> Self {
        // The same words whatever the verdict: it is for the log, not for whoever holds the token.
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid_grant",
            "the refresh token is not good any more; sign in again",
        )
    }

    /// Without `Retry-After`: what was asked for may have been done, and a client that comes back at once finds that out.
    pub(super) fn uncertain(error: &Error) -> Self {
        Self { retry_after: None, ..Self::from(error) }
    }
}

/// An error of a manager or store. What an operator has to know goes to the log, by kind and operation.
impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        let (status, code, message) = match error.kind() {
            ErrorKind::Conflict | ErrorKind::Unavailable | ErrorKind::Locked => {
                tracing::warn!(kind = %error.kind(), operation = error.operation(), "a route could not be served");
                let busy = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "try again in a moment");
                return busy.retry_after(Duration::from_secs(1));
            }
            ErrorKind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large", error.message()),
            ErrorKind::Invalid => (StatusCode::BAD_REQUEST, "invalid_request", error.message()),
            ErrorKind::Gone => (StatusCode::UNAUTHORIZED, "session_ended", "the session has ended; sign in"),
            ErrorKind::Denied => (StatusCode::FORBIDDEN, "denied", error.message()),
            ErrorKind::StepUp => (StatusCode::UNAUTHORIZED, "step_up", "authenticate again for this"),
            ErrorKind::Newer => {
                (StatusCode::NOT_IMPLEMENTED, "newer_version", "this server does not know that version yet")
            }
            kind => {
                tracing::error!(%kind, operation = error.operation(), "a route failed");
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the server has a problem of its own")
            }
        };
        let problem = Self::new(status, code, message);
        if status.is_server_error() { problem.retry_after(Duration::from_mins(1)) } else { problem }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

impl From<Wait> for Problem {
    fn from(Wait(wait): Wait) -> Self {
        let problem =
            Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", "wait before you try again");
        problem.retry_after(wait)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Json(Wire { error: self.code, message: &self.message });
        let mut response = (self.status, [(CACHE_CONTROL, "no-store")], body).into_response();
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_whole_seconds_and_never_too_short() {
        for (wait, header) in [(0, "0"), (1, "1"), (999, "1"), (1000, "1"), (1001, "2")] {
            let response = Wait(Duration::from_millis(wait)).into_response();
            assert_eq!(response.status(), 429);
            assert_eq!(response.headers()[RETRY_AFTER], header);
            assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        }
    }

    #[test]
    fn a_stores_words_are_not_told() {
        for kind in [ErrorKind::Unavailable, ErrorKind::Corrupt, ErrorKind::MissingKey, ErrorKind::Poisoned] {
            let problem = Problem::from(Error::new(kind, "get", "/var/lib/secret is away").in_store("sled"));
            assert_eq!(problem.status(), 503);
            assert!(!problem.message.contains("secret"), "{problem:?}");
            assert!(problem.retry_after.is_some());
        }
    }
}
