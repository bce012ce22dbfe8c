//! The settings of a client: [`ServerSyncedBuilder`].

use std::sync::Arc;
use std::time::Duration;

use strata_core::{Durability, Error, ErrorKind, Handle, Key, Needs, Protection, Result, Timer};

use super::path::Path;
use super::policy::Policies;
use super::steps::Core;
use super::synced::ServerSynced;
use super::transport::SyncTransport;
use crate::analytics::backoff::Backoff;

/// The settings of a [`ServerSynced`].
#[must_use = "a builder does nothing until `build`"]
#[derive(Debug)]
pub struct ServerSyncedBuilder<'h> {
    handle: &'h Handle,
    transport: Arc<dyn SyncTransport>,
    timer: Arc<dyn Timer>,
    name: String,
    policies: Policies,
    important: Vec<String>,
    interval: Duration,
    timeout: Duration,
    backoff: Backoff,
    unprotected: Option<String>,
}

impl<'h> ServerSyncedBuilder<'h> {
    pub(super) fn new(handle: &'h Handle, transport: Arc<dyn SyncTransport>, timer: Arc<dyn Timer>) -> Self {
        Self {
            handle,
            transport,
            timer,
            name: "session".to_owned(),
            policies: Policies::default(),
            important: ["auth", "user"].map(str::to_owned).into(),
            interval: Duration::from_mins(1),
            timeout: Duration::from_secs(20),
            backoff: Backoff { first: Duration::from_secs(2), longest: Duration::from_mins(10) },
            unprotected: None,
        }
    }

    /// The name of the record, for programs with several sessions; `session` unless told otherwise.
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Who wins where. All clients of a document should have the same.
    pub fn policies(mut self, policies: Policies) -> Self {
        self.policies = policies;
        self
    }

    /// Places whose changes, there and below, are sent at once; `auth` and `user` unless told otherwise.
    pub fn important(mut self, paths: &[&str]) -> Self {
        self.important = paths.iter().map(|path| (*path).to_owned()).collect();
        self
    }

    /// The time between two syncs of [`ServerSynced::run`], give or take a tenth at random; a minute unless told otherwise, at least a
    /// millisecond.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(Duration::from_millis(1));
        self
    }

    /// How long a call to the server may take; 20 seconds unless told otherwise, at least a millisecond.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.max(Duration::from_millis(1));
        self
    }

    /// The first pause after a failure and the longest one, which are exponential with full jitter; 2 seconds and 10 minutes unless told
    /// otherwise.
    pub fn pauses(mut self, first: Duration, longest: Duration) -> Self {
        self.backoff = Backoff { first, longest: longest.max(first) };
        self
    }

    /// Accepts a store that keeps a credential readable beyond the life of the program. The reason is for whoever reads the code.
    pub fn unprotected(mut self, reason: &str) -> Self {
        self.unprotected = Some(reason.to_owned());
        self
    }

    /// The manager.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a handle with replicated reads or without randomness; [`ErrorKind::Invalid`] for a bad name, path or
    /// empty reason.
    pub fn build(self) -> Result<ServerSynced> {
        let Self {
            handle,
            transport,
            timer,
            name,
            policies,
            important,
            interval,
            timeout,
            backoff,
            unprotected,
        } = self;
        handle.require(&Needs::LEAST)?;
        handle.random().fill(&mut [0; 8])?;
        if name.is_empty() || unprotected.as_deref().is_some_and(|reason| reason.trim().is_empty()) {
            let message =
                "the name of the session, or the reason for keeping credentials unprotected, is empty";
            return Err(Error::new(ErrorKind::Invalid, "build server sync", message));
        }
        let records = handle.namespace("server-synced")?;
        let key = Key::escape(&name);
        records.key(&key)?;
        let volatile = handle.capabilities().durability == Durability::Volatile;
        let guarded = volatile || handle.protection() >= Protection::Sealed || unprotected.is_some();
        let important = important.iter().map(|path| Path::parse(path)).collect::<Result<_>>()?;
        Ok(ServerSynced::over(Core {
            records,
            key,
            transport,
            timer,
            policies,
            important,
            interval,
            timeout,
            backoff,
            guarded,
            wake: tokio::sync::Notify::new(),
            events: tokio::sync::broadcast::Sender::new(64),
            pace: std::sync::Mutex::default(),
        }))
    }
}
