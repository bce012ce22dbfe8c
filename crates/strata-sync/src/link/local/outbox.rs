//! What waits to be written to one peer: [`Outbox`]. Bounded; what does not fit is lost, and the peer is told.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::frame::Frame;
use crate::link::Queue;

#[derive(Debug)]
pub(super) struct Outbox {
    state: Mutex<State>,
    filled: Notify,
    bound: Queue,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Arc<[u8]>>,
    bytes: usize,
    lost: bool,
}

impl Outbox {
    pub(super) fn new(bound: Queue) -> Self {
        Self { state: Mutex::default(), filled: Notify::new(), bound }
    }

    /// Adds a message, or remembers that one was lost. Whether it fitted.
    pub(super) fn push(&self, message: Arc<[u8]>) -> bool {
        let mut state = self.state.lock();
        let fits = self.bound.has_room(state.queue.len(), state.bytes, message.len());
        if fits {
            state.bytes += message.len();
            state.queue.push_back(message);
        } else {
            state.lost = true;
        }
        drop(state);
        self.filled.notify_one();
        fits
    }

    /// Remembers that a message was lost.
    pub(super) fn lose(&self) {
        self.state.lock().lost = true;
        self.filled.notify_one();
    }

    /// Waits for what is to be written next. Loss goes first, as in an inbox.
    pub(super) async fn next(&self) -> Frame {
        loop {
            let filled = self.filled.notified();
            if let Some(frame) = self.pop() {
                return frame;
            }
            filled.await;
        }
    }

    fn pop(&self) -> Option<Frame> {
        let mut state = self.state.lock();
        if std::mem::take(&mut state.lost) {
            return Some(Frame::Lost);
        }
        let message = state.queue.pop_front()?;
        state.bytes -= message.len();
        Some(Frame::Message(message))
    }
}
