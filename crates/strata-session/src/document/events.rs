//! What became of a synchronised session, for whoever shows it: [`SyncEvent`], [`SyncEvents`], [`Synced`], [`SyncStatus`].

use std::fmt;

use tokio::sync::broadcast;

use super::path::Path;
use super::revision::Revision;
use super::transport::SyncFailure;

/// What a sync came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Synced {
    /// The server has what was to be sent, and its changes are here. Edits made meanwhile go with the next sync.
    InStep,
    /// The server was not reached, or not understood. Everything is kept and tried again.
    Waiting(SyncFailure),
    /// The server does not take the session any more: it was ended here.
    Ended,
    /// There is no session.
    NoSession,
}

/// Something that happened to a synchronised session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyncEvent {
    /// The server's changes were taken in: the document is another one.
    Changed,
    /// The server kept these places as they were, for they are its own.
    Refused(Vec<Path>),
    /// A sync failed; it is tried again.
    Failed(SyncFailure),
    /// The session ended. Told once for each session.
    Ended(SessionEnd),
    /// This many events were lost to a slow reader: look anew.
    Lagged(u64),
}

/// Why a synchronised session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionEnd {
    /// The user logged out here.
    Logout,
    /// The server did not take it any more (401).
    Unauthorized,
}

/// Events from when it was made on. Dropping it ends it.
#[must_use = "events are lost unless they are read"]
pub struct SyncEvents(pub(super) broadcast::Receiver<SyncEvent>);

impl SyncEvents {
    /// Waits for the next one; `None` once the manager is gone.
    pub async fn next(&mut self) -> Option<SyncEvent> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(count)) => Some(SyncEvent::Lagged(count)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    /// The next one if it is there.
    pub fn try_next(&mut self) -> Option<SyncEvent> {
        match self.0.try_recv() {
            Ok(event) => Some(event),
            Err(broadcast::error::TryRecvError::Lagged(count)) => Some(SyncEvent::Lagged(count)),
            Err(_) => None,
        }
    }
}

impl fmt::Debug for SyncEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncEvents").finish_non_exhaustive()
    }
}

/// Where a session stands with its server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncStatus {
    /// The revision that both sides agreed on last; none before the first contact.
    pub revision: Option<Revision>,
    /// What was changed here and is not known to be at the server.
    pub pending: Vec<Path>,
}

/// What telling the server of logouts came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Farewells {
    /// How many it was told.
    pub told: u64,
    /// How many wait for another try.
    pub left: usize,
}
