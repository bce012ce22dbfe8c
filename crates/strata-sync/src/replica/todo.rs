//! What a follower still has to read: [`Todo`], made of what it heard, and [`Asked`], what readers of the replica wish.

use std::collections::{HashMap, HashSet};

use parking_lot::Mutex;
use strata_core::{Change, ChangeKind, Key};
use tokio::sync::Notify;

/// Names to be read again, or everything. A name is taken out before it is read, so that what is heard during the read is another reason. What
/// was taken out and never [done](Todo::done), because the read failed or its caller gave up, is taken again.
#[derive(Debug, Default)]
pub(super) struct Todo {
    everything: bool,
    names: HashMap<Key, Reason>,
    in_hand: Option<Job>,
}

/// Why a name is to be read again: the last change that was heard, if any.
#[derive(Clone, Debug, Default)]
pub(super) struct Reason {
    pub(super) news: Option<Change>,
    /// Whether a removal was heard since. A read begun before that must not be shown.
    ended: bool,
}

/// The next thing to do.
#[derive(Clone, Debug)]
pub(super) enum Job {
    Everything,
    Name(Key, Reason),
}

impl Todo {
    pub(super) fn everything() -> Self {
        Self { everything: true, ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.everything && self.names.is_empty() && self.in_hand.is_none()
    }

    /// A change was heard.
    pub(super) fn hear(&mut self, change: Change) {
        let reason = self.names.entry(change.key.clone()).or_default();
        reason.ended |= matches!(change.kind, ChangeKind::Removed | ChangeKind::Expired);
        reason.news = Some(change);
    }

    /// Changes were lost, or may have been.
    pub(super) fn read_everything(&mut self) {
        self.everything = true;
    }

    /// A name is to be read again without anything having been heard, or because a read of it failed.
    pub(super) fn again(&mut self, key: Key, reason: Reason) {
        let known = self.names.entry(key).or_default();
        known.ended |= reason.ended;
        if known.news.is_none() {
            known.news = reason.news;
        }
    }

    /// Whether a removal of `key` was heard that no read has followed yet.
    pub(super) fn has_ended(&self, key: &Key) -> bool {
        self.names.get(key).is_some_and(|reason| reason.ended)
    }

    /// Takes out what is next. To read everything is to read every name, so it comes first and takes all with it.
    pub(super) fn take(&mut self) -> Option<Job> {
        match self.in_hand.take() {
            Some(Job::Everything) => self.everything = true,
            Some(Job::Name(key, reason)) => self.again(key, reason),
            None => {}
        }
        self.in_hand = if std::mem::take(&mut self.everything) {
            self.names.clear();
            Some(Job::Everything)
        } else {
            let key = self.names.keys().next()?.clone();
            self.names.remove(&key).map(|reason| Job::Name(key, reason))
        };
        self.in_hand.clone()
    }

    /// What was taken out is done.
    pub(super) fn done(&mut self) {
        self.in_hand = None;
    }
}

/// Names that readers found overdue.
#[derive(Debug, Default)]
pub(super) struct Asked {
    names: Mutex<HashSet<Key>>,
    some: Notify,
}

impl Asked {
    pub(super) fn ask(&self, key: Key) {
        if self.names.lock().insert(key) {
            self.some.notify_one();
        }
    }

    pub(super) fn take(&self) -> HashSet<Key> {
        std::mem::take(&mut *self.names.lock())
    }

    pub(super) async fn some(&self) {
        self.some.notified().await;
    }
}
