//! Durations as they are said: [`Span`], `30.minutes()`.

use std::time::Duration;

/// Whole numbers as durations. What does not fit is cut to the longest duration, which every use of it refuses.
///
/// ```
/// use std::time::Duration;
/// use strata::Span;
///
/// assert_eq!(30.minutes(), Duration::from_secs(1800));
/// assert_eq!(7.days(), 168.hours());
/// ```
pub trait Span {
    /// This many seconds.
    fn seconds(self) -> Duration;
    /// This many minutes.
    fn minutes(self) -> Duration;
    /// This many hours.
    fn hours(self) -> Duration;
    /// This many days of 24 hours.
    fn days(self) -> Duration;
}

impl Span for u64 {
    fn seconds(self) -> Duration {
        times(self, 1)
    }

    fn minutes(self) -> Duration {
        times(self, 60)
    }

    fn hours(self) -> Duration {
        times(self, 3_600)
    }

    fn days(self) -> Duration {
        times(self, 86_400)
    }
}

fn times(count: u64, seconds: u64) -> Duration {
    count.checked_mul(seconds).map_or(Duration::MAX, Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_exact_and_never_wrap() {
        assert_eq!(90.seconds(), Duration::from_secs(90));
        assert_eq!(1.days(), 24.hours());
        assert_eq!(24.hours(), 1440.minutes());
        assert_eq!(u64::MAX.days(), Duration::MAX);
    }
}
