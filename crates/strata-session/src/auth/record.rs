//! What the store holds of an authentication session: [`AuthRecord`]. When it ends is not part of it: that is the record's expiry.

use serde::{Deserialize, Serialize};
use strata_core::Timestamp;

use super::device::Device;
use super::user::StoredUser;
use crate::bearer::Bound;
use crate::secret::Digest;
use crate::values::Values;

/// One session of one user.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct AuthRecord {
    check: Digest,
    pub(super) user: StoredUser,
    pub(super) device: Device,
    authenticated: u64,
    created: u64,
    /// Activity that no deadline tells of, for it has no idle time.
    seen: u64,
    pub(super) remembered: bool,
    values: Values,
}

impl AuthRecord {
    pub(super) fn new(
        check: Digest,
        user: StoredUser,
        device: Device,
        remembered: bool,
        now: Timestamp,
    ) -> Self {
        let (now, values) = (now.as_millis(), Values::default());
        Self { check, user, device, authenticated: now, created: now, seen: now, remembered, values }
    }

    /// When the user last authenticated in it.
    pub(super) fn authenticated(&self) -> Timestamp {
        Timestamp::from_millis(self.authenticated)
    }

    /// The user authenticates anew.
    pub(super) fn authenticate(&mut self, now: Timestamp) {
        self.authenticated = now.as_millis();
    }

    /// The activity that was last written down here.
    pub(super) fn seen(&self) -> Timestamp {
        Timestamp::from_millis(self.seen)
    }

    /// Writes activity down.
    pub(super) fn see(&mut self, now: Timestamp) {
        self.seen = now.as_millis();
    }

    pub(super) fn created(&self) -> Timestamp {
        Timestamp::from_millis(self.created)
    }
}

impl Bound for AuthRecord {
    fn check(&self) -> &Digest {
        &self.check
    }

    fn replace_check(&mut self, check: Digest) {
        self.check = check;
    }

    fn values(&self) -> &Values {
        &self.values
    }

    fn values_mut(&mut self) -> &mut Values {
        &mut self.values
    }
}
