//! A link within one process: [`InProcess`] is the hub, [`InProcessLink`] a member. For windows and tasks that have handles of their own, and
//! for tests.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::inbox::{Inbox, Queue};
use super::{Heard, Link, Member};

/// Where members of one process meet. Clones are the same hub.
#[derive(Clone, Default)]
pub struct InProcess {
    members: Arc<Mutex<Members>>,
    queue: Queue,
}

#[derive(Default)]
struct Members {
    last: u64,
    inboxes: BTreeMap<Member, Arc<Inbox>>,
}

impl InProcess {
    /// A hub whose members' queues are [`Queue::default`].
    pub fn new() -> Self {
        Self::default()
    }

    /// A hub whose members' queues hold this much. What a slow reader cannot hold is [`Heard::Lost`] to it.
    pub fn with_queue(queue: Queue) -> Self {
        Self { queue, ..Self::default() }
    }

    /// A new member. It hears who is here already, and they hear of it. Dropping it leaves.
    pub fn join(&self) -> InProcessLink {
        let inbox = Arc::new(Inbox::new(self.queue));
        let mut members = self.members.lock();
        members.last += 1;
        let me = Member::new(members.last);
        for (member, other) in &members.inboxes {
            other.notice(Heard::Joined(me));
            inbox.notice(Heard::Joined(*member));
        }
        members.inboxes.insert(me, Arc::clone(&inbox));
        drop(members);
        InProcessLink { hub: self.clone(), me, inbox }
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcess")
            .field("members", &self.members.lock().inboxes.len())
            .finish_non_exhaustive()
    }
}

/// A member of an [`InProcess`] hub.
#[derive(Debug)]
pub struct InProcessLink {
    hub: InProcess,
    me: Member,
    inbox: Arc<Inbox>,
}

impl InProcessLink {
    /// The number that others know it by.
    pub fn member(&self) -> Member {
        self.me
    }
}

#[cfg_attr(not(target_arch = "wasm32"), async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
impl Link for InProcessLink {
    fn broadcast(&self, message: Arc<[u8]>) {
        // Under the lock: two broadcasts reach all others in one order.
        let members = self.hub.members.lock();
        for (_, inbox) in members.inboxes.iter().filter(|(member, _)| **member != self.me) {
            inbox.message(self.me, Arc::clone(&message));
        }
    }

    fn send(&self, to: Member, message: Arc<[u8]>) {
        let members = self.hub.members.lock();
        if let Some(inbox) = members.inboxes.get(&to).filter(|_| to != self.me) {
            inbox.message(self.me, message);
        }
    }

    async fn next(&self) -> Option<Heard> {
        self.inbox.next().await
    }
}

impl Drop for InProcessLink {
    fn drop(&mut self) {
        let mut members = self.hub.members.lock();
        members.inboxes.remove(&self.me);
        for inbox in members.inboxes.values() {
            inbox.notice(Heard::Left(self.me));
        }
    }
}
