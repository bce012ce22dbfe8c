//! A bus for handles over one store that several programs share: [`SharedBus`]. Its messages are hints: which record changed, never what to.
//! Whoever hears one reads the store.

mod hint;

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use parking_lot::Mutex;
use strata_core::{Bus, Change, Handle, Spawn, Timestamp};
use tokio::sync::{Notify, oneshot};

use crate::group::{Group, GroupReport, Received, Topic};

/// Tells peers over the same store which records changed, and subscribers here what peers changed.
///
/// It may be down or slow: no write waits for it or fails with it. What could not be told becomes one message that says so, and whoever
/// misses messages makes its subscribers read anew ([`Event::Lagged`](strata_core::Event::Lagged)): also when a peer joins, whose earlier
/// messages did not arrive, and when one leaves, which may have been killed between its commit and its message. Clones are the same bus.
#[derive(Clone)]
pub struct SharedBus(Arc<Inner>);

struct Inner {
    group: Group,
    state: Mutex<State>,
    filled: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Change>,
    lost: bool,
    /// Since when nothing was missed.
    in_step_since: Option<Timestamp>,
    /// Since when nobody polls it; `None` while somebody does.
    idle_since: Option<Timestamp>,
    counts: Counts,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    announced: u64,
    heard: u64,
    untold: u64,
    resynchronised: u64,
    strange: u64,
}

/// How a bus fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedReport {
    /// Changes told to peers.
    pub announced: u64,
    /// Changes of peers told to subscribers here.
    pub heard: u64,
    /// Changes that peers were not told one by one: they were told to read anew.
    pub untold: u64,
    /// How often subscribers here were told to read anew.
    pub resynchronised: u64,
    /// Genuine messages that made no sense here. A newer program may have sent them.
    pub strange: u64,
    /// Since when every change that peers announced was passed on. `None` while the link is down, and while the bus does not run.
    pub in_step_since: Option<Timestamp>,
    /// Whether somebody polls it.
    pub running: bool,
    /// How its group fares.
    pub group: GroupReport,
}

impl SharedReport {
    /// How stale a reader that follows its subscription may be, at most, at `now`: the time since the peer that was silent longest was
    /// heard. `None` if nobody can tell: the bus does not run.
    pub fn staleness(&self, now: Timestamp) -> Option<Duration> {
        self.group.heard_up_to.filter(|_| self.running).map(|heard| now.since(heard))
    }
}

impl SharedBus {
    /// How many changes wait to be told; what comes on top is lost, which peers are told.
    pub const CAPACITY: usize = 4096;

    /// A bus over a group of its own. Give it to a handle's builder, and then [start](Self::start) it with that handle.
    pub fn new(group: Group) -> Self {
        let state = State { idle_since: Some(group.now()), ..State::default() };
        Self(Arc::new(Inner { group, state: Mutex::new(state), filled: Notify::new() }))
    }

    /// The group, to send and report; its reader is this bus.
    pub fn group(&self) -> &Group {
        &self.0.group
    }

    /// How it fares.
    pub fn report(&self) -> SharedReport {
        let group = self.0.group.report();
        let state = self.0.state.lock();
        let Counts { announced, heard, untold, resynchronised, strange } = state.counts;
        let (in_step_since, running) = (state.in_step_since, state.idle_since.is_none());
        SharedReport { announced, heard, untold, resynchronised, strange, in_step_since, running, group }
    }

    /// Since when peers cannot be heard: the link is down, or nobody runs this.
    pub(crate) fn cut_off_since(&self) -> Option<Timestamp> {
        let idle = self.0.state.lock().idle_since;
        self.0.group.report().down_since.into_iter().chain(idle).min()
    }

    /// Tells peers of this handle's changes and its subscribers of theirs, until the link is closed for good. Whoever polls it owns it.
    pub async fn run(&self, handle: &Handle) {
        let _at_work = AtWork::begin(self, handle);
        while let Some(received) = self.received().await {
            self.on_received(handle, &received);
        }
    }

    /// Starts [`SharedBus::run`] as a task, which ends when the guard is dropped.
    pub fn start(&self, handle: &Handle, spawn: &dyn Spawn) -> BusRunning {
        let (stop, mut stopped) = oneshot::channel::<()>();
        let (bus, handle) = (self.clone(), handle.clone());
        spawn.spawn(Box::pin(async move {
            let mut run = pin!(bus.run(&handle));
            poll_fn(|context| match Pin::new(&mut stopped).poll(context) {
                Poll::Ready(_) => Poll::Ready(()),
                Poll::Pending => run.as_mut().poll(context),
            })
            .await;
        }));
        BusRunning { bus: self.clone(), _stop: stop }
    }

    /// Hands what waits to the link now. A loss goes first: who reads anew because of it misses nothing.
    pub fn flush(&self) {
        loop {
            let mut state = self.0.state.lock();
            let lost = std::mem::take(&mut state.lost);
            let count = state.waiting.len().min(hint::MAX_CHANGES);
            let changes: Vec<Change> = state.waiting.drain(..count).collect();
            drop(state);
            if (lost && !self.tell_loss()) || changes.is_empty() {
                return self.untold(changes.len());
            }
            self.tell(&changes);
        }
    }

    /// So many changes cannot be told one by one.
    fn untold(&self, changes: usize) {
        self.0.state.lock().untold(changes as u64);
    }

    fn tell(&self, changes: &[Change]) {
        let told = hint::changes(changes).and_then(|body| self.0.group.broadcast(Topic::HINTS, &body));
        match told {
            Ok(()) => self.0.state.lock().counts.announced += changes.len() as u64,
            Err(_) => self.untold(changes.len()),
        }
    }

    /// Whether others could be told; if not, they are at the next occasion.
    fn tell_loss(&self) -> bool {
        let told = hint::lost().and_then(|body| self.0.group.broadcast(Topic::HINTS, &body));
        self.0.state.lock().lost |= told.is_err();
        told.is_ok()
    }

    /// Waits for what peers say, and tells them of changes here meanwhile.
    async fn received(&self) -> Option<Received> {
        let mut received = pin!(self.0.group.next());
        loop {
            let mut filled = pin!(self.0.filled.notified());
            self.flush();
            let ready = poll_fn(|context| match received.as_mut().poll(context) {
                Poll::Ready(received) => Poll::Ready(Some(received)),
                Poll::Pending => filled.as_mut().poll(context).map(|()| None),
            });
            if let Some(received) = ready.await {
                return received;
            }
        }
    }

    fn on_received(&self, handle: &Handle, received: &Received) {
        match received {
            Received::Message { topic: Topic::HINTS, body, .. } => match hint::read(body) {
                Ok(Some(changes)) => {
                    for change in &changes {
                        handle.hear(change);
                    }
                    self.0.state.lock().counts.heard += changes.len() as u64;
                }
                Ok(None) => self.read_anew(handle),
                Err(error) => {
                    tracing::warn!(target: "strata::sync", "{error}");
                    self.0.state.lock().counts.strange += 1;
                    self.read_anew(handle);
                }
            },
            Received::Message { .. } => self.0.state.lock().counts.strange += 1,
            Received::Down => {
                tracing::warn!(target: "strata::sync", "the bus is down; changes of others are not heard until it is up");
                self.0.state.lock().in_step_since = None;
                handle.hear_of_loss();
            }
            Received::Up => {
                // Whatever was told meanwhile reached nobody.
                self.lose();
                self.read_anew(handle);
            }
            Received::Joined(_) | Received::Left(_) | Received::Missed { .. } => self.read_anew(handle),
        }
    }

    /// Something may have been missed up to now; from here on, subscribers are in step again.
    fn read_anew(&self, handle: &Handle) {
        let down = self.0.group.report().down_since.is_some();
        let mut state = self.0.state.lock();
        state.counts.resynchronised += 1;
        state.in_step_since = (!down).then(|| handle.clock().now());
        drop(state);
        handle.hear_of_loss();
    }
}

/// A bus that somebody polls. When nobody does any more, nothing is in step.
struct AtWork<'b> {
    bus: &'b SharedBus,
    handle: &'b Handle,
}

impl<'b> AtWork<'b> {
    fn begin(bus: &'b SharedBus, handle: &'b Handle) -> Self {
        bus.0.state.lock().idle_since = None;
        bus.read_anew(handle);
        Self { bus, handle }
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        let mut state = self.bus.0.state.lock();
        state.idle_since = Some(self.handle.clock().now());
        state.in_step_since = None;
        drop(state);
        self.handle.hear_of_loss();
    }
}

impl State {
    fn untold(&mut self, changes: u64) {
        self.counts.untold += changes;
        self.lost |= changes > 0;
    }
}

impl Bus for SharedBus {
    fn publish(&self, change: &Change) {
        let mut state = self.0.state.lock();
        if state.waiting.len() < Self::CAPACITY {
            state.waiting.push_back(change.clone());
        } else {
            state.untold(1);
        }
        drop(state);
        self.0.filled.notify_one();
    }

    fn lose(&self) {
        self.0.state.lock().lost = true;
        self.0.filled.notify_one();
    }
}

impl fmt::Debug for SharedBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedBus").field("group", &self.0.group).finish_non_exhaustive()
    }
}

/// A bus at work. Dropping it hands what waits to the link and stops.
#[must_use = "the bus stops when this is dropped"]
#[derive(Debug)]
pub struct BusRunning {
    bus: SharedBus,
    _stop: oneshot::Sender<()>,
}

impl Drop for BusRunning {
    fn drop(&mut self) {
        self.bus.flush();
    }
}
