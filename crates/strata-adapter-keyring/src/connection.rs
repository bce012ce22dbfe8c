//! The connection to the platform's keyring, as the worker's thread holds it: [`Connection`]. Every call here blocks.

use std::sync::Arc;

use keyring_core::{CredentialStore, Entry};
use strata_core::{ErrorKind, Result};
use zeroize::Zeroizing;

use crate::config::KeyringConfig;
use crate::error::{away, failed};
use crate::platform;

/// The bytes of an entry, wiped when dropped.
pub(crate) type Bytes = Zeroizing<Vec<u8>>;

/// Entries of one service, over a connection that is made when it is needed and again after it broke.
#[derive(Debug)]
pub(crate) struct Connection {
    service: String,
    given: Option<Arc<CredentialStore>>,
    open: Option<Arc<CredentialStore>>,
    /// There was a keyring, so if there is none now, it went away.
    was_open: bool,
}

impl Connection {
    pub(crate) fn new(config: &KeyringConfig) -> Self {
        let given = config.platform.as_ref().map(|(_, store)| Arc::clone(store));
        Self { service: config.service.clone(), given, open: None, was_open: false }
    }

    /// Connects, if that is not done yet. [`ErrorKind::Unsupported`] where there is no keyring and never was.
    pub(crate) fn open(&mut self, operation: &'static str) -> Result<Arc<CredentialStore>> {
        if let Some(store) = &self.open {
            return Ok(Arc::clone(store));
        }
        let connected = match &self.given {
            Some(store) => Ok(Arc::clone(store)),
            None => platform::connect(),
        };
        let store = connected.map_err(|error| self.broke(operation, &error))?;
        self.open = Some(Arc::clone(&store));
        self.was_open = true;
        Ok(store)
    }

    /// The entry's bytes, if there is one.
    pub(crate) fn read(&mut self, operation: &'static str, user: &str) -> Result<Option<Bytes>> {
        match self.entry(operation, user)?.get_secret() {
            Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
            Err(keyring_core::Error::NoEntry) => Ok(None),
            Err(error) => Err(self.broke(operation, &error)),
        }
    }

    /// Creates or replaces the entry.
    pub(crate) fn write(&mut self, operation: &'static str, user: &str, bytes: &[u8]) -> Result<()> {
        let written = self.entry(operation, user)?.set_secret(bytes);
        written.map_err(|error| self.broke(operation, &error))
    }

    /// Removes the entry; one that is not there is removed.
    pub(crate) fn remove(&mut self, operation: &'static str, user: &str) -> Result<()> {
        match self.entry(operation, user)?.delete_credential() {
            Ok(()) | Err(keyring_core::Error::NoEntry) => Ok(()),
            Err(error) => Err(self.broke(operation, &error)),
        }
    }

    /// Connects anew at the next call.
    pub(crate) fn forget(&mut self) {
        self.open = None;
    }

    fn entry(&mut self, operation: &'static str, user: &str) -> Result<Entry> {
        let store = self.open(operation)?;
        store.build(&self.service, user, None).map_err(|error| self.broke(operation, &error))
    }

    /// The situation. A connection that failed, other than by a refusal, is not used again.
    fn broke(&mut self, operation: &'static str, error: &keyring_core::Error) -> strata_core::Error {
        let failure = failed(operation, error);
        if matches!(error, keyring_core::Error::PlatformFailure(_)) {
            self.forget();
            if self.was_open && failure.kind() == ErrorKind::Unsupported {
                return away(operation);
            }
        }
        failure
    }
}
