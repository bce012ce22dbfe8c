//! Change events: [`Change`], the [`Hub`] that hands them out, [`Subscription`], and the [`Bus`] that carries them elsewhere.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::broadcast;

use crate::bounds::{MaybeSend, MaybeSync};
use crate::error::{ErrorKind, Result};
use crate::key::Key;
use crate::pattern::Pattern;
use crate::record::Version;

/// Something that happened to a record. The value is not part of it: read it, it may have changed again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which record, with its whole name.
    pub key: Key,
    /// What happened.
    pub kind: ChangeKind,
    /// The version it got, or the one that ended.
    pub version: Version,
    /// Who did it.
    pub origin: Origin,
}

/// What happened to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChangeKind {
    /// A new life of the key began.
    Created,
    /// The value or tags changed.
    Updated,
    /// The expiry changed, other than by activity.
    Retimed,
    /// Somebody removed it.
    Removed,
    /// It had died, and its remains were removed. Announced at most once for each life.
    Expired,
}

/// Who made a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A handle of this process over the same hub.
    Local,
    /// A peer, heard over a bus.
    Remote,
}

/// What a subscription yields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A change that matches.
    Change(Change),
    /// This many changes, matching or not, were lost: the subscriber was slow, or a caller gave up on a commit whose outcome
    /// nobody knows. Read anew what matters.
    Lagged(u64),
}

/// Carries announced changes to other processes. Called after the commit, must not block: queue and return. A bus that is
/// down reports it by its own means; it never fails a write.
pub trait Bus: fmt::Debug + MaybeSend + MaybeSync + 'static {
    /// Hands over one local change.
    fn publish(&self, change: &Change);

    /// A local change may have happened that nobody can tell: peers have to look anew.
    fn lose(&self);
}

/// What travels from a hub to its subscribers.
#[derive(Clone, Debug)]
enum Message {
    Change(Change),
    /// Something may have happened that nobody can tell.
    Lost,
}

/// Hands changes to subscribers. When nobody listens, announcing costs one atomic load.
#[derive(Debug)]
pub struct Hub {
    sender: broadcast::Sender<Message>,
    listeners: Arc<AtomicUsize>,
}

impl Hub {
    /// How many changes a subscriber may fall behind before it lags.
    pub const CAPACITY: usize = 1024;

    /// A hub without subscribers.
    pub fn new() -> Self {
        Self { sender: broadcast::Sender::new(Self::CAPACITY), listeners: Arc::default() }
    }

    /// Whether anybody listens.
    #[inline]
    pub fn is_heard(&self) -> bool {
        self.listeners.load(Ordering::Acquire) != 0
    }

    /// Hands `change` to every subscriber. Never blocks.
    #[inline]
    pub fn announce(&self, change: Change) {
        if self.is_heard() {
            // An error means that the last listener left meanwhile.
            let _ = self.sender.send(Message::Change(change));
        }
    }

    /// Tells every subscriber that a change may have happened which will not be announced, as [`Event::Lagged`].
    #[cold]
    pub fn lose(&self) {
        if self.is_heard() {
            let _ = self.sender.send(Message::Lost);
        }
    }

    /// Watches over a commit under way: unless it is [settled](InFlight::settle), what it did is lost to subscribers and peers.
    pub(crate) fn in_flight<'h>(&'h self, bus: Option<&'h dyn Bus>) -> InFlight<'h> {
        InFlight(Some(Listeners { hub: self, bus }))
    }

    /// Changes announced from now on whose keys match `pattern`, of one origin if asked.
    pub fn subscribe(&self, pattern: Pattern, origin: Option<Origin>) -> Subscription {
        let receiver = self.sender.subscribe();
        self.listeners.fetch_add(1, Ordering::AcqRel);
        Subscription { receiver, pattern, origin, listeners: Arc::clone(&self.listeners) }
    }
}

impl Default for Hub {
    fn default() -> Self {
        Self::new()
    }
}

/// Who has to know of a change.
struct Listeners<'h> {
    hub: &'h Hub,
    bus: Option<&'h dyn Bus>,
}

impl Listeners<'_> {
    #[cold]
    fn lose(&self) {
        self.hub.lose();
        if let Some(bus) = self.bus {
            bus.lose();
        }
    }
}

/// A commit whose outcome is not known yet. Dropped like that, because its caller gave up, it makes subscribers look anew.
pub(crate) struct InFlight<'h>(Option<Listeners<'h>>);

impl InFlight<'_> {
    /// The outcome is known. A failure that may have happened all the same counts as lost.
    pub(crate) fn settle<T>(mut self, outcome: &Result<T>) {
        let listeners = self.0.take();
        if let (Some(listeners), Err(error)) = (listeners, outcome)
            && matches!(
                error.kind(),
                ErrorKind::Unavailable | ErrorKind::Poisoned | ErrorKind::Full | ErrorKind::Other
            )
        {
            listeners.lose();
        }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if let Some(listeners) = &self.0 {
            listeners.lose();
        }
    }
}

/// Matching changes, in the order they were announced, which for two writers of one key need not be the order of their
/// commits: the last event says that there is something to read, not what is there. Dropping it ends the subscription.
#[must_use = "changes are lost unless the subscription is read"]
pub struct Subscription {
    receiver: broadcast::Receiver<Message>,
    pattern: Pattern,
    origin: Option<Origin>,
    listeners: Arc<AtomicUsize>,
}

impl Subscription {
    /// Only changes made by `origin`.
    pub fn from(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Waits for the next event; `None` once every handle is gone. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let event = match self.receiver.recv().await {
                Ok(message) => message.into(),
                Err(broadcast::error::RecvError::Lagged(count)) => Event::Lagged(count),
                Err(broadcast::error::RecvError::Closed) => return None,
            };
            if self.wants(&event) {
                return Some(event);
            }
        }
    }

    /// The next event if one is waiting.
    pub fn try_next(&mut self) -> Option<Event> {
        loop {
            let event = match self.receiver.try_recv() {
                Ok(message) => message.into(),
                Err(broadcast::error::TryRecvError::Lagged(count)) => Event::Lagged(count),
                Err(_) => return None,
            };
            if self.wants(&event) {
                return Some(event);
            }
        }
    }

    fn wants(&self, event: &Event) -> bool {
        match event {
            Event::Lagged(_) => true,
            Event::Change(change) => {
                self.origin.is_none_or(|origin| origin == change.origin) && self.pattern.matches(&change.key)
            }
        }
    }
}

impl From<Message> for Event {
    fn from(message: Message) -> Self {
        match message {
            Message::Change(change) => Self::Change(change),
            Message::Lost => Self::Lagged(1),
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.listeners.fetch_sub(1, Ordering::AcqRel);
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("pattern", &self.pattern)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(key: &str) -> Change {
        Change {
            key: Key::new(key).expect("key"),
            kind: ChangeKind::Created,
            version: Version::new(1),
            origin: Origin::Local,
        }
    }

    #[test]
    fn subscribers_get_what_matches_and_hear_of_what_they_lost() {
        let hub = Hub::new();
        assert!(!hub.is_heard());
        let mut carts = hub.subscribe(Pattern::new("cart:*").expect("glob"), None);
        let mut remote = hub.subscribe(Pattern::all(), None).from(Origin::Remote);
        hub.announce(change("cart:ada"));
        hub.announce(change("user:ada"));
        assert_eq!(carts.try_next(), Some(Event::Change(change("cart:ada"))));
        assert_eq!(carts.try_next(), None);
        assert_eq!(remote.try_next(), None);
        for _ in 0..Hub::CAPACITY + 3 {
            hub.announce(change("cart:ada"));
        }
        assert_eq!(carts.try_next(), Some(Event::Lagged(3)));
        drop((carts, remote));
        assert!(!hub.is_heard());
    }
}
