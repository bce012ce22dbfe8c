//! Sessions in step across tabs, windows, processes and machines.

pub mod group;
pub mod link;
pub mod replica;

pub use group::{Group, GroupBuilder, GroupKey, GroupReport, PeerId, Received, Topic};
pub use link::{Heard, InProcess, InProcessLink, Link, Member, Queue};
pub use replica::{Look, Replica, ReplicaEvent};
