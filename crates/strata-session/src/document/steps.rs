//! What clones of a client share, and its steps over the store: [`Core`]. Each step is one guarded commit of one record.

use std::fmt;
use std::sync::Arc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use strata_core::{Codec, Error, ErrorKind, Handle, Lifetime, Result, Timer, Timestamp};
use tokio::sync::{Notify, broadcast};

use super::events::{SessionEnd, SyncEvent};
use super::live::{Live, Settled};
use super::path::Path;
use super::policy::Policies;
use super::record::{ClientRecord, LONGEST_PAUSE};
use super::transport::{SyncFailure, SyncTransport};
use super::wire::{SyncAnswer, SyncRequest};
use crate::analytics::backoff::Backoff;
use crate::id::{ReplicaId, RequestId};
use crate::tokens::text::Text;

pub(super) struct Core {
    pub(super) records: Handle,
    pub(super) key: String,
    pub(super) transport: Arc<dyn SyncTransport>,
    pub(super) timer: Arc<dyn Timer>,
    pub(super) policies: Policies,
    pub(super) important: Vec<Path>,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    pub(super) backoff: Backoff,
    /// Whether a credential may be stored.
    pub(super) guarded: bool,
    pub(super) wake: Notify,
    pub(super) events: broadcast::Sender<SyncEvent>,
    pub(super) pace: Mutex<Pace>,
}

/// How soon the server may be asked.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// In a row.
    failures: u32,
    /// Until when the server asked to be left alone.
    not_before: Option<Timestamp>,
}

impl Core {
    pub(super) fn now(&self) -> Timestamp {
        self.records.clock().now()
    }

    pub(super) fn tell(&self, event: SyncEvent) {
        // An error means that nobody listens.
        let _ = self.events.send(event);
    }

    pub(super) fn mint(&self) -> Result<RequestId> {
        RequestId::mint(&**self.records.random())
    }

    pub(super) async fn read(&self) -> Result<ClientRecord> {
        Ok(self.records.peek(&self.key).await?.unwrap_or_default())
    }

    /// One guarded change of the record. What `change` refuses leaves it as it was.
    pub(super) async fn update<R>(
        &self,
        mut change: impl FnMut(&mut ClientRecord) -> Result<R>,
    ) -> Result<R> {
        let mut outcome = None;
        let step = |found: Option<ClientRecord>| {
            let mut record = found.clone().unwrap_or_default();
            let told = change(&mut record);
            let refused = told.is_err();
            outcome = Some(told);
            if refused { found } else { record.kept() }
        };
        self.records.update_as(Codec::Json, &self.key, Lifetime::FOREVER, step).await?;
        outcome.expect("an update that was made ran its closure")
    }

    /// What to ask the server, and with which credential; `None` without a session. When this returns, the store knows what is asked.
    pub(super) async fn prepare(&self) -> Result<Option<(SyncRequest, Option<Text>)>> {
        let fresh = self.mint()?;
        self.update(|record| {
            let asked =
                record.live.as_mut().map(|live| (live.request(fresh, &self.policies), live.bearer.clone()));
            Ok(asked)
        })
        .await
    }

    /// Takes in an answer.
    pub(super) async fn settle(
        &self,
        asked: &SyncRequest,
        answer: &SyncAnswer,
    ) -> Result<Result<Settled, SyncFailure>> {
        let (settled, changed) = self
            .update(|record| {
                let Some(live) = &mut record.live else { return Ok((Ok(Settled::Outdated), false)) };
                let before = live.local.clone();
                let settled = live.settle(asked, answer, &self.policies);
                Ok((settled, before != live.local))
            })
            .await?;
        if changed {
            self.tell(SyncEvent::Changed);
        }
        if settled == Ok(Settled::Applied) && !answer.refused.is_empty() {
            self.tell(SyncEvent::Refused(answer.refused.clone()));
        }
        Ok(settled)
    }

    /// The server has refused what is in a request: it is not asked again.
    pub(super) async fn withdraw(&self, asked: &SyncRequest) -> Result<()> {
        self.update(|record| {
            record.live.iter_mut().for_each(|live| live.withdraw(asked));
            Ok(())
        })
        .await
    }

    /// The server does not know this session any more. Says whether it was still there; whoever is told so is the only one.
    pub(super) async fn dismiss(&self, replica: ReplicaId) -> Result<bool> {
        let ended =
            self.update(|record| Ok(record.live.take_if(|live| live.replica == replica).is_some())).await?;
        if ended {
            self.tell(SyncEvent::Ended(SessionEnd::Unauthorized));
        }
        Ok(ended)
    }

    pub(super) fn check_bearer(&self, bearer: Option<&str>) -> Result<Option<Text>> {
        let Some(bearer) = bearer else { return Ok(None) };
        if !self.guarded {
            let message = "this store would keep the credential readable on disk; open it sealed, or leave the credential to the \
                           transport";
            return Err(
                Error::new(ErrorKind::Downgrade, "begin session", message).in_store(self.records.store())
            );
        }
        let invalid = |what| Error::new(ErrorKind::Invalid, "begin session", what);
        Text::checked(bearer.to_owned().into()).map(Some).map_err(invalid)
    }

    /// A new session in the record.
    pub(super) async fn begin(&self, bearer: Option<&str>) -> Result<bool> {
        let bearer = self.check_bearer(bearer)?;
        let replica = ReplicaId::mint(&**self.records.random())?;
        self.update(|record| {
            let begins = record.live.is_none();
            if begins {
                record.live = Some(Live::new(replica, bearer.clone()));
            }
            Ok(begins)
        })
        .await
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long the server still wants to be left alone.
    pub(super) fn pause(&self) -> Option<Duration> {
        let until = self.pace().not_before?;
        let left = until.since(self.now());
        (!left.is_zero() && left <= LONGEST_PAUSE).then_some(left)
    }

    pub(super) fn encourage(&self) {
        *self.pace() = Pace::default();
    }

    /// Notes a failure and tells it.
    pub(super) fn discourage(&self, failure: SyncFailure) {
        let now = self.now();
        let mut pace = self.pace();
        pace.failures = pace.failures.saturating_add(1);
        if let SyncFailure::Offline { retry_after: Some(wait) } = failure {
            pace.not_before = Some(now.saturating_add(wait.min(LONGEST_PAUSE)));
        }
        drop(pace);
        self.tell(SyncEvent::Failed(failure));
    }

    /// How long to wait for the next sync: what the server asked for, longer after each failure, else the interval give or take a tenth.
    pub(super) fn wait(&self) -> Duration {
        let failures = self.pace().failures;
        let random = &**self.records.random();
        match self.pause() {
            Some(left) => left,
            None if failures > 0 => self.backoff.pause(failures, random),
            None => {
                let tenth = Backoff { first: self.interval / 5, longest: self.interval / 5 };
                self.interval * 9 / 10 + tenth.pause(1, random)
            }
        }
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("records", &self.records)
            .field("transport", &self.transport)
            .field("policies", &self.policies)
            .finish_non_exhaustive()
    }
}
