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
use std::sync::atomic::{AtomicU64, Ordering};

use strata_core::{Durability, Result};

use crate::engine::Engine;
use crate::error::from_io;
use crate::format::meta_name;

/// The barrier of one open store.
#[derive(Debug)]
pub(crate) struct Barrier {
    /// Open from the start: the system reports a failed write-back once to each descriptor that was open when it failed.
    log: File,
    level: Durability,
    /// How many syncs of sled's had failed in this program when the store was opened.
    failures: u64,
    /// How often it was made.
    made: AtomicU64,
    /// A test's disk that fails every sync.
    #[cfg(test)]
    pub(crate) broken: std::sync::atomic::AtomicBool,
}

impl Barrier {
    /// Writes with `write` and makes that durable, and finds out from it what the barrier is worth. Gives what `write` gave.
    pub(crate) fn open<T>(
        path: &Path,
        engine: &Engine,
        write: impl FnOnce() -> Result<T>,
    ) -> Result<(Self, T)> {
        let log =
            File::open(path.join("db")).map_err(|error| from_io("open", "`db` cannot be read", error))?;
        let failures = real::failures();
        let (level, written) = prove(engine, write)?;
        let barrier = Self {
            log,
            level,
            failures,
            made: AtomicU64::new(0),
            #[cfg(test)]
            broken: std::sync::atomic::AtomicBool::new(false),
        };
        barrier.sync(engine, level)?;
        Ok((barrier, written))
    }

    /// The highest level it gives.
    pub(crate) fn level(&self) -> Durability {
        self.level
    }

    /// How often it was made since the store was opened.
    pub(crate) fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// Makes everything written so far as durable as `level` asks. A failure poisons the handle.
    pub(crate) fn sync(&self, engine: &Engine, level: Durability) -> Result<()> {
        engine.flush()?;
        self.made.fetch_add(1, Ordering::Relaxed);
        #[cfg(test)]
        if self.broken.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(engine.poison().by_io("flush", std::io::Error::other("the disk did not sync")));
        }
        if level == Durability::Power {
            // sled's own barrier has synced by now. But the system tells a failed write-back once to each descriptor, and
            // sled's periodic thread may have taken the news and only logged it. Where sled's syncs pass through here, failed
            // ones are counted, those of other stores in this program too; elsewhere our own descriptor is asked.
            if real::COUNTS_FAILURES && self.level == Durability::Power {
                if real::failures() > self.failures {
                    let lost = std::io::Error::other("a sync of sled's failed earlier");
                    return Err(engine.poison().by_io("flush", lost));
                }
            } else {
                self.log.sync_data().map_err(|error| engine.poison().by_io("flush", error))?;
            }
        }
        Ok(())
    }
}

/// So often a flush that did not arrive here is tried with something new to write.
const TRIES: u32 = 4;

/// Writes, flushes, and says whether sled's sync arrived here. The count is taken before anything is written: sled's own
/// flusher may come first, and its sync of what was written counts as well as ours.
fn prove<T>(engine: &Engine, write: impl FnOnce() -> Result<T>) -> Result<(Durability, T)> {
    let before = real::count();
    let written = write()?;
    engine.flush()?;
    for _ in 1..TRIES {
        if real::arrived_since(before) || !real::CAN_ARRIVE {
            break;
        }
        // sled writes nothing for a value that is there already; an entry that comes and goes is written in any case.
        let probe = meta_name("probe");
        engine.insert(&probe, &[][..])?;
        engine.remove(&probe)?;
        engine.flush()?;
    }
    let level = if real::arrived_since(before) { Durability::Power } else { Durability::Process };
    Ok((level, written))
}

#[cfg(all(feature = "power", target_os = "linux"))]
mod real {
    use std::ffi::{c_int, c_uint};
    use std::sync::atomic::{AtomicU64, Ordering};

    pub(super) const CAN_ARRIVE: bool = true;

    pub(super) const COUNTS_FAILURES: bool = true;

    static CALLS: AtomicU64 = AtomicU64::new(0);
    static FAILURES: AtomicU64 = AtomicU64::new(0);

    pub(super) fn failures() -> u64 {
        FAILURES.load(Ordering::SeqCst)
    }

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
        let result = fdatasync(fd);
        if result != 0 {
            FAILURES.fetch_add(1, Ordering::SeqCst);
        }
        result
    }
}

/// Elsewhere sled calls `File::sync_all` itself, which is real.
#[cfg(all(feature = "power", not(target_os = "linux")))]
mod real {
    pub(super) const CAN_ARRIVE: bool = true;
    pub(super) const COUNTS_FAILURES: bool = false;

    pub(super) fn failures() -> u64 {
        0
    }

    pub(super) fn count() -> u64 {
        0
    }

    pub(super) fn arrived_since(_before: u64) -> bool {
        true
    }
}

#[cfg(not(feature = "power"))]
mod real {
    pub(super) const CAN_ARRIVE: bool = false;
    pub(super) const COUNTS_FAILURES: bool = false;

    pub(super) fn failures() -> u64 {
        0
    }

    pub(super) fn count() -> u64 {
        0
    }

    pub(super) fn arrived_since(_before: u64) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use strata_core::conformance::block_on;
    use strata_core::{
        Batch, ErrorKind, Expiry, Guard, Keep, Key, Op, Payload, Store, Tags, Timestamp, Write,
    };

    use super::*;
    use crate::SledConfig;

    fn put(name: &str, durability: Durability) -> Batch {
        let write = Write::Put {
            payload: Payload::from(&b"value"[..]),
            expiry: Keep::Set(Expiry::NEVER),
            tags: Keep::Set(Tags::none()),
        };
        let op = Op { key: Key::new(name).expect("valid"), guard: Guard::Any, write };
        Batch::one(Timestamp::EPOCH, durability, op)
    }

    /// Run alone it is sharp; beside other tests their syncs count as well, which is right but hides a miss.
    #[cfg(feature = "power")]
    #[test]
    fn a_flusher_that_comes_first_does_not_take_the_proof() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SledConfig::new(folder.path()).open().expect("opens");
        let engine = &store.core.engine;
        let write = || engine.insert(&meta_name("test"), &[][..]).and_then(|()| engine.flush());
        let (level, ()) = prove(engine, write).expect("written");
        assert_eq!(level, Durability::Power, "the sync between the write and the flush counts");

        engine.flush().expect("nothing is left to write");
        let (level, ()) = prove(engine, || Ok(())).expect("written");
        assert_eq!(level, Durability::Power, "it is tried again with something to write");
    }

    #[test]
    fn s34_a_failed_barrier_ends_all_claims_and_loses_nothing_acknowledged() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SledConfig::new(folder.path()).open().expect("opens");
        block_on(store.commit(put("kept", Durability::Process))).expect("acknowledged");
        store.core.barrier.broken.store(true, Ordering::SeqCst);
        let failed = block_on(store.commit(put("lost", Durability::Process))).expect_err("not durable");
        assert_eq!(failed.kind(), ErrorKind::Poisoned);

        // A later sync of the same file may succeed although pages were dropped: it must not be believed.
        store.core.barrier.broken.store(false, Ordering::SeqCst);
        for durability in [Durability::Relaxed, Durability::Process] {
            let error = block_on(store.commit(put("later", durability))).expect_err("poisoned");
            assert_eq!(error.kind(), ErrorKind::Poisoned, "{durability}");
        }
        let barrier =
            Batch { now: Timestamp::EPOCH, durability: Durability::Process, ops: Vec::new().into() };
        assert_eq!(block_on(store.commit(barrier)).expect_err("poisoned").kind(), ErrorKind::Poisoned);
        assert_eq!(block_on(store.flush()).expect_err("poisoned").kind(), ErrorKind::Poisoned);
        drop(store);

        let store = SledConfig::new(folder.path()).open().expect("opens again");
        let kept = block_on(store.get(&Key::new("kept").expect("valid"))).expect("read");
        assert_eq!(kept.expect("acknowledged").payload.as_bytes(), b"value");
        block_on(store.commit(put("later", Durability::Process))).expect("durable again");
        assert!(store.check().expect("readable").is_clean());
    }
}
