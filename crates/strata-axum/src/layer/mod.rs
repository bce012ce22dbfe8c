//! The tower layer: [`SessionLayer`], its settings, and what happens around a handler.
//!
//! 1. A method that changes state is refused if another site made the request ([`csrf`](crate::csrf)).
//! 2. The handler runs. Its extractors parse the request's token, and read a session when it is first needed.
//! 3. Before the head of the response goes out, what was changed is stored, one commit for each session. If that fails the response says
//!    so: 401 for a session that has ended meanwhile, 503 for a store out of reach. A response of 5xx stores nothing of it.
//! 4. A cookie is written only where a token was made or ended, with `Cache-Control: no-store`.
//!
//! A handler that asks for no session costs no store call, and a visitor who stores nothing leaves nothing in the store.

mod auth;
mod builder;
mod exchange;
mod guest;
mod service;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use strata_core::{Result, Value};
use strata_session::Sessions;
use strata_session::auth::AuthSessions;

pub(crate) use auth::AuthExchange;
pub use builder::SessionLayerBuilder;
pub(crate) use exchange::Exchange;
pub use service::SessionService;

use crate::csrf::Allowed;
use crate::request::Cookies;

/// Gives the handlers below it sessions: [`Session`](crate::Session) for everybody, and [`Auth`](crate::Auth) and
/// [`AuthSession`](crate::AuthSession) with claims of type `C` for those who sign in. Cheap to clone.
///
/// A guest's token is in the cookie `__Host-session`, that of somebody who has signed in in `__Host-auth`: they live and end apart.
pub struct SessionLayer<C = ()> {
    pub(crate) site: Arc<Site>,
    pub(crate) users: Option<AuthSessions<C>>,
}

/// What all requests of a layer share.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) sessions: Option<Sessions>,
    pub(crate) has_users: bool,
    pub(crate) cookies: Cookies,
    /// How long a browser keeps a guest's cookie.
    pub(crate) guest_life: Option<Duration>,
    pub(crate) allowed: Allowed,
    /// Whether values may be changed by methods that promise to change nothing.
    pub(crate) lenient: bool,
}

impl SessionLayer {
    /// Sessions of guests only, with the usual cookie.
    ///
    /// # Errors
    /// As [`SessionLayerBuilder::build`].
    pub fn new(sessions: &Sessions) -> Result<Self> {
        SessionLayerBuilder::new().guests(sessions).build()
    }

    /// A layer with other settings.
    pub fn builder() -> SessionLayerBuilder {
        SessionLayerBuilder::new()
    }
}

impl<C: Value> SessionLayer<C> {
    /// Sessions of guests and of users, with the usual cookies.
    ///
    /// # Errors
    /// As [`SessionLayerBuilder::build`].
    pub fn with_users(sessions: &Sessions, users: &AuthSessions<C>) -> Result<Self> {
        SessionLayerBuilder::new().guests(sessions).users(users).build()
    }
}

impl<C> Clone for SessionLayer<C> {
    fn clone(&self) -> Self {
        Self { site: Arc::clone(&self.site), users: self.users.clone() }
    }
}

impl<C> fmt::Debug for SessionLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayer").field("site", &self.site).finish_non_exhaustive()
    }
}
