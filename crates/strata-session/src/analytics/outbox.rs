//! The queue of reports in the store: [`Outbox`]. Its length is bounded and what it loses is counted, in a ledger that changes in the same
//! commit as the queue.

use std::time::Duration;

use strata_core::{Guard, Handle, Lifetime, Result, Staged, Version};

use super::contention::{Contention, is_lost};
use super::names::{self, LEDGER, OUTBOX};
use super::record::{Ledger, Lost, Parcel, Stored};
use super::recorder::Recorder;
use super::report::Happened;

/// What waits for delivery, and what was lost before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Queue {
    /// How many reports wait.
    pub waiting: u64,
    /// How many were dropped undelivered, and why.
    pub lost: Lost,
}

/// Reports that wait in one namespace.
#[derive(Clone, Debug)]
pub(super) struct Outbox {
    handle: Handle,
    kept: Duration,
    most: u64,
}

/// A parcel as it was read.
#[derive(Clone)]
pub(super) struct Waiting {
    pub(super) name: String,
    pub(super) parcel: Parcel,
    pub(super) version: Version,
}

/// Why a parcel goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    Delivered,
    Rejected,
    TooLarge,
    Expired,
}

impl Recorder {
    /// What waits for delivery, and what was lost. Walks the queue.
    pub async fn queue(&self) -> Result<Queue> {
        let waiting = self.outbox.count().await?;
        let lost = self.outbox.ledger().await?.0.lost;
        Ok(Queue { waiting, lost })
    }
}

impl Outbox {
    pub(super) fn new(handle: Handle, kept: Duration, most: u64) -> Self {
        Self { handle, kept, most }
    }

    /// How long a report waits.
    pub(super) fn kept(&self) -> Duration {
        self.kept
    }

    /// The names of all that waits, oldest first.
    pub(super) async fn names(&self) -> Result<Vec<String>> {
        self.handle.select().prefix(OUTBOX).keys().collect().await
    }

    async fn count(&self) -> Result<u64> {
        self.handle.select().prefix(OUTBOX).count().await
    }

    /// What waits under `name`, if it still does.
    pub(super) async fn peek(&self, name: &str) -> Result<Option<Waiting>> {
        let found = self.handle.peek_versioned(name).await?;
        Ok(found.map(|(parcel, version)| Waiting { name: name.to_owned(), parcel, version }))
    }

    /// Puts a parcel at the end, together with `removal` of the open visit it is about. A full queue drops its oldest one in
    /// the same commit.
    ///
    /// One try: a lost race is the caller's, who has to look at the visit again.
    pub(super) async fn put(&self, removal: Staged<'_>, parcel: &Parcel, tag: &str) -> Result<()> {
        let (mut ledger, version) = self.ledger().await?;
        let evicted = if ledger.waiting >= self.most { self.make_room(&mut ledger).await? } else { None };
        let name = names::parcel(ledger.next);
        ledger.next += 1;
        ledger.waiting += 1;
        // Beyond the time it waits, so that one that is too old is counted before the sweeper takes it.
        let life = Lifetime::ttl(self.kept + Duration::from_hours(24));
        let put = self.handle.set(&name, parcel).lifetime(life).tag(tag).if_absent();
        let mut writes = self.handle.writes().stage(removal).stage(put).stage(self.stage(&ledger, version));
        if let Some(oldest) = &evicted {
            writes = writes.stage(self.handle.guarded_removal(&oldest.name, Guard::Version(oldest.version)));
        }
        writes.commit().await?;
        if let Some(oldest) = evicted {
            // What is left of it if this fails dies by itself; the report that was to be put is in.
            let _ = self.clear_events(&oldest.parcel).await;
        }
        Ok(())
    }

    /// The oldest parcel, if the queue is as full as the ledger says: it counts what died by itself, too. As long as nothing can have
    /// died the queue is not walked: in an outage every visit that ends comes by here.
    async fn make_room(&self, ledger: &mut Ledger) -> Result<Option<Waiting>> {
        let oldest = self.handle.select().prefix(OUTBOX).keys().next().await.transpose()?;
        let since =
            oldest.as_deref().and_then(names::number).map(|number| ledger.next.saturating_sub(number));
        if since != Some(ledger.waiting) {
            ledger.waiting = self.count().await?;
        }
        let Some(oldest) = oldest.filter(|_| ledger.waiting >= self.most) else { return Ok(None) };
        let oldest = self.peek(&oldest).await?;
        if oldest.is_some() {
            ledger.waiting -= 1;
            ledger.lost.full += 1;
        }
        Ok(oldest)
    }

    /// Counts the beginning of a sending of all of them, and keeps other senders away for `lease`. `false` if one of them is in
    /// other hands by now; then nothing was changed.
    pub(super) async fn claim(&self, parcels: &mut [Waiting], lease: Duration) -> Result<bool> {
        let until = self.handle.clock().now().saturating_add(lease).as_millis();
        let mut writes = self.handle.writes();
        for waiting in &mut *parcels {
            waiting.parcel.attempts = waiting.parcel.attempts.saturating_add(1);
            waiting.parcel.not_before = until;
            writes =
                writes.stage(self.handle.set(&waiting.name, &waiting.parcel).if_version(waiting.version));
        }
        match writes.commit().await {
            Ok(outcomes) => {
                for (waiting, outcome) in parcels.iter_mut().zip(outcomes) {
                    // A put leaves a version.
                    waiting.version = outcome.after.unwrap_or(waiting.version);
                }
                Ok(true)
            }
            Err(error) if is_lost(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes down that a parcel waits until its `not_before`. One that is in other hands is left to them.
    pub(super) async fn postpone(&self, waiting: &Waiting) -> Result<()> {
        let set = self.handle.set(&waiting.name, &waiting.parcel).if_version(waiting.version);
        match set.await {
            Err(error) if is_lost(&error) => Ok(()),
            done => done.map(drop),
        }
    }

    /// Takes off what was delivered of a parcel that has more: `sent` is the names of its events. With a `fate`, that part is lost and
    /// counted. `None` if the parcel is in other hands.
    pub(super) async fn advance(
        &self,
        mut waiting: Waiting,
        sent: &[String],
        fate: Option<Fate>,
    ) -> Result<Option<Waiting>> {
        waiting.parcel.begun = true;
        (waiting.parcel.attempts, waiting.parcel.rejections, waiting.parcel.not_before) = (0, 0, 0);
        let count = |ledger: &mut Ledger| fate.is_some_and(|fate| ledger.count(fate));
        let version = self.take_off(&waiting, sent, Some(&waiting.parcel), count).await?;
        Ok(version.map(|version| Waiting { version: version.unwrap_or(waiting.version), ..waiting }))
    }

    /// Takes a parcel off the queue, with the events `sent` of it, and counts why. Says whether it was still there.
    pub(super) async fn finish(&self, waiting: &Waiting, sent: &[String], fate: Fate) -> Result<bool> {
        let count = |ledger: &mut Ledger| {
            ledger.waiting = ledger.waiting.saturating_sub(1);
            ledger.count(fate);
            true
        };
        let done = self.take_off(waiting, sent, None, count).await?.is_some();
        if done && !matches!(fate, Fate::Delivered) {
            self.clear_events(&waiting.parcel).await?;
        }
        Ok(done)
    }

    /// One commit: the events `sent` go, the parcel changes to `next` or goes, the ledger changes if `count` says so. The version that
    /// is left, if any; `None` if the parcel is in other hands.
    async fn take_off(
        &self,
        waiting: &Waiting,
        sent: &[String],
        next: Option<&Parcel>,
        count: impl Fn(&mut Ledger) -> bool,
    ) -> Result<Option<Option<Version>>> {
        let mut contention = Contention::default();
        loop {
            let (mut ledger, version) = self.ledger().await?;
            let mut writes = self.handle.writes().stage(match next {
                Some(next) => Staged::from(self.handle.set(&waiting.name, next).if_version(waiting.version)),
                None => self.handle.guarded_removal(&waiting.name, Guard::Version(waiting.version)),
            });
            if count(&mut ledger) {
                writes = writes.stage(self.stage(&ledger, version));
            }
            writes = sent.iter().fold(writes, |writes, name| writes.stage(self.handle.removal(name)));
            match writes.commit().await {
                Ok(outcomes) => return Ok(Some(outcomes.first().and_then(|outcome| outcome.after))),
                Err(error) if !is_lost(&error) => return Err(error),
                // The parcel or the ledger: only the ledger is worth another try.
                Err(_) => match self.peek(&waiting.name).await? {
                    Some(found) if found.version == waiting.version => contention.again().await?,
                    _ => return Ok(None),
                },
            }
        }
    }

    /// The first events that are left of a parcel, at most `limit`, with the names of their records; and whether there are more.
    pub(super) async fn events(
        &self,
        parcel: &Parcel,
        limit: usize,
    ) -> Result<(Vec<(String, Happened)>, bool)> {
        let mut walk = self.handle.select().prefix(&parcel.events()).entries::<Stored>();
        let mut events = Vec::new();
        while let Some(found) = walk.next().await {
            let (name, Stored { at, act }) = found?;
            if events.len() == limit {
                return Ok((events, true));
            }
            // Names of events end with their number; another record does not lie there.
            let Some(sequence) = names::sequence(&name) else { continue };
            events.push((name, Happened { sequence, at, act }));
        }
        Ok((events, false))
    }

    async fn clear_events(&self, parcel: &Parcel) -> Result<()> {
        self.handle.select().prefix(&parcel.events()).clear().await.map(drop)
    }

    async fn ledger(&self) -> Result<(Ledger, Option<Version>)> {
        let found = self.handle.peek_versioned::<Ledger>(LEDGER).await?;
        Ok(found.map_or((Ledger::default(), None), |(ledger, version)| (ledger, Some(version))))
    }

    fn stage(&self, ledger: &Ledger, version: Option<Version>) -> Staged<'_> {
        let set = self.handle.set(LEDGER, ledger);
        match version {
            Some(version) => set.if_version(version).into(),
            None => set.if_absent().into(),
        }
    }
}

impl Ledger {
    /// Counts a loss. Says whether there is one.
    fn count(&mut self, fate: Fate) -> bool {
        match fate {
            Fate::Delivered => return false,
            Fate::Rejected => self.lost.rejected += 1,
            Fate::TooLarge => self.lost.too_large += 1,
            Fate::Expired => self.lost.expired += 1,
        }
        true
    }
}
