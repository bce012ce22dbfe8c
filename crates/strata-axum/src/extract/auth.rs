//! Whoever may sign in: [`Auth`], and signing in, [`SignIn`].

use std::fmt;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use strata_core::{BoxFuture, Result, Value};
use strata_session::SessionToken;
use strata_session::auth::{AuthSessions, Device, Login, User};

use super::{AuthSession, left};
use crate::layer::AuthExchange;
use crate::reject::Rejection;

/// Signing in and out, for handlers that also serve those who have not. The store is read when it is first asked who has.
pub struct Auth<C = ()>(pub(super) Arc<AuthExchange<C>>);

impl<C: Value + Send + Sync> Auth<C> {
    /// Starts a session for `user`, whom the application has authenticated just now; await what it returns. The session that the client
    /// has had ends in the same commit, and a guest's session gets a new token (ASVS 7.2.4).
    pub fn login(&self, user: &User<C>) -> SignIn<'_, C> {
        SignIn { exchange: &self.0, login: self.0.users.login(user) }
    }

    /// The session of whoever has signed in.
    ///
    /// # Errors
    /// A store out of reach is [`ErrorKind::Unavailable`](strata_core::ErrorKind::Unavailable), not nobody.
    pub async fn session(&self) -> Result<Option<AuthSession<C>>> {
        let state = self.0.state().await?;
        state.opened().map(|loaded| AuthSession::of(&self.0, loaded)).transpose()
    }

    /// Ends the session, now and everywhere, and takes the cookie away. Says whether this call did; nobody signed in is no error.
    pub async fn logout(&self) -> Result<bool> {
        self.0.exchange.check_method("sign out")?;
        let mut state = self.0.state().await?;
        let ended = if let Some(loaded) = state.opened() {
            loaded.session().logout().await?
        } else {
            self.0.check_renewed().await?;
            false
        };
        self.0.leave(&mut state)?;
        Ok(ended)
    }

    /// The manager of the sessions.
    pub fn manager(&self) -> &AuthSessions<C> {
        &self.0.users
    }

    /// As [`Session::allow_on_safe_method`](crate::Session::allow_on_safe_method), such as for the GET by which an identity provider sends
    /// a user back, which its `state` protects.
    pub fn allow_on_safe_method(&self, reason: &'static str) {
        self.0.exchange.permit(reason);
    }
}

impl<C: Value + Send + Sync, S: Sync> FromRequestParts<S> for Auth<C> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let exchange = left::<Arc<AuthExchange<C>>>(parts)?;
        exchange.exchange.present(parts)?;
        Ok(Self(exchange))
    }
}

impl<C> Clone for Auth<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C> fmt::Debug for Auth<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").finish_non_exhaustive()
    }
}

/// Somebody about to sign in. Await it: the token goes to the browser in its cookie.
///
/// # Errors
/// As [`strata_session::auth::Login`]; [`ErrorKind::Denied`](strata_core::ErrorKind::Denied) by GET or HEAD.
#[must_use = "nobody is signed in until this is awaited"]
pub struct SignIn<'a, C> {
    exchange: &'a Arc<AuthExchange<C>>,
    login: Login<'a, C>,
}

impl<C: Value + Send + Sync> SignIn<'_, C> {
    /// Lets the session live as the policy for remembered ones says, and its cookie as long as that, when the user asked for it.
    pub fn remember(mut self) -> Self {
        self.login = self.login.remember();
        self
    }

    /// What the user signs in on.
    pub fn device(mut self, device: Device) -> Self {
        self.login = self.login.device(device);
        self
    }

    /// Signs in for a program: no cookie is set, the token is for the body of the response, which nobody caches.
    pub async fn bearer(self) -> Result<(SessionToken, AuthSession<C>)> {
        let (token, state) = self.exchange.login(self.login, true).await?;
        let session = state.opened().map(|loaded| AuthSession::of(self.exchange, loaded));
        Ok((token, session.expect("a login leaves a session")?))
    }
}

impl<'a, C: Value + Send + Sync> IntoFuture for SignIn<'a, C> {
    type Output = Result<AuthSession<C>>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (_, state) = self.exchange.login(self.login, false).await?;
            let session = state.opened().map(|loaded| AuthSession::of(self.exchange, loaded));
            session.expect("a login leaves a session")
        })
    }
}

impl<C> fmt::Debug for SignIn<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn").field("login", &self.login).finish_non_exhaustive()
    }
}
