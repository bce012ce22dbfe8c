//! A record that a secret opened, together with what that read found: [`Loaded`]. Its values are changed in memory and committed on the
//! version that was read; only if somebody else was faster is the record read again.

use std::fmt;

use strata_core::{ErrorKind, Expiry, Lifetime, Result, Version};

use crate::bearer::{Bearer, Bound};
use crate::draft::Draft;
use crate::token::SessionToken;

/// What one read found, and what was changed since.
pub(crate) struct Loaded<R> {
    /// Without its values while they are in the draft.
    record: R,
    version: Version,
    expiry: Expiry,
    pub(crate) draft: Draft,
}

impl<R: Bound> Loaded<R> {
    pub(crate) fn new(bearer: &Bearer<R>, mut record: R, version: Version, expiry: Expiry) -> Self {
        let values = std::mem::take(record.values_mut());
        Self { record, version, expiry, draft: Draft::new(values, bearer.limits()) }
    }

    /// What was read, without its values.
    pub(crate) fn record(&self) -> &R {
        &self.record
    }

    /// When it would end, as it was read.
    pub(crate) fn expiry(&self) -> Expiry {
        self.expiry
    }

    /// Stores the changes in one commit: on the version that was read, or, if that has been replaced, on the fresh record, verified
    /// again.
    pub(crate) async fn commit(&mut self, bearer: &Bearer<R>) -> Result<()> {
        if !self.draft.is_changed() {
            return Ok(());
        }
        match self.store(bearer).await {
            Ok(version) => {
                self.version = version;
                self.draft.settle();
                return Ok(());
            }
            // The secret may be another by now, or the session at its end: both show when it is read again.
            Err(error)
                if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Gone | ErrorKind::Invalid) => {}
            Err(error) => return Err(error),
        }
        let draft = &mut self.draft;
        let values = bearer
            .change(|record| {
                draft.replay(record.values_mut())?;
                Ok(record.values().clone())
            })
            .await?;
        draft.settle_as(values);
        Ok(())
    }

    async fn store(&mut self, bearer: &Bearer<R>) -> Result<Version> {
        let (handle, name) = (bearer.handle(), bearer.name());
        let life = Lifetime::continuing(self.expiry, handle.clock().now());
        std::mem::swap(self.record.values_mut(), self.draft.values());
        // Encoded here, sealed when it is awaited.
        let set = handle.set(&name, &self.record).lifetime(life).if_version(self.version);
        std::mem::swap(self.record.values_mut(), self.draft.values());
        set.await
    }

    /// Binds the record to a new secret and stores the changes, in one commit.
    pub(crate) async fn rotate(&mut self, bearer: &mut Bearer<R>) -> Result<SessionToken> {
        let draft = &mut self.draft;
        let mut stored = None;
        let token = bearer
            .rotate(|record| {
                draft.replay(record.values_mut())?;
                stored = Some(record.values().clone());
                Ok(())
            })
            .await?;
        self.record.replace_check(token.digest());
        if let Some(values) = stored {
            draft.settle_as(values);
        }
        Ok(token)
    }

    /// Takes up what another read found; the changes are made again on it.
    pub(crate) fn refresh(&mut self, mut record: R, version: Version, expiry: Expiry) -> Result<()> {
        self.draft.rebase(std::mem::take(record.values_mut()))?;
        (self.record, self.version, self.expiry) = (record, version, expiry);
        Ok(())
    }
}

impl<R> fmt::Debug for Loaded<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded").field("draft", &self.draft).finish_non_exhaustive()
    }
}
