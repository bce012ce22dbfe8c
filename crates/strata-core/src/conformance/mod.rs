//! The conformance suite: what every store and wrapper has to do, as public functions over `&dyn Store`.
//!
//! Three lines run all of it, one `#[test]` per subject:
//!
//! ```no_run
//! use std::sync::Arc;
//! use strata_core::{ReferenceStore, Store};
//!
//! strata_core::conformance_suite!(|| -> Arc<dyn Store> { Arc::new(ReferenceStore::new()) });
//! ```
//!
//! The expression makes a fresh, empty store each time it is called. A store that needs a runtime adds its [`Drive`] as
//! the second argument. Each subject uses keys and tags that begin with `conformance:` and its own name, so several
//! can share one store. What a store declares it cannot do is checked to be refused; it is not skipped silently.
//!
//! A dead record has to stay, in every index, until somebody removes or replaces it: a store removes nothing by itself.
//!
//! Beside the suite: [`Kept`] holds what a store stands on, such as a temporary folder; [`Faulty`], a wrapper that fails the nth call, and [`PerKey`], one that commits a
//! key at a time; and [`every_schedule`], which tries every order in which a few tasks can reach a store, for tests of whatever stands
//! on one.

mod atomicity;
mod basics;
mod drive;
mod due;
mod faulty;
mod guards;
#[cfg(not(target_arch = "wasm32"))]
mod interleave;
#[cfg(not(target_arch = "wasm32"))]
mod interleave_distinct;
mod kept;
mod limits;
#[cfg(not(target_arch = "wasm32"))]
mod model;
mod paging;
mod per_key;
mod prefixes;
#[cfg(not(target_arch = "wasm32"))]
mod races;
mod refusals;
mod slides;
mod space;
#[cfg(not(target_arch = "wasm32"))]
mod suite;
mod tags;
mod versions;

pub use atomicity::{atomicity, cancellation};
pub use basics::basics;
pub use drive::{Drive, block_on, parked};
pub use due::due;
pub use faulty::{Fault, Faulty, every_call};
pub use guards::guards;
#[cfg(not(target_arch = "wasm32"))]
pub use interleave::{Stepped, Task, World, every_schedule, sampled_schedules};
#[cfg(not(target_arch = "wasm32"))]
pub use interleave_distinct::every_distinct_schedule;
pub use kept::Kept;
pub use limits::limits;
#[cfg(not(target_arch = "wasm32"))]
pub use model::{Model, model};
pub use paging::paging;
pub use per_key::PerKey;
pub use prefixes::prefixes;
#[cfg(not(target_arch = "wasm32"))]
pub use races::{lost_updates, one_winner, paging_under_writers, slides_and_removals, torn_batches};
pub use refusals::refusals;
pub use slides::slides;
#[cfg(not(target_arch = "wasm32"))]
pub use suite::{SUBJECTS, Subject, all, check};
pub use tags::tags;
pub use versions::versions;
