//! What the store keeps of a synchronised session, in one record: the session if there is one, and the logouts its server has yet to
//! hear of. Logging out turns one into the other in one write.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use strata_core::Timestamp;

use super::live::Live;
use crate::id::ReplicaId;
use crate::tokens::text::Text;

/// How many logouts may wait; beyond that the oldest is dropped, and its session dies at the server by itself.
const MAX_FAREWELLS: usize = 8;
/// How long after the first failure a logout is told again; twice as long after each further one.
const FIRST_WAIT: Duration = Duration::from_secs(15);
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_hours(6);
/// After this nobody at the server remembers the session.
const FORGOTTEN: Duration = Duration::from_hours(24 * 30);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct ClientRecord {
    pub(super) live: Option<Live>,
    pub(super) farewells: Vec<Farewell>,
}

/// A logout to be told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Farewell {
    pub(super) replica: ReplicaId,
    pub(super) bearer: Option<Text>,
    attempts: u32,
    not_before: u64,
    until: u64,
}

impl ClientRecord {
    /// Ends the session and queues the telling. Says whether there was one.
    pub(super) fn log_out(&mut self, now: Timestamp) -> bool {
        let Some(live) = self.live.take() else { return false };
        if self.farewells.len() >= MAX_FAREWELLS {
            self.farewells.remove(0);
        }
        self.farewells.push(Farewell {
            replica: live.replica,
            bearer: live.bearer,
            attempts: 0,
            not_before: 0,
            until: now.saturating_add(FORGOTTEN).as_millis(),
        });
        true
    }

    /// Takes the next logout that is due: counted before it is told, and not due again for a while.
    pub(super) fn claim(&mut self, now: Timestamp) -> Option<Farewell> {
        let now_millis = now.as_millis();
        self.farewells.retain(|farewell| farewell.until > now_millis);
        let due = self.farewells.iter_mut().find(|farewell| farewell.is_due(now))?;
        let wait = FIRST_WAIT.saturating_mul(1 << due.attempts.min(16)).min(LONGEST_WAIT);
        due.attempts = due.attempts.saturating_add(1);
        due.not_before = now.saturating_add(wait).as_millis();
        Some(due.clone())
    }

    /// Puts a logout off further, as the server asked.
    pub(super) fn put_off(&mut self, replica: ReplicaId, until: Timestamp) {
        for farewell in self.farewells.iter_mut().filter(|farewell| farewell.replica == replica) {
            farewell.not_before = farewell.not_before.max(until.as_millis());
        }
    }

    /// Drops a logout that was told.
    pub(super) fn told(&mut self, replica: ReplicaId) {
        self.farewells.retain(|farewell| farewell.replica != replica);
    }

    /// How long until the next logout is due.
    pub(super) fn wait(&self, now: Timestamp) -> Option<Duration> {
        self.farewells.iter().map(|farewell| Timestamp::from_millis(farewell.not_before).since(now)).min()
    }

    /// The record, unless nothing is in it.
    pub(super) fn kept(self) -> Option<Self> {
        (self.live.is_some() || !self.farewells.is_empty()).then_some(self)
    }
}

impl Farewell {
    /// Whether it may be told. A time further off than any wait was said by a clock that was wrong.
    fn is_due(&self, now: Timestamp) -> bool {
        let wait = Timestamp::from_millis(self.not_before).since(now);
        wait.is_zero() || wait > LONGEST_PAUSE
    }
}

/// The longest time that a server may ask to wait.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_hours(24);
