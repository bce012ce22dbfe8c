//! A store in memory for Strata: sharded, indexed, bounded if asked.
//!
//! [`MemoryStore`] keeps records in a sharded map and answers prefix, tag and deadline walks from indexes that are
//! changed in the same step as the record. Nothing is written to disk: the records end with the process.
//!
//! The map of the files: `store` is the store and its reads, `commit` its writes, `walk` its scans, `room` its bounds,
//! `check` what an operator asks. `gate` orders batches and single writes; `name`, `state` and `sorted` are the dense
//! parts everything is made of; `index` holds the three indexes.
//!
//! # Locks
//! Gate, then one entry of the map, then one index; never two entries, never two indexes. Walks take names from an
//! index, let go of it, then read the records.

mod check;
mod commit;
mod config;
mod error;
mod gate;
mod index;
mod name;
mod room;
mod sorted;
mod state;
mod store;
mod walk;

pub use check::{Check, Problem, Stats};
pub use config::{MemoryConfig, WhenFull};
pub use store::MemoryStore;

/// The README's example, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
