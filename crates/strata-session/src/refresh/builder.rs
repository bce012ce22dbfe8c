//! The settings of refresh tokens: [`RefreshTokensBuilder`].

use std::time::Duration;

use strata_core::{
    Atomicity, Coherence, Error, ErrorKind, GuardScope, Handle, Lifetime, Listing, Needs, Protection, Result,
};

use super::manager::RefreshTokens;
use super::record::last_instant;
use crate::roster::Roster;
use crate::security::SecurityLog;

/// Families and rosters change in one commit, and all of them can be walked.
const NEEDS: Needs = Needs {
    atomicity: Atomicity::Batch,
    guards: GuardScope::Process,
    coherence: Coherence::Strong,
    listing: Listing::Indexed,
    protection: Protection::Plaintext,
};

/// The settings of [`RefreshTokens`].
#[must_use = "a builder does nothing until `build`"]
#[derive(Debug)]
pub struct RefreshTokensBuilder<'h> {
    handle: &'h Handle,
    namespace: String,
    life: Lifetime,
    grace: Duration,
    max_families: usize,
    log: Option<SecurityLog>,
}

impl<'h> RefreshTokensBuilder<'h> {
    pub(super) fn new(handle: &'h Handle) -> Self {
        Self {
            handle,
            namespace: "refresh".to_owned(),
            life: Lifetime::FOREVER.at_most(Duration::from_hours(30 * 24)),
            grace: Duration::from_secs(10),
            max_families: 100,
            log: None,
        }
    }

    /// Where they lie, families and rosters below it; `refresh` unless told otherwise.
    pub fn namespace(mut self, name: &str) -> Self {
        name.clone_into(&mut self.namespace);
        self
    }

    /// How long a family lives, counted from its beginning: a [`Lifetime`], or a policy that becomes one. 30 days unless told
    /// otherwise. It has to end however active its client is; an idle time ends it earlier where it is not rotated (RFC 9700, 4.14.2).
    pub fn lifetime(mut self, life: impl Into<Lifetime>) -> Self {
        self.life = life.into();
        self
    }

    /// How long after a rotation the token that was rotated gets the same successor again, as long as that was not used: 10 seconds
    /// unless told otherwise, [`RefreshTokens::MAX_GRACE`] at most. Zero allows no retry: an answer that is lost then costs the
    /// client its family.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How many families a user may have, 1 to [`RefreshTokens::MOST_FAMILIES`]; 100 unless told otherwise. One more ends the oldest.
    pub fn max_families(mut self, count: usize) -> Self {
        self.max_families = count;
        self
    }

    /// Where events are written; a log of its own unless told otherwise.
    pub fn log(mut self, log: SecurityLog) -> Self {
        self.log = Some(log);
        self
    }

    /// The manager.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a lifetime without end or one that [`Lifetime::starting`] refuses, a window that is too long, a
    /// number of families out of its range, or a bad namespace; [`ErrorKind::Unsupported`] on a store that cannot commit several
    /// records together (as many as a user may have families, and two) or cannot list them.
    pub fn build(self) -> Result<RefreshTokens> {
        self.handle.require(&NEEDS)?;
        self.check()?;
        let namespace = self.handle.namespace(&self.namespace)?;
        Ok(RefreshTokens {
            families: namespace.namespace("family")?,
            roster: Roster::new(namespace.namespace("roster")?),
            life: self.life,
            grace: self.grace,
            max_families: self.max_families,
            log: self.log.unwrap_or_else(|| SecurityLog::new(self.handle)),
        })
    }

    fn check(&self) -> Result<()> {
        if last_instant(self.life.starting(self.handle.clock().now())?).is_none() {
            return Err(invalid(
                "these families could live for ever; give them a lifetime with a cap (`at_most`)",
            ));
        }
        if self.grace > RefreshTokens::MAX_GRACE {
            return Err(invalid("the window for retries is longer than a minute; give at most that"));
        }
        if !(1..=RefreshTokens::MOST_FAMILIES).contains(&self.max_families) {
            return Err(invalid("a user may have 1 to 500 families; give a number in that range"));
        }
        if self.handle.capabilities().max_batch < self.max_families + 2 {
            let message =
                "the store commits too few records together to end all of a user's families; allow fewer";
            return Err(Error::new(ErrorKind::Unsupported, "build refresh tokens", message));
        }
        Ok(())
    }
}

#[cold]
fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::Invalid, "build refresh tokens", message)
}
