//! One pass over the queue: what is due is gathered, claimed, packed and sent, and what follows from each answer is done.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use strata_core::{Error, ErrorKind, Result, Timestamp};

use super::backoff::Backoff;
use super::delivery::{Delivered, Delivery};
use super::outbox::{Fate, Waiting};
use super::report::{Happened, Report};
use super::transport::SendFailure;

/// How long a rejected report is parked: long enough that a server which rejects everything by mistake can be set right.
const PARKED: Backoff = Backoff { first: Duration::from_mins(10), longest: Duration::from_hours(6) };
/// The longest pause that a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_hours(24);

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

/// What is known of a report on its way.
struct Sent {
    waiting: Waiting,
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
    /// Sends what there is, up to the first failure of the transport.
    pub(super) async fn pass(&self, pass: Pass) -> Result<Delivered> {
        let names = self.recorder.outbox.names().await?;
        // A part is taken off in one commit: its events, its report and the ledger.
        let most = self.recorder.handle.capabilities().max_batch;
        let full = Load { reports: self.batch.min(most), events: self.events.min(most.saturating_sub(2)) };
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
            let (sent, reports) = self.pack(batch, &mut round).await?;
            if !sent.is_empty() {
                round.done.sendings += 1;
                let answer = self.send(&reports).await;
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

    async fn pack(&self, batch: Vec<Waiting>, round: &mut Round) -> Result<(Vec<Sent>, Vec<Report>)> {
        let mut sent = Vec::with_capacity(batch.len());
        let mut reports = Vec::with_capacity(batch.len());
        for mut waiting in batch {
            let begun = waiting.parcel.begun;
            let limit = if begun { round.load.events.max(1) } else { round.load.events };
            let found = self.recorder.outbox.events(&waiting.parcel, limit).await;
            let Some((found, more)) = round.undamaged(found)? else {
                // Nobody is at it any more: the others do not wait for it in the next pass either.
                waiting.parcel.not_before = 0;
                self.recorder.outbox.postpone(&waiting).await?;
                continue;
            };
            let (names, events): (Vec<String>, Vec<Happened>) = found.into_iter().unzip();
            let summary = (!begun).then(|| waiting.parcel.summary.clone());
            let (visit, started) = (waiting.parcel.visit(), waiting.parcel.summary.started);
            reports.push(Report { version: Report::VERSION, visit, started, summary, events });
            sent.push(Sent { waiting, names, more });
        }
        Ok((sent, reports))
    }

    /// Sends, and gives up when it takes too long.
    async fn send(&self, batch: &[Report]) -> Result<(), SendFailure> {
        let mut sending = self.transport.send(batch);
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
        for Sent { waiting, names, more } in sent.into_iter().rev() {
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
        for Sent { waiting, names, more } in sent {
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
        if let [Sent { waiting, names, .. }] = sent {
            let least = usize::from(waiting.parcel.begun);
            let events = names.len().min(self.events);
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
