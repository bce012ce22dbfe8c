//! A store on disk for Strata: [`SledStore`], made of sled 0.34 with atomic guarded commits, indexes and stated
//! durability.
//!
//! sled alone gives plain reads and writes whose log comes back, after a crash, up to some point. On that stand: locks
//! per key and guards (`core`, `stripes`), what a commit does to entries (`change`), notes and intents that let the next
//! open end what a crash cut short (`intent`, `recover`), version numbers that never come back (`version`), a shared
//! barrier (`group`, `barrier`), walks (`scan`), and a check that proves all of it (`check`, `repair`). The bytes are drawn
//! in `docs/format.md`.
//!
//! Feature `power`: makes [`Durability::Power`](strata_core::Durability::Power) available, by making sled's barrier on
//! Linux a real one.
#![cfg_attr(not(feature = "power"), forbid(unsafe_code))]

mod barrier;
mod change;
mod check;
mod closes;
mod config;
mod core;
mod count;
#[cfg(test)]
mod cuts;
mod engine;
mod error;
mod format;
mod group;
mod home;
mod intent;
mod open;
mod record;
mod recover;
mod repair;
mod scan;
mod store;
mod stripes;
mod version;

pub use check::{Check, Problem, ProblemKind};
pub use config::SledConfig;
pub use repair::Repair;
pub use store::{SledStore, Stats};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeTests;
