//! Sessions in step across tabs, windows, processes and machines.

pub mod group;
pub mod link;

pub use group::{Group, GroupBuilder, GroupKey, GroupReport, PeerId, Received, Topic};
pub use link::{Heard, InProcess, InProcessLink, Link, Member, Queue};
