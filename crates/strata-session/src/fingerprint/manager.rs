//! The manager of fingerprints: [`Fingerprints`], which binds, adopts, checks and judges.

use std::fmt;
use std::sync::Arc;

use strata_core::{Error, ErrorKind, Handle, Needs, Protection, Result};

use super::builder::FingerprintsBuilder;
use super::features::Features;
use super::key::KeySource;
use super::policy::{Action, FingerprintPolicy};
use super::record::{NAME, Reference};
use super::similarity::{Comparison, Weights};
use super::verdict::{Unknown, Verdict};
use crate::security::{Misuse, SecurityEventKind, SecurityLog};
use crate::session_values::SessionValues;

/// Fingerprints of sessions: a risk signal, never an authenticator. Cheap to clone.
///
/// The reference of a session lies in the session's own record, under a name no application can use: it is sealed with it, lives as long
/// as it, survives its rotations, and is gone with it.
///
/// # Errors
/// On a session that has ended or was rotated elsewhere, every method gives [`ErrorKind::Gone`]. A store that cannot be reached is
/// [`ErrorKind::Unavailable`], never an unknown device.
#[derive(Clone)]
pub struct Fingerprints {
    settings: Arc<Settings>,
}

pub(super) struct Settings {
    pub(super) handle: Handle,
    pub(super) weights: Weights,
    pub(super) similar_from: u16,
    pub(super) policy: FingerprintPolicy,
    pub(super) key: KeySource,
    pub(super) log: SecurityLog,
    pub(super) protection: Protection,
}

impl Fingerprints {
    /// Fingerprints with the weights, threshold and policy that `docs/fingerprints.md` tabulates, and a key in the namespace
    /// `fingerprint`, drawn when it is first needed.
    ///
    /// # Errors
    /// [`ErrorKind::Downgrade`] for a handle that seals nothing: features are personal data. See
    /// [`FingerprintsBuilder::allow_plaintext`].
    pub fn new(handle: &Handle) -> Result<Self> {
        Self::builder(handle).build()
    }

    /// Fingerprints with other settings.
    pub fn builder(handle: &Handle) -> FingerprintsBuilder<'_> {
        FingerprintsBuilder::new(handle)
    }

    pub(super) fn new_with(settings: Settings) -> Self {
        Self { settings: Arc::new(settings) }
    }

    /// Makes `features` the reference of a session that has none, due when the session begins. A change of the session: durable as its
    /// handle says, and activity. Binding the same features again changes nothing and succeeds, so it can be retried.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if the session has another reference, which stays: only [`Fingerprints::adopt`] replaces it.
    /// [`ErrorKind::Invalid`] if none of the features has a weight; [`ErrorKind::Downgrade`] for a session in a store that is not sealed;
    /// [`ErrorKind::TooLarge`] for a session whose [`Limits`](crate::Limits) leave no room for it.
    pub async fn bind<S: SessionValues>(&self, session: &S, features: &Features) -> Result<()> {
        let fresh = self.reference(session, features).await?;
        let first = |old: Option<Reference>| match old {
            Some(old) if !old.matches(&fresh) => Err(bound()),
            _ => Ok(fresh.clone()),
        };
        session.make(NAME, first).await
    }

    /// Makes `features` the reference of a session, whatever it was. For a device that changed and whose user has just
    /// authenticated again: never on the strength of a check, or whoever comes with a stolen token becomes the reference.
    ///
    /// # Errors
    /// As [`Fingerprints::bind`], but for the conflict.
    pub async fn adopt<S: SessionValues>(&self, session: &S, features: &Features) -> Result<()> {
        let fresh = self.reference(session, features).await?;
        session.make(NAME, |_: Option<Reference>| Ok(fresh.clone())).await
    }

    /// How much `features` look like the session's reference. Writes nothing: neither the reference, nor activity of the session. A mismatch
    /// is told to the [`SecurityLog`], by the session's id.
    pub async fn check<S: SessionValues>(&self, session: &S, features: &Features) -> Result<Verdict> {
        let Some(reference) = session.look::<Reference>(NAME).await? else {
            return Ok(Verdict::Unknown(Unknown::NoReference));
        };
        let verdict = self.judge(session, &reference, features).await?;
        if let Verdict::Mismatch { .. } = verdict {
            let misuse = SecurityEventKind::InvalidUse(Misuse::Fingerprint);
            self.settings.log.event(misuse).session(session.session_id()).write();
        }
        Ok(verdict)
    }

    /// What the policy advises after a [`check`](Fingerprints::check). Only judges: stepping up or ending the session is the caller's act.
    pub async fn enforce<S: SessionValues>(&self, session: &S, features: &Features) -> Result<Action> {
        Ok(self.settings.policy.action(&self.check(session, features).await?))
    }

    /// What a check would say of `found` if `reference` were bound: to try out weights and thresholds. No store, no event.
    pub fn compare(&self, reference: &Features, found: &Features) -> Verdict {
        if reference == found {
            return Verdict::Match;
        }
        if reference.version() != found.version() {
            return Verdict::Unknown(Unknown::OtherVersion);
        }
        match self.settings.weights.compare(reference, found) {
            None => Verdict::Unknown(Unknown::Weightless),
            Some(Comparison { score, changed }) if score.permille() >= self.settings.similar_from => {
                Verdict::Similar { score, changed }
            }
            Some(Comparison { score, changed }) => Verdict::Mismatch { score, changed },
        }
    }

    /// The policy.
    pub fn policy(&self) -> FingerprintPolicy {
        self.settings.policy
    }

    /// Where its events are written.
    pub fn log(&self) -> &SecurityLog {
        &self.settings.log
    }

    async fn judge<S: SessionValues>(
        &self,
        session: &S,
        reference: &Reference,
        features: &Features,
    ) -> Result<Verdict> {
        let Settings { handle, key, .. } = &*self.settings;
        if !reference.is_of_version(features.version()) {
            return Ok(Verdict::Unknown(Unknown::OtherVersion));
        }
        let id = session.session_id();
        let Some(key) = key.find(handle).await?.filter(|key| reference.is_genuine(key, id)) else {
            return Ok(Verdict::Unknown(Unknown::Unverified));
        };
        if Reference::new(key, id, features).matches(reference) {
            return Ok(Verdict::Match);
        }
        Ok(self.compare(&reference.features(), features))
    }

    /// The reference that `features` make in a session.
    async fn reference<S: SessionValues>(&self, session: &S, features: &Features) -> Result<Reference> {
        let Settings { handle, weights, key, protection, .. } = &*self.settings;
        if !weights.weigh(features) {
            return Err(weightless());
        }
        session.own_handle().require(&Needs { protection: *protection, ..Needs::LEAST })?;
        Ok(Reference::new(key.find_or_draw(handle).await?, session.session_id(), features))
    }
}

impl fmt::Debug for Fingerprints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { handle, weights, similar_from, policy, key, .. } = &*self.settings;
        f.debug_struct("Fingerprints")
            .field("handle", handle)
            .field("weights", weights)
            .field("similar_from", similar_from)
            .field("policy", policy)
            .field("key", key)
            .finish_non_exhaustive()
    }
}

#[cold]
fn bound() -> Error {
    let message =
        "the session has a reference already; let its user authenticate again, then adopt the new one";
    Error::new(ErrorKind::Conflict, "bind fingerprint", message)
}

#[cold]
fn weightless() -> Error {
    let message =
        "none of these features has a weight, so nothing could differ; collect others, or give them weights";
    Error::new(ErrorKind::Invalid, "bind fingerprint", message)
}
