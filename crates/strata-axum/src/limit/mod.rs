//! How often clients may ask: the hook [`RateLimit`], what it is told, and [`PerClient`], which counts in memory. Nothing is limited
//! unless a hook is given.
//!
//! A program's own handlers use it as the routes do:
//! ```
//! # use std::sync::Arc;
//! # use strata_axum::limit::{Attempt, PerClient, RateLimit};
//! use axum::http::StatusCode;
//! use axum::response::{IntoResponse, Response};
//!
//! async fn login(limit: &dyn RateLimit, address: std::net::IpAddr, user: &str) -> Response {
//!     // Before the password is looked at, whether or not there is such a user.
//!     if let Err(wait) = limit.check(&Attempt::of("login").client(address).account(user)).await {
//!         return wait.into_response(); // 429 with Retry-After
//!     }
//!     StatusCode::OK.into_response()
//! }
//! ```

mod address;
mod per_client;

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use axum::response::{IntoResponse, Response};

pub use address::ClientAddress;
pub use per_client::{PerClient, Rate};

use crate::reject::Rejection;

/// Says whether an attempt may go on. Asked before anything is read from a store.
#[async_trait]
pub trait RateLimit: fmt::Debug + Send + Sync + 'static {
    /// Counts the attempt and lets it go on, or says how long to wait. One that cannot be judged, for the limiter's own store is away,
    /// is the implementation's to decide.
    async fn check(&self, attempt: &Attempt<'_>) -> Result<(), Wait>;
}

/// Somebody asks for something.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    route: &'a str,
    client: Option<IpAddr>,
    account: Option<&'a str>,
}

impl<'a> Attempt<'a> {
    /// An attempt at a route, by a name of few: `refresh`, `revoke`, `sync`, `logout`, `analytics`, or the program's own.
    pub fn of(route: &'a str) -> Self {
        Self { route, client: None, account: None }
    }

    /// From this address.
    #[must_use]
    pub fn client(mut self, address: impl Into<Option<IpAddr>>) -> Self {
        self.client = address.into();
        self
    }

    /// For this account, as the client names it: it need not exist. The routes give the id of a family of refresh tokens.
    #[must_use]
    pub fn account(mut self, account: &'a str) -> Self {
        self.account = Some(account);
        self
    }

    /// What is asked for.
    pub fn route(&self) -> &'a str {
        self.route
    }

    /// From where, if that is known.
    pub fn address(&self) -> Option<IpAddr> {
        self.client
    }

    /// For whom, if it says so. The client's text: neither checked nor bounded here.
    pub fn account_name(&self) -> Option<&'a str> {
        self.account
    }
}

/// Route and address: whose account it is does not belong in logs.
impl fmt::Debug for Attempt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("route", &self.route)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

/// Too many attempts: come back after this long. As an answer it is 429 with `Retry-After` in whole seconds, rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(pub Duration);

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "too many attempts; wait {:?}", self.0)
    }
}

impl std::error::Error for Wait {}

impl IntoResponse for Wait {
    fn into_response(self) -> Response {
        Rejection::from(self).into_response()
    }
}

impl From<Wait> for Rejection {
    fn from(Wait(wait): Wait) -> Self {
        Self::too_many_requests(wait)
    }
}
