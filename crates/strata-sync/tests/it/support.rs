//! What tests of groups stand on: time that moves when told to, the system's generator, a link that can be listened to and cut, and
//! [`settle`], which runs groups until nothing is left to do.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use ring::rand::SecureRandom as _;
use strata_core::{BoxFuture, Error, ErrorKind, ManualClock, Random, Result, Timer};
use strata_sync::{Group, GroupKey, Heard, Link, Member, Received};

/// The system's generator.
#[derive(Debug, Default)]
pub(crate) struct System;

impl Random for System {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        ring::rand::SystemRandom::new()
            .fill(bytes)
            .map_err(|_| Error::new(ErrorKind::Unavailable, "draw", "the generator gave nothing"))
    }
}

/// A timer whose sleeps all end when it is told to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Beats(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    times: u64,
    asleep: Vec<Waker>,
}

impl Beats {
    /// Ends every sleep that has begun.
    pub(crate) fn tell(&self) {
        let mut told = self.0.lock().expect("lock");
        told.times += 1;
        told.asleep.drain(..).for_each(Waker::wake);
    }
}

impl Timer for Beats {
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        let told = Arc::clone(&self.0);
        let begun = told.lock().expect("lock").times;
        Box::pin(std::future::poll_fn(move |context| {
            let mut told = told.lock().expect("lock");
            if told.times > begun {
                return Poll::Ready(());
            }
            told.asleep.push(context.waker().clone());
            Poll::Pending
        }))
    }
}

/// Which of what is sent gets through.
type Sieve = Box<dyn FnMut(&Arc<[u8]>) -> bool + Send>;

/// A link of which everything sent is written down, and some of it held back.
#[derive(Clone)]
pub(crate) struct Tapped {
    link: Arc<dyn Link>,
    tap: Arc<Mutex<Tap>>,
}

#[derive(Default)]
struct Tap {
    sent: Vec<Arc<[u8]>>,
    sieve: Option<Sieve>,
}

impl Tapped {
    pub(crate) fn new(link: impl Link) -> Self {
        Self { link: Arc::new(link), tap: Arc::default() }
    }

    /// Everything sent so far.
    pub(crate) fn sent(&self) -> Vec<Arc<[u8]>> {
        self.tap.lock().expect("lock").sent.clone()
    }

    /// From now on only what passes is sent.
    pub(crate) fn only(&self, sieve: impl FnMut(&Arc<[u8]>) -> bool + Send + 'static) {
        self.tap.lock().expect("lock").sieve = Some(Box::new(sieve));
    }

    fn passes(&self, message: &Arc<[u8]>) -> bool {
        let mut tap = self.tap.lock().expect("lock");
        tap.sent.push(Arc::clone(message));
        tap.sieve.as_mut().is_none_or(|sieve| sieve(message))
    }
}

impl fmt::Debug for Tapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tapped")
    }
}

#[async_trait]
impl Link for Tapped {
    fn broadcast(&self, message: Arc<[u8]>) {
        if self.passes(&message) {
            self.link.broadcast(message);
        }
    }

    fn send(&self, to: Member, message: Arc<[u8]>) {
        if self.passes(&message) {
            self.link.send(to, message);
        }
    }

    async fn next(&self) -> Option<Heard> {
        self.link.next().await
    }
}

/// A key that all tests may know.
pub(crate) fn key() -> GroupKey {
    let bytes: [u8; 32] = std::array::from_fn(|place| u8::try_from(place).expect("small") ^ 0x5a);
    GroupKey::from_bytes(&bytes).expect("a key")
}

/// A member over `link` whose beats are `beats`'.
pub(crate) fn member(link: impl Link, key: &GroupKey, beats: &Beats) -> Group {
    let clock = Arc::new(ManualClock::default());
    Group::builder(link, key, Arc::new(System), clock, Arc::new(beats.clone())).build().expect("a group")
}

/// What `future` gives if it is ready.
pub(crate) fn poll<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Everything a group has for its reader just now.
pub(crate) fn drain(group: &Group) -> Vec<Received> {
    std::iter::from_fn(|| poll(group.next()).flatten()).collect()
}

/// Runs groups until none has anything left to do, and gives what each received.
pub(crate) fn settle<const N: usize>(groups: [&Group; N]) -> [Vec<Received>; N] {
    let mut received = std::array::from_fn(|_| Vec::new());
    loop {
        let before = groups.map(Group::report);
        for (group, received) in groups.iter().zip(&mut received) {
            received.extend(drain(group));
        }
        if groups.map(Group::report) == before {
            return received;
        }
    }
}

/// The runtime's timer, for tests with real sockets.
#[derive(Debug)]
pub(crate) struct Tokio;

impl Timer for Tokio {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

impl strata_core::Spawn for Tokio {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        drop(tokio::spawn(task));
    }
}

/// A link that can be cut. While it is, nothing passes, in either direction.
#[derive(Clone, Debug)]
pub(crate) struct Switched {
    link: Arc<dyn Link>,
    state: Arc<Mutex<Switch>>,
}

#[derive(Debug, Default)]
struct Switch {
    down: bool,
    told: std::collections::VecDeque<Heard>,
}

impl Switched {
    pub(crate) fn new(link: impl Link) -> Self {
        Self { link: Arc::new(link), state: Arc::default() }
    }

    /// Cuts it or mends it. Whoever waits has to poll again.
    pub(crate) fn turn(&self, down: bool) {
        let mut state = self.state.lock().expect("lock");
        state.down = down;
        state.told.push_back(if down { Heard::Down } else { Heard::Up });
    }

    /// Says that messages may have been lost.
    pub(crate) fn lose(&self) {
        self.state.lock().expect("lock").told.push_back(Heard::Lost);
    }

    fn is_down(&self) -> bool {
        self.state.lock().expect("lock").down
    }
}

#[async_trait]
impl Link for Switched {
    fn broadcast(&self, message: Arc<[u8]>) {
        if !self.is_down() {
            self.link.broadcast(message);
        }
    }

    fn send(&self, to: Member, message: Arc<[u8]>) {
        if !self.is_down() {
            self.link.send(to, message);
        }
    }

    async fn next(&self) -> Option<Heard> {
        loop {
            let mut heard = self.link.next();
            let next = std::future::poll_fn(|context| {
                if let Some(told) = self.state.lock().expect("lock").told.pop_front() {
                    return Poll::Ready((true, Some(told)));
                }
                heard.as_mut().poll(context).map(|heard| (!self.is_down(), heard))
            });
            if let (true, heard) = next.await {
                return heard;
            }
        }
    }
}
