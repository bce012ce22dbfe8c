//! Points in time and where they come from: [`Timestamp`], [`Clock`], [`Timer`], [`ManualClock`]. No clock is read here.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::bounds::{BoxFuture, MaybeSend, MaybeSync};
use crate::error::{Error, ErrorKind, Result};

/// Milliseconds since 1970-01-01T00:00:00Z, up to the end of the year 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// 9999-12-31T23:59:59.999Z, the last instant that can be stored.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// The instant `millis` after the epoch, cut to [`Timestamp::MAX`].
    pub const fn from_millis(millis: u64) -> Self {
        if millis > Self::MAX.0 { Self::MAX } else { Self(millis) }
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The instant `duration` later, or [`ErrorKind::Invalid`] past the year 9999.
    pub fn after(self, duration: Duration) -> Result<Self> {
        u64::try_from(duration.as_millis())
            .ok()
            .and_then(|millis| self.0.checked_add(millis))
            .filter(|&millis| millis <= Self::MAX.0)
            .map(Self)
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Invalid,
                    "add time",
                    format!("{duration:?} from now is past the year 9999; use a shorter time, or none"),
                )
            })
    }

    /// The instant `duration` later, cut to [`Timestamp::MAX`].
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self::from_millis(self.0.saturating_add(millis))
    }

    /// The instant `duration` earlier, cut to the epoch.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(millis))
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// Where *now* comes from. Injected everywhere, so that tests move time and programs choose what survives a clock jump.
pub trait Clock: fmt::Debug + MaybeSend + MaybeSync + 'static {
    /// The present. Never goes back within one clock.
    fn now(&self) -> Timestamp;
}

/// Waiting. Injected like the clock: a runtime's timer in programs, a moved one in tests.
pub trait Timer: fmt::Debug + MaybeSend + MaybeSync + 'static {
    /// Ready after `duration`.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// A clock that moves only when told to.
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock standing at `now`.
    pub const fn at(now: Timestamp) -> Self {
        Self(AtomicU64::new(now.0))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().saturating_add(by));
    }

    /// Puts the clock at an instant, earlier ones included.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::SeqCst);
    }
}

impl Default for ManualClock {
    /// 2026-01-01T00:00:00Z.
    fn default() -> Self {
        Self::at(Timestamp(1_767_225_600_000))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}
