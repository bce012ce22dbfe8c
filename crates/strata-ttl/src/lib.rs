//! How long things live, by whose time, and who clears up: expiry policies ([`Policy`]), a clock that survives jumps
//! ([`SteadyClock`]) with the [`Watermark`] it restarts from, and the [`Sweeper`].
//!
//! No clock is read and no task is spawned here. Wall time, elapsed time and timers are handed in by the program, or by the
//! umbrella crate; expiry itself is checked by the handle on every read, with or without a sweeper.

mod clock;
mod policy;
mod report;
mod sweeper;
mod watermark;

pub use clock::{ClockReport, Elapsed, SteadyClock, SteadyClockBuilder, WallTime};
pub use policy::{Description, Policy, Profile};
pub use report::{Failure, SweepReport};
pub use sweeper::{Sweeper, Swept};
pub use watermark::Watermark;

/// The examples of the README are compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
