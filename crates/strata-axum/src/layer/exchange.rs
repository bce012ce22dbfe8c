//! One request and its response: [`Exchange`], what extractors share, and the commit at its end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::response::{IntoResponse as _, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, SET_COOKIE};
use http::request::Parts;
use strata_core::{Error, ErrorKind, Handle, Result, Value};
use strata_session::SessionToken;
use tokio::sync::Mutex;

use super::guest::GuestState;
use super::{AuthExchange, Site};
use crate::reject::Rejection;
use crate::request::Credentials;

/// What the extractors of one request share. Nothing is parsed before the first of them asks.
pub(crate) struct Exchange {
    pub(crate) site: Arc<Site>,
    safe_method: bool,
    permitted: AtomicBool,
    used: AtomicBool,
    /// Whether a token is in the body of the response.
    told: AtomicBool,
    credentials: OnceLock<Credentials>,
    pub(super) guest: Mutex<GuestState>,
}

impl Exchange {
    pub(super) fn new(site: Arc<Site>, safe_method: bool) -> Self {
        Self {
            site,
            safe_method,
            permitted: AtomicBool::new(false),
            used: AtomicBool::new(false),
            told: AtomicBool::new(false),
            credentials: OnceLock::new(),
            guest: Mutex::default(),
        }
    }

    /// Parses what the request brings, once.
    pub(crate) fn present(&self, parts: &Parts) -> Result<(), Rejection> {
        self.used.store(true, Ordering::Release);
        if self.credentials.get().is_none() {
            let read = Credentials::read(parts, &self.site.cookies, self.site.has_users)?;
            // An extractor that was faster read the same.
            let _ = self.credentials.set(read);
        }
        Ok(())
    }

    pub(crate) fn credentials(&self) -> &Credentials {
        self.credentials.get_or_init(Credentials::default)
    }

    /// Whether no extractor asked for anything.
    pub(super) fn is_idle(&self) -> bool {
        !self.used.load(Ordering::Acquire)
    }

    /// Lets this request begin, end and change sessions whatever its method.
    pub(crate) fn permit(&self, reason: &'static str) {
        tracing::debug!(target: "strata::security", reason, "state may be changed by a safe method");
        self.permitted.store(true, Ordering::Relaxed);
    }

    /// Refuses to begin, end or change a session by a method that promises to change nothing (ASVS 3.5.3).
    pub(crate) fn check_method(&self, operation: &'static str) -> Result<()> {
        if !self.safe_method || self.permitted.load(Ordering::Relaxed) {
            return Ok(());
        }
        let message = "the request's method promises to change nothing; use POST, or say by `allow_on_safe_method` why not";
        Err(Error::new(ErrorKind::Denied, operation, message))
    }

    /// Refuses to change values by such a method, unless the layer is lenient with those.
    pub(crate) fn check_method_for_values(&self) -> Result<()> {
        if self.site.lenient { Ok(()) } else { self.check_method("change session values") }
    }

    /// A program would never learn of a token that only a cookie tells.
    pub(crate) fn refuse_program(&self) -> Result<()> {
        if !self.credentials().bearer {
            return Ok(());
        }
        let message = "a new token of a bearer is for the response's body; open the session by its manager, and rotate that";
        Err(Error::new(ErrorKind::Invalid, "renew session", message))
    }

    /// The body of the response holds a token.
    pub(crate) fn tell(&self) {
        self.told.store(true, Ordering::Relaxed);
    }
}

/// What the end of a request came to.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) cookies: Vec<HeaderValue>,
    pub(super) failed: Option<Error>,
}

impl Outcome {
    pub(super) fn note(&mut self, result: Result<()>) {
        if let Err(error) = result
            && self.failed.is_none()
        {
            self.failed = Some(error);
        }
    }
}

/// Stores what was changed, and writes the cookies.
pub(super) async fn finish<C: Value + Send + Sync>(
    exchange: Arc<Exchange>,
    auth: Option<Arc<AuthExchange<C>>>,
    mut response: Response,
) -> Response {
    let keep = !response.status().is_server_error();
    let outcome = settle(&exchange, auth, keep).await;
    if let Some(error) = outcome.failed {
        response = Rejection::from(&error).into_response();
    }
    let headers = response.headers_mut();
    if !outcome.cookies.is_empty() || exchange.told.load(Ordering::Relaxed) {
        // ASVS 14.3.2: nobody else is to be given this token.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    for cookie in outcome.cookies {
        headers.append(SET_COOKIE, cookie);
    }
    response
}

/// Two sessions are two commits: a client that goes away between them is not to have one of them only.
async fn settle<C: Value + Send + Sync>(
    exchange: &Arc<Exchange>,
    auth: Option<Arc<AuthExchange<C>>>,
    keep: bool,
) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(auth) = auth else {
        exchange.settle_guest(keep, &mut outcome).await;
        return outcome;
    };
    if !keep || !auth.is_changed().await || !exchange.is_guest_changed().await {
        auth.settle(keep, &mut outcome).await;
        exchange.settle_guest(keep && outcome.failed.is_none(), &mut outcome).await;
        return outcome;
    }
    let exchange = Arc::clone(exchange);
    let both = tokio::spawn(async move {
        auth.settle(true, &mut outcome).await;
        exchange.settle_guest(outcome.failed.is_none(), &mut outcome).await;
        outcome
    });
    both.await.unwrap_or_else(|_| Outcome { failed: Some(lost()), ..Outcome::default() })
}

#[cold]
fn lost() -> Error {
    Error::new(
        ErrorKind::Other,
        "commit request",
        "the runtime is shutting down; the client has to try again",
    )
}

/// How long after a session has got a new token requests with the old one are taken for such that were sent before it.
const UNDER_WAY: Duration = Duration::from_mins(1);

/// Refuses a request whose token opens nothing because its session has got another just now. Its answer may arrive after the one that
/// brought the new token: it is not to put a new session in the cookie, take the cookie away, or say that a session has ended that has not.
pub(super) async fn check_renewed(handle: &Handle, token: &SessionToken) -> Result<()> {
    match handle.info(&token.id().to_string()).await? {
        Some(info) if handle.clock().now().since(info.updated) < UNDER_WAY => Err(Error::new(
            ErrorKind::Gone,
            "use session",
            "the session has got a new token in the meantime; try again with that",
        )),
        _ => Ok(()),
    }
}

#[cold]
pub(super) fn over() -> Error {
    Error::new(
        ErrorKind::Invalid,
        "use session",
        "the head of the response has gone out; change the session before that, or open it by its manager",
    )
}
