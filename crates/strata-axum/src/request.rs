//! What a request brings: the tokens in its cookies or its `Authorization` header, and whether it counts as activity.

use http::header::{AUTHORIZATION, HeaderMap};
use http::request::Parts;
use http::{HeaderName, HeaderValue};
use strata_session::SessionToken;

use crate::cookie::{Found, SessionCookie, find};
use crate::reject::Rejection;

/// Marks a route whose requests are no activity, such as one that pages poll: `route.layer(axum::Extension(Background))`. It keeps no
/// session alive (ASVS 7.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Background;

/// With the value `1` says the same of one request; a client can only shorten its own session by it. So does `Sec-Purpose: prefetch`.
pub(crate) const BACKGROUND: HeaderName = HeaderName::from_static("x-background");

const SEC_PURPOSE: HeaderName = HeaderName::from_static("sec-purpose");

/// The longest `Authorization` header that is looked at.
const LONGEST_AUTHORIZATION: usize = 4096;

/// The names that tokens come under.
#[derive(Clone, Debug)]
pub(crate) struct Cookies {
    pub(crate) guest: SessionCookie,
    pub(crate) auth: SessionCookie,
}

/// What a request brings.
#[derive(Debug, Default)]
pub(crate) struct Credentials {
    /// The token of a guest's session.
    pub(crate) guest: Option<SessionToken>,
    /// The token of a session of somebody who has signed in.
    pub(crate) auth: Option<SessionToken>,
    /// Whether it came by a header. Cookies count for nothing then.
    pub(crate) bearer: bool,
    /// Whether the request is no activity.
    pub(crate) quiet: bool,
}

impl Credentials {
    /// Parses what a request brings. What is malformed, foreign or ambiguous is taken for nothing, and no store is asked.
    ///
    /// # Errors
    /// 431 for more cookies than are read.
    pub(crate) fn read(parts: &Parts, cookies: &Cookies, has_users: bool) -> Result<Self, Rejection> {
        let quiet = is_quiet(parts);
        if is_bearer(&parts.headers) {
            let token = bearer_token(&parts.headers);
            let (guest, auth) = if has_users { (None, token) } else { (token, None) };
            return Ok(Self { guest, auth, bearer: true, quiet });
        }
        let guest = cookie_token(&parts.headers, &cookies.guest)?;
        let auth = if has_users { cookie_token(&parts.headers, &cookies.auth)? } else { None };
        Ok(Self { guest, auth, bearer: false, quiet })
    }
}

/// Whether a request authenticates by a bearer token (RFC 6750), a good one or not.
pub(crate) fn is_bearer(headers: &HeaderMap) -> bool {
    headers.get_all(AUTHORIZATION).iter().any(|value| after_scheme(value).is_some())
}

/// The token behind the scheme, whose name may be written in any case.
fn after_scheme(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = value.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

fn bearer_token(headers: &HeaderMap) -> Option<SessionToken> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    if value.len() > LONGEST_AUTHORIZATION {
        return None;
    }
    token_of(after_scheme(value)?)
}

/// The token in a cookie, if there is exactly one of its name.
pub(crate) fn cookie_token(
    headers: &HeaderMap,
    cookie: &SessionCookie,
) -> Result<Option<SessionToken>, Rejection> {
    match find(headers, cookie.name()) {
        Found::None => Ok(None),
        Found::One(value) => Ok(token_of(value)),
        Found::Several => {
            tracing::warn!(target: "strata::security", cookie = cookie.name(), "several cookies of one name; none was trusted");
            Ok(None)
        }
        Found::TooMuch => Err(Rejection::too_many_cookies()),
    }
}

fn token_of(text: &[u8]) -> Option<SessionToken> {
    SessionToken::parse(std::str::from_utf8(text).ok()?).ok()
}

fn is_quiet(parts: &Parts) -> bool {
    let headers = &parts.headers;
    let prefetches = headers.get(SEC_PURPOSE).is_some_and(|value| value.as_bytes().starts_with(b"prefetch"));
    prefetches
        || headers.get(BACKGROUND).is_some_and(|value| value == "1")
        || parts.extensions.get::<Background>().is_some()
}
