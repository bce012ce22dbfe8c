//! What a replica's own subscribers hear: [`ReplicaEvent`], through [`Changes`].

use std::fmt;

use strata_core::Change;
use tokio::sync::broadcast;

/// How many events a subscriber may fall behind before it lags.
const CAPACITY: usize = 1024;

/// What happened to a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplicaEvent {
    /// A record changed, and the replica shows it. Changes of one record that come faster than it can be read are told as one, the last.
    Changed(Change),
    /// This many changes were lost on the way to the replica, or more. It reads everything anew; [`ReplicaEvent::Resynchronised`]
    /// follows.
    Behind(u64),
    /// Everything was read anew, and something may have changed that was not told. Look at what matters.
    Resynchronised,
    /// This subscriber was slow and missed so many events. Look at what matters: the replica itself is not behind.
    Lagged(u64),
}

/// Events of a replica, from when it was subscribed to.
#[must_use = "events are lost unless they are read"]
pub struct Changes(broadcast::Receiver<ReplicaEvent>);

impl Changes {
    /// Waits for the next event; `None` once the replica and its follower are gone. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<ReplicaEvent> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(ReplicaEvent::Lagged(missed)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    /// The next event if one is waiting.
    pub fn try_next(&mut self) -> Option<ReplicaEvent> {
        match self.0.try_recv() {
            Ok(event) => Some(event),
            Err(broadcast::error::TryRecvError::Lagged(missed)) => Some(ReplicaEvent::Lagged(missed)),
            Err(_) => None,
        }
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").field("waiting", &self.0.len()).finish()
    }
}

/// Where events are told.
pub(super) struct Tellers(broadcast::Sender<ReplicaEvent>);

impl Tellers {
    pub(super) fn subscribe(&self) -> Changes {
        Changes(self.0.subscribe())
    }

    pub(super) fn tell(&self, event: ReplicaEvent) {
        // An error means that nobody listens.
        let _ = self.0.send(event);
    }
}

impl Default for Tellers {
    fn default() -> Self {
        Self(broadcast::Sender::new(CAPACITY))
    }
}
