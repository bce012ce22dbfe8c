//! Delivery of what waits: [`Delivery`]. One pass sends the queue in order; `background` repeats it.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use strata_core::{Error, ErrorKind, Result, Timer, Timestamp};

use super::backoff::Backoff;
use super::outbox::{Fate, Waiting};
use super::recorder::Recorder;
use super::report::{Happened, Report};
use super::transport::{AnalyticsTransport, SendFailure};

/// How long a rejected report is parked: long enough that a server which rejects everything by mistake can be set right.
const PARKED: Backoff = Backoff { first: Duration::from_mins(10), longest: Duration::from_hours(6) };
/// The longest pause that a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_hours(24);

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
    transport: Arc<dyn AnalyticsTransport>,
    pub(super) timer: Arc<dyn Timer>,
    timeout: Duration,
    batch: usize,
    events: usize,
    rejections: u32,
    backoff: Backoff,
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

/// Which reports a pass sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// Those that are due.
    Due,
    /// All.
    Now,
}

/// How much goes into one sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Load {
    reports: usize,
    /// Events of each report; none: its summary alone.
    events: usize,
}

/// A report on its way.
struct Sent {
    waiting: Waiting,
    report: Report,
    /// The records of its events.
    names: Vec<String>,
    /// Whether there are events behind it.
    more: bool,
}

/// A pass under way.
struct Round {
    pass: Pass,
    items: VecDeque<Item>,
    load: Load,
    /// What the load is again once a part was dropped.
    full: Load,
    done: Delivered,
    /// The first record that could not be read.
    damaged: Option<Error>,
}

/// What a pass still has to look at.
enum Item {
    Unread(String),
    Held(Box<Waiting>),
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

    /// The most events of one report, 1 to 500; 100 unless told otherwise. Visits with more go in parts.
    #[must_use]
    pub fn events(mut self, events: usize) -> Self {
        self.events = events.clamp(1, 500);
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

    async fn pass(&self, pass: Pass) -> Result<Delivered> {
        let names = self.recorder.outbox.names().await?;
        let full = Load { reports: self.batch, events: self.events };
        let mut round = Round {
            pass,
            items: names.into_iter().map(Item::Unread).collect(),
            load: full,
            full,
            done: Delivered::default(),
            damaged: None,
        };
        while round.done.failure.is_none() {
            let batch = self.gather(&mut round).await?;
            if batch.is_empty() {
                break;
            }
            let batch = self.claim(batch).await?;
            let sent = self.pack(batch, &mut round).await?;
            if !sent.is_empty() {
                round.done.sendings += 1;
                let answer = self.send(&sent).await;
                self.follow(answer, sent, &mut round).await?;
            }
        }
        round.damaged.map_or(Ok(round.done), Err)
    }

    /// Does what follows from an answer.
    async fn follow(
        &self,
        answer: Result<(), SendFailure>,
        sent: Vec<Sent>,
        round: &mut Round,
    ) -> Result<()> {
        match answer {
            Ok(()) => self.settle(sent, round).await,
            Err(SendFailure::TooLarge) => {
                if let Some(smaller) = round.load.halved(&sent) {
                    round.load = smaller;
                    round.hold(sent);
                    return Ok(());
                }
                round.load = round.full;
                self.skip(sent, round).await
            }
            Err(SendFailure::Rejected) if sent.len() > 1 => {
                round.load.reports = 1;
                round.hold(sent);
                Ok(())
            }
            Err(SendFailure::Rejected) => self.reject(sent, &mut round.done).await,
            Err(failure) => self.postpone(sent, failure, &mut round.done).await,
        }
    }

    /// The next reports that may be sent. Those that waited too long are dropped here.
    async fn gather(&self, round: &mut Round) -> Result<Vec<Waiting>> {
        let mut batch = Vec::new();
        while batch.len() < round.load.reports
            && let Some(item) = round.items.pop_front()
        {
            let name = match item {
                Item::Held(waiting) => {
                    batch.push(*waiting);
                    continue;
                }
                Item::Unread(name) => name,
            };
            let Some(waiting) = round.undamaged(self.recorder.outbox.peek(&name).await)?.flatten() else {
                continue;
            };
            let now = self.recorder.now();
            if waiting.parcel.until <= now.as_millis() {
                let finished = self.recorder.outbox.finish(&waiting, &[], Fate::Expired).await?;
                round.done.dropped += u64::from(finished);
                continue;
            }
            match self.pause_of(&waiting, now) {
                Some(pause) if round.pass == Pass::Due => {
                    round.done.waits(pause);
                    // What was rejected is overtaken. Else the server is away or another sender is at work, and the queue waits.
                    if waiting.parcel.rejections == 0 {
                        round.items.clear();
                    }
                }
                _ => batch.push(waiting),
            }
        }
        Ok(batch)
    }

    /// How long a report has to wait. A time further off than any pause was told by a clock that was wrong.
    fn pause_of(&self, waiting: &Waiting, now: Timestamp) -> Option<Duration> {
        let pause = Timestamp::from_millis(waiting.parcel.not_before).since(now);
        let longest = LONGEST_PAUSE.max(self.timeout).max(self.backoff.longest);
        (!pause.is_zero() && pause <= longest).then_some(pause)
    }

    /// Counts the attempt in the store. What others have taken meanwhile is left to them.
    async fn claim(&self, batch: Vec<Waiting>) -> Result<Vec<Waiting>> {
        let mut claimed = batch.clone();
        if self.recorder.outbox.claim(&mut claimed, self.timeout).await? {
            return Ok(claimed);
        }
        claimed.clear();
        for waiting in batch {
            let mut one = [waiting];
            if self.recorder.outbox.claim(&mut one, self.timeout).await? {
                claimed.extend(one);
            }
        }
        Ok(claimed)
    }

    async fn pack(&self, batch: Vec<Waiting>, round: &mut Round) -> Result<Vec<Sent>> {
        let mut sent = Vec::with_capacity(batch.len());
        for waiting in batch {
            let begun = waiting.parcel.begun;
            let limit = if begun { round.load.events.max(1) } else { round.load.events };
            let found = self.recorder.outbox.events(&waiting.parcel, limit).await;
            let Some((found, more)) = round.undamaged(found)? else { continue };
            let (names, events): (Vec<String>, Vec<Happened>) = found.into_iter().unzip();
            let summary = (!begun).then(|| waiting.parcel.summary.clone());
            let (visit, started) = (waiting.parcel.visit(), waiting.parcel.summary.started);
            let report = Report { version: Report::VERSION, visit, started, summary, events };
            sent.push(Sent { waiting, report, names, more });
        }
        Ok(sent)
    }

    /// Sends, and gives up when it takes too long.
    async fn send(&self, sent: &[Sent]) -> Result<(), SendFailure> {
        let batch: Vec<Report> = sent.iter().map(|sent| sent.report.clone()).collect();
        let mut sending = self.transport.send(&batch);
        let mut timeout = pin!(self.timer.sleep(self.timeout));
        poll_fn(|context| match sending.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(answer),
            Poll::Pending => timeout.as_mut().poll(context).map(|()| Err(SendFailure::Unavailable)),
        })
        .await
    }

    /// Takes off what was delivered. What has more goes on first.
    async fn settle(&self, sent: Vec<Sent>, round: &mut Round) -> Result<()> {
        let outbox = &self.recorder.outbox;
        for Sent { waiting, names, more, .. } in sent.into_iter().rev() {
            if !more {
                round.done.reports += u64::from(outbox.finish(&waiting, &names, Fate::Delivered).await?);
            } else if let Some(waiting) = outbox.advance(waiting, &names, None).await? {
                round.items.push_front(Item::Held(Box::new(waiting)));
            }
        }
        Ok(())
    }

    /// Drops the one part that is too large by itself: the whole report if it is its summary, else one event.
    async fn skip(&self, sent: Vec<Sent>, round: &mut Round) -> Result<()> {
        let outbox = &self.recorder.outbox;
        for Sent { waiting, names, more, .. } in sent {
            if !waiting.parcel.begun || !more {
                round.done.dropped += u64::from(outbox.finish(&waiting, &names, Fate::TooLarge).await?);
            } else if let Some(waiting) = outbox.advance(waiting, &names, Some(Fate::TooLarge)).await? {
                round.done.dropped += 1;
                round.items.push_front(Item::Held(Box::new(waiting)));
            }
        }
        Ok(())
    }

    /// Counts the rejection of one report; others overtake it.
    async fn reject(&self, sent: Vec<Sent>, done: &mut Delivered) -> Result<()> {
        let outbox = &self.recorder.outbox;
        for Sent { mut waiting, .. } in sent {
            waiting.parcel.rejections += 1;
            if waiting.parcel.rejections >= self.rejections {
                done.dropped += u64::from(outbox.finish(&waiting, &[], Fate::Rejected).await?);
                continue;
            }
            let pause = PARKED.pause(waiting.parcel.rejections, &**self.recorder.handle.random());
            waiting.parcel.not_before = self.recorder.now().saturating_add(pause).as_millis();
            done.waits(pause);
            outbox.postpone(&waiting).await?;
        }
        Ok(())
    }

    /// Lets the queue wait.
    async fn postpone(&self, sent: Vec<Sent>, failure: SendFailure, done: &mut Delivered) -> Result<()> {
        let attempts = sent.iter().map(|sent| sent.waiting.parcel.attempts).max().unwrap_or(1);
        let pause = match failure {
            SendFailure::RetryAfter(pause) => pause.clamp(Duration::from_millis(1), LONGEST_PAUSE),
            _ => self.backoff.pause(attempts, &**self.recorder.handle.random()),
        };
        (done.failure, done.wait) = (Some(failure), Some(pause));
        let until = self.recorder.now().saturating_add(pause).as_millis();
        for Sent { mut waiting, .. } in sent {
            waiting.parcel.not_before = until;
            self.recorder.outbox.postpone(&waiting).await?;
        }
        Ok(())
    }
}

impl Load {
    /// Half of what was too large, if it can be split.
    fn halved(self, sent: &[Sent]) -> Option<Self> {
        if let [Sent { report, .. }] = sent {
            let least = usize::from(report.summary.is_none());
            let events = report.events.len().min(self.events);
            return (events > least).then_some(Self { reports: 1, events: events / 2 });
        }
        Some(Self { reports: sent.len() / 2, ..self })
    }
}

impl Round {
    /// Puts reports back in their order, to be sent again at once.
    fn hold(&mut self, sent: Vec<Sent>) {
        for Sent { waiting, .. } in sent.into_iter().rev() {
            self.items.push_front(Item::Held(Box::new(waiting)));
        }
    }

    /// What was read. A record that cannot be read does not hold up the others: its error is told when the pass is over.
    fn undamaged<T>(&mut self, read: Result<T>) -> Result<Option<T>> {
        use ErrorKind::{Corrupt, Downgrade, Foreign, Mismatch, MissingKey, Newer, WrongKey};
        match read {
            Ok(read) => Ok(Some(read)),
            Err(error) => match error.kind() {
                Corrupt | Downgrade | Foreign | Mismatch | MissingKey | Newer | WrongKey => {
                    self.damaged.get_or_insert(error);
                    Ok(None)
                }
                _ => Err(error),
            },
        }
    }
}

impl Delivered {
    /// The queue has to wait, this long at most.
    fn waits(&mut self, pause: Duration) {
        self.wait = Some(self.wait.map_or(pause, |wait| wait.min(pause)));
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
