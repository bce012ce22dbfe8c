//! Sessions in step across tabs, windows, processes and machines.

pub mod link;

pub use link::{Heard, Link, Member};
