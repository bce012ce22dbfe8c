//! Links, groups and buses, with real parts: `support` has what moves them, the others are named after what they are about.

mod group;
#[cfg(unix)]
mod links;
#[cfg(unix)]
mod processes;
mod replication;
mod shared;
mod support;
mod wild;
