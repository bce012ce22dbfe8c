//! One refresh for all who wait for it: `Flights`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures_util::FutureExt as _;
use futures_util::future::Shared;
use strata_core::{BoxFuture, Spawn};

use super::accounts::Account;
use super::failure::Failure;
use super::generation::{Generation, Mark};

/// What a refresh came to.
pub(super) type Landing = Result<Arc<Generation>, Failure>;

/// A refresh under way. Whoever awaits it drives it; if that one gives up, another does.
pub(super) type Flight = Shared<BoxFuture<'static, Landing>>;

/// The refreshes under way in this process, one per account: that of the newest generation somebody wants refreshed.
#[derive(Clone, Default)]
pub(super) struct Flights(Arc<Underway>);

/// By account.
type Underway = Mutex<HashMap<String, (Mark, Flight)>>;

impl Flights {
    /// The refresh of `base`, started by `start` if there is none yet. With `spawn` it runs by itself; without, those who wait
    /// drive it, and one that all have left goes on when the next one comes.
    pub(super) fn join(
        &self,
        account: &Account,
        base: Mark,
        spawn: Option<&Arc<dyn Spawn>>,
        start: impl FnOnce() -> BoxFuture<'static, Landing>,
    ) -> Flight {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((found, flight)) = flights.get(&account.name)
            && *found == base
        {
            return flight.clone();
        }
        let flight = self.landing(account.name.clone(), base, start()).shared();
        let outdated = flights.insert(account.name.clone(), (base, flight.clone()));
        drop(flights);
        // Outside the lock: dropping a future runs whatever it holds.
        drop(outdated);
        if let Some(spawn) = spawn {
            let flight = flight.clone();
            spawn.spawn(Box::pin(async move {
                let _ = flight.await;
            }));
        }
        flight
    }

    /// `work`, and its removal from the flights when it is over.
    fn landing(
        &self,
        account: String,
        base: Mark,
        work: BoxFuture<'static, Landing>,
    ) -> BoxFuture<'static, Landing> {
        let leave = Leave { flights: Arc::downgrade(&self.0), account, base };
        Box::pin(async move {
            let landing = work.await;
            drop(leave);
            landing
        })
    }
}

/// Takes a flight off the list, also when a transport panics: the next caller starts another one. Holds the list weakly, which holds
/// the flight.
struct Leave {
    flights: Weak<Underway>,
    account: String,
    base: Mark,
}

impl Drop for Leave {
    fn drop(&mut self) {
        let Some(flights) = self.flights.upgrade() else { return };
        let mut flights = flights.lock().unwrap_or_else(PoisonError::into_inner);
        let landed = match flights.get(&self.account) {
            Some((found, _)) if *found == self.base => flights.remove(&self.account),
            _ => None,
        };
        drop(flights);
        drop(landed);
    }
}
