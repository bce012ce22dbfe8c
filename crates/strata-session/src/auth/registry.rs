//! What a manager and its sessions share: where sessions and rosters lie, the rules, and the log. [`Registry`].

use strata_core::{Codec, Error, ErrorKind, Handle, Result, Timestamp};

use super::policy::Rules;
use super::record::AuthRecord;
use crate::bearer::{Bearer, Reading};
use crate::id::SessionId;
use crate::limits::Limits;
use crate::roster::Roster;
use crate::secret::Digest;
use crate::security::{SecurityEventKind, SecurityLog};

/// Everything but the type of the application's claims.
#[derive(Debug)]
pub(super) struct Registry {
    /// Sessions, by public id.
    pub(super) handle: Handle,
    /// Who has which.
    pub(super) roster: Roster,
    pub(super) rules: Rules,
    pub(super) limits: Limits,
    pub(super) log: SecurityLog,
    /// How claims are encoded.
    pub(super) codec: Codec,
}

impl Registry {
    pub(super) fn now(&self) -> Timestamp {
        self.handle.clock().now()
    }

    pub(super) fn bearer(&self, id: SessionId, check: Digest) -> Bearer<AuthRecord> {
        Bearer::new(self.handle.clone(), self.limits, Reading::IsNone, id, check)
    }

    pub(super) async fn record(&self, id: SessionId) -> Result<Option<AuthRecord>> {
        self.handle.peek(&id.to_string()).await
    }

    /// Writes that something happened to a session.
    pub(super) fn tell(&self, kind: SecurityEventKind, id: SessionId, user: &str) {
        self.log.event(kind).session(id).user(user).write();
    }

    /// The most sessions that one commit ends, beside what else it holds.
    pub(super) fn at_once(&self) -> usize {
        self.handle.capabilities().max_batch.saturating_sub(RESERVED).max(1)
    }
}

/// How many records beside ended sessions a commit may hold: a new session and two rosters, and a session that is replaced.
pub(super) const RESERVED: usize = 4;

/// Whether a commit lost a race: read again and retry.
pub(super) fn is_lost(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Gone)
}

/// Whether a commit may have been made although it gave an error.
pub(super) fn is_unknown(error: &Error) -> bool {
    error.kind() == ErrorKind::Unavailable
}
