//! What the store keeps of an account, in one record: its living tokens, if it has any, and those the server has yet to be told are not
//! used any more. Signing out turns one into the other in one write, so no crash leaves both or neither.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use strata_core::Timestamp;

use super::generation::Generation;
use super::text::Text;

/// How many revocations may wait per account; beyond that the oldest is dropped, and its token dies at the server by itself.
pub(super) const MAX_PENDING: usize = 8;
/// How long after the first failure a revocation is tried again; twice as long after each further one.
const FIRST_WAIT: Duration = Duration::from_secs(30);
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_hours(6);

#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct AccountRecord {
    pub(super) live: Option<Generation>,
    pending: Vec<Pending>,
    /// Until when the list of accounts has this one, in milliseconds since the epoch.
    pub(super) listed_until: u64,
}

/// A refresh token to be revoked.
#[derive(Clone, Serialize, Deserialize)]
struct Pending {
    text: Text,
    /// When it is dead anyway.
    until: u64,
    attempts: u32,
    /// Before this no further try is made.
    not_before: u64,
}

impl AccountRecord {
    /// Ends the living tokens; the refresh token is to be revoked.
    pub(super) fn end(&mut self, now: Timestamp) {
        if let Some(live) = self.live.take() {
            self.abandon(&live, now);
        }
    }

    /// Notes that the refresh token of `generation` is to be revoked.
    pub(super) fn abandon(&mut self, generation: &Generation, now: Timestamp) {
        let Some(refresh) = generation.renewal(now) else { return };
        if self.awaits(generation) {
            return;
        }
        if self.pending.len() >= MAX_PENDING {
            self.pending.remove(0);
        }
        let until = refresh.until().as_millis();
        self.pending.push(Pending { text: refresh.text.clone(), until, attempts: 0, not_before: 0 });
    }

    /// Whether the refresh token of `generation` waits to be revoked, or has none.
    pub(super) fn awaits(&self, generation: &Generation) -> bool {
        generation
            .refresh
            .as_ref()
            .is_none_or(|refresh| self.pending.iter().any(|pending| pending.text == refresh.text))
    }

    /// Drops what is dead.
    pub(super) fn prune(&mut self, now: Timestamp) {
        self.pending.retain(|pending| pending.until > now.as_millis());
        if self.live.as_ref().is_some_and(|live| live.until() <= now) {
            self.live = None;
        }
    }

    /// When all of it is dead; `None` if nothing is left.
    pub(super) fn until(&self) -> Option<Timestamp> {
        let pending = self.pending.iter().map(|pending| Timestamp::from_millis(pending.until));
        pending.chain(self.live.as_ref().map(Generation::until)).max()
    }

    /// How many revocations wait.
    pub(super) fn waiting(&self) -> usize {
        self.pending.len()
    }

    /// Takes the next revocation that is due: counted before it is sent, and not due again for a while.
    pub(super) fn claim(&mut self, now: Timestamp) -> Option<Text> {
        let pending = self.pending.iter_mut().find(|pending| pending.not_before <= now.as_millis())?;
        let wait = FIRST_WAIT.saturating_mul(1 << pending.attempts.min(16)).min(LONGEST_WAIT);
        pending.attempts = pending.attempts.saturating_add(1);
        pending.not_before = now.saturating_add(wait).as_millis();
        Some(pending.text.clone())
    }

    /// Puts a revocation off further, as the server asked. Says whether that changed anything.
    pub(super) fn put_off(&mut self, text: &Text, until: Timestamp) -> bool {
        let until = until.as_millis();
        let due = |pending: &&mut Pending| pending.text == *text && pending.not_before < until;
        self.pending.iter_mut().find(due).map(|pending| pending.not_before = until).is_some()
    }

    /// Drops a revocation that is done. Says whether it was there.
    pub(super) fn settle(&mut self, text: &Text) -> bool {
        let before = self.pending.len();
        self.pending.retain(|pending| pending.text != *text);
        self.pending.len() < before
    }
}

impl fmt::Debug for AccountRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountRecord")
            .field("live", &self.live)
            .field("pending", &self.pending.len())
            .finish_non_exhaustive()
    }
}
