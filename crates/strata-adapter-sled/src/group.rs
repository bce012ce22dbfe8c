//! One barrier for many commits: [`Group`], a queue of commits that wait, and the thread that leads them.
//!
//! Who waits has written already. The thread takes all who wait, makes one barrier, and tells them; who comes meanwhile
//! waits for the next one. So there is no lingering, and a hundred writers share a few barriers. It is a thread of the
//! store's own: a barrier blocks, and no runtime is needed or held up.

use std::thread::JoinHandle;
use std::{io, mem, sync::Arc, thread};

use parking_lot::{Condvar, Mutex};
use strata_core::{Durability, Result};
use tokio::sync::oneshot;

use crate::core::Core;

/// The commits that wait.
#[derive(Debug, Default)]
pub(crate) struct Group {
    queue: Mutex<Queue>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<oneshot::Sender<bool>>,
    power: bool,
    nudged: bool,
    closing: bool,
}

/// Work for one barrier.
struct Round {
    waiting: Vec<oneshot::Sender<bool>>,
    level: Durability,
    last: bool,
}

impl Group {
    /// Waits until everything written before the call is as durable as `level` asks; `false` if the barrier failed.
    pub(crate) async fn wait(&self, level: Durability) -> bool {
        let (sender, receiver) = oneshot::channel();
        {
            let mut queue = self.queue.lock();
            queue.waiting.push(sender);
            queue.power |= level == Durability::Power;
        }
        self.wake.notify_one();
        // The sender is dropped unused only if the thread died; nothing is durable then.
        receiver.await.unwrap_or(false)
    }

    /// Asks for a round that nobody waits for.
    pub(crate) fn nudge(&self) {
        self.queue.lock().nudged = true;
        self.wake.notify_one();
    }

    /// Asks for a last round.
    pub(crate) fn close(&self) {
        self.queue.lock().closing = true;
        self.wake.notify_one();
    }

    fn next_round(&self) -> Round {
        let mut queue = self.queue.lock();
        while queue.waiting.is_empty() && !queue.nudged && !queue.closing {
            self.wake.wait(&mut queue);
        }
        queue.nudged = false;
        let level = if mem::take(&mut queue.power) { Durability::Power } else { Durability::Process };
        Round { waiting: mem::take(&mut queue.waiting), level, last: queue.closing }
    }
}

/// Starts the thread that leads the rounds until [`Group::close`].
pub(crate) fn lead(core: Arc<Core>) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name("strata-sled-barrier".to_owned()).spawn(move || {
        loop {
            let round = core.group.next_round();
            let done = if round.last {
                core.put_in_order();
                core.end().is_ok()
            } else {
                barrier(&core, round.level).is_ok()
            };
            for waiting in round.waiting {
                // Who no longer waits was cancelled; its commit is made all the same.
                let _ = waiting.send(done);
            }
            if round.last {
                return;
            }
        }
    })
}

fn barrier(core: &Core, level: Durability) -> Result<()> {
    let lease = if core.versions.is_low() { Some(core.versions.extend(&core.engine)?) } else { None };
    // Numbers of a lease must not come back after a loss of power either, where the store promises to stand that.
    let level = if lease.is_some() { core.barrier.level() } else { level };
    core.barrier.sync(&core.engine, level)?;
    if let Some(limit) = lease {
        core.versions.grant(limit);
    }
    Ok(())
}
