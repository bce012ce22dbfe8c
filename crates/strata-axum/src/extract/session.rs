//! The session of any visitor: [`Session`].

use std::fmt;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use strata_core::{Error, ErrorKind, Result, Value};
use strata_session::migration::{Guests, Report};
use strata_session::{Edit, SessionId};

use super::left;
use crate::layer::Exchange;
use crate::reject::Rejection;

/// Values of a visitor, signed in or not. Cheap to clone; clones are the same session.
///
/// It is read when it is first needed, once in a request. Changes are seen by later reads of the request, and stored together, in one
/// commit before the response goes out: made again on the fresh values as long as another request was faster, so none of them is lost.
/// A response of 5xx stores nothing. A visitor who changes nothing leaves nothing in the store and gets no cookie.
///
/// # Errors
/// [`ErrorKind::Denied`] for a change by GET or HEAD, unless the layer or [`Session::allow_on_safe_method`] says otherwise;
/// [`ErrorKind::Mismatch`] for a value stored as another type; what the store reports. All of them are
/// [`Rejection`]s by `?`.
#[derive(Clone)]
pub struct Session(Arc<Exchange>);

impl Session {
    /// The public id, if there is a session in the store.
    pub async fn id(&self) -> Result<Option<SessionId>> {
        Ok(self.0.guest().await?.opened().map(strata_session::basic::LoadedSession::id))
    }

    /// The value under `name`.
    pub async fn get<T: Value>(&self, name: &str) -> Result<Option<T>> {
        self.0.guest().await?.draft().map_or(Ok(None), |draft| draft.get(name))
    }

    /// The names of all values, in order.
    pub async fn list(&self) -> Result<Vec<String>> {
        Ok(self.0.guest().await?.draft().map(strata_session::Draft::list).unwrap_or_default())
    }

    /// Puts a value under `name`, in place of one that may be there.
    pub async fn set<T: Value>(&self, name: &str, value: &T) -> Result<()> {
        self.0.changing_guest().await?.draft_mut().map_or(Ok(()), |draft| draft.set(name, value))
    }

    /// Makes what `change` returns of the value under `name`: from nothing it creates, `None` removes. It may run several times.
    pub async fn update<T: Value>(
        &self,
        name: &str,
        change: impl FnMut(Option<T>) -> Option<T> + Send + 'static,
    ) -> Result<()> {
        self.0.changing_guest().await?.draft_mut().map_or(Ok(()), |draft| draft.update(name, change))
    }

    /// Several changes that belong together. `act` may run several times.
    pub async fn edit(&self, act: impl FnMut(&mut Edit<'_>) -> Result<()> + Send + 'static) -> Result<()> {
        self.0.changing_guest().await?.draft_mut().map_or(Ok(()), |draft| draft.edit(act))
    }

    /// Removes the value under `name`, and says whether there was one.
    pub async fn remove(&self, name: &str) -> Result<bool> {
        Ok(self.0.changing_guest().await?.draft_mut().is_some_and(|draft| draft.remove(name)))
    }

    /// Removes all values, and says how many there were. The session goes on.
    pub async fn clear(&self) -> Result<usize> {
        Ok(self.0.changing_guest().await?.draft_mut().map_or(0, strata_session::Draft::clear))
    }

    /// Stores now what was changed so far, for a handler whose answer depends on it: afterwards [`Session::get`] gives what was stored.
    pub async fn save(&self) -> Result<()> {
        self.0.save_guest().await
    }

    /// The session as its manager opens it, begun now if there is none: for managers that keep data by its id, such as
    /// [`Guests::of`].
    pub async fn begun(&self) -> Result<strata_session::Session> {
        self.0.begin_guest().await?;
        let state = self.0.guest().await?;
        state.opened().map(|loaded| loaded.session().clone()).ok_or_else(|| {
            Error::new(
                ErrorKind::Gone,
                "begin session",
                "the session ended in the moment it began; try again",
            )
        })
    }

    /// Gives all that a guest has to `user`, who has signed in just now, and the session a new token; nothing if there is no session.
    pub async fn migrate(&self, guests: &Guests, user: &str) -> Result<Option<Report>> {
        self.0.migrate_guest(guests, user).await
    }

    /// Gives the session a new token in the commit at the end of the request (ASVS 7.2.4). [`Auth::login`](crate::Auth::login) does that
    /// by itself. Refused for programs, which would never learn of it.
    pub async fn rotate(&self) -> Result<()> {
        self.0.rotate_guest().await
    }

    /// Ends the session at the end of the request, and takes the cookie away. What is changed after this call begins a new one.
    pub async fn destroy(&self) -> Result<()> {
        self.0.destroy_guest().await
    }

    /// What the pages of this session send in `X-CSRF-Token`, for browsers that say nothing of where a request comes from; nothing
    /// before the session has a token. The response is then stored by no cache.
    pub async fn csrf_token(&self) -> Result<Option<String>> {
        self.0.guest_csrf_token().await
    }

    /// Lets this request change sessions although its method promises to change nothing. Says why, for whoever reads it: such a
    /// request can come from any page.
    pub fn allow_on_safe_method(&self, reason: &'static str) {
        self.0.permit(reason);
    }
}

impl<S: Sync> FromRequestParts<S> for Session {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let exchange = left::<Arc<Exchange>>(parts)?;
        exchange.present(parts)?;
        Ok(Self(exchange))
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
