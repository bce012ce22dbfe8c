//! Members who share a key and speak over a link: [`Group`]. Every message is sealed as a whole, names of keys included; what is unreadable,
//! forged, repeated or recorded is counted and dropped; what did not come is told.
//!
//! Members trust one another: whoever has the key can speak as any of them. What a message means is decided above.

mod key;
mod peers;
mod report;
mod state;
mod window;
mod wire;

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use strata_core::{BoxFuture, Clock, Error, ErrorKind, Random, Result, Timer, Timestamp};

pub use self::key::GroupKey;
pub use self::report::GroupReport;
use self::state::{Ground, State};
use self::wire::{Instance, Salt, What};
use crate::link::{Heard, Link};

/// A sender of a group, as long as it lives: drawn anew at each start, and after 2^32 messages. Public.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PeerId([u8; 16]);

impl PeerId {
    fn of(salt: &Salt) -> Self {
        let (id, _) = salt.split_first_chunk().expect("32 bytes hold 16");
        Self(*id)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({self})")
    }
}

/// What a message is about, so that several users of one group tell theirs apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic(u16);

impl Topic {
    /// Hints of a [`SharedBus`](crate::SharedBus).
    pub const HINTS: Self = Self(1);
    /// Records between separate stores.
    pub const RECORDS: Self = Self(2);

    /// A topic of this number. Those under 256 are Strata's.
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// What a group has for its reader.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Received {
    /// A message, genuine, here for the first time.
    Message {
        /// Who sent it.
        from: PeerId,
        /// What it is about.
        topic: Topic,
        /// What it says.
        body: Vec<u8>,
    },
    /// A peer proved to be here. What it said before did not arrive. It knows this member too: what is sent to it now arrives.
    Joined(PeerId),
    /// A peer is gone: its link broke, it was silent for three beats, or it said so. What it did last may never have been announced.
    Left(PeerId),
    /// Messages were lost.
    Missed {
        /// Whose, if that is known.
        from: Option<PeerId>,
        /// How many, as far as that is known; one that comes late is handed out all the same.
        at_least: u64,
    },
    /// The link is down; peers are gone until it is up.
    Down,
    /// The link is up again. Peers join one by one.
    Up,
}

/// A member of a group.
pub struct Group {
    link: Arc<dyn Link>,
    timer: Arc<dyn Timer>,
    beat: Duration,
    state: Mutex<State>,
    /// The wait for the next beat, which outlives a dropped `next`.
    waiting: Mutex<Option<BoxFuture<'static, ()>>>,
}

impl Group {
    /// Starts a member over a link. `random` has to be the system's generator in programs: nonces come from it.
    pub fn builder(
        link: impl Link,
        key: &GroupKey,
        random: Arc<dyn Random>,
        clock: Arc<dyn Clock>,
        timer: Arc<dyn Timer>,
    ) -> GroupBuilder {
        let link: Arc<dyn Link> = Arc::new(link);
        let max_body = GroupBuilder::DEFAULT_MAX_BODY;
        let ground = Ground { link, key: key.clone(), random, clock, limit: Instance::LIMIT, max_body };
        GroupBuilder { ground, timer, beat: GroupBuilder::DEFAULT_BEAT }
    }

    /// Who this member is to others just now.
    pub fn id(&self) -> PeerId {
        self.state.lock().id()
    }

    /// Who is here.
    pub fn peers(&self) -> Vec<PeerId> {
        self.state.lock().peers()
    }

    /// Sends to every peer. Never waits. Messages of one sender to all arrive in order or not at all, and so do those to one.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] over the bound; [`ErrorKind::Unavailable`] when the generator failed. The message was not sent then; of a failed one, peers learn
    /// that they missed it.
    pub fn broadcast(&self, topic: Topic, body: &[u8]) -> Result<()> {
        self.state.lock().broadcast(What::Data(topic.get()), body)
    }

    /// Sends to one peer, as [`Group::broadcast`]; [`ErrorKind::Gone`] if it is not here.
    pub fn send(&self, to: PeerId, topic: Topic, body: &[u8]) -> Result<()> {
        self.state.lock().send(to, What::Data(topic.get()), body)
    }

    /// Waits for what comes next; `None` once the link is closed for good. The group lives by this: nobody is greeted and no beat is sent
    /// unless somebody waits. One caller at a time. Dropping the future loses nothing.
    pub async fn next(&self) -> Option<Received> {
        loop {
            let event = self.state.lock().event();
            if event.is_some() {
                return event;
            }
            match self.wait().await {
                Woken::Beat => self.state.lock().on_beat(),
                Woken::Heard(heard) => self.state.lock().on_heard(heard?),
            }
        }
    }

    /// The longest body of a message, in bytes.
    pub fn max_body(&self) -> usize {
        self.state.lock().max_body()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.state.lock().now()
    }

    /// How it fares.
    pub fn report(&self) -> GroupReport {
        self.state.lock().report()
    }

    async fn wait(&self) -> Woken {
        let mut heard = pin!(self.link.next());
        std::future::poll_fn(|context| match self.poll_beat(context) {
            Poll::Ready(()) => Poll::Ready(Woken::Beat),
            Poll::Pending => heard.as_mut().poll(context).map(Woken::Heard),
        })
        .await
    }

    fn poll_beat(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut waiting = self.waiting.lock();
        let sleep = waiting.get_or_insert_with(|| self.timer.sleep(self.beat));
        let poll = sleep.as_mut().poll(context);
        if poll.is_ready() {
            *waiting = None;
        }
        poll
    }
}

enum Woken {
    Beat,
    Heard(Option<Heard>),
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("id", &self.id()).field("link", &self.link).finish_non_exhaustive()
    }
}

/// What a group can be told before it starts.
#[derive(Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct GroupBuilder {
    ground: Ground,
    timer: Arc<dyn Timer>,
    beat: Duration,
}

impl GroupBuilder {
    /// The longest body of a message: 1 MiB.
    pub const DEFAULT_MAX_BODY: usize = 1 << 20;
    /// The time between two beats: 5 seconds.
    pub const DEFAULT_BEAT: Duration = Duration::from_secs(5);

    /// The time between two beats. A lost message that no other follows is noticed at the next beat that arrives, a silent peer is gone
    /// after three.
    pub fn beat(mut self, every: Duration) -> Self {
        self.beat = every;
        self
    }

    /// The longest body of a message, in bytes. What the link can carry has to be a little more (256 bytes are enough); all members should
    /// be told the same.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.ground.max_body = bytes;
        self
    }

    /// How many messages are sealed under one derived key, if that shall be less than 2^32 - 1. Then the member goes on under another, and
    /// peers see one go and one come.
    pub fn messages_per_key(mut self, limit: u64) -> Self {
        self.ground.limit = limit;
        self
    }

    /// The member. It greets the others; what follows needs a caller of [`Group::next`].
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a beat of no time, or fewer than 16 messages under a key; the generator's.
    pub fn build(self) -> Result<Group> {
        let Self { ground, timer, beat } = self;
        if beat.is_zero() {
            return Err(refused("a beat of no time would keep the processor busy; name some seconds"));
        }
        if ground.limit < 16 {
            return Err(refused("a key is for 16 messages at least; name more, or leave it out"));
        }
        let link = Arc::clone(&ground.link);
        Ok(Group { link, timer, beat, state: Mutex::new(State::start(ground)?), waiting: Mutex::default() })
    }
}

#[cold]
fn refused(why: &str) -> Error {
    Error::new(ErrorKind::Invalid, "build group", why)
}
