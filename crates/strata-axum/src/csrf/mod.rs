//! Requests that another site has made a browser send (ASVS 3.5.1 to 3.5.3): told by what browsers say of themselves, refused before a
//! handler runs.
//!
//! A method that changes state (all but GET, HEAD, OPTIONS and TRACE) is let through when
//! 1. it carries `Authorization: Bearer`, which no other site can add: then cookies count for nothing; or
//! 2. `Sec-Fetch-Site` says `same-origin` or `none`, or the request comes from an origin that was allowed by name; or
//! 3. there is no `Sec-Fetch-Site`, and `Origin` is the host the request is for, over https unless that host is this machine; or
//! 4. there is neither, and no session cookie either: nothing can be forged in its name; or
//! 5. there is neither, and `X-CSRF-Token` is the token of the session ([`SessionToken::csrf_token`](strata_session::SessionToken::csrf_token)).

mod origin;

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue};
use strata_core::Result;

use origin::Origin;

/// Where a browser says a request comes from (W3C Fetch Metadata).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The header that carries the token of a session's own pages.
pub const CSRF_TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");

/// Origins beside the request's own whose pages may change state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allowed(Vec<Origin>);

impl Allowed {
    pub(crate) fn add(&mut self, origin: &str) -> Result<()> {
        self.0.push(Origin::named(origin)?);
        Ok(())
    }

    fn has(&self, origin: &Origin) -> bool {
        self.0.contains(origin)
    }
}

/// What can be told from a request's headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The request's own site made it, or an allowed one.
    Own,
    /// Another site made it, or it contradicts itself.
    Foreign,
    /// The request does not tell.
    Silent,
}

/// Judges by what browsers say of themselves.
pub(crate) fn judge(headers: &HeaderMap, uri: &http::Uri, allowed: &Allowed, secure: bool) -> Verdict {
    let origin = match single(headers, &ORIGIN) {
        Single::None => None,
        Single::One(value) => Some(Origin::sent(value)),
        Single::Several => return Verdict::Foreign,
    };
    if origin.as_ref().and_then(Option::as_ref).is_some_and(|origin| allowed.has(origin)) {
        return Verdict::Own;
    }
    match (single(headers, &SEC_FETCH_SITE), origin) {
        (Single::One(site), _) if site == "same-origin" || site == "none" => Verdict::Own,
        (Single::None, None) => Verdict::Silent,
        (Single::None, Some(Some(origin))) if is_host(&origin, headers, uri, secure) => Verdict::Own,
        _ => Verdict::Foreign,
    }
}

fn is_host(origin: &Origin, headers: &HeaderMap, uri: &http::Uri, secure: bool) -> bool {
    let host = match single(headers, &HOST) {
        Single::One(host) => host.to_str().ok(),
        // HTTP/2 names the host in the target.
        Single::None => uri.authority().map(http::uri::Authority::as_str),
        Single::Several => None,
    };
    let protected = !secure || origin.is_https() || origin.is_loopback();
    protected && host.is_some_and(|host| origin.is_of(host))
}

enum Single<'h> {
    None,
    One(&'h HeaderValue),
    Several,
}

fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Single<'h> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Single::None,
        (Some(value), None) => Single::One(value),
        _ => Single::Several,
    }
}
