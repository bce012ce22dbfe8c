//! How reports leave the program: the trait [`AnalyticsTransport`], and what its answers mean, [`SendFailure`].

use std::fmt;
use std::time::Duration;

use strata_core::{BoxFuture, MaybeSend, MaybeSync};

use super::report::Report;

/// Takes reports to a server. Called with a batch; `Ok` means that the server has all of it and will not lose it.
pub trait AnalyticsTransport: fmt::Debug + MaybeSend + MaybeSync + 'static {
    /// Sends `batch`. It is dropped when it takes too long, which counts as [`SendFailure::Unavailable`].
    fn send<'a>(&'a self, batch: &'a [Report]) -> BoxFuture<'a, Result<(), SendFailure>>;
}

/// Why a batch was not taken, by what follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendFailure {
    /// It is too large (413): it is split and sent in parts. A part that cannot be split is dropped and counted.
    TooLarge,
    /// The server asks to come back after this long (429 or 503 with `Retry-After`). Cut to a day.
    RetryAfter(Duration),
    /// The server takes offence at the batch itself, and will again. It is sent report by report; a report that is rejected
    /// several times is dropped and counted.
    Rejected,
    /// Nothing is wrong with the batch: the server is away, is overloaded, or does not let this program in. It is sent again after
    /// a pause.
    Unavailable,
}

impl SendFailure {
    /// What an HTTP answer means. Only 2xx is a delivery.
    ///
    /// | status | meaning |
    /// |---|---|
    /// | 2xx | delivered |
    /// | 413 | [`TooLarge`](Self::TooLarge) |
    /// | 429 or 5xx with `Retry-After` | [`RetryAfter`](Self::RetryAfter) |
    /// | 401, 403, 404, 405, 407, 408, 421, 425, 429, 5xx | [`Unavailable`](Self::Unavailable): it is about the program, the address or the moment |
    /// | other 4xx | [`Rejected`](Self::Rejected) |
    /// | 1xx, 3xx and what is no status | [`Unavailable`](Self::Unavailable): nobody has taken it |
    pub fn of_status(status: u16, retry_after: Option<Duration>) -> Result<(), Self> {
        match (status, retry_after) {
            (200..=299, _) => Ok(()),
            (413, _) => Err(Self::TooLarge),
            (429 | 500..=599, Some(pause)) => Err(Self::RetryAfter(pause)),
            (401 | 403..=405 | 407 | 408 | 421 | 425 | 429, _) => Err(Self::Unavailable),
            (400..=499, _) => Err(Self::Rejected),
            _ => Err(Self::Unavailable),
        }
    }
}

impl fmt::Display for SendFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => f.write_str("too large"),
            Self::RetryAfter(pause) => write!(f, "to be sent again in {pause:?}"),
            Self::Rejected => f.write_str("rejected"),
            Self::Unavailable => f.write_str("not reached"),
        }
    }
}

impl std::error::Error for SendFailure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_2xx_is_a_delivery() {
        let pause = Some(Duration::from_secs(7));
        for status in 0..=999 {
            let delivered = SendFailure::of_status(status, None).is_ok();
            assert_eq!(delivered, (200..300).contains(&status), "{status}");
        }
        assert_eq!(SendFailure::of_status(500, None), Err(SendFailure::Unavailable));
        assert_eq!(SendFailure::of_status(503, pause), Err(SendFailure::RetryAfter(Duration::from_secs(7))));
        assert_eq!(SendFailure::of_status(429, pause), Err(SendFailure::RetryAfter(Duration::from_secs(7))));
        assert_eq!(SendFailure::of_status(413, pause), Err(SendFailure::TooLarge));
        for status in [400, 409, 410, 415, 422] {
            assert_eq!(SendFailure::of_status(status, pause), Err(SendFailure::Rejected), "{status}");
        }
        for status in [0, 100, 301, 304, 401, 403, 404, 405, 408, 425, 429, 999] {
            assert_eq!(SendFailure::of_status(status, None), Err(SendFailure::Unavailable), "{status}");
        }
    }
}
