//! What only a machine with an operating system has: its clocks ([`system_clock`], [`wall`], [`elapsed`]) the runtime's
//! timer ([`TokioTimer`]) and tasks on it ([`TokioSpawn`]).

mod clock;
mod spawn;
mod timer;

#[cfg(feature = "ttl")]
pub use clock::system_clock;
pub use clock::{elapsed, wall};
pub use spawn::TokioSpawn;
pub use timer::TokioTimer;
