//! What only a machine with an operating system has: its clocks ([`system_clock`], [`wall`], [`elapsed`]) and the runtime's
//! timer ([`TokioTimer`]).

mod clock;
mod timer;

#[cfg(feature = "ttl")]
pub use clock::system_clock;
pub use clock::{elapsed, wall};
pub use timer::TokioTimer;
