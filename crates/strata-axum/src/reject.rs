//! What a refused request is told: [`Rejection`], a status and a small JSON document `{"error": code, "message": text}`. Never a secret, and
//! of the server's own troubles no more than that there are some.

use std::fmt;
use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use strata_core::{Error, ErrorKind};

/// A refusal. Every [`Error`] of Strata becomes one by `?` in a handler that returns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    status: StatusCode,
    code: &'static str,
    message: &'static str,
    challenge: Option<&'static str>,
    retry_after: Option<Duration>,
}

impl Rejection {
    /// A refusal of an application's own. The code is for programs, the message for people.
    pub const fn new(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self { status, code, message, challenge: None, retry_after: None }
    }

    /// 401: nobody has signed in (RFC 6750 for programs).
    pub const fn signed_out() -> Self {
        Self {
            challenge: Some("Bearer"),
            ..Self::new(StatusCode::UNAUTHORIZED, "signed_out", "nobody has signed in; sign in first")
        }
    }

    /// 401: the session has ended, also while the request was under way.
    pub const fn session_ended() -> Self {
        Self {
            challenge: Some("Bearer error=\"invalid_token\""),
            ..Self::new(StatusCode::UNAUTHORIZED, "session_ended", "the session has ended; begin a new one")
        }
    }

    /// 401: the last authentication is too long ago (RFC 9470).
    pub const fn step_up() -> Self {
        Self {
            challenge: Some("Bearer error=\"insufficient_user_authentication\""),
            ..Self::new(
                StatusCode::UNAUTHORIZED,
                "step_up",
                "the last authentication is too long ago; authenticate again",
            )
        }
    }

    /// 403: signed in, and not allowed to.
    pub const fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "this is not allowed to this user")
    }

    /// 403: another site made the request.
    pub const fn cross_site() -> Self {
        let message = "another site seems to have made this request; send it from the site's own pages, with `Sec-Fetch-Site`, `Origin` or \
                       `X-CSRF-Token`, or with a bearer token";
        Self::new(StatusCode::FORBIDDEN, "cross_site", message)
    }

    /// 503: the store is out of reach. Nobody is signed out by that, and no new session takes the place of one.
    pub const fn unavailable() -> Self {
        Self {
            retry_after: Some(Duration::from_secs(1)),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "sessions are out of reach just now; try again",
            )
        }
    }

    /// 429: too many requests; try again after `wait`.
    pub const fn too_many_requests(wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_requests",
                "too many requests; wait and try again",
            )
        }
    }

    /// 431: more cookies than are read.
    pub const fn too_many_cookies() -> Self {
        Self::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "too_many_cookies",
            "the cookies of this site are too large together; delete some",
        )
    }

    /// 500: the server's own fault.
    pub const fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the server failed; its log says why")
    }

    /// Asks to come back after this long; whole seconds, rounded up.
    #[must_use]
    pub const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Without `Retry-After`: what was asked for may have been done, and a client that comes back at once finds that out.
    #[must_use]
    pub(crate) const fn uncertain(mut self) -> Self {
        self.retry_after = None;
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What programs know it by.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What people are told.
    pub fn message(&self) -> &'static str {
        self.message
    }
}

impl From<Error> for Rejection {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

impl From<&Error> for Rejection {
    fn from(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Gone => Self::session_ended(),
            ErrorKind::StepUp => Self::step_up(),
            ErrorKind::Denied => Self::forbidden(),
            ErrorKind::TooLarge => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                "this is more than a session may hold; send less",
            ),
            ErrorKind::Invalid => {
                Self::new(StatusCode::BAD_REQUEST, "invalid", "the request is not acceptable")
            }
            ErrorKind::Full => Self::new(
                StatusCode::CONFLICT,
                "full",
                "there are as many as are allowed; end one of them first",
            ),
            ErrorKind::Unavailable | ErrorKind::Conflict | ErrorKind::Locked | ErrorKind::Poisoned => {
                tracing::warn!(target: "strata::http", kind = %error.kind(), error = %error, "a request failed");
                Self::unavailable()
            }
            _ => {
                tracing::error!(target: "strata::http", kind = %error.kind(), error = %error, "a request failed");
                Self::internal()
            }
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl std::error::Error for Rejection {}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let Self { status, code, message, challenge, retry_after } = self;
        let body = Json(serde_json::json!({ "error": code, "message": message }));
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(wait) = retry_after {
            // Whole seconds, and never less than was asked for.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response
    }
}
