//! The accounts in the store: `Core`, which all clones of a manager and its refreshes share, and the one way in which an account's record is
//! changed.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use strata_core::{Error, ErrorKind, Handle, Key, Lifetime, Result, Timer, Timestamp, Version};

use super::failure::Failure;
use super::generation::{Generation, Making, Mark};
use super::policy::TokenPolicy;
use super::record::AccountRecord;
use super::transport::RefreshTransport;
use crate::roster::check_user;
use crate::security::SecurityLog;

/// How often a change is tried before the conflict is given to the caller.
const ATTEMPTS: usize = 64;
/// How long nobody asks the server again after the first failure; twice as long after each further one.
const FIRST_RETREAT: Duration = Duration::from_secs(1);
/// The longest retreat that the server did not ask for.
const LONGEST_RETREAT: Duration = Duration::from_mins(1);
/// The longest wait a server can ask for.
const LONGEST_ASKED: Duration = Duration::from_hours(24);

/// What a manager stands on.
pub(super) struct Core {
    /// A record per account.
    pub(super) records: Handle,
    /// A lease per account that is being refreshed.
    pub(super) leases: Handle,
    /// The list of accounts.
    pub(super) index: Handle,
    pub(super) policy: TokenPolicy,
    pub(super) transport: Arc<dyn RefreshTransport>,
    pub(super) timer: Arc<dyn Timer>,
    pub(super) log: SecurityLog,
    /// This manager among those that share the store.
    pub(super) holder: [u8; 16],
    memory: Mutex<HashMap<String, Memory>>,
}

/// An account's name and its place.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) key: String,
}

impl Account {
    /// Any text of 1 to 256 bytes without control characters; what has a meaning in keys is escaped.
    pub(super) fn parse(name: &str) -> Result<Self> {
        check_user("use tokens", name)?;
        Ok(Self { name: name.to_owned(), key: Key::escape(name) })
    }
}

/// What is known of an account in this process only.
#[derive(Default)]
struct Memory {
    /// Tokens the server gave and the store could not take yet.
    unsaved: Option<Arc<Unsaved>>,
    failures: u32,
    retreat: Option<Retreat>,
}

/// A generation on its way into the store, in place of another.
pub(super) struct Unsaved {
    pub(super) base: Mark,
    pub(super) next: Generation,
    pub(super) listed_until: u64,
}

/// A time in which the server is not asked.
struct Retreat {
    until: Timestamp,
    why: Failure,
    /// Whether the server itself asked for it.
    asked: bool,
}

/// What to do with a record that was read.
pub(super) enum Act<T> {
    Leave(T),
    Write(T),
}

impl Core {
    #[allow(clippy::too_many_arguments)] // the ingredients of a manager, once
    pub(super) fn new(
        [records, leases, index]: [Handle; 3],
        policy: TokenPolicy,
        transport: Arc<dyn RefreshTransport>,
        timer: Arc<dyn Timer>,
        log: SecurityLog,
        holder: [u8; 16],
    ) -> Self {
        Self { records, leases, index, policy, transport, timer, log, holder, memory: Mutex::default() }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.records.clock().now()
    }

    pub(super) fn making(&self) -> Making<'_> {
        Making { policy: &self.policy, random: &**self.records.random(), now: self.now() }
    }

    /// The account's record as of now; an empty one if there is none.
    pub(super) async fn read(&self, account: &Account) -> Result<AccountRecord> {
        let mut record = self.records.peek::<AccountRecord>(&account.key).await?.unwrap_or_default();
        record.prune(self.now());
        Ok(record)
    }

    /// Changes an account's record in the version that was read. `act` runs again after a lost race, and after a commit whose answer
    /// was lost, where it has to see that its work is done.
    pub(super) async fn edit<T>(
        &self,
        account: &Account,
        mut act: impl FnMut(&mut AccountRecord) -> Act<T>,
    ) -> Result<T> {
        let mut lost = None;
        for _ in 0..ATTEMPTS {
            let found = match self.records.peek_versioned::<AccountRecord>(&account.key).await {
                Ok(found) => found,
                Err(error) => return Err(lost.unwrap_or(error)),
            };
            let now = self.now();
            let (mut record, version) =
                found.map_or_else(Default::default, |(record, version)| (record, Some(version)));
            record.prune(now);
            let value = match act(&mut record) {
                Act::Leave(value) => return Ok(value),
                Act::Write(value) => value,
            };
            match self.put(account, &record, version).await {
                Ok(()) => return Ok(value),
                Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Gone) => {}
                // Done or not: the record tells. Tried once more if not.
                Err(error) if error.kind() == ErrorKind::Unavailable && lost.is_none() => lost = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(contended())
    }

    /// Puts a record in place of the version that was read; one with nothing in it is removed.
    async fn put(&self, account: &Account, record: &AccountRecord, version: Option<Version>) -> Result<()> {
        let Some(until) = record.until() else {
            return match version {
                Some(version) => self.records.remove_if(&account.key, version).await,
                None => Ok(()),
            };
        };
        let set = self.records.set(&account.key, record).lifetime(Lifetime::until(until));
        match version {
            Some(version) => set.if_version(version).await.map(drop),
            None => set.if_absent().await.map(drop),
        }
    }

    pub(super) fn unsaved(&self, account: &Account) -> Option<Arc<Unsaved>> {
        self.memory().get(&account.name).and_then(|memory| memory.unsaved.clone())
    }

    /// The names of accounts with tokens that the store could not take.
    pub(super) fn unsaved_accounts(&self) -> Vec<String> {
        let memory = self.memory();
        let unsaved = memory.iter().filter(|(_, memory)| memory.unsaved.is_some());
        unsaved.map(|(name, _)| name.clone()).collect()
    }

    pub(super) fn hold(&self, account: &Account, unsaved: &Arc<Unsaved>) {
        self.memory().entry(account.name.clone()).or_default().unsaved = Some(Arc::clone(unsaved));
    }

    /// Forgets tokens that have found their place.
    pub(super) fn release(&self, account: &Account, unsaved: &Arc<Unsaved>) {
        let mut memory = self.memory();
        let Some(found) = memory.get_mut(&account.name) else { return };
        if found.unsaved.as_ref().is_some_and(|held| Arc::ptr_eq(held, unsaved)) {
            found.unsaved = None;
        }
    }

    /// Starts from scratch: the server answered, or another sign-in took place.
    pub(super) fn encourage(&self, account: &Account) {
        let mut memory = self.memory();
        if memory.get(&account.name).is_some_and(|found| found.unsaved.is_none()) {
            memory.remove(&account.name);
        } else if let Some(found) = memory.get_mut(&account.name) {
            (found.failures, found.retreat) = (0, None);
        }
    }

    /// Asks the server no more for a while.
    pub(super) fn discourage(&self, account: &Account, why: Failure) -> Failure {
        let now = self.now();
        let mut memory = self.memory();
        let found = memory.entry(account.name.clone()).or_default();
        let usual = FIRST_RETREAT.saturating_mul(1 << found.failures.min(16)).min(LONGEST_RETREAT);
        found.failures = found.failures.saturating_add(1);
        let asked = match &why {
            Failure::Offline(asked) => *asked,
            _ => None,
        };
        let wait = asked.map_or(usual, |asked| asked.min(LONGEST_ASKED));
        let until = now.saturating_add(wait);
        found.retreat = Some(Retreat { until, why: why.clone(), asked: asked.is_some() });
        why
    }

    /// Whether the server may be asked now. A forced call waits only if the server asked for it.
    pub(super) fn may_ask(&self, account: &Account, forced: bool) -> Result<(), Failure> {
        let now = self.now();
        let memory = self.memory();
        let retreat = memory.get(&account.name).and_then(|found| found.retreat.as_ref());
        match retreat {
            Some(retreat) if now < retreat.until && (retreat.asked || !forced) => Err(match &retreat.why {
                Failure::Offline(_) => Failure::Offline(Some(retreat.until.since(now))),
                other => other.clone(),
            }),
            _ => Ok(()),
        }
    }

    fn memory(&self) -> MutexGuard<'_, HashMap<String, Memory>> {
        // Plain data, whole between any two statements.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("records", &self.records)
            .field("policy", &self.policy)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

#[cold]
fn contended() -> Error {
    let message = "the account's tokens were changed by others each time this was tried; retry";
    Error::new(ErrorKind::Conflict, "change tokens", message)
}
