//! Where managers write events, and how programs read them: [`SecurityLog`], [`SecurityEvents`].

use std::fmt;
use std::sync::Arc;

use strata_core::{Clock, Handle, Timestamp};
use tokio::sync::broadcast;
use tracing::{Level, event};

use super::event::{SecurityEvent, SecurityEventKind, Utc};
use crate::id::{FamilyId, SessionId};

/// Events of one or several managers. Cheap to clone; clones write to and are read from the same stream.
///
/// Each event also goes to `tracing`, with the target `strata::security`: misuse as a warning, the rest as information. What happened is
/// the message; `at` (UTC), `session`, `family`, `user` and `account` are fields, where there are any.
#[derive(Clone)]
pub struct SecurityLog {
    clock: Arc<dyn Clock>,
    sender: broadcast::Sender<SecurityEvent>,
}

/// An event about to be written.
#[derive(Debug)]
pub(crate) struct Entry<'l> {
    log: &'l SecurityLog,
    event: SecurityEvent,
}

impl SecurityLog {
    /// How many events a reader may fall behind before it misses some.
    pub const CAPACITY: usize = 1024;

    /// A log with the handle's time, to be given to managers that should share one.
    pub fn new(handle: &Handle) -> Self {
        Self { clock: Arc::clone(handle.clock()), sender: broadcast::Sender::new(Self::CAPACITY) }
    }

    /// Events from now on.
    pub fn subscribe(&self) -> SecurityEvents {
        SecurityEvents(self.sender.subscribe())
    }

    /// Starts an event of now.
    pub(crate) fn event(&self, kind: SecurityEventKind) -> Entry<'_> {
        self.event_at(self.clock.now(), kind)
    }

    pub(crate) fn event_at(&self, at: Timestamp, kind: SecurityEventKind) -> Entry<'_> {
        Entry {
            log: self,
            event: SecurityEvent { at, kind, session: None, family: None, user: None, account: None },
        }
    }
}

impl Entry<'_> {
    pub(crate) fn session(mut self, id: SessionId) -> Self {
        self.event.session = Some(id);
        self
    }

    pub(crate) fn family(mut self, id: FamilyId) -> Self {
        self.event.family = Some(id);
        self
    }

    pub(crate) fn user(mut self, user: &str) -> Self {
        self.event.user = Some(user.to_owned());
        self
    }

    pub(crate) fn account(mut self, name: &str) -> Self {
        self.event.account = Some(name.to_owned());
        self
    }

    /// The event itself, written nowhere.
    pub(crate) fn into_event(self) -> SecurityEvent {
        self.event
    }

    /// Writes it.
    pub(crate) fn write(self) {
        let Self { log, event } = self;
        trace(&event);
        // An error means that nobody listens.
        let _ = log.sender.send(event);
    }
}

fn trace(event: &SecurityEvent) {
    let SecurityEvent { at, kind, session, family, user, account } = event;
    // The level of a call site is fixed.
    macro_rules! trace {
        ($level:ident) => {
            event!(
                target: "strata::security",
                Level::$level,
                at = %Utc(*at),
                session = session.map(tracing::field::display),
                family = family.map(tracing::field::display),
                // Quoted and escaped: a user id cannot forge a line.
                user = user.as_ref().map(tracing::field::debug),
                account = account.as_ref().map(tracing::field::debug),
                "{kind}"
            )
        };
    }
    if let SecurityEventKind::InvalidUse(_) = kind {
        trace!(WARN);
    } else {
        trace!(INFO);
    }
}

impl fmt::Debug for SecurityLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecurityLog").finish_non_exhaustive()
    }
}

/// Events, in the order they were written.
#[must_use = "events are lost unless they are read"]
#[derive(Debug)]
pub struct SecurityEvents(broadcast::Receiver<SecurityEvent>);

/// How many events a reader missed because it was too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed(pub u64);

impl SecurityEvents {
    /// Waits for the next event; `None` once the log and all its managers are gone. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<SecurityEvent, Missed>> {
        match self.0.recv().await {
            Ok(event) => Some(Ok(event)),
            Err(broadcast::error::RecvError::Lagged(count)) => Some(Err(Missed(count))),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    /// The next event if one is waiting.
    pub fn try_next(&mut self) -> Option<Result<SecurityEvent, Missed>> {
        match self.0.try_recv() {
            Ok(event) => Some(Ok(event)),
            Err(broadcast::error::TryRecvError::Lagged(count)) => Some(Err(Missed(count))),
            Err(_) => None,
        }
    }
}
