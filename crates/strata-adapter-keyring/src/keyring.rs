//! A keyring that can be used: [`Keyring`], what the store and the keeper of keys share.

use std::fmt;
use std::sync::Arc;

use strata_core::Result;

use crate::config::KeyringConfig;
use crate::connection::Connection;
use crate::turn::Turns;
use crate::worker::Worker;

/// The entries of one service in the platform's keyring. A clone shares the connection and its thread.
#[derive(Clone, Debug)]
pub struct Keyring(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: KeyringConfig,
    worker: Worker,
    turns: Turns,
}

impl Keyring {
    /// A keyring that is connected to by its first call. [`ErrorKind::Invalid`](strata_core::ErrorKind::Invalid) for a configuration that
    /// cannot be meant.
    pub fn new(config: KeyringConfig) -> Result<Self> {
        config.check()?;
        let turns = Turns::of(config.place(), &config.service, config.lock_file.clone());
        let worker = Worker::new(config.clone());
        Ok(Self(Arc::new(Inner { config, worker, turns })))
    }

    /// Connects now, which answers whether there is a keyring here. Reads and writes no entry, so that a locked one is met later,
    /// by the first call that needs it open.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](strata_core::ErrorKind::Unsupported): there is none (on Linux no session bus, or no Secret Service on
    /// it). [`ErrorKind::Denied`](strata_core::ErrorKind::Denied), [`ErrorKind::Unavailable`](strata_core::ErrorKind::Unavailable): there may be
    /// one, but it does not let this program in, or did not answer in time. [`ErrorKind::Invalid`](strata_core::ErrorKind::Invalid): there is neither a tokio runtime nor
    /// a [`timer`](KeyringConfig::timer). As [`Keyring::new`].
    pub async fn open(config: KeyringConfig) -> Result<Self> {
        let keyring = Self::new(config)?;
        keyring.call("open keyring", |connection| connection.open("open keyring").map(drop)).await?;
        Ok(keyring)
    }

    /// The keyring's name for people, such as `Secret Service`.
    pub fn place(&self) -> &str {
        self.0.config.place()
    }

    /// The service its entries are under.
    pub fn service(&self) -> &str {
        &self.0.config.service
    }

    pub(crate) fn config(&self) -> &KeyringConfig {
        &self.0.config
    }

    pub(crate) fn turns(&self) -> &Turns {
        &self.0.turns
    }

    /// Runs `work` on the keyring's thread.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.0.worker.call(operation, None, work).await.map_err(|error| error.in_store(self))
    }

    /// Runs `work` there while no other writer has its turn. Not at all if the caller has given up by then.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let turns = Some(self.0.turns.clone());
        self.0.worker.call(operation, turns, work).await.map_err(|error| error.in_store(self))
    }
}

impl fmt::Display for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "keyring({}, {})", self.place(), self.service())
    }
}
