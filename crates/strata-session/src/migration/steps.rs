//! A migration in steps, each one guarded write that can be made again: for stores that commit one record at
//! a time, and for more values than one commit holds. See the [module](super) for the order of steps and what
//! may surprise.

use strata_core::{Error, ErrorKind, Handle, Lifted, Result, Set, Tag};

use super::guest::is_lost;
use super::migrate::{Migrate, Pair, contended, nothing_begun};
use super::report::{Fate, Report};
use super::root::{Found, MARK, Plan, Root};
use super::rules::relay;
use crate::basic::Session;
use crate::bearer::{ATTEMPTS, ended};

impl Migrate<'_> {
    /// Goes on from wherever the root says it stands, until all is the user's.
    pub(super) async fn in_steps(&self, session: Option<&Session>, user: &str) -> Result<Plan> {
        let mut done = Report::default();
        for _ in 0..ATTEMPTS {
            let found = self.guests.roots().load(self.guest).await?;
            let step = match &found.root {
                Root::Active => self.begin(&found, session, user).await,
                Root::Freezing(plan) => {
                    self.check_user_of(plan, user)?;
                    self.freeze_all(&found, plan).await
                }
                Root::Moving(plan) => {
                    self.check_user_of(plan, user)?;
                    self.move_all(&found, plan, &mut done).await
                }
                Root::Moved(plan) => {
                    self.check_user_of(plan, user)?;
                    return Ok(plan.clone());
                }
            };
            match step {
                Ok(()) => {}
                // Another run was faster: go on from where that one has come.
                Err(error) if is_lost(&error) => self.check_goes_on(session, error).await?,
                Err(error) => return Err(error),
            }
        }
        Err(contended())
    }

    /// Nothing if the next try may come to something else than `error`: a migration has begun, by whichever run, or can
    /// still begin.
    async fn check_goes_on(&self, session: Option<&Session>, error: Error) -> Result<()> {
        match session {
            Some(session) => self.check_open(session, error).await,
            None if self.guests.roots().load(self.guest).await?.root.is_active() => Err(error),
            None => Ok(()),
        }
    }

    /// Makes sure that the session is open; then no guest writes any more.
    async fn begin(&self, found: &Found, session: Option<&Session>, user: &str) -> Result<()> {
        let Some(session) = session else { return Err(nothing_begun()) };
        session.bearer().verified().await?.ok_or_else(ended)?;
        let plan = Plan::new(user, &**self.guests.values().random())?;
        self.put(found, Root::Freezing(plan)).await
    }

    /// Freezes all and decides about it; what a rule refuses, and what cannot be read or written down, calls the migration
    /// off, for it would be met by each run.
    async fn freeze_all(&self, found: &Found, plan: &Plan) -> Result<()> {
        match self.freeze_and_decide(found, plan).await {
            Err(error) if !error.is_retryable() => {
                self.put(found, Root::Active).await?;
                Err(error)
            }
            done => done,
        }
    }

    /// Gives each value a new version, so that whoever read it before cannot change it. Then, as no guest
    /// changes them any more, it is decided about all of them.
    async fn freeze_and_decide(&self, found: &Found, plan: &Plan) -> Result<()> {
        let (values, users) = (self.values()?, self.guests.user(&plan.user)?);
        for name in values.keys("*").collect().await? {
            self.frozen(&values, &name, plan).await?;
        }
        let report = self.rehearse(&users, plan).await?;
        self.put(found, Root::Moving(plan.clone().with(report))).await
    }

    /// Moves what is left, takes the marks off, and closes.
    async fn move_all(&self, found: &Found, plan: &Plan, done: &mut Report) -> Result<()> {
        let (values, users) = (self.values()?, self.guests.user(&plan.user)?);
        for name in values.keys("*").collect().await? {
            if let Some(fate) = self.settle(&values, &users, &name, plan).await? {
                done.note(&name, fate);
            }
        }
        let mark = plan.mark();
        for name in users.select().tag(&mark).keys().collect().await? {
            unmark(&users, &name, &mark).await?;
        }
        let mut plan = plan.clone();
        plan.report.correct(done);
        self.put(found, Root::Moved(plan.clone())).await?;
        self.announce(&plan);
        Ok(())
    }

    async fn put(&self, found: &Found, root: Root) -> Result<()> {
        self.guests.roots().put(self.guest, found, &root).await.map(drop)
    }

    /// Decides about every value and writes nothing: what is refused is refused here.
    async fn rehearse(&self, users: &Handle, plan: &Plan) -> Result<Report> {
        let mut report = Report::default();
        for pair in self.pairs(users).await? {
            let (fate, _) = pair.decide(&self.rules, users)?;
            pair.check_room(fate, &plan.mark())?;
            report.note(&pair.name, fate);
        }
        Ok(report)
    }

    /// The guest's value, frozen by this plan; `None` if there is none.
    async fn frozen(&self, values: &Handle, name: &str, plan: &Plan) -> Result<Option<Lifted>> {
        let mark = plan.mark();
        for _ in 0..ATTEMPTS {
            let Some(lifted) = values.lift(name).await? else { return Ok(None) };
            if is_marked(&lifted, &mark) {
                return Ok(Some(lifted));
            }
            let set = relay(values, name, &lifted).tag(&mark).if_version(lifted.version());
            retriable(set.await.map(drop), values, [Some(&lifted), None])?;
        }
        Err(contended())
    }

    /// Moves one value. What was done to it, or `None` if there is nothing left of it.
    async fn settle(&self, values: &Handle, users: &Handle, name: &str, plan: &Plan) -> Result<Option<Fate>> {
        let mark = plan.mark();
        for _ in 0..ATTEMPTS {
            // The user's first: as long as the guest's is there afterwards, nobody has taken a mark off what
            // was read before.
            let user = users.lift(name).await?;
            let Some(guest) = self.frozen(values, name, plan).await? else { return Ok(None) };
            let pair = Pair { name: name.to_owned(), guest, user };
            let is_done = pair.user.as_ref().is_some_and(|user| is_marked(user, &mark));
            let fate = if is_done { None } else { Some(self.give(users, &pair, &mark).await) };
            let fate = match fate.transpose() {
                Ok(fate) => fate,
                Err(error) => {
                    retriable(Err(error), values, [Some(&pair.guest), pair.user.as_ref()])?;
                    continue;
                }
            };
            match values.remove_if(name, pair.guest.version()).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) if error.kind() != ErrorKind::Gone => return Err(error),
                _ => return Ok(fate),
            }
        }
        Err(contended())
    }

    /// The user's part of a value, with the plan's mark in the same write, so that it is not made twice.
    async fn give(&self, users: &Handle, pair: &Pair, mark: &str) -> Result<Fate> {
        let (fate, set) = pair.decide(&self.rules, users)?;
        let Some(set) = set else { return Ok(fate) };
        let kept = pair.user.iter().flat_map(|user| user.tags().iter().map(Tag::as_str));
        let set = match fate {
            Fate::Merged => kept.fold(set, Set::tag),
            _ => kept.filter(|tag| tag.starts_with(MARK)).fold(set, Set::tag),
        };
        set.tag(mark).await.map(|_| fate)
    }
}

impl Pair {
    /// Refuses a record that has no room for a plan's mark beside its own tags.
    fn check_room(&self, fate: Fate, mark: &str) -> Result<()> {
        let Some(user) = self.user.as_ref().filter(|_| fate == Fate::Merged) else { return Ok(()) };
        let tags = user.tags().iter().cloned().chain([Tag::new(mark)?]);
        strata_core::Tags::new(tags).map(drop).map_err(|error| {
            let message = format!(
                "the user's `{}` has as many tags as there can be, and a migration in steps needs one more; remove one",
                self.name
            );
            Error::new(error.kind(), "migrate guest", message)
        })
    }
}

fn is_marked(lifted: &Lifted, mark: &str) -> bool {
    lifted.tags().iter().any(|tag| tag.as_str() == mark)
}

/// Takes a plan's mark off a user's record, whatever the user has made of it.
async fn unmark(users: &Handle, name: &str, mark: &str) -> Result<()> {
    for _ in 0..ATTEMPTS {
        let Some(lifted) = users.lift(name).await? else { return Ok(()) };
        if !is_marked(&lifted, mark) {
            return Ok(());
        }
        let tags = lifted.tags().iter().map(Tag::as_str).filter(|tag| *tag != mark);
        let set = tags.fold(users.lay(name, &lifted).untagged(), Set::tag).if_version(lifted.version());
        retriable(set.await.map(drop), users, [Some(&lifted), None])?;
    }
    Err(contended())
}

/// Nothing if the next try may come to something else: somebody was faster, or one of the values has died
/// since it was read.
fn retriable(result: Result<()>, handle: &Handle, read: [Option<&Lifted>; 2]) -> Result<()> {
    let now = handle.clock().now();
    let has_aged = || read.iter().flatten().any(|lifted| lifted.expiry().is_dead(now));
    match result {
        Err(error) if is_lost(&error) => Ok(()),
        Err(error) if error.kind() == ErrorKind::Invalid && has_aged() => Ok(()),
        other => other,
    }
}
