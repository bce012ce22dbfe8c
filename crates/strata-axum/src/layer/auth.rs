//! The session of somebody who has signed in, within one request.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use strata_core::{Error, ErrorKind, Result, Value};
use strata_session::SessionToken;
use strata_session::auth::{AuthSessions, LoadedAuthSession, Login};
use tokio::sync::{Mutex, MutexGuard};

use super::exchange::{Exchange, Outcome, check_renewed, over};

/// What the extractors of users share.
pub(crate) struct AuthExchange<C> {
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) users: AuthSessions<C>,
    state: Mutex<AuthState<C>>,
}

/// How things stand with it.
pub(crate) struct AuthState<C> {
    now: Now<C>,
    cookie: Option<HeaderValue>,
    csrf: Option<String>,
    over: bool,
}

enum Now<C> {
    Unasked,
    Nobody,
    Open(Box<LoadedAuthSession<C>>),
}

impl<C: Value> AuthExchange<C> {
    pub(super) fn new(exchange: Arc<Exchange>, users: AuthSessions<C>) -> Self {
        let state = AuthState { now: Now::Unasked, cookie: None, csrf: None, over: false };
        Self { exchange, users, state: Mutex::new(state) }
    }

    /// The session, read if that has not happened.
    pub(crate) async fn state(&self) -> Result<MutexGuard<'_, AuthState<C>>> {
        let mut state = self.state.lock().await;
        if state.over {
            return Err(over());
        }
        if matches!(state.now, Now::Unasked) {
            let found = match &self.exchange.credentials().auth {
                Some(token) => self.users.load(token).await?,
                None => None,
            };
            state.now = found.map_or(Now::Nobody, |loaded| Now::Open(Box::new(loaded)));
        }
        Ok(state)
    }

    /// Signs somebody in, in place of whoever the request's token belongs to. The token goes to the browser, unless it is for a program.
    pub(crate) async fn login(
        &self,
        login: Login<'_, C>,
        for_program: bool,
    ) -> Result<(SessionToken, MutexGuard<'_, AuthState<C>>)> {
        self.exchange.check_method("sign in")?;
        let credentials = self.exchange.credentials();
        let login = match &credentials.auth {
            // The session of the browser that asks for a program's token goes on.
            Some(token) if for_program == credentials.bearer => login.instead_of(token),
            _ => login,
        };
        if !for_program {
            self.exchange.renew_guest().await?;
        }
        let mut state = self.state.lock().await;
        if state.over {
            return Err(over());
        }
        let (token, _) = login.await?;
        if for_program {
            self.exchange.tell();
        } else {
            state.csrf = Some(token.csrf_token());
        }
        // The cookie first: the old session has ended, whatever becomes of the read.
        let loaded = self.users.load(&token).await;
        let remembered = matches!(&loaded, Ok(Some(loaded)) if loaded.info().remembered);
        let life =
            if remembered { loaded.as_ref().ok().and_then(|found| self.life(found.as_ref()?)) } else { None };
        if !for_program {
            state.cookie = Some(self.exchange.site.cookies.auth.set(&token.expose(), life)?);
        }
        state.now = Now::Open(Box::new(loaded?.ok_or_else(ended)?));
        Ok((token, state))
    }

    /// How long a browser keeps the cookie: to the cap of a session that is remembered, else as long as it runs.
    fn life(&self, loaded: &LoadedAuthSession<C>) -> Option<Duration> {
        let now = self.users.handle().clock().now();
        let left = loaded.info().latest.since(now);
        loaded.info().remembered.then(|| left.min(crate::cookie::LONGEST_LIFE))
    }

    /// A new token of the same session.
    pub(crate) fn give(&self, state: &mut AuthState<C>, token: &SessionToken) -> Result<()> {
        state.csrf = Some(token.csrf_token());
        let life = state.opened().and_then(|loaded| self.life(loaded));
        state.cookie = Some(self.exchange.site.cookies.auth.set(&token.expose(), life)?);
        Ok(())
    }

    /// The session has ended by an act of this request.
    pub(crate) fn leave(&self, state: &mut AuthState<C>) -> Result<()> {
        state.now = Now::Nobody;
        state.csrf = None;
        let credentials = self.exchange.credentials();
        let has_cookie = credentials.auth.is_some() && !credentials.bearer;
        state.cookie = if has_cookie || state.cookie.is_some() {
            Some(self.exchange.site.cookies.auth.unset()?)
        } else {
            None
        };
        Ok(())
    }

    /// What pages of this session have to send back.
    pub(crate) async fn csrf_token(&self) -> Result<Option<String>> {
        let state = self.state().await?;
        let presented = || match &state.now {
            Now::Open(_) => self.exchange.credentials().auth.as_ref().map(SessionToken::csrf_token),
            _ => None,
        };
        let token = state.csrf.clone().or_else(presented);
        if token.is_some() {
            self.exchange.tell();
        }
        Ok(token)
    }

    /// Refuses to say that a session has ended which has got a new token just now.
    pub(crate) async fn check_renewed(&self) -> Result<()> {
        let Some(token) = &self.exchange.credentials().auth else { return Ok(()) };
        check_renewed(self.users.handle(), token).await
    }

    pub(super) async fn is_changed(&self) -> bool {
        self.state.lock().await.opened().is_some_and(|loaded| loaded.draft().is_changed())
    }

    /// Stores what was changed, if it is to be kept, or else notes the activity if that is due, and gives the cookie.
    pub(super) async fn settle(&self, keep: bool, outcome: &mut Outcome) {
        let mut state = self.state.lock().await;
        if let Now::Open(loaded) = &mut state.now
            && keep
        {
            if loaded.draft().is_changed() {
                outcome.note(loaded.commit().await);
            } else if !self.exchange.credentials().quiet && loaded.is_touch_due() {
                // As with any reading: failing to write it down does not fail the request.
                let _ = loaded.session().touch().await;
            }
        }
        state.over = true;
        outcome.cookies.extend(state.cookie.take());
    }
}

impl<C> AuthState<C> {
    /// The session, if somebody has signed in.
    pub(crate) fn opened(&self) -> Option<&LoadedAuthSession<C>> {
        match &self.now {
            Now::Open(loaded) => Some(loaded),
            _ => None,
        }
    }

    /// The session, to be changed.
    ///
    /// # Errors
    /// [`ErrorKind::Gone`] if this request has ended it.
    pub(crate) fn signed_in(&mut self) -> Result<&mut LoadedAuthSession<C>> {
        match &mut self.now {
            Now::Open(loaded) => Ok(loaded),
            _ => Err(ended()),
        }
    }
}

#[cold]
fn ended() -> Error {
    Error::new(ErrorKind::Gone, "use session", "nobody is signed in any more; sign in again")
}
