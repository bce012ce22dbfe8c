//! The system's clocks: [`wall`], [`elapsed`], and [`system_clock`], a steady clock over both.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use strata_core::Timestamp;

/// The time of day as the system believes it; 1970 if it believes an earlier one.
pub fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Time since the machine started, suspension included: `CLOCK_BOOTTIME`.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn elapsed() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    // The kernel gives neither negative seconds nor nanoseconds past a second.
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Time since the first call, from [`std::time::Instant`]. On Windows it counts suspension; on macOS and the BSDs it may
/// stand still meanwhile, which a [`SteadyClock`](strata_ttl::SteadyClock) makes up for from the wall within a second.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn elapsed() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

/// A steady clock over [`wall`] and [`elapsed`], to be opened with the store's watermark:
/// `system_clock().watermark(at).open()`.
#[cfg(feature = "ttl")]
pub fn system_clock() -> strata_ttl::SteadyClockBuilder {
    strata_ttl::SteadyClock::builder(wall, elapsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_run() {
        let (before, started) = (wall(), elapsed());
        assert!(before > Timestamp::from_millis(1_700_000_000_000), "the wall shows a time after 2023");
        let mut spins = 0_u64;
        while elapsed() == started {
            spins += 1;
            assert!(spins < 1_000_000_000, "elapsed time stands still");
        }
        assert!(elapsed() > started);
    }
}
