//! A clock that survives jumps: [`SteadyClock`], the sources it is made of ([`WallTime`], [`Elapsed`]) and what it reports
//! ([`ClockReport`]). The sources themselves are the program's; no clock is read here.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use strata_core::{Clock, MaybeSend, MaybeSync, Timestamp};

/// The time of day as the system believes it; may jump either way. Any `Fn() -> Timestamp` is one.
pub trait WallTime: MaybeSend + MaybeSync + 'static {
    /// The wall time now.
    fn wall(&self) -> Timestamp;
}

impl<F: Fn() -> Timestamp + MaybeSend + MaybeSync + 'static> WallTime for F {
    fn wall(&self) -> Timestamp {
        self()
    }
}

/// Time since some fixed moment: never goes back, and counts while the machine is suspended (`CLOCK_BOOTTIME` on Linux).
/// Any `Fn() -> Duration` is one.
///
/// A source that stands still during suspension is made up for from the wall within [`SteadyClock::CHECK`] of running time.
pub trait Elapsed: MaybeSend + MaybeSync + 'static {
    /// Time since the fixed moment.
    fn elapsed(&self) -> Duration;
}

impl<F: Fn() -> Duration + MaybeSend + MaybeSync + 'static> Elapsed for F {
    fn elapsed(&self) -> Duration {
        self()
    }
}

/// Something a clock met that an operator should know of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClockReport {
    /// At opening, the watermark was ahead of the wall by more than the tolerance: the wall was set back while the program
    /// was down, or was wrong when the watermark was written. The clock started from the watermark, so nothing revives; if the
    /// watermark is wrong, stop the program, [`Watermark::reset`](crate::Watermark::reset) it, and start again.
    WatermarkAhead {
        /// The wall at opening.
        wall: Timestamp,
        /// Where the clock started.
        watermark: Timestamp,
    },
    /// The wall stepped forward by more than the tolerance. The clock went along, so what was due by then is dead.
    SteppedForward {
        /// What the clock showed.
        from: Timestamp,
        /// What it shows.
        to: Timestamp,
    },
    /// The wall is behind the clock by more than the tolerance. It is ignored. Said once, until the two agree again.
    WallBehind {
        /// The wall.
        wall: Timestamp,
        /// What the clock shows and goes on from.
        now: Timestamp,
    },
}

impl fmt::Display for ClockReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WatermarkAhead { wall, watermark } => write!(
                f,
                "the watermark is {:?} ahead of the wall clock; time goes on from the watermark. If the wall clock is right, \
                 stop the program and reset the watermark",
                watermark.since(*wall)
            ),
            Self::SteppedForward { from, to } => {
                write!(
                    f,
                    "the wall clock stepped {:?} forward; what was due by then is dead",
                    to.since(*from)
                )
            }
            Self::WallBehind { wall, now } => {
                write!(f, "the wall clock is {:?} behind; it is ignored, time goes on", now.since(*wall))
            }
        }
    }
}

/// *Now* as an anchor plus elapsed time. It never goes back, whatever its sources do; a wall that is set back is ignored,
/// one that runs or steps ahead is followed, so that a doubtful clock ends sessions and never revives or freezes them.
///
/// Reading it costs one reading of the elapsed time and two or three atomic loads; the wall is read once per
/// [`SteadyClock::CHECK`].
///
/// ```
/// use std::time::Duration;
/// use strata_core::{Clock, Timestamp};
/// use strata_ttl::SteadyClock;
///
/// let wall = || Timestamp::from_millis(1_767_225_600_000);
/// let elapsed = || Duration::from_secs(7);
/// let stored = Some(Timestamp::from_millis(1_767_225_600_500));
/// let clock = SteadyClock::builder(wall, elapsed).watermark(stored).open();
/// assert_eq!(clock.now(), Timestamp::from_millis(1_767_225_600_500));
/// ```
pub struct SteadyClock {
    wall: Box<dyn WallTime>,
    elapsed: Box<dyn Elapsed>,
    tolerance: Duration,
    /// What has to be added to the elapsed milliseconds. Only grows.
    base: AtomicI64,
    /// The latest instant anybody was told.
    latest: AtomicU64,
    /// The elapsed milliseconds from which the wall is due to be read.
    check_at: AtomicI64,
    /// Whether the wall is known to be far behind.
    behind: AtomicBool,
    reports: Reports,
}

#[derive(Default)]
struct Reports {
    kept: Mutex<VecDeque<ClockReport>>,
    hook: Option<Box<dyn Hook>>,
}

trait Hook: Fn(ClockReport) + MaybeSend + MaybeSync {}
impl<F: Fn(ClockReport) + MaybeSend + MaybeSync> Hook for F {}

impl SteadyClock {
    /// How far wall and clock may be apart without a report, unless told otherwise: five minutes, the skew that Kerberos
    /// (RFC 4120) allows between machines. Less than the quarter of an hour by which a wrong time zone is off at least.
    pub const TOLERANCE: Duration = Duration::from_mins(5);
    /// How much elapsed time passes between two readings of the wall.
    pub const CHECK: Duration = Duration::from_secs(1);
    /// How many reports are kept for [`SteadyClock::reports`]; older ones make room.
    pub const KEPT_REPORTS: usize = 16;

    /// Starts a clock over two sources.
    pub fn builder(wall: impl WallTime, elapsed: impl Elapsed) -> SteadyClockBuilder {
        SteadyClockBuilder {
            wall: Box::new(wall),
            elapsed: Box::new(elapsed),
            tolerance: Self::TOLERANCE,
            watermark: None,
            hook: None,
        }
    }

    /// The last reports, oldest first.
    pub fn reports(&self) -> Vec<ClockReport> {
        self.reports.lock().iter().copied().collect()
    }

    /// What the elapsed time stands at, in milliseconds.
    fn running(&self) -> i64 {
        millis(self.elapsed.elapsed())
    }

    /// Reads the wall and follows it if it is ahead. One caller per interval gets here.
    #[cold]
    fn check_wall(&self) {
        let wall = self.wall.wall();
        // Read after the wall: time that passes between the two makes the wall look behind, which is harmless, not ahead.
        let running = self.running();
        let base = anchor(wall, running);
        let before = self.base.fetch_max(base, Ordering::SeqCst);
        let told = Timestamp::from_millis(self.latest.load(Ordering::SeqCst));
        let shown = sum(before, running).max(told);
        if base > before && wall.since(shown) > self.tolerance {
            self.reports.tell(ClockReport::SteppedForward { from: shown, to: wall });
        }
        let behind = shown.since(wall) > self.tolerance;
        if !self.behind.swap(behind, Ordering::SeqCst) && behind {
            self.reports.tell(ClockReport::WallBehind { wall, now: shown });
        }
    }

    /// Goes on from the latest instant told, whatever the wall says: an elapsed time that went back, as it may when a process
    /// is moved to another machine, would otherwise hold the clock still until it caught up.
    ///
    /// Another thread that was told a little more is no such case, and then this changes nothing: the elapsed time is read
    /// after what was told, so an elapsed time that does not go back comes to at least that.
    #[cold]
    fn go_on(&self) {
        let told = Timestamp::from_millis(self.latest.load(Ordering::SeqCst));
        let running = self.running();
        self.base.fetch_max(anchor(told, running), Ordering::SeqCst);
    }

    /// Whether this caller is the one who has to read the wall. An elapsed time that went back is a reason, too.
    fn is_check_due(&self, running: i64) -> bool {
        let due = self.check_at.load(Ordering::Relaxed);
        let next = running.saturating_add(millis(Self::CHECK));
        (running >= due || next < due)
            && self.check_at.compare_exchange(due, next, Ordering::SeqCst, Ordering::Relaxed).is_ok()
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        let running = self.running();
        if self.is_check_due(running) {
            self.check_wall();
        }
        let now = sum(self.base.load(Ordering::SeqCst), running).as_millis();
        let latest = self.latest.load(Ordering::SeqCst);
        // Most calls of a millisecond find it told already and write nothing.
        if now > latest {
            return Timestamp::from_millis(self.latest.fetch_max(now, Ordering::SeqCst).max(now));
        }
        if now < latest {
            self.go_on();
        }
        Timestamp::from_millis(latest)
    }
}

impl fmt::Debug for SteadyClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SteadyClock")
            .field("latest", &self.latest)
            .field("tolerance", &self.tolerance)
            .field("reports", &self.reports.lock().len())
            .finish_non_exhaustive()
    }
}

impl Reports {
    fn tell(&self, report: ClockReport) {
        {
            let mut kept = self.lock();
            if kept.len() == SteadyClock::KEPT_REPORTS {
                kept.pop_front();
            }
            kept.push_back(report);
        }
        if let Some(hook) = &self.hook {
            hook(report);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<ClockReport>> {
        // Reports are plain data, whole between any two statements.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The settings of a [`SteadyClock`].
#[must_use = "a builder does nothing until `open`"]
pub struct SteadyClockBuilder {
    wall: Box<dyn WallTime>,
    elapsed: Box<dyn Elapsed>,
    tolerance: Duration,
    watermark: Option<Timestamp>,
    hook: Option<Box<dyn Hook>>,
}

impl SteadyClockBuilder {
    /// How far wall and clock may be apart without a report. What the clock does is the same on either side of it.
    pub fn tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// The latest time known from earlier runs, as [`Watermark::read`](crate::Watermark::read) gives it. The clock starts
    /// there or at the wall, whichever is later.
    pub fn watermark(mut self, watermark: Option<Timestamp>) -> Self {
        self.watermark = watermark;
        self
    }

    /// Calls `hook` with each report, on whichever task was reading the clock: it must be quick and must not read this clock.
    pub fn on_report(mut self, hook: impl Fn(ClockReport) + MaybeSend + MaybeSync + 'static) -> Self {
        self.hook = Some(Box::new(hook));
        self
    }

    /// The clock, started. Reads both sources.
    pub fn open(self) -> SteadyClock {
        let wall = self.wall.wall();
        let start = self.watermark.unwrap_or(wall).max(wall);
        let far = start.since(wall) > self.tolerance;
        let running = millis(self.elapsed.elapsed());
        let clock = SteadyClock {
            wall: self.wall,
            elapsed: self.elapsed,
            tolerance: self.tolerance,
            base: AtomicI64::new(anchor(start, running)),
            latest: AtomicU64::new(start.as_millis()),
            check_at: AtomicI64::new(running.saturating_add(millis(SteadyClock::CHECK))),
            // What is said here need not be said again in a second.
            behind: AtomicBool::new(far),
            reports: Reports { kept: Mutex::default(), hook: self.hook },
        };
        if far {
            clock.reports.tell(ClockReport::WatermarkAhead { wall, watermark: start });
        }
        clock
    }
}

impl fmt::Debug for SteadyClockBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SteadyClockBuilder")
            .field("tolerance", &self.tolerance)
            .field("watermark", &self.watermark)
            .finish_non_exhaustive()
    }
}

/// Whole milliseconds, cut to what no sum of two can overflow.
fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).min(i64::MAX / 2)
}

/// What has to be added to `running` to come to `instant`.
fn anchor(instant: Timestamp, running: i64) -> i64 {
    // The last instant there is has 48 bits.
    i64::try_from(instant.as_millis()).unwrap_or(i64::MAX).saturating_sub(running)
}

/// The instant `running` milliseconds after `base`, cut to the first and the last there are.
fn sum(base: i64, running: i64) -> Timestamp {
    Timestamp::from_millis(u64::try_from(base.saturating_add(running)).unwrap_or(0))
}
