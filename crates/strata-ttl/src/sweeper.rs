//! Housekeeping: [`Sweeper`], which removes what has died, announces each expiry, and raises the watermark.

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use strata_core::{Error, ErrorKind, Handle, Listing, MaybeSend, MaybeSync, Needs, Purged, Result, Timer};

use crate::report::SweepReport;
use crate::watermark::Watermark;

/// Removes dead records of a whole store, in bounded steps, again and again.
///
/// It is housekeeping: dead values are never served, swept or not. Several sweepers, in one process or in many, may share a
/// store: each expiry is announced by the one that removed the remains, so at most once.
///
/// # What a kill can take back
/// The watermark is raised once per sweep. If the process is killed and the wall is set back before the next start, what died
/// since the last sweep, at most an [interval](Sweeper::interval) ago while sweeps succeed, lives again; see [`Watermark`].
///
/// # Running and stopping
/// [`Sweeper::run`] is a future that never ends by itself; whoever spawns it owns it. To stop, drop the future or abort its
/// task, at any point: each step is one commit, which has happened wholly or not at all, and the counts are brought up to date
/// after each. What a step removed that was under way when the future was dropped is not counted and not announced one by
/// one; subscribers hear [`Event::Lagged`](strata_core::Event::Lagged) instead. The umbrella crate wraps this into a guard whose drop stops the sweeper.
pub struct Sweeper {
    handle: Handle,
    timer: Arc<dyn Timer>,
    watermark: Option<Watermark>,
    interval: Duration,
    step: usize,
    report: Mutex<SweepReport>,
    hook: Option<Box<dyn Hook>>,
}

/// What one sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// Dead records it came across.
    pub seen: u64,
    /// Those it removed and announced.
    pub removed: u64,
    /// How many steps it took, each of them one page and, where the store can, one commit.
    pub steps: u64,
}

trait Hook: Fn(&Result<Swept>) + MaybeSend + MaybeSync {}
impl<F: Fn(&Result<Swept>) + MaybeSend + MaybeSync> Hook for F {}

impl Sweeper {
    /// The time between sweeps unless told otherwise: one minute.
    pub const INTERVAL: Duration = Duration::from_mins(1);
    /// The most records one step looks at unless told otherwise.
    pub const STEP: usize = 128;
    /// The first pause after a failure; it doubles with each further one, up to the interval.
    pub const FIRST_RETRY: Duration = Duration::from_millis(250);

    /// A sweeper over the root handle of a store. `timer` waits between sweeps.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for the handle of a namespace; [`ErrorKind::Unsupported`] for a store that cannot be walked.
    pub fn new(handle: Handle, timer: Arc<dyn Timer>) -> Result<Self> {
        if !handle.prefix().is_empty() {
            return Err(Error::new(
                ErrorKind::Invalid,
                "make sweeper",
                "a sweeper looks after a whole store; give it the root handle, not a namespace",
            ));
        }
        handle.require(&Needs { listing: Listing::Indexed, ..Needs::LEAST })?;
        let watermark = Some(Watermark::under(&handle));
        Ok(Self {
            handle,
            timer,
            watermark,
            interval: Self::INTERVAL,
            step: Self::STEP,
            report: Mutex::default(),
            hook: None,
        })
    }

    /// The time between the end of one sweep and the beginning of the next. At least a millisecond.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(Duration::from_millis(1));
        self
    }

    /// The most records one step looks at; the store clamps it.
    #[must_use]
    pub fn step(mut self, records: usize) -> Self {
        self.step = records.max(1);
        self
    }

    /// Leaves the watermark alone: for stores that die with the process, and where another sweeper raises it. If nothing raises
    /// it, a kill and a wall set back can bring back whatever died since it was raised last, however long ago that was.
    #[must_use]
    pub fn without_watermark(mut self) -> Self {
        self.watermark = None;
        self
    }

    /// Calls `hook` after each sweep with what it did or met. It must be quick.
    #[must_use]
    pub fn on_sweep(mut self, hook: impl Fn(&Result<Swept>) + MaybeSend + MaybeSync + 'static) -> Self {
        self.hook = Some(Box::new(hook));
        self
    }

    /// What it has done so far. Up to date after every step, also in the middle of a sweep.
    pub fn report(&self) -> SweepReport {
        self.lock().clone()
    }

    /// Sweeps, waits, sweeps: for ever. A failure is counted, handed to the hook and retried after a pause that doubles from
    /// [`Sweeper::FIRST_RETRY`] up to the interval; it never ends the sweeping.
    pub async fn run(&self) -> Infallible {
        loop {
            let swept = self.sweep_once().await;
            if let Some(hook) = &self.hook {
                hook(&swept);
            }
            self.timer.sleep(self.pause()).await;
        }
    }

    /// Removes all that is dead now, step by step, letting other tasks run in between, and raises the watermark. The report
    /// counts it like a sweep of [`Sweeper::run`]; the hook is not called.
    ///
    /// # Errors
    /// What the store reports. What was removed before is counted. The watermark is tried also when the removals fail.
    pub async fn sweep_once(&self) -> Result<Swept> {
        let began = self.handle.clock().now();
        let swept = self.purge_all().await;
        let raised = match &self.watermark {
            Some(watermark) => watermark.raise(began).await.map(drop),
            None => Ok(()),
        };
        let done = swept.and_then(|swept| raised.map(|()| swept));
        match &done {
            Ok(_) => self.lock().record_sweep(began),
            Err(error) => self.lock().record_failure(self.handle.clock().now(), error),
        }
        done
    }

    async fn purge_all(&self) -> Result<Swept> {
        let mut swept = Swept::default();
        let mut cursor = None;
        loop {
            let Purged { seen, removed, next, failed } = self.handle.purge(cursor, self.step).await?;
            self.lock().removed += removed;
            swept.seen += seen as u64;
            swept.removed += removed;
            swept.steps += 1;
            if let Some(kind) = failed {
                return Err(Error::new(
                    kind,
                    "sweep",
                    "the store failed halfway through a step; it is tried again",
                ));
            }
            cursor = next;
            if cursor.is_none() {
                return Ok(swept);
            }
            yield_now().await;
        }
    }

    /// How long to wait before the next sweep.
    fn pause(&self) -> Duration {
        match self.lock().failing {
            0 => self.interval,
            failing => {
                let doubled = Self::FIRST_RETRY.saturating_mul(1 << (failing - 1).min(20));
                doubled.min(self.interval)
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, SweepReport> {
        // A report is plain data, whole between any two statements.
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Sweeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sweeper")
            .field("handle", &self.handle)
            .field("interval", &self.interval)
            .field("report", &*self.lock())
            .finish_non_exhaustive()
    }
}

/// Lets other tasks run once, under any runtime.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
