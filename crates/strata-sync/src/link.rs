//! How bytes get from one member of a group to the others: [`Link`]. It may lose, repeat, delay and reorder; who is a member, what a message
//! means, and whether it is genuine is decided above.

mod in_process;
mod inbox;
#[cfg(unix)]
mod local;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use strata_core::{MaybeSend, MaybeSync};

pub use self::in_process::{InProcess, InProcessLink};
pub use self::inbox::Queue;
#[cfg(unix)]
pub use self::local::{LocalBuilder, LocalLink, LocalReport};

/// Where a message came from or goes to, as one link knows it: an address, no identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member(u64);

impl Member {
    /// The member with this number, which the link chooses.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// What a link heard.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Heard {
    /// A message, as it was sent or damaged. It may come from a member before its [`Heard::Joined`].
    Message {
        /// Who sent it, as far as the link knows.
        from: Member,
        /// What it says.
        bytes: Arc<[u8]>,
    },
    /// Somebody can be reached now, for the first time or again.
    Joined(Member),
    /// Somebody cannot be reached any more.
    Left(Member),
    /// Messages to or from others may have been lost: a queue was full, a connection broke.
    Lost,
    /// The link itself is down: nobody can be reached until [`Heard::Up`]. It goes on trying.
    Down,
    /// The link is up again, after [`Heard::Down`].
    Up,
}

/// A connection to the other members of a group. Best effort.
#[cfg_attr(not(target_arch = "wasm32"), async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
pub trait Link: fmt::Debug + MaybeSend + MaybeSync + 'static {
    /// Queues a message for every other member that can be reached. Never blocks; what cannot be queued is lost, which
    /// [`Link::next`] then says.
    fn broadcast(&self, message: Arc<[u8]>);

    /// Queues a message for one member, as [`Link::broadcast`].
    fn send(&self, to: Member, message: Arc<[u8]>);

    /// Waits for what is heard next; `None` once the link is closed for good. One caller at a time. Dropping the future loses nothing.
    async fn next(&self) -> Option<Heard>;
}
