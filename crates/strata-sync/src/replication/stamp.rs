//! When something was written, in an order all peers share: [`Stamp`], drawn from a [`HybridClock`].
//!
//! A hybrid logical clock (Kulkarni et al., 2014): physical milliseconds of the injected clock, and a counter for what happened within
//! one of them or while the clock stood back. Ties between peers are broken by their origin. Why it is written here:
//! `docs/decisions/0009-stamps-marks-and-lives.md`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use strata_core::Clock;

/// The instant of a write as peers order it. No two writes have the same one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Stamp {
    millis: u64,
    count: u32,
    origin: u64,
}

impl Stamp {
    /// A stamp of these parts: milliseconds since the epoch, the counter within them, who wrote.
    pub(super) const fn new(millis: u64, count: u32, origin: u64) -> Self {
        Self { millis, count, origin }
    }

    /// Its milliseconds since the epoch: about the time of the write.
    pub(super) const fn millis(self) -> u64 {
        self.millis
    }

    /// Its milliseconds, counter and origin.
    pub(super) const fn parts(self) -> (u64, u32, u64) {
        (self.millis, self.count, self.origin)
    }

    /// The same instant at another origin.
    pub(super) const fn by(self, origin: u64) -> Self {
        Self { origin, ..self }
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}@{:x}", self.millis, self.count, self.origin)
    }
}

/// Draws stamps that grow, whatever the clock does, and that come after every stamp it has witnessed.
#[derive(Debug)]
pub(super) struct HybridClock {
    clock: Arc<dyn Clock>,
    last: Mutex<(u64, u32)>,
}

impl HybridClock {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, last: Mutex::new((0, 0)) }
    }

    /// A stamp later than all before it.
    pub(super) fn stamp(&self, origin: u64) -> Stamp {
        let now = self.clock.now().as_millis();
        let mut last = self.last.lock();
        *last = match *last {
            (millis, _) if now > millis => (now, 0),
            (millis, u32::MAX) => (millis + 1, 0),
            (millis, count) => (millis, count + 1),
        };
        Stamp::new(last.0, last.1, origin)
    }

    /// Whether a stamp lies further ahead of this clock than `bound`: of a peer whose clock is wrong, or of nobody's.
    pub(super) fn is_ahead(&self, stamp: Stamp, bound: Duration) -> bool {
        let limit = self.clock.now().saturating_add(bound).as_millis();
        stamp.millis > limit
    }

    /// Goes on after `stamp`, which has been found not to be ahead, or is this store's own.
    pub(super) fn witness(&self, stamp: Stamp) {
        let mut last = self.last.lock();
        *last = (*last).max((stamp.millis, stamp.count));
    }
}

#[cfg(test)]
mod tests {
    use strata_core::{ManualClock, Timestamp};

    use super::*;

    #[test]
    fn stamps_grow_when_the_clock_stands_or_goes_back() {
        let clock = Arc::new(ManualClock::default());
        let hybrid = HybridClock::new(Arc::clone(&clock) as _);
        let mut last = hybrid.stamp(1);
        for step in 0..100_u64 {
            if step % 10 == 0 {
                clock.set(Timestamp::from_millis(1_000_000 - step));
            }
            let next = hybrid.stamp(1);
            assert!(next > last, "{last:?} then {next:?}");
            last = next;
        }
    }

    #[test]
    fn a_stamp_comes_after_what_was_witnessed_and_far_ones_are_known() {
        let clock = Arc::new(ManualClock::default());
        let hybrid = HybridClock::new(Arc::clone(&clock) as _);
        let bound = Duration::from_mins(1);
        let near = Stamp::new(clock.now().as_millis() + 60_000, 7, 2);
        assert!(!hybrid.is_ahead(near, bound));
        assert!(hybrid.is_ahead(Stamp::new(near.millis() + 1, 0, 2), bound));
        assert!(hybrid.is_ahead(Stamp::new(Timestamp::MAX.as_millis(), 0, 2), bound));
        hybrid.witness(near);
        assert!(hybrid.stamp(1) > near);
        hybrid.witness(Stamp::new(near.millis(), u32::MAX, 2));
        assert!(
            hybrid.stamp(1) > Stamp::new(near.millis(), u32::MAX, 9),
            "the counter runs over into the time"
        );
    }

    #[test]
    fn ties_are_broken_by_origin() {
        assert!(Stamp::new(5, 1, 1) < Stamp::new(5, 1, 2));
        assert!(Stamp::new(5, 1, 9) < Stamp::new(5, 2, 1));
    }
}
