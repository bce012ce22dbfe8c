//! What a group counts: [`GroupReport`].

use strata_core::Timestamp;

use super::wire::Unreadable;

/// How a group fares. Everything dropped is counted by its reason; nothing of it was applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupReport {
    /// Peers that proved to be here.
    pub peers: usize,
    /// Messages sealed and handed to the link, beats included.
    pub sent: u64,
    /// Messages accepted, beats included.
    pub accepted: u64,
    /// Numbers that never came: at least so many messages of peers were lost on their way.
    pub missed: u64,
    /// How often the link said that messages were lost.
    pub losses: u64,
    /// Dropped: seen before.
    pub replayed: u64,
    /// Dropped: too old to tell whether it was seen.
    pub too_old: u64,
    /// Dropped: of a sender that had not proved yet to be here now. Recordings end here, and what a newcomer says too early.
    pub unproved: u64,
    /// Dropped: cut, altered or forged.
    pub damaged: u64,
    /// Dropped: genuine, but its content makes no sense. A newer program may have sent it.
    pub malformed: u64,
    /// Dropped: sealed under another key.
    pub other_key: u64,
    /// Dropped: of another format.
    pub other_version: u64,
    /// Dropped: over the bound.
    pub too_large: u64,
    /// Newcomers turned away because the group is full.
    pub turned_away: u64,
    /// Since when the link has been down, if it is.
    pub down_since: Option<Timestamp>,
    /// What peers announced up to here was handed out, or reported as missed. The present when there are no peers, none before the link was
    /// up.
    pub heard_up_to: Option<Timestamp>,
}

impl GroupReport {
    /// Everything dropped.
    pub const fn dropped(&self) -> u64 {
        self.replayed
            + self.too_old
            + self.unproved
            + self.damaged
            + self.malformed
            + self.other_key
            + self.other_version
            + self.too_large
    }

    pub(crate) const fn unreadable(&mut self, why: Unreadable) {
        match why {
            Unreadable::Version => self.other_version += 1,
            Unreadable::Key => self.other_key += 1,
            Unreadable::Damaged => self.damaged += 1,
            Unreadable::Malformed => self.malformed += 1,
        }
    }
}
