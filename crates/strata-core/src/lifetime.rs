//! How long something should live, as the caller says it: [`Lifetime`]. It becomes an [`Expiry`] when it starts.

use std::fmt;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::expiry::Expiry;
use crate::time::Timestamp;

/// A life in relative terms. Which parts are set decides what it means:
///
/// | set | the record dies |
/// |---|---|
/// | nothing | never |
/// | `ttl` | that long after it started |
/// | `until` | at that instant |
/// | `idle` | that long after the last activity |
/// | `idle` and `at_most`, `idle` and `until` | after idleness, at the cap at the latest |
/// | `at_most` alone | at the cap |
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    ttl: Millis,
    until: Millis,
    idle: Millis,
    at_most: Millis,
}

/// Milliseconds, or none. One word, for a lifetime travels with every save.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Millis(u64);

impl Millis {
    const NONE: Self = Self(u64::MAX);

    /// Less than a millisecond counts as zero, which is refused; too long to count, as too long to add.
    const fn of(duration: Duration) -> Self {
        let millis = duration.as_millis();
        let longest = (u64::MAX - 1) as u128;
        // Cut to what fits just before.
        #[allow(clippy::cast_possible_truncation)]
        Self(if millis > longest { longest as u64 } else { millis as u64 })
    }

    fn get(self) -> Option<Duration> {
        (self != Self::NONE).then(|| Duration::from_millis(self.0))
    }
}

impl Lifetime {
    /// Without end.
    pub const FOREVER: Self =
        Self { ttl: Millis::NONE, until: Millis::NONE, idle: Millis::NONE, at_most: Millis::NONE };

    /// Fixed: ends `ttl` after it started.
    pub const fn ttl(ttl: Duration) -> Self {
        Self::FOREVER.with_ttl(ttl)
    }

    /// Fixed: ends at an instant.
    pub const fn until(instant: Timestamp) -> Self {
        Self::FOREVER.with_until(instant)
    }

    /// Sliding: ends `idle` after the last activity.
    pub const fn idle(idle: Duration) -> Self {
        Self::FOREVER.with_idle(idle)
    }

    /// The life that goes on where `expiry` stands at `now`: deadline and cap stay, an idle time starts anew.
    pub fn continuing(expiry: Expiry, now: Timestamp) -> Self {
        let life = expiry.idle_time().map_or(Self::FOREVER, Self::idle);
        match (expiry.not_after(), expiry.deadline()) {
            // Named both ways, so that a cap stays a cap and does not move with the start.
            (Some(cap), deadline) if expiry.idle_time().is_some() || deadline == Some(cap) => {
                life.with_until(cap).at_most(cap.since(now))
            }
            // A deadline before a cap, and nothing that could move it: the deadline is the end.
            (Some(cap), Some(deadline)) => life.with_until(deadline).at_most(cap.since(now)),
            (None, Some(deadline)) if expiry.idle_time().is_none() => life.with_until(deadline),
            _ => life,
        }
    }

    /// Adds a cap, counted from the start, that no activity passes.
    #[must_use]
    pub const fn at_most(mut self, cap: Duration) -> Self {
        self.at_most = Millis::of(cap);
        self
    }

    /// Adds an idle time.
    #[must_use]
    pub const fn with_idle(mut self, idle: Duration) -> Self {
        self.idle = Millis::of(idle);
        self
    }

    /// Adds a fixed time to live.
    #[must_use]
    pub const fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Millis::of(ttl);
        self
    }

    /// Adds an instant at which it ends at the latest.
    #[must_use]
    pub const fn with_until(mut self, instant: Timestamp) -> Self {
        self.until = Millis(instant.as_millis());
        self
    }

    /// The idle time, if activity counts.
    pub fn idle_time(&self) -> Option<Duration> {
        self.idle.get()
    }

    /// The expiry of a life that starts at `now`. Zero and overflowing times, a deadline that has passed, and `ttl` together
    /// with `idle` are [`ErrorKind::Invalid`]: a record is never immortal by mistake.
    pub fn starting(&self, now: Timestamp) -> Result<Expiry> {
        for (name, time) in [("ttl", self.ttl), ("idle time", self.idle), ("cap", self.at_most)] {
            if time == Millis(0) {
                return Err(invalid(format!(
                    "the {name} is zero; give at least a millisecond, or remove the record"
                )));
            }
        }
        let until = self.until.get().map(|since| Timestamp::EPOCH.saturating_add(since));
        if self.ttl.get().is_some() && self.idle.get().is_some() {
            return Err(invalid(
                "a fixed ttl and an idle time exclude each other; use the idle time with a cap (`at_most`)"
                    .to_owned(),
            ));
        }
        if until.is_some_and(|instant| instant <= now) {
            return Err(invalid(
                "the deadline has passed; give a later one, or remove the record".to_owned(),
            ));
        }
        let cap = match (self.at_most.get().map(|cap| now.after(cap)).transpose()?, until) {
            (Some(cap), Some(until)) => Some(cap.min(until)),
            (cap, until) => cap.or(until),
        };
        let expiry = match (self.ttl.get(), self.idle.get()) {
            (Some(ttl), _) => Expiry::at(now.after(ttl)?),
            (None, Some(idle)) => {
                now.after(idle)?;
                Expiry::idle(idle, now)
            }
            (None, None) => match (until, self.at_most.get()) {
                // A bare instant is a deadline, not a cap: it may be moved without resealing.
                (Some(until), None) => return Ok(Expiry::at(until)),
                _ => Expiry::NEVER,
            },
        };
        Ok(cap.map_or(expiry, |cap| expiry.capped(cap)))
    }
}

impl Default for Lifetime {
    fn default() -> Self {
        Self::FOREVER
    }
}

impl fmt::Debug for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifetime")
            .field("ttl", &self.ttl.get())
            .field("until", &self.until.get().map(|since| Timestamp::EPOCH.saturating_add(since)))
            .field("idle", &self.idle.get())
            .field("at_most", &self.at_most.get())
            .finish()
    }
}

#[cold]
fn invalid(message: String) -> Error {
    Error::new(ErrorKind::Invalid, "set expiry", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn bad_lives_are_refused_with_the_way_out() {
        let now = Timestamp::from_millis(1_000_000);
        for (life, says) in [
            (Lifetime::ttl(Duration::ZERO), "ttl is zero"),
            (Lifetime::ttl(Duration::from_micros(900)), "at least a millisecond"),
            (Lifetime::idle(Duration::ZERO), "idle time is zero"),
            (Lifetime::idle(HOUR).at_most(Duration::ZERO), "cap is zero"),
            (Lifetime::until(now), "deadline has passed"),
            (Lifetime::until(Timestamp::EPOCH), "give a later one"),
            (Lifetime::ttl(Duration::MAX), "past the year 9999"),
            (Lifetime::idle(Duration::MAX), "past the year 9999"),
            (Lifetime::ttl(HOUR).with_idle(HOUR), "exclude each other"),
        ] {
            let error = life.starting(now).expect_err(says);
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains(says), "{error}");
        }
    }

    #[test]
    fn a_life_goes_on_where_it_stood() {
        let now = Timestamp::from_millis(1_000_000);
        let later = now.saturating_add(HOUR);
        for life in [
            Lifetime::FOREVER,
            Lifetime::ttl(3 * HOUR),
            Lifetime::until(later.saturating_add(HOUR)),
            Lifetime::idle(2 * HOUR),
            Lifetime::idle(2 * HOUR).at_most(12 * HOUR),
            Lifetime::FOREVER.at_most(5 * HOUR),
        ] {
            let stood = life.starting(now).expect("valid");
            let goes_on = Lifetime::continuing(stood, later).starting(later).expect("valid");
            let mut expected = stood;
            expected.slide_to(later.saturating_add(stood.idle_time().unwrap_or_default()));
            assert_eq!(goes_on, expected, "{life:?}");
        }
        let early = Expiry::at(later).capped(later.saturating_add(HOUR));
        let goes_on = Lifetime::continuing(early, now).starting(now).expect("valid");
        assert_eq!(goes_on.deadline(), Some(later), "a fixed deadline before a cap");
    }

    #[test]
    fn each_combination_means_what_the_table_says() {
        let now = Timestamp::from_millis(1_000_000);
        let later = |hours: u32| now.saturating_add(HOUR * hours);
        let start = |life: Lifetime| life.starting(now).expect("valid");
        assert_eq!(start(Lifetime::FOREVER), Expiry::NEVER);
        assert_eq!(start(Lifetime::ttl(HOUR)), Expiry::at(later(1)));
        assert_eq!(start(Lifetime::until(later(2))), Expiry::at(later(2)));
        assert_eq!(start(Lifetime::idle(HOUR).at_most(12 * HOUR)), Expiry::idle(HOUR, now).capped(later(12)));
        assert_eq!(
            start(Lifetime::idle(HOUR).with_until(later(3))),
            Expiry::idle(HOUR, now).capped(later(3))
        );
        assert_eq!(start(Lifetime::FOREVER.at_most(HOUR)).not_after(), Some(later(1)));
        assert_eq!(start(Lifetime::idle(2 * HOUR).at_most(HOUR)).deadline(), Some(later(1)));
    }
}
