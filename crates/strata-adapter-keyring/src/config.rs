//! What a caller chooses of a keyring: [`KeyringConfig`].

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use keyring_core::CredentialStore;
use strata_core::{Error, ErrorKind, Result, Store, Timer};

use crate::platform;

/// Which entries of which keyring, and how long to wait for it.
#[derive(Clone)]
#[must_use = "a configuration does nothing until a keyring is opened with it"]
pub struct KeyringConfig {
    pub(crate) service: String,
    pub(crate) timeout: Duration,
    pub(crate) timer: Option<Arc<dyn Timer>>,
    pub(crate) lock_file: Option<PathBuf>,
    pub(crate) overflow: Option<Arc<dyn Store>>,
    pub(crate) overflow_above: usize,
    pub(crate) max_entry: usize,
    pub(crate) platform: Option<(String, Arc<CredentialStore>)>,
}

impl KeyringConfig {
    /// How long a call waits for the keyring unless told otherwise.
    pub const TIMEOUT: Duration = Duration::from_secs(10);
    /// The longest service name, in bytes.
    pub const MAX_SERVICE: usize = 128;
    /// The least [`max_entry`](KeyringConfig::max_entry), in bytes: what holds a value of one kilobyte.
    pub const LEAST_ENTRY: usize = 1536;

    /// The entries of `service`, the name under which the keyring's own program shows them; your program's, for example.
    pub fn new(service: impl Into<String>) -> Self {
        Self {
            service: service.into(),
            timeout: Self::TIMEOUT,
            timer: None,
            lock_file: None,
            overflow: None,
            overflow_above: usize::MAX,
            max_entry: platform::MAX_ENTRY,
            platform: None,
        }
    }

    /// How long a call waits, 10 s unless said here. Raise it where a person may first have to type a password: the time they take
    /// counts. A call that waited in vain is [`ErrorKind::Unavailable`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Waits by this timer in place of tokio's. With it, no runtime is needed.
    pub fn timer(mut self, timer: Arc<dyn Timer>) -> Self {
        self.timer = Some(timer);
        self
    }

    /// Holds this file locked during each change, so that guards hold among the processes of this machine that name the same
    /// file, and not only in this process. Made if it is missing (mode 0600); its folder is not. It stays empty.
    pub fn lock_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.lock_file = Some(path.into());
        self
    }

    /// Keeps values that do not fit into an entry here, each sealed under a key of its own that only its entry has. Durability
    /// and coherence are then the lesser of both. Where it cannot be walked, what a crash leaves in it stays.
    pub fn overflow(mut self, store: Arc<dyn Store>) -> Self {
        self.overflow = Some(store);
        self
    }

    /// Keeps values longer than this many bytes in the [`overflow`](KeyringConfig::overflow) store even if they would fit into an entry. Zero
    /// keeps all of them there.
    pub fn overflow_above(mut self, bytes: usize) -> Self {
        self.overflow_above = bytes;
        self
    }

    /// The longest entry, in bytes of text; the platform's own limit unless said here: 2,560 on Windows, 96 KiB elsewhere. A
    /// value takes four thirds of its length, and about 90 bytes more; so do its tags, which are always in the entry: 32 of the
    /// longest take 5,600 bytes, more than Windows holds ([`ErrorKind::TooLarge`]).
    pub fn max_entry(mut self, bytes: usize) -> Self {
        self.max_entry = bytes;
        self
    }

    /// Uses this store of `keyring-core` in place of the platform's, under this name in reports and errors. Whether it guards what it
    /// holds, and how long it keeps it, is for whoever gives it to know. The text of its own errors is shown as the cause of ours, so it
    /// should hold no secret.
    pub fn platform(mut self, name: impl Into<String>, store: Arc<CredentialStore>) -> Self {
        self.platform = Some((name.into(), store));
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        let invalid = |message: String| Err(Error::new(ErrorKind::Invalid, "open keyring", message));
        if self.service.is_empty() || self.service.chars().any(char::is_control) {
            return invalid(
                "the service name is empty or has control characters; give your program's name".to_owned(),
            );
        }
        if self.service.len() > Self::MAX_SERVICE {
            let (len, most) = (self.service.len(), Self::MAX_SERVICE);
            return invalid(format!(
                "the service name has {len} bytes, at most {most} are allowed; shorten it"
            ));
        }
        if self.timeout.is_zero() {
            return invalid("the timeout is zero; give the keyring at least some milliseconds".to_owned());
        }
        if self.max_entry < Self::LEAST_ENTRY {
            let least = Self::LEAST_ENTRY;
            return invalid(format!(
                "entries of {} bytes are too short; allow at least {least}",
                self.max_entry
            ));
        }
        Ok(())
    }

    /// The keyring's name for people.
    pub(crate) fn place(&self) -> &str {
        self.platform.as_ref().map_or(platform::NAME, |(name, _)| name)
    }
}

impl fmt::Debug for KeyringConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyringConfig")
            .field("place", &self.place())
            .field("service", &self.service)
            .field("timeout", &self.timeout)
            .field("lock_file", &self.lock_file)
            .field("overflow", &self.overflow.as_ref().map(ToString::to_string))
            .field("max_entry", &self.max_entry)
            .finish_non_exhaustive()
    }
}
