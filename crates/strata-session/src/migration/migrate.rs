//! One migration: [`Migrate`], a builder that is awaited, and what it came to, [`Migrated`]. How the values
//! go is in `at_once` and `steps`; here is what both have in common.

use std::fmt;
use std::pin::Pin;

use strata_core::{BoxFuture, Error, ErrorKind, Handle, Lifted, Result, Set, Timestamp};

use super::guest::is_lost;
use super::manager::Guests;
use super::report::{Fate, Report};
use super::root::{Found, Plan, Root};
use super::rules::Rules;
use crate::basic::Session;
use crate::bearer::ended;
use crate::id::SessionId;
use crate::roster::check_user;
use crate::security::{Misuse, SecurityEventKind};
use crate::token::SessionToken;

/// A migration on its way. Run twice it has run once: the second run finds all moved, says what the first
/// did, and gives the session another token.
///
/// # When it resolves
/// All the guest had belongs to the user, as durably as the handle says, and the guest writes no more. Where
/// the store commits several records at once and the values are few enough, that is one commit, the new token
/// in it. Else, and where others change the values all the time, it goes in steps (see the
/// [module](super)), the token last.
///
/// # Errors
/// After any of them it can be run again.
/// - [`ErrorKind::Denied`] when the guest has become, or is becoming, another user.
/// - [`ErrorKind::Gone`] when the session has ended or its token was replaced, before anything was moved.
/// - What a merge refuses, such as [`ErrorKind::TooLarge`] of a cart and [`ErrorKind::Mismatch`] of another
///   type, with the name, and a value that cannot be read: nothing has changed then, except when in steps a
///   change of the user's own made it so after moving had begun; what was moved by then stays moved, the rest
///   waits for the next run.
/// - [`ErrorKind::Unavailable`] and whatever else the store reports: the migration has been made, or begun,
///   or neither.
#[must_use = "nothing is migrated until this is awaited"]
pub struct Migrate<'m> {
    pub(super) guests: &'m Guests,
    pub(super) guest: SessionId,
    session: Option<&'m mut Session>,
    user: Option<&'m str>,
    pub(super) rules: Rules,
    ends: bool,
}

/// How often one commit is tried while others change what it is about, before it goes in steps.
const PATIENCE: usize = 32;

/// What a migration came to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Migrated {
    /// What became of each value, also if an earlier run did it.
    pub report: Report,
    /// The new token of the session, to hand to the client. `None` if the session has ended, as
    /// [`Migrate::ending_session`] asks, and if another run has rotated it: that one has the token, and if
    /// its answer was lost, nobody has.
    pub token: Option<SessionToken>,
}

/// How far a run in one commit came.
pub(super) enum Done {
    /// All is the user's, and the session has what it gets.
    Whole(Plan, Option<SessionToken>),
    /// All is the user's; the session's part is due.
    Moved(Plan),
    /// It takes steps: one has begun already, or this store or this many values need them.
    Steps,
}

impl<'m> Migrate<'m> {
    pub(super) fn of_session(guests: &'m Guests, session: &'m mut Session, user: &'m str) -> Self {
        let guest = session.id();
        Self { session: Some(session), user: Some(user), ..Self::of_guest(guests, guest) }
    }

    pub(super) fn of_guest(guests: &'m Guests, guest: SessionId) -> Self {
        Self { guests, guest, session: None, user: None, rules: Rules::standard(), ends: false }
    }

    /// What becomes of each value, in place of [`Rules::standard`].
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// Ends the session in place of giving it a new token: for programs whose signing in has made another
    /// one.
    pub fn ending_session(mut self) -> Self {
        self.ends = true;
        self
    }

    async fn run(mut self) -> Result<Migrated> {
        self.rules.check()?;
        let session = self.session.take();
        let Some((session, user)) = session.zip(self.user) else { return self.finish().await };
        check_user("migrate guest", user)?;
        let plan = match self.at_once(session, user).await? {
            Done::Whole(plan, token) => return Ok(Migrated { report: plan.report, token }),
            Done::Moved(plan) => plan,
            Done::Steps => self.in_steps(Some(session), user).await?,
        };
        Ok(Migrated { token: self.renew(session).await?, report: plan.report })
    }

    /// Ends what has begun, whosever session it was.
    async fn finish(self) -> Result<Migrated> {
        let plan = match self.guests.roots().load(self.guest).await?.root {
            Root::Active => return Err(nothing_begun()),
            Root::Freezing(plan) | Root::Moving(plan) => self.in_steps(None, &plan.user).await?,
            Root::Moved(plan) => plan,
        };
        Ok(Migrated { report: plan.report, token: None })
    }

    /// The session's part, where it is no part of the commit.
    async fn renew(&self, session: &mut Session) -> Result<Option<SessionToken>> {
        let renewed =
            if self.ends { session.destroy().await.map(|_| None) } else { session.rotate().await.map(Some) };
        match renewed {
            // It has ended, or another run was faster.
            Err(error) if error.kind() == ErrorKind::Gone => Ok(None),
            renewed => renewed,
        }
    }

    /// Everything in one commit, if that can be.
    async fn at_once(&self, session: &mut Session, user: &str) -> Result<Done> {
        for _ in 0..PATIENCE {
            let found = self.guests.roots().load(self.guest).await?;
            match found.root {
                Root::Moved(plan) => {
                    self.check_user_of(&plan, user)?;
                    return Ok(Done::Moved(plan));
                }
                Root::Active if self.guests.is_atomic() => {}
                Root::Active | Root::Freezing(_) | Root::Moving(_) => return Ok(Done::Steps),
            }
            match self.try_at_once(&found, session, user).await {
                Ok(Some(done)) => return Ok(done),
                // Something that was read has ended since.
                Ok(None) => {}
                // A session that is not open any more stops here, unless another run has made it so by moving
                // all.
                Err(error) if is_lost(&error) => self.check_open(session, error).await?,
                Err(error) => return Err(error),
            }
        }
        // Somebody writes all the time; steps stop the guest first.
        Ok(Done::Steps)
    }

    /// Nothing if the next try may come to something else than `error`.
    pub(super) async fn check_open(&self, session: &Session, error: Error) -> Result<()> {
        let is_active = self.guests.roots().load(self.guest).await?.root.is_active();
        if is_active && !session.bearer().is_alive().await? { Err(error) } else { Ok(()) }
    }

    async fn try_at_once(&self, found: &Found, session: &mut Session, user: &str) -> Result<Option<Done>> {
        let bearer = session.bearer();
        if !self.guests.values().commits_with(bearer.handle()) {
            bearer.verified().await?.ok_or_else(ended)?;
            return Ok(self.commit_at_once(found, user, None).await?.map(|done| match done {
                Done::Whole(plan, _) => Done::Moved(plan),
                other => other,
            }));
        }
        if self.ends {
            let part = bearer.stage_end().await?;
            return self.commit_at_once(found, user, Some(part)).await;
        }
        let (token, part) = bearer.stage_rotation().await?;
        Ok(match self.commit_at_once(found, user, Some(part)).await? {
            Some(Done::Whole(plan, _)) => {
                session.bearer_mut().adopt(&token);
                Some(Done::Whole(plan, Some(token)))
            }
            other => other,
        })
    }

    pub(super) fn check_user_of(&self, plan: &Plan, user: &str) -> Result<()> {
        if plan.user == user {
            return Ok(());
        }
        let log = self.guests.log();
        log.event(SecurityEventKind::InvalidUse(Misuse::OtherUser)).session(self.guest).user(user).write();
        Err(Error::new(
            ErrorKind::Denied,
            "migrate guest",
            "the guest has become another user already; what they had is that one's",
        ))
    }

    pub(super) fn announce(&self, plan: &Plan) {
        let log = self.guests.log();
        log.event(SecurityEventKind::GuestMigrated).session(self.guest).user(&plan.user).write();
    }

    /// The guest's values as they are, and the user's beside them.
    pub(super) async fn pairs(&self, user: &Handle) -> Result<Vec<Pair>> {
        let values = self.values()?;
        let mut pairs = Vec::new();
        for name in values.keys("*").collect().await? {
            // One that has ended since is not there to be moved.
            if let Some(guest) = values.lift(&name).await? {
                let of_user = user.lift(&name).await?;
                pairs.push(Pair { name, guest, user: of_user });
            }
        }
        Ok(pairs)
    }

    /// The guest's values.
    pub(super) fn values(&self) -> Result<Handle> {
        self.guests.values().namespace(&self.guest.to_string())
    }
}

/// A guest's value and the user's of the same name.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) name: String,
    pub(super) guest: Lifted,
    pub(super) user: Option<Lifted>,
}

impl Pair {
    /// What becomes of it, and the change of the user's record that makes it so, under its guard.
    pub(super) fn decide<'h>(&self, rules: &Rules, users: &'h Handle) -> Result<(Fate, Option<Set<'h>>)> {
        let (fate, set) = rules.decide(users, &self.name, &self.guest, self.user.as_ref())?;
        let guarded = set.map(|set| match &self.user {
            Some(user) => set.if_version(user.version()),
            None => set.if_absent(),
        });
        // A result too large to be stored is refused with what else is, before anything has changed.
        Ok((fate, guarded.map(Set::checked).transpose()?))
    }

    /// Whether one of the two has died since it was read.
    pub(super) fn has_aged(&self, now: Timestamp) -> bool {
        self.guest.expiry().is_dead(now) || self.user.as_ref().is_some_and(|user| user.expiry().is_dead(now))
    }
}

impl<'m> IntoFuture for Migrate<'m> {
    type Output = Result<Migrated>;
    type IntoFuture = BoxFuture<'m, Result<Migrated>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run()) as Pin<Box<_>>
    }
}

impl fmt::Debug for Migrate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Migrate")
            .field("guest", &self.guest)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

#[cold]
pub(super) fn contended() -> Error {
    let message = "what was to be migrated was changed by others each time this was tried; retry";
    Error::new(ErrorKind::Conflict, "migrate guest", message)
}

#[cold]
pub(super) fn nothing_begun() -> Error {
    let message = "no migration of this guest has begun; migrate it with its session";
    Error::new(ErrorKind::Gone, "finish migration", message)
}
