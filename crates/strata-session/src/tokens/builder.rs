//! The settings of the manager: [`TokensBuilder`], and which stores it takes.

use std::sync::Arc;

use strata_core::{Durability, Error, ErrorKind, Handle, Needs, Protection, Result, Spawn, Timer};

use super::accounts::Core;
use super::manager::Tokens;
use super::policy::TokenPolicy;
use super::transport::RefreshTransport;
use crate::security::SecurityLog;

/// The settings of [`Tokens`].
#[must_use = "a builder does nothing until `build`"]
#[derive(Debug)]
pub struct TokensBuilder<'h> {
    handle: &'h Handle,
    transport: Arc<dyn RefreshTransport>,
    timer: Arc<dyn Timer>,
    namespace: String,
    policy: TokenPolicy,
    spawn: Option<Arc<dyn Spawn>>,
    log: Option<SecurityLog>,
    unprotected: Option<String>,
}

impl<'h> TokensBuilder<'h> {
    pub(super) fn new(
        handle: &'h Handle,
        transport: Arc<dyn RefreshTransport>,
        timer: Arc<dyn Timer>,
    ) -> Self {
        Self {
            handle,
            transport,
            timer,
            namespace: "tokens".to_owned(),
            policy: TokenPolicy::default(),
            spawn: None,
            log: None,
            unprotected: None,
        }
    }

    /// Where the records lie: this namespace, and two whose names begin with it.
    pub fn namespace(mut self, name: &str) -> Self {
        name.clone_into(&mut self.namespace);
        self
    }

    /// Other times.
    pub fn policy(mut self, policy: TokenPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Runs refreshes as tasks of their own.
    pub fn spawn(mut self, spawn: Arc<dyn Spawn>) -> Self {
        self.spawn = Some(spawn);
        self
    }

    /// Writes events to this log, which may be shared. Accounts are its users.
    pub fn log(mut self, log: SecurityLog) -> Self {
        self.log = Some(log);
        self
    }

    /// Accepts a store that keeps tokens readable beyond the life of the program. The reason is for whoever reads the code.
    pub fn unprotected(mut self, reason: &str) -> Self {
        self.unprotected = Some(reason.to_owned());
        self
    }

    /// The manager.
    ///
    /// # Errors
    /// [`ErrorKind::Downgrade`] for a store that would keep tokens readable beyond the life of the program: no fallback lands on a
    /// plain disk. [`ErrorKind::Unsupported`] for a handle without randomness or with replicated reads;
    /// [`ErrorKind::Invalid`] for a bad namespace, policy or an empty reason.
    pub fn build(self) -> Result<Tokens> {
        let Self { handle, transport, timer, namespace, policy, spawn, log, unprotected } = self;
        handle.require(&Needs::LEAST)?;
        policy.check()?;
        check_protection(handle, unprotected.as_deref())?;
        let mut holder = [0; 16];
        handle.random().fill(&mut holder)?;
        let places = [
            handle.namespace(&namespace)?,
            handle.namespace(&format!("{namespace}-lease"))?,
            handle.namespace(&format!("{namespace}-index"))?,
        ];
        let log = log.unwrap_or_else(|| SecurityLog::new(handle));
        Ok(Tokens::over(Core::new(places, policy, transport, timer, log, holder), spawn))
    }
}

/// Tokens lie sealed, or in memory.
fn check_protection(handle: &Handle, unprotected: Option<&str>) -> Result<()> {
    if unprotected.is_some_and(|reason| reason.trim().is_empty()) {
        let message = "say why the tokens need no protection, or leave `unprotected` out";
        return Err(Error::new(ErrorKind::Invalid, "build tokens", message));
    }
    // What the store is, not what this handle asks of its commits.
    let volatile = handle.capabilities().durability == Durability::Volatile;
    if volatile || handle.protection() >= Protection::Sealed || unprotected.is_some() {
        return Ok(());
    }
    let message = "this store would keep tokens readable on disk; open it sealed, use the operating system's keyring or a store in \
                   memory, or give a reason by `unprotected`";
    Err(Error::new(ErrorKind::Downgrade, "build tokens", message).in_store(handle.store()))
}
