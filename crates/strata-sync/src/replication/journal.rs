//! The ingredients replication adds to a handle: [`Recorder`], its journal and its bus.
//!
//! The journal reads nothing: it marks what a batch touches or removes, in the same commit. What the marks come to is worked out
//! afterwards, in the order in which the store made the commits (`settle`). So no race between local writers can make a
//! stamp disagree with its data, and no write pays with a conflict for it.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use strata_core::{Batch, Bus, Change, Clock, Expiry, Guard, Journal, Keep, Key, Op, Result, Tags, Write};
use tokio::sync::Notify;

use super::config::Scope;
use super::record::{Mark, Role, encode};
use super::stamp::{HybridClock, Stamp};

/// Marks every change in the commit that makes it, and remembers which are to be told to peers. Give it to the handle's builder as journal
/// and as bus, then to [`Peer::open`](super::Peer::open). Every handle that writes to the store needs it: what is written past it is not replicated.
///
/// A batch takes one more operation for each key it changes, so about half of what the store allows in one commit is left.
#[derive(Debug)]
pub struct Recorder {
    pub(super) clock: HybridClock,
    pub(super) scope: Scope,
    heard: Mutex<Heard>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Heard {
    changed: BTreeSet<Key>,
    lost: bool,
}

/// What happened here since it was last asked.
#[derive(Debug)]
pub(super) struct News {
    pub(super) changed: BTreeSet<Key>,
    /// Marks have to be looked for in the store.
    pub(super) lost: bool,
    recorder: Arc<Recorder>,
}

impl Drop for News {
    fn drop(&mut self) {
        let mut heard = self.recorder.heard.lock();
        heard.lost |= self.lost;
        for key in std::mem::take(&mut self.changed) {
            heard.remember(key);
        }
    }
}

impl Recorder {
    /// How many changed keys are remembered; with more, the store's marks are walked instead.
    const KEPT: usize = 4096;

    /// A recorder of what `scope` covers. `clock` is the handle's.
    pub fn new(clock: Arc<dyn Clock>, scope: Scope) -> Arc<Self> {
        Arc::new(Self { clock: HybridClock::new(clock), scope, heard: Mutex::default(), news: Notify::new() })
    }

    /// Waits until something has happened here. Dropping the future loses nothing.
    pub async fn changed(&self) {
        self.news.notified().await;
    }

    /// How many changes wait to be told.
    pub(super) fn waiting(&self) -> usize {
        self.heard.lock().changed.len()
    }

    /// What is to be told. What is left in it when it is dropped, because the store failed or its caller gave up, is to be told again.
    pub(super) fn take(self: &Arc<Self>) -> News {
        let mut heard = self.heard.lock();
        let Heard { changed, lost } = std::mem::take(&mut *heard);
        News { changed, lost, recorder: Arc::clone(self) }
    }
}

impl Heard {
    fn remember(&mut self, key: Key) {
        if self.changed.len() < Recorder::KEPT {
            self.changed.insert(key);
        } else if !self.changed.contains(&key) {
            self.lost = true;
        }
    }
}

impl Journal for Recorder {
    fn record(&self, batch: &mut Batch) -> Result<()> {
        let touched = batch.ops.iter().filter(|op| self.scope.covers(&op.key));
        let roles: Vec<(Key, Role)> = touched.filter_map(|op| Some((op.key.clone(), role_of(op)?))).collect();
        if roles.is_empty() {
            return Ok(());
        }
        // Whose stamp it is becomes known when it is settled.
        let stamp = self.clock.stamp(0);
        for (key, role) in roles {
            batch.ops.push(mark(&key, role, stamp)?);
        }
        Ok(())
    }
}

/// What an operation leaves to be settled. Activity leaves nothing. What the sweeper buries has died by itself: no removal.
fn role_of(op: &Op) -> Option<Role> {
    match (&op.write, op.guard) {
        (Write::Remove, guard) if guard != Guard::Absent => Some(Role::Gone),
        (Write::Put { .. } | Write::Expire(_) | Write::Remove, _) => Some(Role::Put),
        (Write::Slide(_) | Write::Check, _) => None,
    }
}

fn mark(key: &Key, role: Role, stamp: Stamp) -> Result<Op> {
    let payload = encode(&Mark { name: key.as_str().to_owned(), stamp })?;
    Ok(put(role.key(key)?, Guard::Any, payload))
}

/// Writes a record of replication's own, which never dies.
pub(super) fn put(key: Key, guard: Guard, payload: strata_core::Payload) -> Op {
    Op {
        key,
        guard,
        write: Write::Put { payload, expiry: Keep::Set(Expiry::NEVER), tags: Keep::Set(Tags::none()) },
    }
}

impl Bus for Recorder {
    fn publish(&self, change: &Change) {
        if self.scope.covers(&change.key) {
            self.heard.lock().remember(change.key.clone());
            self.news.notify_one();
        }
    }

    fn lose(&self) {
        self.heard.lock().lost = true;
        self.news.notify_one();
    }
}
