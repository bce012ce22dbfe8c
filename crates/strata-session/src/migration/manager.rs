//! The manager of guests: [`Guests`] and its settings, [`GuestsBuilder`].

use std::fmt;
use std::time::Duration;

use strata_core::{Atomicity, Error, ErrorKind, Handle, Key, Lifetime, Listing, Needs, Result};

use super::guest::Guest;
use super::migrate::Migrate;
use super::root::Roots;
use crate::basic::Session;
use crate::id::SessionId;
use crate::limits::Limits;
use crate::roster::check_user;
use crate::security::SecurityLog;

/// Guests in one handle, and the users they become. Cheap to clone.
///
/// A guest's values are records of their own in the namespace of the guest, a user's in that of the user; the
/// user's id is escaped ([`Key::escape`]), so that none reaches into another's.
#[derive(Clone)]
pub struct Guests {
    values: Handle,
    roots: Roots,
    users: Handle,
    limits: Limits,
    log: SecurityLog,
}

impl Guests {
    /// Guests in the namespaces `guest` and `guest-root`, users in `user`; values of guests die after 30 days
    /// without activity.
    pub fn new(handle: &Handle) -> Result<Self> {
        Self::builder(handle).build()
    }

    /// Guests with other settings.
    pub fn builder(handle: &Handle) -> GuestsBuilder<'_> {
        GuestsBuilder {
            handle,
            guests: "guest".to_owned(),
            users: "user".to_owned(),
            life: Lifetime::idle(Duration::from_hours(30 * 24)),
            limits: Limits::default(),
            log: None,
        }
    }

    /// The guest of a session. That the session was opened is the proof that the guest's values are its
    /// bearer's; no store call is made.
    pub fn of(&self, session: &Session) -> Result<Guest> {
        Guest::new(self.clone(), session.id())
    }

    /// Where a user's values lie, by their names: for the application to read and write, and where a
    /// migration brings a guest's.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a user id that is empty or has control characters, [`ErrorKind::TooLarge`]
    /// for one over 256 bytes.
    pub fn user(&self, user: &str) -> Result<Handle> {
        check_user("open user", user)?;
        self.users.namespace(&Key::escape(user))
    }

    /// Gives all a guest has to `user` when it is awaited, and `session` a new token with that, for signing
    /// in is a change of privilege (ASVS 7.2.4). The bearer of the session has to have signed in as `user`:
    /// this takes the application's word for it.
    pub fn migrate<'m>(&'m self, session: &'m mut Session, user: &'m str) -> Migrate<'m> {
        Migrate::of_session(self, session, user)
    }

    /// Guests whose migration has begun and not ended, such as after a crash. Costs a look-up by tag.
    pub async fn unfinished(&self) -> Result<Vec<SessionId>> {
        let names = self.roots.unfinished().await?;
        names.iter().map(|name| SessionId::parse(name)).collect()
    }

    /// Ends a migration that has begun, for whom it was begun, when it is awaited: for operators and at
    /// start, for guests who do not come back with their session. Give it the rules the migration has.
    pub fn finish(&self, guest: SessionId) -> Migrate<'_> {
        Migrate::of_guest(self, guest)
    }

    /// Where migrations are written down.
    pub fn log(&self) -> &SecurityLog {
        &self.log
    }

    pub(super) fn values(&self) -> &Handle {
        &self.values
    }

    pub(super) fn roots(&self) -> &Roots {
        &self.roots
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether several records can be changed in one commit.
    pub(super) fn is_atomic(&self) -> bool {
        let capabilities = self.values.capabilities();
        capabilities.atomicity == Atomicity::Batch && capabilities.max_batch >= 2
    }
}

impl fmt::Debug for Guests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guests")
            .field("values", &self.values)
            .field("users", &self.users)
            .field("life", &self.roots.life())
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// The settings of [`Guests`].
#[must_use = "a builder does nothing until `build`"]
#[derive(Debug)]
pub struct GuestsBuilder<'h> {
    handle: &'h Handle,
    guests: String,
    users: String,
    life: Lifetime,
    limits: Limits,
    log: Option<SecurityLog>,
}

impl GuestsBuilder<'_> {
    /// Where guests' values lie; what says whose they are lies beside it, under this name and `-root`.
    pub fn guests_in(mut self, namespace: &str) -> Self {
        namespace.clone_into(&mut self.guests);
        self
    }

    /// Where users' values lie.
    pub fn users_in(mut self, namespace: &str) -> Self {
        namespace.clone_into(&mut self.users);
        self
    }

    /// How long a guest's value lives that is stored without a word about it, and how long it is remembered
    /// that a guest has become a user: longer than a session can last. It has to end.
    pub fn lifetime(mut self, life: impl Into<Lifetime>) -> Self {
        self.life = life.into();
        self
    }

    /// How many values a guest may have, how long their names and how large they may be. The bound on all
    /// bytes together is that of the number and the size.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Writes migrations to this log, in place of one of its own.
    pub fn log(mut self, log: SecurityLog) -> Self {
        self.log = Some(log);
        self
    }

    /// The manager.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a lifetime without end or one that [`Lifetime::starting`] refuses, a bad
    /// namespace, and two that are the same; [`ErrorKind::Unsupported`] for a store that cannot be walked.
    pub fn build(self) -> Result<Guests> {
        let Self { handle, guests, users, life, limits, log } = self;
        handle.require(&Needs { listing: Listing::Indexed, ..Needs::LEAST })?;
        let roots = format!("{guests}-root");
        if life.starting(handle.clock().now())?.deadline().is_none() {
            return Err(unfit("values of guests would never end; give them an idle time, a cap, or both"));
        }
        if users == guests || users == roots {
            return Err(unfit("guests and users would lie in one namespace; give each its own"));
        }
        Ok(Guests {
            values: handle.namespace(&guests)?,
            roots: Roots::new(handle.namespace(&roots)?, life),
            users: handle.namespace(&users)?,
            limits,
            log: log.unwrap_or_else(|| SecurityLog::new(handle)),
        })
    }
}

#[cold]
fn unfit(message: &str) -> Error {
    Error::new(ErrorKind::Invalid, "build guests", message)
}
