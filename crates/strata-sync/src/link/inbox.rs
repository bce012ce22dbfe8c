//! What a link has heard and its reader has not asked for yet: [`Inbox`]. Bounded in messages and bytes; what does not fit is lost, and
//! the reader is told.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{Heard, Member};

/// How much a queue of messages may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// The most messages; at least one.
    pub messages: usize,
    /// The most bytes of all of them. One message always fits.
    pub bytes: usize,
}

impl Queue {
    /// Whether a message of `len` bytes fits beside so many others.
    pub(crate) fn has_room(&self, messages: usize, bytes: usize, len: usize) -> bool {
        messages == 0 || (messages < self.messages && bytes.saturating_add(len) <= self.bytes)
    }
}

impl Default for Queue {
    /// 1,024 messages, 8 MiB.
    fn default() -> Self {
        Self { messages: 1024, bytes: 8 << 20 }
    }
}

/// Filled by many, read by one.
#[derive(Debug)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    filled: Notify,
    bound: Queue,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Heard>,
    messages: usize,
    bytes: usize,
    lost: bool,
    closed: bool,
}

impl Inbox {
    pub(crate) fn new(bound: Queue) -> Self {
        Self { state: Mutex::default(), filled: Notify::new(), bound }
    }

    /// Adds a message, or remembers that one was lost. Whether it fitted.
    pub(crate) fn message(&self, from: Member, bytes: Arc<[u8]>) -> bool {
        let mut state = self.state.lock();
        let fits = self.bound.has_room(state.messages, state.bytes, bytes.len());
        if fits {
            state.messages += 1;
            state.bytes += bytes.len();
            state.queue.push_back(Heard::Message { from, bytes });
        } else {
            state.lost = true;
        }
        drop(state);
        self.filled.notify_one();
        fits
    }

    /// Something about the link itself.
    pub(crate) fn notice(&self, heard: Heard) {
        let mut state = self.state.lock();
        match heard {
            Heard::Lost => state.lost = true,
            Heard::Left(member) => state.left(member),
            heard => state.queue.push_back(heard),
        }
        drop(state);
        self.filled.notify_one();
    }

    /// Nothing will come any more.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.filled.notify_one();
    }

    /// Waits for what came first. `None` once closed and read to the end.
    pub(crate) async fn next(&self) -> Option<Heard> {
        loop {
            let filled = self.filled.notified();
            {
                let mut state = self.state.lock();
                let heard = state.pop();
                if heard.is_some() || state.closed {
                    return heard;
                }
            }
            filled.await;
        }
    }
}

impl State {
    /// What is next. A loss goes before what is waiting: who reads anew because of it misses nothing.
    fn pop(&mut self) -> Option<Heard> {
        if std::mem::take(&mut self.lost) {
            return Some(Heard::Lost);
        }
        let heard = self.queue.pop_front()?;
        self.forget(&heard);
        Some(heard)
    }

    fn forget(&mut self, heard: &Heard) {
        if let Heard::Message { bytes, .. } = heard {
            self.messages -= 1;
            self.bytes -= bytes.len();
        }
    }

    /// Somebody whose coming was not read yet never was here: so members that come and go cannot fill the queue of a reader who
    /// sleeps.
    fn left(&mut self, member: Member) {
        if !self.queue.contains(&Heard::Joined(member)) {
            return self.queue.push_back(Heard::Left(member));
        }
        let (of_it, others) =
            std::mem::take(&mut self.queue).into_iter().partition(|heard| concerns(heard, member));
        self.queue = others;
        let of_it: VecDeque<Heard> = of_it;
        for heard in of_it {
            self.lost |= matches!(heard, Heard::Message { .. });
            self.forget(&heard);
        }
    }
}

fn concerns(heard: &Heard, member: Member) -> bool {
    match heard {
        Heard::Message { from, .. } => *from == member,
        Heard::Joined(other) | Heard::Left(other) => *other == member,
        Heard::Lost | Heard::Down | Heard::Up => false,
    }
}
