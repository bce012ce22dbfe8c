//! Separate stores in step: each peer has a store of its own, and records travel. [`Recorder`] marks changes in the commits that make them;
//! [`Peer`] settles the marks into states that join in any order, tells them, and compares digests so that nothing lost stays lost.
//!
//! | file | holds |
//! |---|---|
//! | `stamp`, `state` | the order of writes; what peers agree on for a key |
//! | `journal`, `record`, `settle` | marks beside the data, and what they come to |
//! | `index`, `repair` | digests, and what differs |
//! | `apply`, `idle` | a peer's records and activity becoming ours |
//! | `contact` | long absences |
//! | `peer`, `message`, `report`, `config` | the state machine, its words, what it says of itself, its settings |
//! | `driver` | a peer at work over a group |

mod apply;
mod config;
mod contact;
mod driver;
mod idle;
mod index;
mod journal;
mod message;
mod peer;
mod record;
mod repair;
mod report;
mod settle;
mod stamp;
mod state;
#[cfg(test)]
mod tests;

pub use config::{ReplicationConfig, Scope};
pub use driver::{Replication, ReplicationRunning};
pub use journal::Recorder;
pub use peer::{Outgoing, Peer};
pub use report::{MemberReport, Refusal, ReplicationReport};
