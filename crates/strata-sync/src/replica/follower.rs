//! Keeping a replica in step: [`Follower`]. It alone writes the copy, and it goes on listening while it reads: what is heard during a read
//! is a reason for another one, so the last read of a record always began after the last change that was heard of it.

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use strata_core::{
    BoxFuture, Change, ChangeKind, Error, ErrorKind, Event, Info, Key, MaybeSend, MaybeSync, Result,
    Subscription, Timer, Timestamp, Value,
};
use tokio::sync::oneshot;

use super::Shared;
use super::changes::ReplicaEvent;
use super::held::Put;
use super::standing::Phase;
use super::todo::{Job, Reason, Todo};

/// The pause after a first failure; it doubles up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How often a replica looks anew by itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) check: Duration,
    pub(super) resync: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { check: Duration::from_secs(30), resync: Duration::from_mins(10) }
    }
}

/// The work behind a replica. Whoever polls [`Follower::run`] owns it; a failure of the store is tried again, with pauses that grow to 30
/// seconds, and never the end of it.
#[must_use = "a replica that nobody follows stays empty"]
pub struct Follower<T> {
    shared: Arc<Shared<T>>,
    ears: Ears<T>,
    round: u64,
    /// Whether something was lost that subscribers have to be told of.
    owes_word: bool,
    stopped: Option<oneshot::Receiver<()>>,
}

/// What the follower listens to, and what that comes to.
struct Ears<T> {
    shared: Arc<Shared<T>>,
    subscription: Subscription,
    todo: Todo,
    timer: Arc<dyn Timer>,
    pace: Pace,
    check: Option<BoxFuture<'static, ()>>,
    /// When everything was read last.
    loaded: Timestamp,
}

enum Heard {
    Event(Event),
    Asked,
    Check,
}

impl<T: Value + MaybeSend + MaybeSync + 'static> Follower<T> {
    pub(super) fn new(
        shared: Arc<Shared<T>>,
        subscription: Subscription,
        timer: Arc<dyn Timer>,
        pace: Pace,
        stopped: oneshot::Receiver<()>,
    ) -> Self {
        let loaded = shared.now();
        let ears = Ears {
            shared: Arc::clone(&shared),
            subscription,
            todo: Todo::everything(),
            timer,
            pace,
            check: None,
            loaded,
        };
        Self { shared, ears, round: 0, owes_word: true, stopped: Some(stopped) }
    }

    /// Loads the replica and keeps it in step until its last clone is dropped.
    pub async fn run(mut self) {
        let stopped = self.stopped.take();
        let mut following = pin!(self.follow());
        let Some(mut stopped) = stopped else { match following.await {} };
        poll_fn(|context| match Pin::new(&mut stopped).poll(context) {
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending => following.as_mut().poll(context).map(|never| match never {}),
        })
        .await;
    }

    /// As [`Follower::run`], for whoever keeps the follower: it never ends, and dropping the future loses nothing.
    pub async fn follow(&mut self) -> Infallible {
        let mut pause = PAUSE;
        loop {
            match self.catch_up().await {
                Ok(()) => {
                    pause = PAUSE;
                    self.ears.hear().await;
                }
                Err(error) => {
                    tracing::warn!(target: "strata::replica", "{error}");
                    let timer = Arc::clone(&self.ears.timer);
                    self.ears.during(timer.sleep(pause)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Reads all that has been heard of so far, and everything at first, and returns. For programs and tests that decide when: as
    /// [`Follower::run`], without waiting for more.
    ///
    /// # Errors
    /// What the store reports; what could not be read is read by the next call. So is what was under way when the future is dropped.
    pub async fn catch_up(&mut self) -> Result<()> {
        loop {
            self.ears.drain();
            let done = match self.ears.todo.take() {
                Some(Job::Everything) => self.load().await,
                Some(Job::Name(key, reason)) => self.reread(key, reason).await,
                None => {
                    self.shared.reach();
                    return Ok(());
                }
            };
            match done {
                Ok(()) => self.ears.todo.done(),
                Err(error) => {
                    self.shared.fail(&error);
                    return Err(error);
                }
            }
        }
    }

    async fn load(&mut self) -> Result<()> {
        self.owes_word |= self.shared.counts.loaded.get() == 0;
        let shared = Arc::clone(&self.shared);
        self.round += 1;
        let begun = shared.now();
        let (mut changed, mut whole) = (false, true);
        let mut walk = shared.handle.select().glob(&shared.glob).inspections::<T>();
        while let Some(found) = self.ears.during(walk.next()).await {
            let (key, inspected) = found?;
            if self.ears.todo.has_ended(&key) {
                continue;
            }
            let put = shared.show(&key, inspected.map(Some), self.round)?;
            changed |= put == Put::Changed;
            whole &= put != Put::LeftOut;
        }
        changed |= shared.held.keep_only(self.round) > 0;
        shared.held.set_complete(whole);
        shared.counts.loaded.add(1);
        self.ears.loaded = begun;
        if changed || self.owes_word {
            self.owes_word = false;
            shared.tellers.tell(ReplicaEvent::Resynchronised);
        }
        Ok(())
    }

    async fn reread(&mut self, key: Key, reason: Reason) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        let name = shared.local(&key);
        let found = self.ears.during(shared.handle.inspect::<T>(name)).await;
        if self.ears.todo.has_ended(&key) {
            // Begun before the end that was heard meanwhile; it is read once more.
            return Ok(());
        }
        shared.show(&key, found, self.round)?;
        shared.counts.reread.add(1);
        if let Some(change) = reason.news {
            shared.tellers.tell(ReplicaEvent::Changed(change));
        }
        Ok(())
    }
}

impl<T: Value + MaybeSend + MaybeSync + 'static> Ears<T> {
    /// Waits until something is heard, and takes it down.
    async fn hear(&mut self) {
        let heard = self.next().await;
        self.take_down(heard);
    }

    /// Runs `step`, taking down what is heard meanwhile. What can be heard is heard first.
    async fn during<R>(&mut self, step: impl Future<Output = R>) -> R {
        let mut step = pin!(step);
        loop {
            let heard = {
                let mut next = pin!(self.next());
                poll_fn(|context| match next.as_mut().poll(context) {
                    Poll::Ready(heard) => Poll::Ready(Err(heard)),
                    Poll::Pending => step.as_mut().poll(context).map(Ok),
                })
                .await
            };
            match heard {
                Ok(done) => return done,
                Err(heard) => self.take_down(heard),
            }
        }
    }

    async fn next(&mut self) -> Heard {
        let Self { shared, subscription, timer, pace, check, .. } = self;
        let mut event = pin!(subscription.next());
        let mut asked = pin!(shared.asked.some());
        let check = check.get_or_insert_with(|| timer.sleep(pace.check));
        poll_fn(|context| {
            if let Poll::Ready(Some(event)) = event.as_mut().poll(context) {
                return Poll::Ready(Heard::Event(event));
            }
            if asked.as_mut().poll(context).is_ready() {
                return Poll::Ready(Heard::Asked);
            }
            check.as_mut().poll(context).map(|()| Heard::Check)
        })
        .await
    }

    /// Takes down what has been heard without waiting.
    fn drain(&mut self) {
        while let Some(event) = self.subscription.try_next() {
            self.take_down(Heard::Event(event));
        }
        self.take_down(Heard::Asked);
    }

    fn take_down(&mut self, heard: Heard) {
        match heard {
            Heard::Event(Event::Change(change)) => self.take_change(change),
            Heard::Event(Event::Lagged(lost)) => {
                self.shared.counts.lost.add(lost);
                self.shared.tellers.tell(ReplicaEvent::Behind(lost));
                self.todo.read_everything();
            }
            Heard::Asked => {
                for key in self.shared.asked.take() {
                    self.todo.again(key, Reason::default());
                }
            }
            Heard::Check => self.take_check(),
        }
        if !self.todo.is_empty() {
            self.shared.fall_behind();
        }
    }

    /// An end is shown at once; what came after it, if anything, is read.
    fn take_change(&mut self, change: Change) {
        if matches!(change.kind, ChangeKind::Removed | ChangeKind::Expired) {
            self.shared.held.remove(self.shared.local(&change.key));
        }
        self.todo.hear(change);
    }

    fn take_check(&mut self) {
        self.check = None;
        let now = self.shared.now();
        if now.since(self.loaded) >= self.pace.resync {
            self.todo.read_everything();
        }
        for name in self.shared.held.check(now, now.saturating_add(self.pace.check)) {
            if let Ok(key) = self.shared.handle.key(&name) {
                self.todo.again(key, Reason::default());
            }
        }
    }
}

impl<T> Shared<T> {
    /// Shows what a read found. An error is the store's; a record that cannot be read is not shown and makes the replica incomplete.
    fn show(&self, key: &Key, found: Result<Option<(T, Info)>>, round: u64) -> Result<Put> {
        let name = self.local(key);
        match found {
            Ok(Some((value, info))) => {
                let put = self.held.put(name, value, &info, round);
                self.counts.left_out.add(u64::from(put == Put::LeftOut));
                Ok(put)
            }
            Ok(None) => Ok(if self.held.remove(name) { Put::Changed } else { Put::Same }),
            Err(error) if of_the_record(&error) => {
                self.counts.unreadable.add(1);
                self.held.remove(name);
                self.held.set_complete(false);
                Ok(Put::LeftOut)
            }
            Err(error) => Err(error),
        }
    }

    fn reach(&self) {
        let now = self.now();
        self.standing.send_if_modified(|standing| standing.reach(now));
    }

    fn fall_behind(&self) {
        let now = self.now();
        self.standing.send_if_modified(|standing| standing.fall_behind(now));
    }

    fn fail(&self, error: &Error) {
        self.counts.failures.add(1);
        self.standing.send_modify(|standing| standing.fail(error));
    }
}

/// Whether an error is about one record rather than the store.
fn of_the_record(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Mismatch
            | ErrorKind::Corrupt
            | ErrorKind::MissingKey
            | ErrorKind::WrongKey
            | ErrorKind::Downgrade
            | ErrorKind::Newer
            | ErrorKind::Unsupported
    )
}

impl<T> Drop for Follower<T> {
    fn drop(&mut self) {
        let now = self.shared.now();
        self.shared.standing.send_modify(|standing| standing.stop(now));
    }
}

impl<T> fmt::Debug for Follower<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase: Phase = self.shared.standing.borrow().phase;
        f.debug_struct("Follower").field("phase", &phase).finish_non_exhaustive()
    }
}
