//! Sessions in step across tabs, windows, processes and machines.

pub mod link;
pub mod replication;

pub use link::{Heard, Link, Member};
pub use replication::{Peer, Recorder, ReplicationConfig, Scope};
