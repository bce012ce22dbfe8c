//! Attempts that follow each other: how many, and the pauses between them, [`Retry`].

use std::time::Duration;

use strata_core::Random;

/// When a call that may be repeated is.
#[derive(Clone, Debug)]
pub(crate) struct Retry {
    /// How often a call is made at most, the first time included.
    pub(crate) attempts: u32,
    /// The longest pause before the second attempt; twice that before each further one.
    pub(crate) first: Duration,
    /// The longest pause, also of those that a server asks for: one that asks for more is not waited for.
    pub(crate) longest: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 4, first: Duration::from_millis(250), longest: Duration::from_secs(10) }
    }
}

impl Retry {
    /// How long to wait after `made` attempts have failed; `None` if it is not worth it. What the server asked for, or anything up to
    /// a bound that doubles, so that clients do not all come back at once.
    pub(crate) fn pause(&self, made: u32, asked: Option<Duration>, random: &dyn Random) -> Option<Duration> {
        if made >= self.attempts {
            return None;
        }
        if let Some(asked) = asked {
            return (asked <= self.longest).then_some(asked);
        }
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(made.saturating_sub(1)));
        let mut drawn = [0; 4];
        // Without randomness all clients wait as long as they may.
        let part = random
            .fill(&mut drawn)
            .map_or(1.0, |()| f64::from(u32::from_le_bytes(drawn)) / f64::from(u32::MAX));
        Some(doubled.min(self.longest).mul_f64(part))
    }
}

#[cfg(test)]
mod tests {
    use strata_core::Result;

    use super::*;

    #[derive(Debug)]
    struct Always(u8);

    impl Random for Always {
        fn fill(&self, bytes: &mut [u8]) -> Result<()> {
            bytes.fill(self.0);
            Ok(())
        }
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_end() {
        let retry =
            Retry { attempts: 5, first: Duration::from_millis(100), longest: Duration::from_millis(350) };
        let pauses: Vec<_> = (1..=5).map(|made| retry.pause(made, None, &Always(255))).collect();
        let millis = |count| Some(Duration::from_millis(count));
        assert_eq!(pauses, [millis(100), millis(200), millis(350), millis(350), None]);
        assert_eq!(retry.pause(3, None, &Always(0)), Some(Duration::ZERO), "anything up to the bound");
        let half = retry.pause(2, None, &Always(127)).expect("a pause");
        assert!(half > Duration::from_millis(95) && half < Duration::from_millis(105), "{half:?}");
    }

    #[test]
    fn what_a_server_asks_for_is_waited_for_exactly_or_not_at_all() {
        let retry = Retry::default();
        let asked = |wait| retry.pause(1, Some(wait), &Always(0));
        assert_eq!(asked(Duration::from_secs(7)), Some(Duration::from_secs(7)));
        assert_eq!(asked(Duration::ZERO), Some(Duration::ZERO));
        assert_eq!(asked(Duration::from_secs(11)), None);
        assert_eq!(retry.pause(4, Some(Duration::ZERO), &Always(0)), None);
    }
}
