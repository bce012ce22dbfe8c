//! How a process learns that it is a forked child: [`Mark`]. A child inherits the parent's counters, so without this the two
//! would use the same nonces.
//!
//! On Unix a handler of `pthread_atfork` counts in the child; a check is one relaxed load. A process made by the bare `clone`
//! system call, past the C library, is not noticed; such a child must not go on using an opened store.
//!
//! Tests of this crate count forks by hand; `tests/it/forks.rs` makes real ones.

use std::fmt;
#[cfg(test)]
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use strata_core::Result;

/// Makes marks.
#[derive(Clone, Default)]
pub(crate) enum Detector {
    /// The system's own.
    #[default]
    System,
    /// A test's: a fork is a step of the count.
    #[cfg(test)]
    Injected(Arc<AtomicUsize>),
}

/// Remembers the process it was made in.
pub(crate) enum Mark {
    #[cfg(unix)]
    System(forkguard::atfork::Guard),
    /// There is no fork here.
    #[cfg(not(unix))]
    System,
    #[cfg(test)]
    Injected(Arc<AtomicUsize>, usize),
}

impl Detector {
    /// A mark of this process.
    pub(crate) fn mark(&self) -> Result<Mark> {
        match self {
            #[cfg(unix)]
            Self::System => forkguard::atfork::Guard::try_new().map(Mark::System).map_err(no_handler),
            #[cfg(not(unix))]
            Self::System => Ok(Mark::System),
            #[cfg(test)]
            Self::Injected(count) => Ok(Mark::Injected(Arc::clone(count), count.load(Ordering::SeqCst))),
        }
    }
}

impl Mark {
    /// Whether this is still the process that the mark was made in.
    #[inline]
    pub(crate) fn is_here(&self) -> bool {
        match self {
            // The guard forgets a fork it has told of; a copy is asked, so that every caller is told.
            #[cfg(unix)]
            Self::System(guard) => !guard.clone().detected_fork(),
            #[cfg(not(unix))]
            Self::System => true,
            #[cfg(test)]
            Self::Injected(count, here) => count.load(Ordering::SeqCst) == *here,
        }
    }
}

#[cfg(unix)]
#[cold]
fn no_handler(error: forkguard::atfork::AtforkError) -> strata_core::Error {
    strata_core::Error::new(
        strata_core::ErrorKind::Unavailable,
        "draw epoch",
        "the system is out of memory for a fork handler; free some and retry",
    )
    .because(error)
}

impl fmt::Debug for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Detector")
    }
}
