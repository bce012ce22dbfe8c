//! How a replica is made: [`ReplicaBuilder`].

use std::sync::Arc;
use std::time::Duration;

use strata_core::{
    Collection, Error, ErrorKind, Listing, MaybeSend, MaybeSync, Pattern, Result, Spawn, Timer, Value,
};
use tokio::sync::{oneshot, watch};

use super::changes::Tellers;
use super::follower::{Follower, Pace};
use super::held::Held;
use super::standing::{Counts, Standing};
use super::todo::Asked;
use super::{Feed, Replica, Shared};

/// What a replica holds, how much of it, and how often it looks anew by itself.
#[derive(Debug)]
#[must_use = "a builder does nothing until `start` or `follow`"]
pub struct ReplicaBuilder<T> {
    collection: Collection<T>,
    glob: String,
    most: usize,
    pace: Pace,
    feed: Option<Arc<dyn Feed>>,
}

impl<T: Value + MaybeSend + MaybeSync + 'static> ReplicaBuilder<T> {
    pub(super) fn new(collection: Collection<T>) -> Self {
        Self { collection, glob: "*".to_owned(), most: usize::MAX, pace: Pace::default(), feed: None }
    }

    /// Only names that match `glob`; all of the collection unless said here.
    pub fn glob(mut self, glob: impl Into<String>) -> Self {
        self.glob = glob.into();
        self
    }

    /// Holds this many values at the most. What is beyond is left out, which [`Replica::report`] tells and
    /// [`Look::Unknown`](super::Look::Unknown) says of every name that is not held. No bound unless said here.
    pub fn max_entries(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// How often values whose idle time is about to pass are read again; 30 seconds unless said here. An idle time shorter than this may
    /// end in the replica before activity in the store is seen, until somebody looks.
    pub fn check_every(mut self, interval: Duration) -> Self {
        self.pace.check = interval;
        self
    }

    /// How often everything is read again, against messages that were lost without anybody noticing; 10 minutes unless said here.
    pub fn resync_every(mut self, interval: Duration) -> Self {
        self.pace.resync = interval;
        self
    }

    /// What brings the changes of peers, so that the replica can tell when it is down.
    pub fn feed(mut self, feed: Arc<dyn Feed>) -> Self {
        self.feed = Some(feed);
        self
    }

    /// Starts the follower as a task. It ends when the last clone of the replica is dropped. The replica is empty until
    /// [`Replica::in_step`].
    ///
    /// # Errors
    /// As [`ReplicaBuilder::follow`].
    pub fn start(self, spawn: &dyn Spawn, timer: Arc<dyn Timer>) -> Result<Replica<T>> {
        let (replica, follower) = self.follow(timer)?;
        spawn.spawn(Box::pin(follower.run()));
        Ok(replica)
    }

    /// The replica, and the follower that its caller has to poll. Changes count from now on.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a glob that cannot be, no entries at all, or an interval of nothing; [`ErrorKind::Unsupported`] over a
    /// store that cannot be listed.
    pub fn follow(self, timer: Arc<dyn Timer>) -> Result<(Replica<T>, Follower<T>)> {
        let handle = self.collection.handle();
        if handle.capabilities().listing == Listing::None {
            return Err(refused(
                ErrorKind::Unsupported,
                "the store cannot be listed; read it, or keep the records in one that can",
            ));
        }
        if self.most == 0 || self.pace.check.is_zero() || self.pace.resync.is_zero() {
            return Err(refused(
                ErrorKind::Invalid,
                "a replica needs room for one entry and intervals longer than nothing",
            ));
        }
        let pattern = Pattern::new(&format!("{}{}", handle.prefix(), self.glob))?;
        let subscription = handle.subscribe(&self.glob)?;
        let now = handle.clock().now();
        let shared = Arc::new(Shared {
            handle: handle.clone(),
            pattern,
            glob: self.glob,
            held: Held::new(self.most),
            standing: watch::Sender::new(Standing::loading(now)),
            counts: Counts::default(),
            tellers: Tellers::default(),
            asked: Asked::default(),
            feed: self.feed,
        });
        let (stop, stopped) = oneshot::channel();
        let follower = Follower::new(Arc::clone(&shared), subscription, timer, self.pace, stopped);
        Ok((Replica { shared, stop: Arc::new(stop) }, follower))
    }
}

#[cold]
fn refused(kind: ErrorKind, message: &'static str) -> Error {
    Error::new(kind, "start replica", message)
}
