//! Sessions in step across tabs, windows, processes and machines.

pub mod link;
pub mod replica;

pub use link::{Heard, Link, Member};
pub use replica::{Look, Replica, ReplicaEvent};
