//! Delivery of what waits: [`Delivery`] and its settings. `pass` sends the queue once, `background` again and again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use strata_core::{Result, Timer};

use super::backoff::Backoff;
use super::pass::Pass;
use super::recorder::Recorder;
use super::transport::{AnalyticsTransport, SendFailure};

/// Sends the reports of a recorder's queue through a transport, at least once each.
///
/// # How a report goes
/// Its attempt is counted in the store before it is sent, together with a time in which no other sender touches it. Only `Ok` of the
/// transport takes it off the queue, its events with it. Whoever is killed in between sends it again; the receiver tells by visit
/// and sequence. Visits of many events go in parts, each taken off by itself.
///
/// # After a failure
/// | the transport says | then |
/// |---|---|
/// | [`TooLarge`](SendFailure::TooLarge) | the batch is halved, down to one event; one that is too large by itself is dropped and counted |
/// | [`Rejected`](SendFailure::Rejected) | reports go one by one; one that is rejected is parked for up to 10 minutes, then 20, then 40 and 80, while others overtake it, and dropped and counted the fifth time |
/// | [`RetryAfter`](SendFailure::RetryAfter) | the pass ends, the queue waits that long |
/// | [`Unavailable`](SendFailure::Unavailable), no answer in time | the pass ends, the queue waits: exponential, with full jitter, as the store remembers over restarts |
#[derive(Clone)]
pub struct Delivery {
    pub(super) recorder: Recorder,
    pub(super) transport: Arc<dyn AnalyticsTransport>,
    pub(super) timer: Arc<dyn Timer>,
    pub(super) timeout: Duration,
    pub(super) batch: usize,
    pub(super) events: usize,
    pub(super) rejections: u32,
    pub(super) backoff: Backoff,
    pub(super) interval: Duration,
}

/// What one pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivered {
    /// Reports that are delivered whole and off the queue.
    pub reports: u64,
    /// Calls of the transport.
    pub sendings: u64,
    /// Reports, or parts that cannot be split further, that were dropped and counted.
    pub dropped: u64,
    /// How long the queue has to wait, if it does.
    pub wait: Option<Duration>,
    /// What ended the pass early.
    pub failure: Option<SendFailure>,
}

impl Delivery {
    /// Of the recorder's queue, through `transport`; `timer` waits for answers and between passes.
    pub fn new(recorder: &Recorder, transport: Arc<dyn AnalyticsTransport>, timer: Arc<dyn Timer>) -> Self {
        let backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_mins(15) };
        Self {
            recorder: recorder.clone(),
            transport,
            timer,
            timeout: Duration::from_secs(30),
            batch: 20,
            events: 100,
            rejections: 5,
            backoff,
            interval: Duration::from_mins(1),
        }
    }

    /// How long a sending may take; 30 seconds unless told otherwise, at least a millisecond.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.max(Duration::from_millis(1));
        self
    }

    /// The most reports of one sending, 1 to 100; 20 unless told otherwise.
    #[must_use]
    pub fn batch(mut self, reports: usize) -> Self {
        self.batch = reports.clamp(1, 100);
        self
    }

    /// The most events of one report, 1 to 250 and as many as the store removes in one commit; 100 unless told otherwise. Visits with
    /// more go in parts.
    #[must_use]
    pub fn events(mut self, events: usize) -> Self {
        self.events = events.clamp(1, 250);
        self
    }

    /// The time between passes of [`Delivery::run`]; a minute unless told otherwise, at least a millisecond.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(Duration::from_millis(1));
        self
    }

    /// The first pause after a failure and the longest one; a second and 15 minutes unless told otherwise.
    #[must_use]
    pub fn pauses(mut self, first: Duration, longest: Duration) -> Self {
        self.backoff = Backoff { first, longest: longest.max(first) };
        self
    }

    /// Sends what is due, and says what came of it. A transport that fails is no error: what it did not take waits.
    ///
    /// # Errors
    /// What the store reports; what was delivered before may be sent again. A report or event that cannot be read is told when all others
    /// have had their turn; it waits until it is too old.
    pub async fn deliver(&self) -> Result<Delivered> {
        self.pass(Pass::Due).await
    }

    /// Sends all that waits, whatever pauses there are, up to the first failure: before the program ends, or when the network is back.
    pub async fn deliver_now(&self) -> Result<Delivered> {
        self.pass(Pass::Now).await
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("recorder", &self.recorder)
            .field("transport", &self.transport)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
