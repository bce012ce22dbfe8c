//! When a record dies: [`Expiry`], pure arithmetic over a given *now*. Policies live in `strata-ttl`.

use std::fmt;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::time::Timestamp;

/// The end of a record's life, stored beside it: a deadline, an idle time that moves it, and a cap that nothing moves.
///
/// Three words. `u64::MAX` stands for "none" in the first and third, zero in the second.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Expiry {
    deadline: u64,
    idle: u64,
    not_after: u64,
}

const NONE: u64 = u64::MAX;

impl Expiry {
    /// Never dies.
    pub const NEVER: Self = Self { deadline: NONE, idle: 0, not_after: NONE };

    /// Dies at `deadline`, whatever happens.
    pub const fn at(deadline: Timestamp) -> Self {
        Self { deadline: deadline.as_millis(), idle: 0, not_after: NONE }
    }

    /// Dies `idle` after the last activity (rounded down to a millisecond, at least one).
    pub fn idle(idle: Duration, now: Timestamp) -> Self {
        let idle = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX).max(1);
        Self { deadline: now.saturating_add(Duration::from_millis(idle)).as_millis(), idle, not_after: NONE }
    }

    /// The same life with a cap: dead at `not_after` at the latest, also under constant activity.
    #[must_use]
    pub fn capped(mut self, not_after: Timestamp) -> Self {
        self.not_after = not_after.as_millis();
        self.deadline = self.deadline.min(self.not_after);
        self
    }

    /// Rebuilds an expiry from its stored words, as [`Expiry::to_words`] gave them.
    pub const fn from_words([deadline, idle, not_after]: [u64; 3]) -> Self {
        let deadline = if deadline < not_after { deadline } else { not_after };
        Self { deadline, idle, not_after }
    }

    /// An expiry from words that somebody else wrote, such as an export. [`ErrorKind::Invalid`] for instants past the year
    /// 9999 and for an idle time without a deadline to move.
    pub fn from_foreign([deadline, idle, not_after]: [u64; 3]) -> Result<Self> {
        let possible = |word: u64| word == NONE || word <= Timestamp::MAX.as_millis();
        if !possible(deadline) || !possible(not_after) || (idle != 0 && deadline == NONE) {
            return Err(Error::new(
                ErrorKind::Invalid,
                "read expiry",
                "the expiry has an instant past the year 9999, or an idle time without a deadline; correct it, or leave it out",
            ));
        }
        Ok(Self::from_words([deadline, idle, not_after]))
    }

    /// The three words to store: deadline, idle time in milliseconds, cap.
    pub const fn to_words(self) -> [u64; 3] {
        [self.deadline, self.idle, self.not_after]
    }

    /// The instant from which the record is dead, if it ever dies.
    pub fn deadline(&self) -> Option<Timestamp> {
        (self.deadline != NONE).then(|| Timestamp::from_millis(self.deadline))
    }

    /// How long the record lives after the last activity, if activity counts.
    pub fn idle_time(&self) -> Option<Duration> {
        (self.idle != 0).then(|| Duration::from_millis(self.idle))
    }

    /// The cap, if there is one.
    pub fn not_after(&self) -> Option<Timestamp> {
        (self.not_after != NONE).then(|| Timestamp::from_millis(self.not_after))
    }

    /// Whether the record is dead at `now`: from its deadline on.
    #[inline]
    pub const fn is_dead(&self, now: Timestamp) -> bool {
        now.as_millis() >= self.deadline
    }

    /// What is left of the record's life at `now`: zero when dead, `None` when it never dies.
    pub fn remaining(&self, now: Timestamp) -> Option<Duration> {
        self.deadline().map(|deadline| deadline.since(now))
    }

    /// The deadline that activity at `now` earns, if the record is alive, slides, and would live longer by at least
    /// `interval` (the touch interval, which keeps reads from turning into writes).
    #[inline]
    pub fn slide_due(&self, now: Timestamp, interval: Duration) -> Option<Timestamp> {
        if self.idle == 0 || self.is_dead(now) {
            return None;
        }
        let target = now.as_millis().saturating_add(self.idle).min(self.not_after);
        let gain = target.saturating_sub(self.deadline);
        (gain > 0 && u128::from(gain) >= interval.as_millis()).then(|| Timestamp::from_millis(target))
    }

    /// Moves the deadline to `target` if that is later, never past the cap. Says whether it moved. A fixed deadline, one
    /// without an idle time, stays.
    pub fn slide_to(&mut self, target: Timestamp) -> bool {
        let target = target.as_millis().min(self.not_after);
        let later = self.idle != 0 && self.deadline != NONE && target > self.deadline;
        if later {
            self.deadline = target;
        }
        later
    }
}

impl Default for Expiry {
    fn default() -> Self {
        Self::NEVER
    }
}

impl fmt::Debug for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expiry")
            .field("deadline", &self.deadline())
            .field("idle", &self.idle_time())
            .field("not_after", &self.not_after())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn a_record_is_dead_from_its_deadline_on() {
        let expiry = Expiry::at(at(10));
        assert!(!expiry.is_dead(at(9)));
        assert!(expiry.is_dead(at(10)));
        assert_eq!(expiry.remaining(at(4)), Some(6 * SECOND));
        assert_eq!(expiry.remaining(at(12)), Some(Duration::ZERO));
        assert!(!Expiry::NEVER.is_dead(Timestamp::MAX));
    }

    #[test]
    fn activity_moves_the_deadline_but_never_past_the_cap() {
        let mut expiry = Expiry::idle(10 * SECOND, at(0)).capped(at(15));
        assert_eq!(expiry.slide_due(at(1), 2 * SECOND), None, "less than the touch interval is gained");
        let target = expiry.slide_due(at(4), 2 * SECOND).expect("due");
        assert_eq!(target, at(14));
        assert!(expiry.slide_to(target));
        assert!(expiry.slide_to(at(99)));
        assert_eq!(expiry.deadline(), Some(at(15)));
        assert_eq!(expiry.slide_due(at(15), Duration::ZERO), None, "dead records do not slide");
    }

    #[test]
    fn a_slide_never_shortens_and_never_ends_immortality() {
        let mut expiry = Expiry::idle(10 * SECOND, at(10));
        assert!(!expiry.slide_to(at(12)));
        assert!(!Expiry::NEVER.clone().slide_to(at(12)));
        assert!(!Expiry::at(at(10)).slide_to(at(12)), "a fixed deadline does not slide");
        assert_eq!(expiry.deadline(), Some(at(20)));
    }
}
