//! A [`Peer`] at work over a group: [`Replication`].

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use parking_lot::Mutex;
use strata_core::{BoxFuture, Error, ErrorKind, Handle, Result, Spawn, Timer, Timestamp};
use tokio::sync::oneshot;

use super::config::ReplicationConfig;
use super::journal::Recorder;
use super::peer::{Outgoing, Peer};
use super::report::ReplicationReport;
use crate::group::{Group, PeerId, Received, Topic};
use crate::link::Member;

/// Keeps a store in step with those of the other members of a group. Clones are the same.
///
/// No write waits for it or fails with it: what cannot be told now is found by the next digest. A failing store or link is reported and
/// tried again, never the end of it.
#[derive(Clone)]
pub struct Replication(Arc<Inner>);

struct Inner {
    peer: tokio::sync::Mutex<Peer>,
    recorder: Arc<Recorder>,
    group: Group,
    timer: Arc<dyn Timer>,
    handle: Handle,
    interval: Duration,
    members: Mutex<Members>,
    report: Mutex<ReplicationReport>,
    /// Since when nobody polls it.
    idle_since: Mutex<Option<Timestamp>>,
}

/// A replication that somebody polls. When nobody does any more, nothing is in step.
struct AtWork<'r>(&'r Inner);

impl<'r> AtWork<'r> {
    fn begin(replication: &'r Replication) -> Self {
        *replication.0.idle_since.lock() = None;
        Self(&replication.0)
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        *self.0.idle_since.lock() = Some(self.0.handle.clock().now());
    }
}

/// The members of the group, by the short addresses a peer uses.
#[derive(Default)]
struct Members {
    addresses: BTreeMap<PeerId, Member>,
    next: u64,
}

/// What there is to do.
enum Woken {
    Tick,
    Changed,
    Received(Option<Received>),
}

impl Replication {
    /// Opens replication of `handle`, whose journal and bus `recorder` is, with a group of its own. Then [start](Self::start) it.
    ///
    /// # Errors
    /// As [`Peer::open`]; [`ErrorKind::Invalid`] if the group's messages are shorter than
    /// [`max_message`](ReplicationConfig::max_message).
    pub async fn open(
        handle: Handle,
        recorder: Arc<Recorder>,
        group: Group,
        timer: Arc<dyn Timer>,
        config: ReplicationConfig,
    ) -> Result<Self> {
        if group.max_body() < config.max_message {
            return Err(Error::new(
                ErrorKind::Invalid,
                "open replication",
                format!(
                    "its messages have up to {} bytes, the group's at most {}; raise `max_body` of the group, or lower `max_message`",
                    config.max_message,
                    group.max_body()
                ),
            ));
        }
        let interval = config.interval;
        let idle_since = Mutex::new(Some(handle.clock().now()));
        let peer = Peer::open(handle.clone(), Arc::clone(&recorder), config).await?;
        let report = Mutex::new(peer.report());
        let (peer, members) = (tokio::sync::Mutex::new(peer), Mutex::default());
        Ok(Self(Arc::new(Inner {
            peer,
            recorder,
            group,
            timer,
            handle,
            interval,
            members,
            report,
            idle_since,
        })))
    }

    /// Tells peers of changes here and takes up theirs, until the group's link is closed for good. Whoever polls it owns it.
    pub async fn run(&self) {
        let mut due = self.sleep(self.0.interval);
        let (mut changes_first, mut hurries) = (true, false);
        let _at_work = AtWork::begin(self);
        loop {
            let woken = self.woken(&mut due, changes_first).await;
            changes_first = !matches!(woken, Woken::Changed);
            match woken {
                Woken::Tick => (due, hurries) = (self.sleep(self.0.interval), false),
                // Many losses are repaired by one digest, which losses without end do not put off.
                Woken::Received(Some(Received::Missed { .. })) if !hurries => {
                    (due, hurries) = (self.sleep(self.0.interval / 10), true);
                }
                Woken::Received(None) => return,
                _ => {}
            }
            self.step(woken).await;
        }
    }

    /// Starts [`Replication::run`] as a task, which ends when the guard is dropped.
    pub fn start(&self, spawn: &dyn Spawn) -> ReplicationRunning {
        let (stop, mut stopped) = oneshot::channel::<()>();
        let replication = self.clone();
        spawn.spawn(Box::pin(async move {
            let mut run = pin!(replication.run());
            poll_fn(|context| match Pin::new(&mut stopped).poll(context) {
                Poll::Ready(_) => Poll::Ready(()),
                Poll::Pending => run.as_mut().poll(context),
            })
            .await;
        }));
        ReplicationRunning { replication: self.clone(), _stop: stop }
    }

    /// How far peers are in step.
    pub fn report(&self) -> ReplicationReport {
        ReplicationReport { pending: self.0.recorder.waiting(), ..self.0.report.lock().clone() }
    }

    /// Since when peers cannot be heard: the link is down, or nobody runs this.
    pub(crate) fn cut_off_since(&self) -> Option<Timestamp> {
        let idle = *self.0.idle_since.lock();
        self.0.group.report().down_since.into_iter().chain(idle).min()
    }

    /// The group, to report; its reader is this.
    pub fn group(&self) -> &Group {
        &self.0.group
    }

    /// As [`Peer::vouch`].
    pub async fn vouch(&self) -> Result<()> {
        self.0.peer.lock().await.vouch().await
    }

    /// Tells now what changed here, as far as the group takes it.
    pub async fn flush(&self) {
        self.step(Woken::Changed).await;
    }

    async fn step(&self, woken: Woken) {
        let mut peer = self.0.peer.lock().await;
        let done = match woken {
            Woken::Tick => peer.on_tick().await,
            Woken::Changed => peer.on_change().await,
            Woken::Received(received) => self.on_received(&mut peer, received).await,
        };
        let outgoing = peer.take_outgoing();
        if let Err(error) = done {
            peer.failures += 1;
            tracing::warn!(target: "strata::sync", "replication is behind: {error}");
        }
        let mut report = self.0.report.lock();
        *report = peer.report();
        drop((report, peer));
        let unsent = outgoing.iter().filter(|message| self.send(message).is_err()).count();
        if unsent > 0 {
            tracing::warn!(target: "strata::sync", "{unsent} messages could not be sent; digests repair it");
        }
    }

    async fn on_received(&self, peer: &mut Peer, received: Option<Received>) -> Result<()> {
        match received {
            Some(Received::Message { from, topic: Topic::RECORDS, body }) => {
                let from = self.address(from);
                peer.on_message(from, &body).await
            }
            Some(Received::Joined(id)) => {
                let member = self.address(id);
                peer.on_joined(member).await
            }
            Some(Received::Left(id)) => {
                if let Some(member) = self.0.members.lock().addresses.remove(&id) {
                    peer.on_left(member);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn address(&self, id: PeerId) -> Member {
        let mut members = self.0.members.lock();
        let next = Member::new(members.next);
        let address = *members.addresses.entry(id).or_insert(next);
        members.next += u64::from(address == next);
        address
    }

    fn send(&self, message: &Outgoing) -> Result<()> {
        let group = &self.0.group;
        let Some(to) = message.to else { return group.broadcast(Topic::RECORDS, &message.bytes) };
        let members = self.0.members.lock();
        let id = members.addresses.iter().find(|(_, member)| **member == to).map(|(id, _)| *id);
        drop(members);
        match id.map(|id| group.send(id, Topic::RECORDS, &message.bytes)) {
            // Whoever left meanwhile compares again when it is back.
            Some(Err(error)) if error.kind() != ErrorKind::Gone => Err(error),
            _ => Ok(()),
        }
    }

    /// A wait of about `time`: a tenth more or less, so that peers don't speak all at once.
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        let mut byte = [128];
        // Without randomness they do.
        let _ = self.0.handle.random().fill(&mut byte);
        let jittered = time * 9 / 10 + time / 5 * u32::from(byte[0]) / 255;
        self.0.timer.sleep(jittered)
    }

    /// Waits for something to do. In turn, so that neither many changes nor many messages keep the other waiting.
    async fn woken(&self, due: &mut BoxFuture<'static, ()>, changes_first: bool) -> Woken {
        let mut changed = pin!(self.0.recorder.changed());
        let mut received = pin!(self.0.group.next());
        poll_fn(|context| {
            if due.as_mut().poll(context).is_ready() {
                return Poll::Ready(Woken::Tick);
            }
            if changes_first && changed.as_mut().poll(context).is_ready() {
                return Poll::Ready(Woken::Changed);
            }
            if let Poll::Ready(received) = received.as_mut().poll(context) {
                return Poll::Ready(Woken::Received(received));
            }
            changed.as_mut().poll(context).map(|()| Woken::Changed)
        })
        .await
    }
}

impl fmt::Debug for Replication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replication").field("group", &self.0.group).finish_non_exhaustive()
    }
}

/// Replication at work. Dropping it stops it; [flush](Replication::flush) first what shall be told before. What is not told is told after the
/// next start.
#[must_use = "replication stops when this is dropped"]
pub struct ReplicationRunning {
    replication: Replication,
    _stop: oneshot::Sender<()>,
}

impl ReplicationRunning {
    /// What is at work.
    pub fn replication(&self) -> &Replication {
        &self.replication
    }
}

impl fmt::Debug for ReplicationRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReplicationRunning").field(&self.replication).finish()
    }
}
