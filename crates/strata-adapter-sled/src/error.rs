//! What sled and the file system say, in Strata's words, and the poison that ends a handle after a failed write.

use std::fmt;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use strata_core::{Error, ErrorKind, Result};

/// Damaged bytes, with the way out.
#[cold]
pub(crate) fn damaged(what: &str) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        "read",
        format!("{what} is damaged; run `check`, then restore a backup or open once with `repair`"),
    )
}

/// Bytes that a newer Strata wrote.
#[cold]
pub(crate) fn newer(operation: &'static str, format: u64) -> Error {
    Error::new(
        ErrorKind::Newer,
        operation,
        format!("this is format {format}, this program knows {} at most; upgrade it", crate::format::FORMAT),
    )
}

/// A failure of the file system outside of sled.
#[cold]
pub(crate) fn from_io(operation: &'static str, what: impl fmt::Display, error: io::Error) -> Error {
    let kind = kind_of_io(&error);
    Error::new(kind, operation, format!("{what}: {}", way_out(kind))).because(error)
}

/// A failure of sled, before the store is open.
#[cold]
pub(crate) fn from_sled(operation: &'static str, error: sled::Error) -> Error {
    let kind = kind_of_sled(&error);
    Error::new(kind, operation, format!("the database failed: {}", way_out(kind))).because(error)
}

fn kind_of_sled(error: &sled::Error) -> ErrorKind {
    match error {
        sled::Error::Io(error) => kind_of_io(error),
        sled::Error::Corruption { .. } | sled::Error::CollectionNotFound(_) => ErrorKind::Corrupt,
        sled::Error::Unsupported(_) => ErrorKind::Foreign,
        sled::Error::ReportableBug(_) => ErrorKind::Other,
    }
}

fn kind_of_io(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Full,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::ReadOnly,
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => ErrorKind::Corrupt,
        io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => ErrorKind::Foreign,
        // sled reports a lock that is held as an error without a kind.
        io::ErrorKind::Other if error.to_string().contains("could not acquire lock") => ErrorKind::Locked,
        _ => ErrorKind::Other,
    }
}

fn way_out(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Full => {
            "the disk is full; make room, then open the store again, nothing acknowledged is lost"
        }
        ErrorKind::ReadOnly => {
            "it cannot be written here; change its owner, mode or mount, or choose another path"
        }
        // Pages of sled, not records of ours: a repair walks over them and meets the same.
        ErrorKind::Corrupt => "its files are damaged where `repair` cannot read them; restore a backup",
        ErrorKind::Locked => "another process holds it; close it there first",
        ErrorKind::Foreign => "it was not written by this program; choose another path",
        _ => "open the store again when the cause is gone",
    }
}

/// The end of a handle: set by the first failed write or barrier, never cleared.
#[derive(Debug, Default)]
pub(crate) struct Poison {
    set: AtomicBool,
    cause: OnceLock<(ErrorKind, String)>,
}

impl Poison {
    /// [`ErrorKind::Poisoned`] once something has failed.
    #[inline]
    pub(crate) fn check(&self, operation: &'static str) -> Result<()> {
        if self.set.load(Ordering::Acquire) { Err(self.refusal(operation)) } else { Ok(()) }
    }

    /// Whether something has failed.
    pub(crate) fn is_set(&self) -> bool {
        self.set.load(Ordering::Acquire)
    }

    /// Ends the handle because of a failure of sled, and says so.
    #[cold]
    pub(crate) fn by_sled(&self, operation: &'static str, error: sled::Error) -> Error {
        let kind = kind_of_sled(&error);
        self.by(operation, kind, &error.to_string()).because(error)
    }

    /// Ends the handle because of a failure of the file system.
    #[cold]
    pub(crate) fn by_io(&self, operation: &'static str, error: io::Error) -> Error {
        let kind = kind_of_io(&error);
        self.by(operation, kind, &error.to_string()).because(error)
    }

    /// Ends the handle because sled panicked.
    #[cold]
    pub(crate) fn by_panic(&self, operation: &'static str) -> Error {
        self.by(operation, ErrorKind::Corrupt, "sled panicked, as it does on damaged files")
    }

    fn by(&self, operation: &'static str, kind: ErrorKind, cause: &str) -> Error {
        // Only the first cause is kept: later ones follow from it.
        let _ = self.cause.set((kind, cause.to_owned()));
        self.set.store(true, Ordering::Release);
        self.first(operation)
    }

    /// What the calls that met the failure report: a full disk as such, anything else as the poison it is.
    #[cold]
    pub(crate) fn first(&self, operation: &'static str) -> Error {
        match self.cause.get() {
            Some((kind @ (ErrorKind::Full | ErrorKind::Corrupt), cause)) => {
                Error::new(*kind, operation, format!("{}. The cause: {cause}", way_out(*kind)))
            }
            _ => self.refusal(operation),
        }
    }

    /// Whether what ended the handle was damage to the files.
    pub(crate) fn is_damage(&self) -> bool {
        self.cause.get().is_some_and(|(kind, _)| *kind == ErrorKind::Corrupt)
    }

    #[cold]
    fn refusal(&self, operation: &'static str) -> Error {
        let (kind, cause) =
            self.cause.get().map_or((ErrorKind::Other, "unknown"), |(kind, cause)| (*kind, cause.as_str()));
        Error::new(
            ErrorKind::Poisoned,
            operation,
            format!("an earlier failure ended this handle: {}. The cause: {cause}", way_out(kind)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poisoned_by(cause: io::ErrorKind) -> Poison {
        let poison = Poison::default();
        let _ = poison.by_io("commit", io::Error::new(cause, "what happened"));
        poison
    }

    #[test]
    fn s34_a_poisoned_handle_goes_on_naming_the_way_out_of_the_first_failure() {
        let full = poisoned_by(io::ErrorKind::StorageFull);
        let _ = full.by_io("flush", io::Error::other("what followed"));
        let damaged = poisoned_by(io::ErrorKind::InvalidData);
        let other = poisoned_by(io::ErrorKind::TimedOut);
        let ways = [(full, "make room"), (damaged, "restore a backup"), (other, "open the store again")];
        for (poison, way) in ways {
            let error = poison.check("get").expect_err("poisoned");
            assert_eq!(error.kind(), ErrorKind::Poisoned);
            let text = error.to_string();
            assert!(text.contains(way) && text.contains("what happened"), "{text}");
            assert!(!text.contains("run `check`") && !text.contains("what followed"), "{text}");
        }
    }

    #[test]
    fn damaged_files_do_not_send_to_a_repair_that_cannot_read_them() {
        let error = Poison::default().by_sled("scan", sled::Error::Corruption { at: None, bt: () });
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains("restore a backup"), "{error}");
        assert!(!error.to_string().contains("open once with"), "{error}");
    }
}
