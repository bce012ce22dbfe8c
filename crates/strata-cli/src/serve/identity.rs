//! Who sends a request: [`Identity`], read from cookies or a bearer token, and the [`Cookies`] that an answer sets.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponseParts, ResponseParts};
use std::convert::Infallible;
use strata::Timestamp;
use strata::session::auth::{AuthSession, SessionInfo};
use strata::session::{Session, SessionToken};

use super::answer::{Answer, Refusal};
use super::service::{Service, Shared};

const AUTH: &str = "__Host-auth";
const GUEST: &str = "__Host-session";

/// The sessions a request has. Neither, either or both may be there.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) user: Option<AuthSession>,
    pub(crate) guest: Option<Session>,
}

impl FromRequestParts<Shared> for Identity {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, service: &Shared) -> Result<Self, Refusal> {
        let user = match token(&parts.headers, AUTH) {
            Some(token) => service.auth.open(&token).await?,
            None => None,
        };
        if let Some(session) = &user
            && parts.headers.get("x-activity").is_some_and(|value| value == "1")
        {
            session.touch().await?;
        }
        let guest = match cookie(&parts.headers, GUEST) {
            Some(token) => service.sessions.open(&token).await?,
            None => None,
        };
        Ok(Self { user, guest })
    }
}

fn token(headers: &HeaderMap, name: &str) -> Option<SessionToken> {
    match headers.get(header::AUTHORIZATION) {
        Some(value) => {
            value.to_str().ok()?.strip_prefix("Bearer ").and_then(|text| SessionToken::parse(text).ok())
        }
        None => cookie(headers, name),
    }
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<SessionToken> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut found = texts
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(other, _)| *other == name);
    let first = found.next();
    first.filter(|_| found.next().is_none()).and_then(|(_, text)| SessionToken::parse(text).ok())
}

impl Identity {
    /// The guest's session, begun now if there is none.
    pub(crate) async fn guest_or_new(self, service: &Service) -> Answer<(Session, Cookies)> {
        let mut cookies = Cookies::default();
        if let Some(guest) = self.guest {
            return Ok((guest, cookies));
        }
        let (token, session) = service.sessions.create().await?;
        cookies.set(GUEST, &token, None);
        Ok((session, cookies))
    }
}

/// What an answer sets.
#[derive(Debug, Default)]
pub(crate) struct Cookies(Vec<HeaderValue>);

impl Cookies {
    pub(crate) fn sign_in(&mut self, token: &SessionToken, info: &SessionInfo, now: Timestamp) {
        let seconds = info.remembered.then(|| info.latest.since(now).as_secs());
        self.set(AUTH, token, seconds);
    }

    pub(crate) fn end_guest(&mut self) {
        self.end(GUEST);
    }

    pub(crate) fn sign_out(&mut self) {
        self.end(AUTH);
    }

    fn set(&mut self, name: &str, token: &SessionToken, seconds: Option<u64>) {
        let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        let text = format!("{name}={}; Path=/; Secure; HttpOnly; SameSite=Lax{age}", *token.expose());
        self.0.extend(HeaderValue::from_str(&text));
    }

    fn end(&mut self, name: &str) {
        let text = format!("{name}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
        self.0.extend(HeaderValue::from_str(&text));
    }
}

impl IntoResponseParts for Cookies {
    type Error = Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        for value in self.0 {
            parts.headers_mut().append(header::SET_COOKIE, value);
        }
        Ok(parts)
    }
}
