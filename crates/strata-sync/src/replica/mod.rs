//! A typed copy of some records in this process: [`Replica`]. It answers reads without the store, and follows what handles of this process
//! and, over a bus, peers change. `held` is the copy, `follower` keeps it in step, `todo` is what the follower still has to read, `changes`
//! what subscribers hear, `standing` how old an answer may be.
//!
//! A replica never authorises. It is as old as the last message that reached it, so it says what to show, never what to allow: whether a
//! session is valid is asked of the store, through the managers. There is no method here that takes a token.

mod builder;
mod changes;
mod feed;
mod follower;
mod held;
mod standing;
mod todo;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use strata_core::{Collection, Handle, Key, MaybeSend, MaybeSync, Pattern, Result, Timestamp, Value};
use tokio::sync::{oneshot, watch};

pub use builder::ReplicaBuilder;
pub use changes::{Changes, ReplicaEvent};
pub use feed::Feed;
pub use follower::Follower;
pub use standing::{Failure, Phase, ReplicaReport};

use changes::Tellers;
use held::Held;
use standing::{Counts, Standing};
use todo::Asked;

/// A copy of some records of a collection, which answers reads at once. Cheap to clone; when the last clone is dropped its
/// [`Follower`] ends.
///
/// Reading it is no activity: it moves no deadline. A value past its deadline is not given, whatever the store still holds. A value whose
/// deadline activity may have moved in the store is read again before it ends, and after; see [`Replica::look`].
pub struct Replica<T> {
    shared: Arc<Shared<T>>,
    /// The follower waits for its other end.
    stop: Arc<oneshot::Sender<()>>,
}

/// What a replica knows of a name.
#[derive(Clone, PartialEq, Eq)]
pub enum Look<T> {
    /// It has this value.
    Present(Arc<T>),
    /// There is no living value, as of the replica's [staleness](Replica::staleness).
    Absent,
    /// The replica cannot tell: it is not loaded yet, its bound is reached, the name is outside of its glob, the record cannot be read,
    /// or an idle time has passed that activity may have prolonged in the store. [`Replica::read`] asks the store.
    Unknown,
}

/// What clones and the follower share.
struct Shared<T> {
    handle: Handle,
    pattern: Pattern,
    glob: String,
    held: Held<T>,
    standing: watch::Sender<Standing>,
    counts: Counts,
    tellers: Tellers,
    asked: Asked,
    feed: Option<Arc<dyn Feed>>,
}

impl<T: Value + MaybeSend + MaybeSync + 'static> Replica<T> {
    /// Starts a replica of `collection`.
    pub fn builder(collection: &Collection<T>) -> ReplicaBuilder<T> {
        ReplicaBuilder::new(collection.clone())
    }

    /// The value under `name`, if the replica holds it and it lives. No call of the store. `None` is either of [`Look::Absent`] and
    /// [`Look::Unknown`].
    #[inline]
    pub fn get(&self, name: &str) -> Option<Arc<T>> {
        match self.shared.held.get(name, &**self.shared.handle.clock()) {
            held::Found::Alive(value) => Some(value),
            held::Found::Nothing | held::Found::Dead => None,
            held::Found::Overdue => {
                self.shared.ask(name);
                None
            }
        }
    }

    /// What the replica knows of `name`. No call of the store.
    pub fn look(&self, name: &str) -> Look<T> {
        match self.shared.held.get(name, &**self.shared.handle.clock()) {
            held::Found::Alive(value) => Look::Present(value),
            held::Found::Dead => Look::Absent,
            held::Found::Overdue => {
                self.shared.ask(name);
                Look::Unknown
            }
            held::Found::Nothing if self.shared.vouches(name) => Look::Absent,
            held::Found::Nothing => Look::Unknown,
        }
    }

    /// The value under `name`: the replica's, or the store's where it is [`Look::Unknown`]. No activity.
    ///
    /// # Errors
    /// What the store reports, when it had to be asked.
    pub async fn read(&self, name: &str) -> Result<Option<Arc<T>>> {
        match self.look(name) {
            Look::Present(value) => Ok(Some(value)),
            Look::Absent => Ok(None),
            Look::Unknown => Ok(self.shared.handle.peek(name).await?.map(Arc::new)),
        }
    }

    /// Names and values of what lives, in no order, as they are met: a walk over what others may change meanwhile.
    pub fn entries(&self) -> Vec<(String, Arc<T>)> {
        self.shared.held.entries(self.shared.now())
    }

    /// Changes from now on, told once the replica shows them, with their origin.
    pub fn changes(&self) -> Changes {
        self.shared.tellers.subscribe()
    }

    /// Waits until all that was heard of has been read. `false` if the follower ended before that.
    pub async fn in_step(&self) -> bool {
        let mut standing = self.shared.standing.subscribe();
        let reached = standing.wait_for(|now| matches!(now.phase, Phase::InStep | Phase::Stopped)).await;
        reached.is_ok_and(|now| now.phase == Phase::InStep)
    }
}

impl<T> Replica<T> {
    /// How old an answer may be at most, as far as the replica knows: zero in step, since when it is not, otherwise. `None` before it
    /// was loaded for the first time.
    pub fn staleness(&self) -> Option<Duration> {
        let (now, cut_off) = (self.shared.now(), self.shared.cut_off());
        self.shared.standing.borrow().staleness(now, cut_off)
    }

    /// How it stands, and what it has done.
    pub fn report(&self) -> ReplicaReport {
        self.shared.report()
    }
}

impl<T> Shared<T> {
    fn now(&self) -> Timestamp {
        self.handle.clock().now()
    }

    /// A name as callers know it.
    fn local<'k>(&self, key: &'k Key) -> &'k str {
        key.as_str().strip_prefix(self.handle.prefix()).unwrap_or(key.as_str())
    }

    /// Whether a name that is not held is nowhere.
    fn vouches(&self, name: &str) -> bool {
        self.held.is_complete() && self.handle.key(name).is_ok_and(|key| self.pattern.matches(&key))
    }

    /// Has the follower read a name again.
    #[cold]
    fn ask(&self, name: &str) {
        if let Ok(key) = self.handle.key(name) {
            self.asked.ask(key);
        }
    }

    fn cut_off(&self) -> Option<Timestamp> {
        self.feed.as_ref()?.cut_off_since()
    }

    fn report(&self) -> ReplicaReport {
        let Standing { phase, since, last_failure, .. } = self.standing.borrow().clone();
        ReplicaReport {
            phase,
            since,
            cut_off: self.cut_off(),
            held: self.held.len(),
            complete: self.held.is_complete(),
            left_out: self.counts.left_out.get(),
            unreadable: self.counts.unreadable.get(),
            reread: self.counts.reread.get(),
            loaded: self.counts.loaded.get(),
            lost: self.counts.lost.get(),
            failures: self.counts.failures.get(),
            last_failure,
        }
    }
}

impl<T> Clone for Replica<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), stop: Arc::clone(&self.stop) }
    }
}

impl<T> fmt::Debug for Look<T> {
    /// Which of them it is, without the value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Present(_) => "Present",
            Self::Absent => "Absent",
            Self::Unknown => "Unknown",
        })
    }
}

impl<T> fmt::Debug for Replica<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replica")
            .field("pattern", &self.shared.pattern)
            .field("held", &self.shared.held.len())
            .finish_non_exhaustive()
    }
}
