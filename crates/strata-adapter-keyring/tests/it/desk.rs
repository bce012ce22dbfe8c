//! A keyring that does what a test tells it: [`Desk`], which fails, hangs and panics on demand, and counts what reaches it.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use strata_adapter_keyring::KeyringConfig;
use strata_adapter_keyring::keyring_core::api::{Credential, CredentialApi, CredentialStoreApi};
use strata_adapter_keyring::keyring_core::{Entry, Error, Result};

use super::service;

/// What a call does in place of, or beside, what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Fails, nothing has happened: the service is away.
    Away,
    /// Fails after it has happened: the answer was lost.
    LostAnswer,
    /// Fails: locked.
    Locked,
    /// Fails, with bytes of the entry in the error.
    ShowBytes,
    /// Waits until [`Desk::let_go`], then does it.
    Hang,
    /// The platform's code panics.
    Panic,
}

/// Entries in memory. Calls are reads, writes and removals, counted when they begin.
#[derive(Clone, Default)]
pub(crate) struct Desk(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    entries: HashMap<(String, String), Vec<u8>>,
    calls: u64,
    /// The number of the call that misbehaves, and how.
    plan: Option<(u64, Act)>,
    hanging: bool,
    /// Entries that are written but not kept.
    forgets: bool,
}

impl Desk {
    /// A configuration over this keyring.
    pub(crate) fn config(&self) -> KeyringConfig {
        KeyringConfig::new(service()).platform("desk", Arc::new(self.clone()))
    }

    /// Lets the `nth` call from now misbehave, once.
    pub(crate) fn arm(&self, nth: u64, act: Act) {
        let mut state = self.state();
        state.plan = Some((state.calls + nth, act));
    }

    /// Whether the call has not come yet; forgets it.
    pub(crate) fn disarm(&self) -> bool {
        self.state().plan.take().is_some()
    }

    /// Takes writes and keeps nothing.
    pub(crate) fn forget_writes(&self) {
        self.state().forgets = true;
    }

    /// Ends the waiting.
    pub(crate) fn let_go(&self) {
        self.state().hanging = false;
        self.0.changed.notify_all();
    }

    /// Waits until a call hangs.
    pub(crate) fn wait_for_hang(&self) {
        let state = self.state();
        drop(
            self.0.changed.wait_while(state, |state| !state.hanging).unwrap_or_else(PoisonError::into_inner),
        );
    }

    pub(crate) fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Everything that is kept, whatever its names.
    pub(crate) fn all(&self) -> Vec<Vec<u8>> {
        self.state().entries.values().cloned().collect()
    }

    /// Changes the bytes of the only entry.
    pub(crate) fn tamper(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        assert_eq!(state.entries.len(), 1, "one entry to change");
        change(state.entries.values_mut().next().expect("one entry"));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does `work` as the plan has it.
    fn call<T>(&self, secret: &[u8], work: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let mut state = self.state();
        state.calls += 1;
        let calls = state.calls;
        let Some((_, act)) = state.plan.take_if(|(number, _)| *number == calls) else {
            return work(&mut state);
        };
        match act {
            Act::Away => Err(Error::PlatformFailure("the bus is gone".into())),
            Act::Locked => Err(Error::NoStorageAccess("locked".into())),
            Act::ShowBytes => Err(Error::BadEncoding(secret.to_vec())),
            Act::LostAnswer => {
                // Whatever it was: the caller does not learn it.
                drop(work(&mut state));
                Err(Error::PlatformFailure("the bus is gone".into()))
            }
            Act::Hang => {
                state.hanging = true;
                self.0.changed.notify_all();
                let waited = self.0.changed.wait_while(state, |state| state.hanging);
                work(&mut waited.unwrap_or_else(PoisonError::into_inner))
            }
            Act::Panic => panic!("as the test has it"),
        }
    }
}

impl CredentialStoreApi for Desk {
    fn vendor(&self) -> String {
        "desk".to_owned()
    }

    fn id(&self) -> String {
        "desk".to_owned()
    }

    fn build(&self, service: &str, user: &str, _: Option<&HashMap<&str, &str>>) -> Result<Entry> {
        let name = (service.to_owned(), user.to_owned());
        Ok(Entry::new_with_credential(Arc::new(Drawer { desk: self.clone(), name })))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn debug_fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Desk")
    }
}

/// One entry.
struct Drawer {
    desk: Desk,
    name: (String, String),
}

impl CredentialApi for Drawer {
    fn set_secret(&self, secret: &[u8]) -> Result<()> {
        self.desk.call(secret, |state| {
            if !state.forgets {
                state.entries.insert(self.name.clone(), secret.to_vec());
            }
            Ok(())
        })
    }

    fn get_secret(&self) -> Result<Vec<u8>> {
        let kept = self.desk.state().entries.get(&self.name).cloned().unwrap_or_default();
        self.desk.call(&kept, |state| state.entries.get(&self.name).cloned().ok_or(Error::NoEntry))
    }

    fn delete_credential(&self) -> Result<()> {
        self.desk.call(&[], |state| state.entries.remove(&self.name).map(drop).ok_or(Error::NoEntry))
    }

    fn get_credential(&self) -> Result<Option<Arc<Credential>>> {
        Ok(None)
    }

    fn get_specifiers(&self) -> Option<(String, String)> {
        Some(self.name.clone())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn debug_fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Drawer")
    }
}
