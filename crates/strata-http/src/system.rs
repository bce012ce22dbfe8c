//! What a client waits, reads the time and draws numbers with unless it is given others: the runtime's timer, the system's clock and
//! generator.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use strata_core::{BoxFuture, Clock, Error, ErrorKind, Random, Result, Timer, Timestamp};

/// The timer of the tokio runtime that polls it.
#[derive(Debug)]
pub(crate) struct RuntimeTimer;

impl Timer for RuntimeTimer {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// The wall clock. It is only met with dates that servers send without saying what their own clock shows.
#[derive(Debug)]
pub(crate) struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The generator that TLS draws from.
#[derive(Debug)]
pub(crate) struct TlsRandom;

impl Random for TlsRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        rustls::crypto::ring::default_provider().secure_random.fill(bytes).map_err(|_| {
            let message = "the system's generator gave nothing; retry, or look at the machine";
            Error::new(ErrorKind::Unavailable, "draw random bytes", message)
        })
    }
}
