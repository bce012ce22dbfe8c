//! Whoever has signed in: [`AuthSession`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use strata_core::{Error, ErrorKind, Result, Timestamp, Value};
use strata_session::auth::{Fresh, LoadedAuthSession, SessionInfo, User};
use strata_session::{Edit, SessionId};

use super::{Auth, left};
use crate::layer::AuthExchange;
use crate::reject::Rejection;

/// The session of a user who has signed in, as the read at the start of this request found it: that read is the check of the token, so
/// a session that ended elsewhere is refused by the very next request. Cheap to clone; clones are the same session.
///
/// Values are changed as those of [`Session`](crate::Session): together, at the end, made again as long as another request was faster.
/// Acts on the session itself, from [`AuthSession::logout`] to [`AuthSession::change_user`], happen when they are awaited.
///
/// # Errors
/// [`ErrorKind::Gone`] once the session has ended; [`ErrorKind::Denied`] for changes by GET or HEAD; what the store reports. All of them
/// are [`Rejection`]s by `?`.
pub struct AuthSession<C = ()> {
    exchange: Arc<AuthExchange<C>>,
    user: Arc<User<C>>,
    info: Arc<SessionInfo>,
}

/// Who it is.
impl<C: Value + Send + Sync> AuthSession<C> {
    pub(super) fn of(exchange: &Arc<AuthExchange<C>>, loaded: &LoadedAuthSession<C>) -> Result<Self> {
        Ok(Self {
            exchange: Arc::clone(exchange),
            user: Arc::new(loaded.user()?),
            info: Arc::new(loaded.info().clone()),
        })
    }

    /// Who has signed in.
    pub fn user(&self) -> &User<C> {
        &self.user
    }

    /// The public id.
    pub fn id(&self) -> SessionId {
        self.info.id
    }

    /// What is known of the session.
    pub fn info(&self) -> &SessionInfo {
        &self.info
    }

    /// Nothing if the user has this role.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`], 403, if not.
    pub fn require_role(&self, role: &str) -> Result<()> {
        if self.user.has_role(role) { Ok(()) } else { Err(lacking("role", role)) }
    }

    /// Nothing if the user has this permission.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`], 403, if not.
    pub fn require_permission(&self, permission: &str) -> Result<()> {
        if self.user.has_permission(permission) { Ok(()) } else { Err(lacking("permission", permission)) }
    }

    /// A proof that the user authenticated at most `age` ago (ASVS 7.5.1).
    ///
    /// # Errors
    /// [`ErrorKind::StepUp`], 401 with the code `step_up`, if it is longer ago.
    pub async fn require_fresh(&self, age: Duration) -> Result<Fresh> {
        self.exchange.state().await?.signed_in()?.require_fresh(age)
    }

    /// All living sessions of this user, oldest first, this one marked as current (ASVS 7.5.2).
    pub async fn siblings(&self) -> Result<Vec<SessionInfo>> {
        self.exchange.state().await?.signed_in()?.session().siblings().await
    }

    /// What the pages of this session send in `X-CSRF-Token`, for browsers that say nothing of where a request comes from.
    pub async fn csrf_token(&self) -> Result<Option<String>> {
        self.exchange.csrf_token().await
    }

    /// As [`Session::allow_on_safe_method`](crate::Session::allow_on_safe_method).
    pub fn allow_on_safe_method(&self, reason: &'static str) {
        self.exchange.exchange.permit(reason);
    }

    /// The session as its manager opens it: each access asks the store. For what goes on after the response, and for other managers.
    pub async fn opened(&self) -> Result<strata_session::auth::AuthSession<C>> {
        Ok(self.exchange.state().await?.signed_in()?.session().clone())
    }
}

/// Its values.
impl<C: Value + Send + Sync> AuthSession<C> {
    /// The value under `name`.
    pub async fn get<T: Value>(&self, name: &str) -> Result<Option<T>> {
        self.exchange.state().await?.signed_in()?.draft().get(name)
    }

    /// The names of all values, in order.
    pub async fn list(&self) -> Result<Vec<String>> {
        Ok(self.exchange.state().await?.signed_in()?.draft().list())
    }

    /// Puts a value under `name`, in place of one that may be there.
    pub async fn set<T: Value>(&self, name: &str, value: &T) -> Result<()> {
        self.exchange.exchange.check_method_for_values()?;
        self.exchange.state().await?.signed_in()?.draft_mut().set(name, value)
    }

    /// Makes what `change` returns of the value under `name`: from nothing it creates, `None` removes. It may run several times.
    pub async fn update<T: Value>(
        &self,
        name: &str,
        change: impl FnMut(Option<T>) -> Option<T> + Send + 'static,
    ) -> Result<()> {
        self.exchange.exchange.check_method_for_values()?;
        self.exchange.state().await?.signed_in()?.draft_mut().update(name, change)
    }

    /// Several changes that belong together. `act` may run several times.
    pub async fn edit(&self, act: impl FnMut(&mut Edit<'_>) -> Result<()> + Send + 'static) -> Result<()> {
        self.exchange.exchange.check_method_for_values()?;
        self.exchange.state().await?.signed_in()?.draft_mut().edit(act)
    }

    /// Removes the value under `name`, and says whether there was one.
    pub async fn remove(&self, name: &str) -> Result<bool> {
        self.exchange.exchange.check_method_for_values()?;
        Ok(self.exchange.state().await?.signed_in()?.draft_mut().remove(name))
    }

    /// Removes all values, and says how many there were.
    pub async fn clear(&self) -> Result<usize> {
        self.exchange.exchange.check_method_for_values()?;
        Ok(self.exchange.state().await?.signed_in()?.draft_mut().clear())
    }

    /// Stores now what was changed so far; afterwards [`AuthSession::get`] gives what was stored.
    pub async fn save(&self) -> Result<()> {
        self.exchange.state().await?.signed_in()?.commit().await
    }
}

/// Its life and its end.
impl<C: Value + Send + Sync> AuthSession<C> {
    /// Ends the session, now and everywhere, and takes the cookie away (ASVS 7.4.1).
    pub async fn logout(&self) -> Result<bool> {
        Auth(Arc::clone(&self.exchange)).logout().await
    }

    /// Ends all other sessions of the user in one commit (ASVS 7.4.3), and says how many were alive.
    pub async fn logout_others(&self) -> Result<u64> {
        self.exchange.exchange.check_method("sign out elsewhere")?;
        self.exchange.state().await?.signed_in()?.session().logout_others().await
    }

    /// Ends all sessions of the user in one commit, this one included, and says how many were alive.
    pub async fn logout_everywhere(&self) -> Result<u64> {
        self.exchange.exchange.check_method("sign out everywhere")?;
        let mut state = self.exchange.state().await?;
        let ended = state.signed_in()?.session().logout_everywhere().await?;
        self.exchange.leave(&mut state)?;
        Ok(ended)
    }

    /// Lets the session live `by` longer from now, at most the policy's idle time, never past the cap; returns when it now ends.
    pub async fn extend(&self, by: Duration) -> Result<Timestamp> {
        self.exchange.exchange.check_method("extend session")?;
        self.exchange.state().await?.signed_in()?.session().extend(by).await
    }

    /// Gives the session a new token (ASVS 7.2.4).
    pub async fn rotate(&self) -> Result<()> {
        self.renew("rotate session", async |session| session.rotate().await).await
    }

    /// The user has authenticated again just now: idle time, cap and freshness start anew, with a new token.
    pub async fn reauthenticate(&self) -> Result<()> {
        self.renew("authenticate again", async |session| session.reauthenticate().await).await
    }

    /// Changes who the user is to the application, such as roles, with a new token (ASVS 7.2.4). `change` may run several times.
    pub async fn change_user(&self, mut change: impl FnMut(&mut User<C>) + Send) -> Result<()> {
        self.exchange.exchange.check_method("change user")?;
        let mut state = self.exchange.state().await?;
        self.exchange.exchange.refuse_program()?;
        let loaded = state.signed_in()?;
        let token = loaded.session_mut().change_user(&mut change).await?;
        let reloaded = loaded.reload().await;
        self.exchange.give(&mut state, &token)?;
        reloaded
    }

    async fn renew(
        &self,
        operation: &'static str,
        act: impl AsyncFnOnce(&mut strata_session::auth::AuthSession<C>) -> Result<strata_session::SessionToken>,
    ) -> Result<()> {
        self.exchange.exchange.check_method(operation)?;
        let mut state = self.exchange.state().await?;
        self.exchange.exchange.refuse_program()?;
        let loaded = state.signed_in()?;
        let token = act(loaded.session_mut()).await?;
        // The cookie first: the old token is dead, whatever becomes of the read.
        let reloaded = loaded.reload().await;
        self.exchange.give(&mut state, &token)?;
        reloaded
    }
}

impl<C: Value + Send + Sync, S: Sync> FromRequestParts<S> for AuthSession<C> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        let found = <Self as OptionalFromRequestParts<S>>::from_request_parts(parts, state).await?;
        found.ok_or_else(Rejection::signed_out)
    }
}

impl<C: Value + Send + Sync, S: Sync> OptionalFromRequestParts<S> for AuthSession<C> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Rejection> {
        let exchange = left::<Arc<AuthExchange<C>>>(parts)?;
        exchange.exchange.present(parts)?;
        Ok(Auth(exchange).session().await?)
    }
}

impl<C> Clone for AuthSession<C> {
    fn clone(&self) -> Self {
        Self {
            exchange: Arc::clone(&self.exchange),
            user: Arc::clone(&self.user),
            info: Arc::clone(&self.info),
        }
    }
}

impl<C> fmt::Debug for AuthSession<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthSession").field("id", &self.info.id).finish_non_exhaustive()
    }
}

#[cold]
fn lacking(what: &'static str, name: &str) -> Error {
    Error::new(
        ErrorKind::Denied,
        "judge permission",
        format!("the user lacks the {what} `{name}`; ask somebody who can grant it"),
    )
}
