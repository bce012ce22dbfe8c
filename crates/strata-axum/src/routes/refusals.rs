//! What the routes refuse, in fixed words: none of them holds anything that the client sent.

use axum::http::StatusCode;

use crate::reject::Rejection;

const fn invalid_request(message: &'static str) -> Rejection {
    Rejection::new(StatusCode::BAD_REQUEST, "invalid_request", message)
}

/// The same whatever the verdict on the token: that is for the log, not for whoever holds it (RFC 6749, section 5.2).
pub(super) const INVALID_GRANT: Rejection = Rejection::new(
    StatusCode::BAD_REQUEST,
    "invalid_grant",
    "the refresh token is not good any more; sign in again",
);
pub(super) const UNSUPPORTED_GRANT_TYPE: Rejection = Rejection::new(
    StatusCode::BAD_REQUEST,
    "unsupported_grant_type",
    "only the grant type `refresh_token` is served here",
);
pub(super) const NO_GRANT_TYPE: Rejection = invalid_request("`grant_type` is missing; send `refresh_token`");
pub(super) const NO_REFRESH_TOKEN: Rejection = invalid_request("`refresh_token` is missing");
pub(super) const NO_TOKEN: Rejection = invalid_request("`token` is missing");
pub(super) const TWICE: Rejection = invalid_request("a field comes twice; send it once");
pub(super) const INVALID_JSON: Rejection = invalid_request("the body is not the JSON that this route takes");
pub(super) const BROKEN_BODY: Rejection = invalid_request("the body broke off");
pub(super) const TOO_LARGE: Rejection = Rejection::new(
    StatusCode::PAYLOAD_TOO_LARGE,
    "too_large",
    "the body is longer than this route takes; send less",
);
pub(super) const TOO_MANY_REPORTS: Rejection = Rejection::new(
    StatusCode::PAYLOAD_TOO_LARGE,
    "too_large",
    "at most 100 reports are taken at once; send fewer",
);
pub(super) const UNSUPPORTED_MEDIA_TYPE: Rejection = Rejection::new(
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    "unsupported_media_type",
    "send the content type that this route takes",
);
