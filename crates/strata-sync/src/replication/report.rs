//! How far peers are in step: [`ReplicationReport`].

use std::collections::BTreeMap;

use strata_core::Timestamp;

use crate::link::Member;

/// Why something a peer sent was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// Not a message of replication's, or a damaged one.
    Garbage,
    /// A message of another version of the protocol.
    OtherVersion,
    /// A message, list or value over its bound.
    TooLarge,
    /// A stamp further ahead than [`max_ahead`](super::ReplicationConfig::max_ahead): some clock is wrong.
    Ahead,
    /// A name, tag, expiry or codec that cannot be, or a sealed body.
    Invalid,
    /// A key this side does not replicate.
    OutOfScope,
    /// A life from before a long absence that is not here any more.
    Stale,
}

/// One peer as this side knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberReport {
    /// Its address in the group.
    pub member: Member,
    /// What its stamps are told by, once it has said so.
    pub origin: Option<u64>,
    /// When its digest last agreed with ours. The lag is at most the time since.
    pub agreed: Option<Timestamp>,
    /// Whether it differed since.
    pub in_step: bool,
    /// Whether it was out of touch for longer than removals are remembered, and has not agreed since.
    pub stale: bool,
}

/// What replication knows of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplicationReport {
    /// What this store's stamps are told by.
    pub origin: u64,
    /// The peers that can be reached.
    pub members: Vec<MemberReport>,
    /// Local changes that wait to be told.
    pub pending: usize,
    /// Keys with a state: living ones and tombstones.
    pub keys: usize,
    /// Tombstones among them.
    pub tombstones: usize,
    /// Records too large for a message, or unreadable here: told to nobody.
    pub untold: u64,
    /// Lives kept from a peer that might have seen them end; see [`Peer::vouch`](super::Peer::vouch).
    pub withheld: u64,
    /// How often the store failed under it. What was lost by that is repaired at the next digest.
    pub failures: u64,
    /// What was dropped, by reason.
    pub dropped: BTreeMap<Refusal, u64>,
}
