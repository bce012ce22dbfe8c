//! Whose turn it is to refresh, among processes that share the store. It saves calls; correctness does not rest on it, for a generation is
//! only ever written in place of the one it follows.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use strata_core::{ErrorKind, Lifetime, Result, Version};

use super::accounts::{Account, Core};
use super::failure::Failure;
use super::generation::Mark;

/// How often a lease that comes and goes is tried for.
const ATTEMPTS: usize = 64;

#[derive(Serialize, Deserialize)]
struct Lease {
    holder: [u8; 16],
    /// The generation that is being refreshed; a lease on another one is over.
    base: Mark,
}

/// What came of waiting.
pub(super) enum Turn {
    /// Ours; with the lease's version, or without a lease where the holder took longer than one lasts.
    Ours(Option<Version>),
    /// A sibling was faster.
    Theirs,
}

impl Core {
    /// Waits for the turn to refresh `base`. The store has to take a write before the server is asked for anything: where it
    /// cannot, a rotated token would have no place.
    pub(super) async fn take_turn(&self, account: &Account, base: Mark) -> Result<Turn, Failure> {
        let mut waited = Duration::ZERO;
        for _ in 0..ATTEMPTS.max(self.most_polls()) {
            if let Some(version) = self.take_lease(account, base).await? {
                return Ok(Turn::Ours(Some(version)));
            }
            if self.is_over(account, base).await? {
                return Ok(Turn::Theirs);
            }
            if waited >= self.policy.lease {
                break;
            }
            self.timer.sleep(self.policy.poll).await;
            waited += self.policy.poll;
        }
        Ok(Turn::Ours(None))
    }

    fn most_polls(&self) -> usize {
        let polls = self.policy.lease.as_millis() / self.policy.poll.as_millis().max(1);
        usize::try_from(polls).unwrap_or(usize::MAX).saturating_add(2)
    }

    /// The lease's version if it could be taken.
    async fn take_lease(&self, account: &Account, base: Mark) -> Result<Option<Version>> {
        let lease = Lease { holder: self.holder, base };
        let set = || self.leases.set(&account.key, &lease).lifetime(Lifetime::ttl(self.policy.lease));
        match set().if_absent().await {
            Ok(version) => return Ok(Some(version)),
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error),
        }
        let Some((found, version)) = self.leases.peek_versioned::<Lease>(&account.key).await? else {
            return Ok(None);
        };
        // Our own, left by a refresh that was given up or whose answer was lost; or of a generation that is over.
        let free = found.holder == self.holder || found.base != base;
        if !free || (found.base != base && self.is_over(account, base).await?) {
            return Ok(None);
        }
        match set().if_version(version).await {
            Ok(version) => Ok(Some(version)),
            Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Gone) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether `base` is not the living generation any more.
    async fn is_over(&self, account: &Account, base: Mark) -> Result<bool> {
        let record = self.read(account).await?;
        Ok(record.live.is_none_or(|live| live.mark != base))
    }

    /// Lets a sibling try. A lease that cannot be removed ends by itself, and holds nobody up once its generation is over.
    pub(super) async fn end_turn(&self, account: &Account, turn: &Turn) {
        if let Turn::Ours(Some(version)) = turn {
            let _ = self.leases.remove_if(&account.key, *version).await;
        }
    }
}
