//! One writer at a time: [`Turns`], a lock of this process for each service and, where a file is named, of this machine.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use strata_core::{Error, ErrorKind, Result};
use tokio::sync::OwnedMutexGuard;

/// Whose turn it is among the writers of one service.
#[derive(Clone, Debug)]
pub(crate) struct Turns {
    process: Arc<Process>,
    file: Option<PathBuf>,
}

/// The locks of one service in this process, shared by all its keyrings.
#[derive(Debug, Default)]
struct Process {
    /// Held while one entry is read, judged and written.
    short: Mutex<()>,
    /// Held over all steps of a large value, in two stores.
    long: Arc<tokio::sync::Mutex<()>>,
}

/// A turn to change one entry; over when it is dropped.
pub(crate) struct Turn<'t> {
    _process: MutexGuard<'t, ()>,
    _file: Option<File>,
}

/// A turn to move a large value; over when it is dropped.
pub(crate) struct LongTurn {
    _process: OwnedMutexGuard<()>,
}

impl Turns {
    /// Of the writers of `service` in the keyring `place`.
    pub(crate) fn of(place: &str, service: &str, file: Option<PathBuf>) -> Self {
        static ALL: OnceLock<Mutex<HashMap<String, Arc<Process>>>> = OnceLock::new();
        let mut all = ALL.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        // Those of keyrings that are gone go too: a program may have a service for each of its users.
        all.retain(|_, process| Arc::strong_count(process) > 1);
        Self { process: Arc::clone(all.entry(format!("{place}\n{service}")).or_default()), file }
    }

    /// Whether other processes wait as well.
    pub(crate) fn are_machine_wide(&self) -> bool {
        self.file.is_some()
    }

    /// Waits, on the keyring's thread.
    pub(crate) fn take(&self) -> Result<Turn<'_>> {
        // Nothing is kept under the lock that a panic could leave half done.
        let process = self.process.short.lock().unwrap_or_else(PoisonError::into_inner);
        let file = self.file.as_deref().map(locked).transpose()?;
        Ok(Turn { _process: process, _file: file })
    }

    /// Waits for the other large values of this process. Those of other processes are another store's.
    pub(crate) async fn take_long(&self) -> LongTurn {
        LongTurn { _process: Arc::clone(&self.process.long).lock_owned().await }
    }
}

/// The file, locked until it is closed.
fn locked(path: &Path) -> Result<File> {
    let mut options = File::options();
    options.create(true).read(true).write(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).and_then(|file| file.lock().map(|()| file)).map_err(|error| {
        let path = path.display();
        Error::new(
            ErrorKind::Unavailable,
            "lock keyring",
            format!("the lock file `{path}` can't be locked; name one in a folder of the user's own"),
        )
        .because(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyrings_of_one_service_share_a_lock_that_goes_with_the_last_of_them() {
        let first = Turns::of("turns", "one", None);
        let second = Turns::of("turns", "one", Some(PathBuf::from("lock")));
        assert!(Arc::ptr_eq(&first.process, &second.process));
        assert!(!Arc::ptr_eq(&first.process, &Turns::of("turns", "other", None).process));
        let gone = Arc::downgrade(&first.process);
        drop(first);
        assert!(Arc::ptr_eq(&second.process, &Turns::of("turns", "one", None).process), "still in use");
        drop(second);
        let _next = Turns::of("turns", "next", None);
        assert!(gone.upgrade().is_none(), "nothing is kept for services nobody uses");
    }
}
