//! How long to wait after a failure: [`Backoff`], exponential with full jitter, so that many clients do not come back together.

use std::time::Duration;

use strata_core::Random;

/// The pauses after failures in a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Backoff {
    /// A pause drawn evenly from nothing up to the first one doubled for each further failure, at least a millisecond. Without
    /// randomness it is the longest of these.
    pub(crate) fn pause(&self, failures: u32, random: &dyn Random) -> Duration {
        let doubled = self.first.saturating_mul(1 << failures.saturating_sub(1).min(20));
        let most = u64::try_from(doubled.min(self.longest).as_millis()).unwrap_or(u64::MAX).max(1);
        let mut drawn = [0; 8];
        match random.fill(&mut drawn) {
            Ok(()) => Duration::from_millis(u64::from_le_bytes(drawn) % most + 1),
            Err(_) => Duration::from_millis(most),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strata_core::{NoRandom, Result};

    #[derive(Debug)]
    struct Fixed(u64);

    impl Random for Fixed {
        fn fill(&self, bytes: &mut [u8]) -> Result<()> {
            bytes.copy_from_slice(&self.0.to_le_bytes());
            Ok(())
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_jitter_fully() {
        let backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(10) };
        for (failures, most) in [(0, 1), (1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (u32::MAX, 10)] {
            let most = Duration::from_secs(most);
            assert_eq!(backoff.pause(failures, &NoRandom), most, "{failures} failures");
            assert_eq!(backoff.pause(failures, &Fixed(0)), Duration::from_millis(1));
            let drawn = backoff.pause(failures, &Fixed(u64::MAX));
            assert!(drawn <= most && !drawn.is_zero());
        }
    }
}
