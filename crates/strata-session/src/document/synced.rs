//! The client: [`ServerSynced`].

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use strata_core::{Error, ErrorKind, Handle, Result, Timer};

use super::builder::ServerSyncedBuilder;
use super::events::{Farewells, SessionEnd, SyncEvent, SyncEvents, SyncStatus, Synced};
use super::flight::Flights;
use super::path::Path;
use super::steps::Core;
use super::transport::{SyncFailure, SyncTransport};
use super::tree::Document;
use crate::tokens::text::Text;

/// A session's document here and at a server. Cheap to clone; clones share the sync under way. Several processes may share the store.
///
/// Edits go to the store at once, whether or not there is a network, and to the server with the next sync. What the document is, what both
/// sides agreed on last and what is being asked stand in one record, so no crash parts them.
#[derive(Clone)]
pub struct ServerSynced {
    pub(super) core: Arc<Core>,
    flights: Flights,
}

impl ServerSynced {
    pub(super) fn over(core: Core) -> Self {
        Self { core: Arc::new(core), flights: Flights::default() }
    }

    /// A session in the namespace `server-synced` of a handle, with the default settings.
    ///
    /// # Errors
    /// As [`ServerSyncedBuilder::build`].
    pub fn new(handle: &Handle, transport: Arc<dyn SyncTransport>, timer: Arc<dyn Timer>) -> Result<Self> {
        Self::builder(handle, transport, timer).build()
    }

    /// A session with other settings.
    pub fn builder(
        handle: &Handle,
        transport: Arc<dyn SyncTransport>,
        timer: Arc<dyn Timer>,
    ) -> ServerSyncedBuilder<'_> {
        ServerSyncedBuilder::new(handle, transport, timer)
    }

    /// Begins a session with an empty document, if there is none; says whether it did. `bearer`, if given, is handed to the transport with
    /// every call, up to the logout.
    ///
    /// # Errors
    /// [`ErrorKind::Downgrade`] for a credential on a store that keeps it readable on disk; [`ErrorKind::Invalid`] for one that no
    /// header can carry.
    pub async fn begin(&self, bearer: Option<&str>) -> Result<bool> {
        let begun = self.core.begin(bearer).await?;
        if begun {
            self.core.wake.notify_one();
        }
        Ok(begun)
    }

    /// The document as it is here; `None` without a session.
    pub async fn document(&self) -> Result<Option<Document>> {
        Ok(self.core.read().await?.live.map(|live| live.local))
    }

    /// The value at a path such as `user.name`; `None` where nothing is, and without a session.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for what is no path, [`ErrorKind::Mismatch`] for a value of another type.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>> {
        let path = Path::parse(path)?;
        self.document().await?.map_or(Ok(None), |document| document.get(&path))
    }

    /// Puts a value at a path, with the objects that lead there.
    ///
    /// # Errors
    /// As [`ServerSynced::edit`] and [`Document::set`].
    pub async fn set<T: Serialize + ?Sized>(&self, path: &str, value: &T) -> Result<()> {
        let path = Path::parse(path)?;
        self.edit(|document| document.set(&path, value)).await
    }

    /// Removes what lies at a path; says whether something did.
    ///
    /// # Errors
    /// As [`ServerSynced::edit`].
    pub async fn remove(&self, path: &str) -> Result<bool> {
        let path = Path::parse(path)?;
        self.edit(|document| Ok(document.remove(&path))).await
    }

    /// Changes the document, all of it or nothing. `change` runs again on the fresh document as long as somebody else was faster. When this
    /// returns, the edit is as durable as the handle says; a change of an important place wakes [`ServerSynced::run`].
    ///
    /// # Errors
    /// What `change` says; [`ErrorKind::Gone`] without a session; [`ErrorKind::TooLarge`] beyond the bounds of a [`Document`]. Nothing is
    /// changed then.
    pub async fn edit<R>(&self, mut change: impl FnMut(&mut Document) -> Result<R>) -> Result<R> {
        let edit = |record: &mut super::record::ClientRecord| {
            record.live.as_mut().ok_or_else(no_session)?.edit(&mut change)
        };
        let (outcome, places) = self.core.update(edit).await?;
        if places.iter().any(|place| self.core.important.iter().any(|path| path.meets(place))) {
            self.core.wake.notify_one();
        }
        Ok(outcome)
    }

    /// Asks the server now, and says what came of it. Callers at the same time share one sync, which begins after each of them called. Within
    /// a pause that the server asked for nothing is sent.
    ///
    /// # Errors
    /// What the store reports. A server that cannot be reached is none.
    pub async fn sync(&self) -> Result<Synced> {
        self.flights.sync(&self.core).await
    }

    /// Where the session stands with its server; `None` without a session.
    pub async fn status(&self) -> Result<Option<SyncStatus>> {
        Ok(self.core.read().await?.live.map(|live| SyncStatus {
            revision: live.revision(),
            pending: live.pending().into_iter().map(|change| change.path).collect(),
        }))
    }

    /// What happens from now on.
    pub fn events(&self) -> SyncEvents {
        SyncEvents(self.core.events.subscribe())
    }

    /// Ends the session: from when this returns nobody reads it here, and no answer under way brings it back. Works with the network down: the
    /// server is told by [`ServerSynced::run`], or [`ServerSynced::tell_logouts`]. Says whether there was one.
    ///
    /// # Errors
    /// What the store reports; call it again.
    pub async fn logout(&self) -> Result<bool> {
        let core = &self.core;
        let ended = core.update(|record| Ok(record.log_out(core.now()))).await?;
        if ended {
            core.tell(SyncEvent::Ended(SessionEnd::Logout));
            core.wake.notify_one();
        }
        Ok(ended)
    }

    /// Tells the server of logouts that it has not heard of, as far as they are due: at once, then longer after each failure, for 30 days.
    ///
    /// # Errors
    /// What the store reports. An unreachable server is none: see [`Farewells::left`].
    pub async fn tell_logouts(&self) -> Result<Farewells> {
        let core = &self.core;
        let mut told = 0;
        while let Some(farewell) = core.update(|record| Ok(record.claim(core.now()))).await? {
            let bearer = farewell.bearer.as_ref().map(Text::as_str);
            match core.in_time(core.transport.logout(bearer)).await {
                Ok(()) | Err(SyncFailure::Unauthorized) => {
                    core.update(|record| {
                        record.told(farewell.replica);
                        Ok(())
                    })
                    .await?;
                    told += 1;
                }
                Err(SyncFailure::Offline { retry_after: Some(wait) }) => {
                    let until = core.now().saturating_add(wait.min(super::record::LONGEST_PAUSE));
                    core.update(|record| {
                        record.put_off(farewell.replica, until);
                        Ok(())
                    })
                    .await?;
                }
                Err(_) => {}
            }
        }
        let left = core.read().await?.farewells.len();
        Ok(Farewells { told, left })
    }
}

#[cold]
fn no_session() -> Error {
    Error::new(ErrorKind::Gone, "edit session", "there is no session, or it has ended; begin one")
}

impl fmt::Debug for ServerSynced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerSynced").field("core", &self.core).finish_non_exhaustive()
    }
}
