//! One open session: [`Session`]. Each access reads the store and verifies the secret there, each change on every retry.

use std::fmt;

#[cfg(doc)]
use strata_core::ErrorKind;
use strata_core::{Codec, Info, Result, Value};

use super::manager::Sessions;
use super::record::SessionRecord;
use crate::bearer::{Bearer, ended};
use crate::draft::Edit;
use crate::id::SessionId;
use crate::session_values::keeps_values;
use crate::token::SessionToken;

/// A session that a token has opened. It holds no values and no secret, only the secret's hash: every access asks the store, so
/// a session ended or rotated elsewhere is noticed at once.
///
/// Values have names and any type, each its own; reading one as a type of another shape is
/// [`ErrorKind::Mismatch`](strata_core::ErrorKind::Mismatch). Changes are durable as the handle says when they resolve.
///
/// # Errors
/// On a session that has ended, or whose token was replaced by [`Session::rotate`], every method but
/// [`Session::destroy`] gives [`ErrorKind::Gone`](strata_core::ErrorKind::Gone), and nothing is written or kept alive. A store that cannot be reached is
/// [`ErrorKind::Unavailable`](strata_core::ErrorKind::Unavailable), never an ended session.
#[derive(Clone)]
pub struct Session {
    sessions: Sessions,
    bearer: Bearer<SessionRecord>,
}

impl Session {
    pub(super) fn new(sessions: Sessions, bearer: Bearer<SessionRecord>) -> Self {
        Self { sessions, bearer }
    }

    /// What opened it, for managers whose changes go with one of the session's.
    pub(crate) fn bearer(&self) -> &Bearer<SessionRecord> {
        &self.bearer
    }

    /// As [`Session::bearer`], to adopt a new token.
    pub(crate) fn bearer_mut(&mut self) -> &mut Bearer<SessionRecord> {
        &mut self.bearer
    }

    /// Its public id.
    pub fn id(&self) -> SessionId {
        self.bearer.id()
    }

    /// The value under `name`. Counts as activity, as every access does.
    pub async fn get<T: Value>(&self, name: &str) -> Result<Option<T>> {
        self.bearer.get(name).await
    }

    /// Stores a value under `name`, in place of one that may be there. Others keep theirs, also those changed meanwhile.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`](strata_core::ErrorKind::TooLarge) over a limit, [`ErrorKind::Invalid`](strata_core::ErrorKind::Invalid) for a name that is empty or has control characters.
    pub async fn set<T: Value>(&self, name: &str, value: &T) -> Result<()> {
        self.set_as(Codec::default(), name, value).await
    }

    /// Stores a value encoded by `codec`, as [`Session::set`]. Reading finds the codec by itself.
    pub async fn set_as<T: Value>(&self, codec: Codec, name: &str, value: &T) -> Result<()> {
        self.bearer.set_as(codec, name, value).await
    }

    /// Makes what `change` returns of the value under `name`: from nothing it creates, `None` removes. Atomic: `change` runs
    /// again on the fresh value as long as somebody else was faster.
    pub async fn update<T: Value>(
        &self,
        name: &str,
        change: impl FnMut(Option<T>) -> Option<T>,
    ) -> Result<()> {
        self.bearer.update(name, change).await
    }

    /// Several values in one commit: `act` sees them and changes them, and runs again on the fresh ones as long as somebody else was
    /// faster. What it refuses is returned, and nothing is written.
    pub async fn edit<T>(&self, act: impl FnMut(&mut Edit<'_>) -> Result<T>) -> Result<T> {
        self.bearer.edit(act).await
    }

    /// Removes the value under `name`, and says whether there was one.
    pub async fn remove(&self, name: &str) -> Result<bool> {
        self.bearer.remove(name).await
    }

    /// The names of all values, in order.
    pub async fn list(&self) -> Result<Vec<String>> {
        self.bearer.list().await
    }

    /// Removes all values in one commit, and says how many there were. The session goes on.
    pub async fn clear(&self) -> Result<usize> {
        self.bearer.clear().await
    }

    /// Gives the session a new secret in one guarded write and returns the token to hand to the client; the old token opens
    /// nothing from then on, in any process. Due at every authentication and change of privilege (ASVS 7.2.4). Values and
    /// expiry stay; this `Session` goes on, clones of it do not.
    ///
    /// # Giving up on it
    /// Await it to its end, in a task of its own where the caller may be cancelled. If its future is dropped while the store
    /// is at work, the change may have been made: then the old token is dead and the new one, which nobody has seen, is lost. The
    /// user signs in again; the session is in reach of [`Sessions::revoke`] by its id only, else it dies by its idle time.
    ///
    /// # Errors
    /// After [`ErrorKind::Unavailable`](strata_core::ErrorKind::Unavailable) it is not known whether the old token still opens the session. If it does not, the
    /// session is out of reach and dies by its idle time; [`Sessions::revoke`] ends it at once.
    pub async fn rotate(&mut self) -> Result<SessionToken> {
        self.bearer.rotate(|_| Ok(())).await
    }

    /// Ends the session, its values and its token, at once and everywhere. Says whether this call did; one that has ended
    /// already is not an error. Nothing that is in flight brings it back.
    ///
    /// # Errors
    /// [`ErrorKind::Gone`](strata_core::ErrorKind::Gone) if the session lives on under a new token: a replaced token ends nothing.
    pub async fn destroy(&self) -> Result<bool> {
        self.bearer.destroy().await
    }

    /// When it was created, last changed, and will end. No activity.
    pub async fn info(&self) -> Result<Info> {
        self.sessions.info(self.id()).await?.ok_or_else(ended)
    }
}

keeps_values!(Session);

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("id", &self.id()).finish_non_exhaustive()
    }
}
