//! What makes writes stay: [`Barrier`], and with the feature `power` the one `unsafe` of this crate.
//!
//! sled 0.34 ends each write of its log with `sync_file_range`, which neither waits for the disk's cache nor writes metadata.
//! It relies on it as a barrier all the same when it reuses parts of the file; so flushing and syncing afterwards is
//! not enough: 113 of 320 simulated power cuts lost acknowledged data or the whole store. With the feature `power` this file
//! defines the symbol `sync_file_range` for the whole program, as `fdatasync`; sled's call is bound to it, and its own
//! barrier becomes a real one (none lost in 380). Other callers in the same program get a stronger sync than they asked for.
//!
//! A linker may bind sled's call elsewhere, in a shared library for one. So an open tests that a flush arrives here, and
//! declares `Process` if it does not.

use std::fs::File;
use std::path::Path;

use strata_core::{Durability, Result};

use crate::engine::Engine;
use crate::error::from_io;

/// The barrier of one open store.
#[derive(Debug)]
pub(crate) struct Barrier {
    /// Open from the start: the system reports a failed write-back once to each descriptor that was open when it failed.
    log: File,
    level: Durability,
}

impl Barrier {
    /// Writes out everything written so far, and finds out what the barrier is worth. Something has to have been written.
    pub(crate) fn open(path: &Path, engine: &Engine) -> Result<Self> {
        let log =
            File::open(path.join("db")).map_err(|error| from_io("open", "`db` cannot be read", error))?;
        let before = real::count();
        engine.flush()?;
        let level = if real::arrived_since(before) { Durability::Power } else { Durability::Process };
        let barrier = Self { log, level };
        barrier.sync(engine, level)?;
        Ok(barrier)
    }

    /// The highest level it gives.
    pub(crate) fn level(&self) -> Durability {
        self.level
    }

    /// Makes everything written so far as durable as `level` asks. A failure poisons the handle.
    pub(crate) fn sync(&self, engine: &Engine, level: Durability) -> Result<()> {
        engine.flush()?;
        if level == Durability::Power {
            // sled's own barrier has synced by now. But the system tells a failed write-back once to each descriptor, and
            // sled's periodic thread, which shares sled's, may have taken the news and only logged it. This one is ours.
            self.log.sync_data().map_err(|error| engine.poison().by_io("flush", error))?;
        }
        Ok(())
    }
}

#[cfg(all(feature = "power", target_os = "linux"))]
mod real {
    use std::ffi::{c_int, c_uint};
    use std::sync::atomic::{AtomicU64, Ordering};

    static CALLS: AtomicU64 = AtomicU64::new(0);

    pub(super) fn count() -> u64 {
        CALLS.load(Ordering::SeqCst)
    }

    pub(super) fn arrived_since(before: u64) -> bool {
        count() > before
    }

    // SAFETY: the name, the arguments and the result are those of the C library's function (see its manual page), and so
    // is the meaning: data of the file is on disk when it returns zero, `errno` is set when it returns -1. `fdatasync` takes
    // any descriptor number, reports a bad one, and touches no memory of ours. Nothing here can unwind.
    #[allow(unsafe_code)] // the feature exists for this, see above
    unsafe extern "C" {
        safe fn fdatasync(fd: c_int) -> c_int;
    }

    #[allow(unsafe_code)] // exporting a symbol; see above
    #[unsafe(no_mangle)]
    extern "C" fn sync_file_range(fd: c_int, _offset: i64, _bytes: i64, _flags: c_uint) -> c_int {
        CALLS.fetch_add(1, Ordering::SeqCst);
        fdatasync(fd)
    }
}

/// Elsewhere sled calls `File::sync_all` itself, which is real.
#[cfg(all(feature = "power", not(target_os = "linux")))]
mod real {
    pub(super) fn count() -> u64 {
        0
    }

    pub(super) fn arrived_since(_before: u64) -> bool {
        true
    }
}

#[cfg(not(feature = "power"))]
mod real {
    pub(super) fn count() -> u64 {
        0
    }

    pub(super) fn arrived_since(_before: u64) -> bool {
        false
    }
}
