//! The settings of fingerprints: [`FingerprintsBuilder`].

use std::fmt;
use std::sync::OnceLock;

use strata_core::{Error, ErrorKind, Handle, Needs, Protection, Result};

use super::feature::Feature;
use super::key::{self, KeySource, MacKey};
use super::manager::{Fingerprints, Settings};
use super::policy::FingerprintPolicy;
use super::similarity::Weights;
use crate::security::SecurityLog;

/// The settings of [`Fingerprints`].
#[must_use = "a builder does nothing until `build`"]
pub struct FingerprintsBuilder<'h> {
    handle: &'h Handle,
    namespace: String,
    weights: Weights,
    heaviest: u16,
    similar_from: u16,
    policy: FingerprintPolicy,
    key: Option<MacKey>,
    key_is_short: bool,
    log: Option<SecurityLog>,
    protection: Protection,
}

/// The heaviest weight.
const HEAVIEST: u16 = 1000;

impl<'h> FingerprintsBuilder<'h> {
    pub(super) fn new(handle: &'h Handle) -> Self {
        Self {
            handle,
            namespace: "fingerprint".to_owned(),
            weights: Weights::default(),
            heaviest: 0,
            similar_from: 750,
            policy: FingerprintPolicy::default(),
            key: None,
            key_is_short: false,
            log: None,
            protection: Protection::Sealed,
        }
    }

    /// Where the key lies that is drawn unless one is given; `fingerprint` unless told otherwise.
    pub fn namespace(mut self, name: &str) -> Self {
        name.clone_into(&mut self.namespace);
        self
    }

    /// How much a feature counts, 0 to 1000, against the others that are there: the defaults of those that Strata knows sum to 1000,
    /// and each of the application's own has 100. 0 keeps it out of the score.
    pub fn weight(mut self, feature: Feature, weight: u16) -> Self {
        self.heaviest = self.heaviest.max(weight);
        self.weights.set(feature, weight);
        self
    }

    /// The least score, in permille, that is similar and no mismatch: 1 to 1000, 750 unless told otherwise.
    pub fn similar_from(mut self, permille: u16) -> Self {
        self.similar_from = permille;
        self
    }

    /// What follows from each verdict.
    pub fn policy(mut self, policy: FingerprintPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// The key of the keyed hash, at least 32 bytes that nobody can guess, the same in every process. Unless one is given, one is drawn
    /// from the handle's source of randomness at the first binding, and kept in the store. Under another key all references are
    /// [`Unknown::Unverified`](super::Unknown::Unverified).
    pub fn key(mut self, key: &[u8]) -> Self {
        self.key_is_short |= key.len() < key::LEAST;
        self.key = Some(MacKey::of(key));
        self
    }

    /// Where events are written; a log of its own unless one is given.
    pub fn log(mut self, log: SecurityLog) -> Self {
        self.log = Some(log);
        self
    }

    /// Lets features, which are personal data, and the drawn key lie in a store that is not sealed. For tests, and for stores in
    /// memory.
    pub fn allow_plaintext(mut self) -> Self {
        self.protection = Protection::Plaintext;
        self
    }

    /// The manager. The store is not asked.
    ///
    /// # Errors
    /// [`ErrorKind::Downgrade`] for a handle that seals nothing, unless that is allowed; [`ErrorKind::Invalid`] for a weight, threshold
    /// or key out of bounds, or a bad namespace.
    pub fn build(self) -> Result<Fingerprints> {
        if self.heaviest > HEAVIEST {
            return Err(invalid("a weight is 0 to 1000; give a smaller one"));
        }
        if !(1..=1000).contains(&self.similar_from) {
            return Err(invalid(
                "the least score of what is similar is 1 to 1000 permille; give one of those",
            ));
        }
        if self.key_is_short {
            return Err(invalid("a key has at least 32 bytes that nobody can guess; draw one"));
        }
        self.handle.require(&Needs { protection: self.protection, ..Needs::LEAST })?;
        Ok(Fingerprints::new_with(Settings {
            handle: self.handle.namespace(&self.namespace)?,
            weights: self.weights,
            similar_from: self.similar_from,
            policy: self.policy,
            key: self.key.map_or_else(|| KeySource::Kept(OnceLock::new()), KeySource::Given),
            log: self.log.unwrap_or_else(|| SecurityLog::new(self.handle)),
            protection: self.protection,
        }))
    }
}

impl fmt::Debug for FingerprintsBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FingerprintsBuilder")
            .field("namespace", &self.namespace)
            .field("similar_from", &self.similar_from)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

#[cold]
fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::Invalid, "build fingerprints", message)
}
