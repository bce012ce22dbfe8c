//! Every order in which a few tasks can reach the store: [`Stepped`], a store that pauses before each call, [`every_schedule`],
//! which polls the tasks by hand, and [`sampled_schedules`] where there are too many to try all.

use std::collections::HashSet;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::batch::{Batch, Committed};
use crate::error::Result;
use crate::key::Key;
use crate::record::Record;
use crate::scan::{Page, Scan};
use crate::store::{Capabilities, Store};
use async_trait::async_trait;

/// A store that, once it is told to, gives way before each call, so that a schedule decides which task's call comes next.
pub struct Stepped {
    inner: Arc<dyn Store>,
    pausing: AtomicBool,
    /// How often a call has given way.
    stops: AtomicUsize,
    /// What calls have reached since that was last asked.
    reached: Mutex<Vec<Reach>>,
}

/// What a call reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Read(Key),
    Write(Key),
    ReadAll,
}

impl Stepped {
    /// A store that calls reach in the order they come, until it is told to pause.
    pub fn over(inner: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            pausing: AtomicBool::new(false),
            stops: AtomicUsize::new(0),
            reached: Mutex::default(),
        })
    }

    /// From now on calls give way first, or no longer do.
    pub fn pause(&self, pausing: bool) {
        self.pausing.store(pausing, Ordering::SeqCst);
    }

    /// What calls have reached since this was last asked.
    pub(super) fn reached(&self) -> Vec<Reach> {
        std::mem::take(&mut self.reached.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn reaches(&self, what: impl IntoIterator<Item = Reach>) {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner).extend(what);
    }

    async fn give_way(&self) {
        let mut left = u32::from(self.pausing.load(Ordering::SeqCst));
        std::future::poll_fn(|_| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            self.stops.fetch_add(1, Ordering::SeqCst);
            Poll::Pending
        })
        .await;
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for Stepped {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        self.give_way().await;
        self.reaches([Reach::Read(key.clone())]);
        self.inner.get(key).await
    }

    async fn commit(&self, batch: Batch) -> Result<Committed> {
        self.give_way().await;
        self.reaches(batch.ops.iter().map(|op| Reach::Write(op.key.clone())));
        self.inner.commit(batch).await
    }

    async fn scan(&self, scan: Scan) -> Result<Page> {
        self.give_way().await;
        self.reaches([Reach::ReadAll]);
        self.inner.scan(scan).await
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}

impl fmt::Debug for Stepped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stepped({:?})", self.inner)
    }
}

impl fmt::Display for Stepped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stepped({})", self.inner)
    }
}

/// A task of a schedule.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One world: its store, the tasks that meet in it, and what has to hold when all of them are done.
pub struct World {
    /// What the tasks meet in.
    pub store: Arc<Stepped>,
    /// The tasks.
    pub tasks: Vec<Task>,
    /// What has to hold afterwards.
    pub check: Box<dyn FnOnce()>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("tasks", &self.tasks.len()).finish_non_exhaustive()
    }
}

/// Builds the world anew for each order in which its tasks can be polled, runs it, and checks it. Says how many there were.
pub fn every_schedule(mut world: impl FnMut() -> World) -> usize {
    let mut choices: Vec<(usize, usize)> = Vec::new();
    let mut count = 0;
    loop {
        run(world(), |step, among| {
            if step == choices.len() {
                choices.push((0, among));
            }
            choices[step].0
        });
        count += 1;
        assert!(count < 200_000, "too many schedules to try; let fewer tasks meet");
        while choices.last().is_some_and(|(chosen, among)| chosen + 1 == *among) {
            choices.pop();
        }
        match choices.last_mut() {
            Some((chosen, _)) => *chosen += 1,
            None => return count,
        }
    }
}

/// Runs `count` schedules drawn from `seed`: at each step any of the tasks is as likely as another. The same seed draws the same
/// schedules. Says how many different ones there were.
pub fn sampled_schedules(seed: u64, count: usize, mut world: impl FnMut() -> World) -> usize {
    let mut state = seed;
    let mut different = HashSet::new();
    for _ in 0..count {
        let mut choices = Vec::new();
        run(world(), |_, among| {
            let drawn = draw(&mut state) % among as u64;
            choices.push(drawn);
            // Below `among`, which is a `usize`.
            usize::try_from(drawn).unwrap_or(0)
        });
        different.insert(choices);
    }
    different.len()
}

/// `SplitMix64`, whose draws are known and need no source.
fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// Asks `choose` for each step, with its number, which of so many tasks goes on.
fn run(world: World, mut choose: impl FnMut(usize, usize) -> usize) {
    let World { store, mut tasks, check } = world;
    store.pause(true);
    let mut step = 0;
    while !tasks.is_empty() {
        assert!(step < 1000, "a task never ends");
        let chosen = choose(step, tasks.len());
        if runs_to_its_end(&store, &mut tasks[chosen]) {
            drop(tasks.remove(chosen));
        }
        step += 1;
    }
    store.pause(false);
    check();
}

/// Polls a task up to its next store call. A task that only lets others run, as after a lost race, is polled on: what it does
/// between two calls nobody else can see.
pub(super) fn runs_to_its_end(store: &Stepped, task: &mut Task) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    let before = store.stops.load(Ordering::SeqCst);
    while task.as_mut().poll(&mut context).is_pending() {
        if store.stops.load(Ordering::SeqCst) > before {
            return false;
        }
    }
    true
}
