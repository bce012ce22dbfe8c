//! The fault injector: [`Faulty`], a store over a store whose nth call fails, and [`every_call`], which tries them all.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::batch::{Batch, Committed};
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::record::Record;
use crate::scan::{Page, Scan};
use crate::store::{Capabilities, Store};

/// More calls than an operation under [`every_call`] can make.
const MANY_CALLS: u64 = 10_000;

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// [`ErrorKind::Unavailable`], and nothing has happened.
    Unavailable,
    /// [`ErrorKind::Unavailable`], after all of it has happened: the answer was lost on its way.
    LostAnswer,
    /// [`ErrorKind::Conflict`] of a commit, and nothing has happened. A read, which knows no conflicts, is unavailable.
    Conflict,
}

impl Fault {
    /// Every way to fail.
    pub const ALL: [Self; 3] = [Self::Unavailable, Self::LostAnswer, Self::Conflict];
}

/// A store that passes everything to another one, until it is armed.
///
/// Calls are `get`, `commit` and `scan`, counted when they begin. Clones of an `Arc` around it share the plan.
pub struct Faulty<S = Arc<dyn Store>> {
    inner: S,
    plan: Mutex<Plan>,
    calls: AtomicU64,
    failed: AtomicU64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Plan {
    /// Calls until one fails, that one included; zero when not armed.
    left: u64,
    fault: Option<Fault>,
    /// Whether calls after it fail as well.
    lasting: bool,
    fired: u64,
}

impl<S: Store> Faulty<S> {
    /// A wrapper that is not armed.
    pub fn new(inner: S) -> Self {
        Self { inner, plan: Mutex::default(), calls: AtomicU64::new(0), failed: AtomicU64::new(0) }
    }

    /// Lets the `nth` call from now fail, once: 1 is the next one, 0 disarms.
    pub fn arm(&self, nth: u64, fault: Fault) {
        *self.plan() = Plan { left: nth, fault: Some(fault), lasting: false, fired: 0 };
    }

    /// Lets the `nth` call from now and all later ones fail, until [`Faulty::disarm`]: an outage.
    pub fn arm_from(&self, nth: u64, fault: Fault) {
        *self.plan() = Plan { left: nth, fault: Some(fault), lasting: true, fired: 0 };
    }

    /// Passes everything again. Says how many calls have failed since the store was armed.
    pub fn disarm(&self) -> u64 {
        std::mem::take(&mut *self.plan()).fired
    }

    /// How many calls there were since the wrapper was made, failed ones included.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// How many of them were failed.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::SeqCst)
    }

    /// The store underneath, for looking at what really happened.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        // A plan is plain data and whole between any two statements.
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call; its fault, if it is to have one.
    fn begin(&self) -> Option<Fault> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let mut plan = self.plan();
        if plan.left == 0 {
            return None;
        }
        if plan.left > 1 {
            plan.left -= 1;
            return None;
        }
        plan.left = u64::from(plan.lasting);
        plan.fired += 1;
        self.failed.fetch_add(1, Ordering::SeqCst);
        plan.fault
    }

    fn unavailable(&self, operation: &'static str) -> Error {
        Error::new(ErrorKind::Unavailable, operation, "a fault was injected; retry").in_store(self)
    }

    /// What a read gives under `fault`.
    fn read<T>(&self, fault: Option<Fault>, operation: &'static str, answer: Result<T>) -> Result<T> {
        if fault.is_some() { Err(self.unavailable(operation)) } else { answer }
    }
}

#[cfg_attr(not(target_arch = "wasm32"), async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> Store for Faulty<S> {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        let fault = self.begin();
        self.read(fault, "get", self.inner.get(key).await)
    }

    async fn commit(&self, batch: Batch) -> Result<Committed> {
        match self.begin() {
            None => self.inner.commit(batch).await,
            Some(Fault::Unavailable) => Err(self.unavailable("commit")),
            Some(Fault::Conflict) => {
                let message = "a conflict was injected; read the record again and retry";
                Err(Error::new(ErrorKind::Conflict, "commit", message).in_store(self))
            }
            Some(Fault::LostAnswer) => {
                // Whether it was made or refused: the caller does not learn it.
                let _lost = self.inner.commit(batch).await;
                Err(self.unavailable("commit"))
            }
        }
    }

    async fn scan(&self, scan: Scan) -> Result<Page> {
        let fault = self.begin();
        self.read(fault, "scan", self.inner.scan(scan).await)
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}

impl<S: Store> fmt::Debug for Faulty<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faulty")
            .field("inner", &self.inner)
            .field("plan", &*self.plan())
            .field("calls", &self.calls())
            .field("failed", &self.failed())
            .finish()
    }
}

impl<S: Store> fmt::Display for Faulty<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faulty({})", self.inner)
    }
}

/// Runs `operation` once for each store call it makes, that call failing with `fault`, and once more with none failing.
/// `operation` is given the number of the call that fails and prepares, acts and checks by itself; what it does after
/// [`Faulty::disarm`] is not failed. Says how many calls were failed, one in each run.
///
/// A test that means something asserts that the number is what it expects, at least not zero.
pub async fn every_call<S: Store>(
    faulty: &Faulty<S>,
    fault: Fault,
    mut operation: impl AsyncFnMut(u64),
) -> u64 {
    for nth in 1..=MANY_CALLS {
        let before = faulty.failed();
        faulty.arm(nth, fault);
        operation(nth).await;
        faulty.disarm();
        if faulty.failed() == before {
            return nth - 1;
        }
    }
    panic!("the operation makes more than {MANY_CALLS} calls; does it retry for ever?")
}
