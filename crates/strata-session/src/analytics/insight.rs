//! What visits come to in a period: [`Insight`], which serializes, also as JSON, and the [`Period`] it is asked for.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use strata_core::{Clock, Error, ErrorKind, Result, Timestamp};

use super::device::Device;

/// The most steps of a period.
const MOST_STEPS: u64 = 2000;

/// From when to when, and in which steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) step: Duration,
    pub(super) top: usize,
}

/// Numbers of a period. Visits count where they began. Rates and durations are zero where there was no visit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Insight {
    /// The version of this format: [`Insight::VERSION`].
    pub version: u16,
    /// The first instant of the period, in milliseconds since 1970-01-01T00:00:00Z.
    pub from: u64,
    /// The first instant after it.
    pub to: u64,
    /// Visits that began in it.
    pub visits: u64,
    /// Different users; a visitor that is nobody's user counts as one.
    pub users: Users,
    /// Page views.
    pub views: u64,
    /// Other events.
    pub events: u64,
    /// Events that were dropped before they were delivered.
    pub dropped: u64,
    /// Visits of one page and no other event, as a part of all: 0 to 1.
    pub bounce_rate: f64,
    /// How long visits took.
    pub duration: Durations,
    /// Pages by views.
    pub pages: Ranking,
    /// Pages by the visits that began on them.
    pub entries: Ranking,
    /// Events by number.
    pub names: Ranking,
    /// Where visits came from, by host; `(direct)` from nowhere.
    pub referrers: Ranking,
    /// Visits by device, in order of [`Device::ALL`].
    pub devices: Vec<DeviceCount>,
    /// How many visits were open in each step of the period.
    pub active: Vec<Step>,
}

/// How many different users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Users {
    /// So many.
    pub count: u64,
    /// Whether that is an estimate, as it is beyond 100,000, with a standard error of 0.8 percent.
    pub approximate: bool,
}

/// How long visits took, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Durations {
    /// Half of the visits were no longer than this.
    pub median: u64,
    /// 95 percent of them.
    pub p95: u64,
    /// Whether these are less than 0.8 percent too small, as they may be beyond 50,000 visits.
    pub approximate: bool,
}

/// The most frequent ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ranking {
    /// The first ones, by number, then by name.
    pub top: Vec<Ranked>,
    /// All others together.
    pub others: u64,
    /// Whether numbers may be too small, as they may be beyond 8192 different ones.
    pub approximate: bool,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ranked {
    /// What.
    pub name: String,
    /// How often.
    pub count: u64,
    /// How long, in milliseconds all together; of pages only, else zero.
    pub millis: u64,
}

/// Visits through one kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceCount {
    /// Which.
    pub device: Device,
    /// How many.
    pub visits: u64,
}

/// A step of the period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its first instant, in milliseconds since 1970-01-01T00:00:00Z.
    pub from: u64,
    /// Visits that were open at some moment of it.
    pub visits: u64,
}

impl Insight {
    /// The version that this program writes.
    pub const VERSION: u16 = 1;
}

impl Period {
    /// From one instant up to, not including, another; in 24 steps, with the first 10 of each ranking.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it has no length.
    pub fn between(from: Timestamp, to: Timestamp) -> Result<Self> {
        if to <= from {
            return Err(invalid("the period ends before it begins; name the earlier instant first"));
        }
        let step = to.since(from) / 24;
        Ok(Self { from, to, step: step.max(Duration::from_millis(1)), top: 10 })
    }

    /// The time up to now, this moment included.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for less than a millisecond.
    pub fn last(length: Duration, clock: &dyn Clock) -> Result<Self> {
        let to = clock.now().saturating_add(Duration::from_millis(1));
        Self::between(to.saturating_sub(length), to)
    }

    /// In steps of this length, the last one perhaps shorter.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for less than a millisecond, or for more than 2000 steps.
    pub fn steps_of(mut self, step: Duration) -> Result<Self> {
        let millis = u64::try_from(step.as_millis()).unwrap_or(u64::MAX);
        if millis == 0 || self.to.since(self.from) > step.saturating_mul(2000) {
            return Err(invalid(&format!("the period has more than {MOST_STEPS} steps; make them longer")));
        }
        self.step = step;
        Ok(self)
    }

    /// With the first so many of each ranking, at most 1000.
    #[must_use]
    pub fn top(mut self, most: usize) -> Self {
        self.top = most.min(1000);
        self
    }
}

#[cold]
fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::Invalid, "ask for insight", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use strata_core::ManualClock;

    #[test]
    fn periods_have_a_length_and_a_bounded_number_of_steps() {
        let at = Timestamp::from_millis;
        assert!(Period::between(at(5), at(5)).is_err() && Period::between(at(6), at(5)).is_err());
        let day = Period::between(at(0), at(86_400_000)).expect("a day");
        assert_eq!(day.step, Duration::from_hours(1));
        assert!(day.steps_of(Duration::ZERO).is_err());
        assert!(day.steps_of(Duration::from_millis(43_199)).is_err(), "2001 steps");
        assert!(day.steps_of(Duration::from_millis(43_200)).is_ok(), "2000 steps");
        assert!(day.steps_of(Duration::MAX).is_ok());
        assert!(Period::last(Duration::ZERO, &ManualClock::default()).is_err());
        assert!(Period::last(Duration::MAX, &ManualClock::default()).is_ok());
        assert_eq!(Period::between(at(0), at(3)).expect("three").step, Duration::from_millis(1));
    }
}
