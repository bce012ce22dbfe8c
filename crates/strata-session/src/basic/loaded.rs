//! A basic session with what one read found: [`LoadedSession`].

use strata_core::{Expiry, Result, Version};

use super::record::SessionRecord;
use super::session::Session;
use crate::draft::Draft;
use crate::id::SessionId;
use crate::loaded::Loaded;
use crate::token::SessionToken;

/// A session together with the values of the read that opened it. Reads and changes cost nothing more until [`LoadedSession::commit`],
/// which is one commit on the version that was read: what others stored meanwhile stays, and a session that has ended meanwhile is
/// [`ErrorKind::Gone`](strata_core::ErrorKind::Gone).
///
/// The read was the check of the token. It is good for one request; who holds it longer would go on with a session that may have ended.
#[derive(Debug)]
pub struct LoadedSession {
    session: Session,
    loaded: Loaded<SessionRecord>,
}

impl LoadedSession {
    pub(super) fn new(session: Session, record: SessionRecord, version: Version, expiry: Expiry) -> Self {
        let loaded = Loaded::new(session.bearer(), record, version, expiry);
        Self { session, loaded }
    }

    /// Its public id.
    pub fn id(&self) -> SessionId {
        self.session.id()
    }

    /// The session, each access to which asks the store.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The session, to be given to a manager that rotates it, such as [`Guests`](crate::migration::Guests).
    pub fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    /// The values, with what was changed since the read.
    pub fn draft(&self) -> &Draft {
        &self.loaded.draft
    }

    /// The values, to be changed.
    pub fn draft_mut(&mut self) -> &mut Draft {
        &mut self.loaded.draft
    }

    /// Stores all changes in one commit; without any it costs nothing. Run again on the fresh values as long as somebody else was
    /// faster.
    pub async fn commit(&mut self) -> Result<()> {
        self.loaded.commit(self.session.bearer()).await
    }

    /// A new token, stored in the same commit as the changes; see [`Session::rotate`].
    ///
    /// # Errors
    /// As [`Session::rotate`].
    pub async fn rotate(&mut self) -> Result<SessionToken> {
        self.loaded.rotate(self.session.bearer_mut()).await
    }

    /// Ends the session; see [`Session::destroy`].
    ///
    /// # Errors
    /// As [`Session::destroy`].
    pub async fn destroy(self) -> Result<bool> {
        self.session.destroy().await
    }
}
