//! Sessions in step across tabs, windows, processes and machines.
//!
//! A [`Link`] gets bytes to others and may lose them. A [`Group`] over it knows who is there, believes nobody without the key, and tells what was
//! missed. On a group stand users: [`SharedBus`], for handles over one store, and [`Replication`], for stores of their own.
//! A [`Replica`] is a typed copy of records that follows a handle, whatever brings it what peers change.

pub mod group;
pub mod link;
pub mod replica;
pub mod replication;
mod shared;

pub use group::{Group, GroupBuilder, GroupKey, GroupReport, PeerId, Received, Topic};
pub use link::{Heard, InProcess, InProcessLink, Link, Member, Queue};
#[cfg(unix)]
pub use link::{LocalBuilder, LocalLink, LocalReport};
pub use replica::{Look, Replica, ReplicaBuilder, ReplicaEvent};
pub use replication::{
    MemberReport, Recorder, Replication, ReplicationConfig, ReplicationReport, ReplicationRunning, Scope,
};
pub use shared::{BusRunning, SharedBus, SharedReport};

/// The README's code, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
