//! An access token under a thousand waiting callers: p19.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use strata_adapter_memory::MemoryStore;
use strata_core::{BoxFuture, Clock, ManualClock, Timer};
use strata_crypto::SystemRandom;
use strata_session::tokens::{
    RefreshFailure, RefreshRequest, RefreshTransport, RevokeRequest, TokenAnswer, Tokens,
};
use tokio::sync::Notify;

use crate::harness::{Effort, elapsed, median, precise, quantile};
use crate::section::{Row, Section};
use crate::subject::sealed;
use crate::target::Target;

const WAITERS: usize = 1000;
/// For all waiters to have come to rest before the answer is there.
const SETTLE: Duration = Duration::from_millis(30);

/// A server that answers when told to, and notes when it did.
#[derive(Debug, Default)]
struct Server {
    calls: AtomicUsize,
    answers: Notify,
    answered: Mutex<Duration>,
}

impl Server {
    fn answered(&self) -> Duration {
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl RefreshTransport for Server {
    async fn refresh(&self, _: RefreshRequest<'_>) -> Result<TokenAnswer, RefreshFailure> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        self.answers.notified().await;
        let answer = TokenAnswer::new(format!("access-{number}")).refresh(format!("refresh-{number}"));
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = elapsed();
        Ok(answer)
    }

    async fn revoke(&self, _: RevokeRequest<'_>) -> Result<(), RefreshFailure> {
        Ok(())
    }
}

/// No call here runs into a timeout.
#[derive(Debug)]
struct Patient;

impl Timer for Patient {
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// What one round saw: microseconds from the answer until waiters went on.
struct Round {
    median: f64,
    most: f64,
    last: f64,
}

impl Round {
    fn of(mut micros: Vec<f64>) -> Self {
        Self {
            median: quantile(&mut micros, 0.5),
            most: quantile(&mut micros, 0.99),
            last: quantile(&mut micros, 1.0),
        }
    }
}

/// Measures the table.
pub fn run(effort: Effort) -> Section {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    let rounds = effort.rounds * 2;
    let (seen, calls) = runtime.block_on(tokens(rounds));
    let floor = runtime.block_on(notify(rounds));
    let middle = |of: fn(&Round) -> f64, rounds: &[Round]| median(rounds.iter().map(of).collect());
    let (most, last) = (middle(|round| round.most, &seen), middle(|round| round.last, &seen));
    Section {
        name: "tokens",
        title: "A thousand callers, one refresh",
        how: format!(
            "{WAITERS} tasks over two threads wait for one token; from the server's answer, which is then checked, sealed and stored in memory, \
             until each goes on. Median of {rounds} rounds. The floor is tokio's Notify, which stores nothing."
        ),
        unit: "microseconds",
        rows: vec![
            Row::new("floor tokio notify, last of a thousand", middle(|round| round.last, &floor)),
            Row::new("strata, median waiter", middle(|round| round.median, &seen)),
            Row::new("strata, 99 of 100 waiters", most),
            Row::new("strata, last waiter", last),
        ],
        targets: vec![
            Target::cost("p19", "network calls per refresh, 1,000 callers", calls, 1.0, None),
            Target::cost("p19b", "until the last of 1,000 waiters goes on, ms", last / 1e3, 1.0, None)
                .noting(format!("99 of 100 within {:.3} ms", most / 1e3)),
        ],
    }
}

/// Refreshes with all waiting, and the calls per refresh.
async fn tokens(rounds: usize) -> (Vec<Round>, f64) {
    let clock = Arc::new(ManualClock::default());
    let store = Arc::new(MemoryStore::new());
    let builder = sealed(store, Arc::clone(&clock) as Arc<dyn Clock>).random(Arc::new(SystemRandom::new()));
    let handle = builder.build().expect("handle");
    let server = Arc::new(Server::default());
    let tokens = Tokens::new(&handle, Arc::clone(&server) as _, Arc::new(Patient)).expect("tokens");
    tokens.store("ada", TokenAnswer::new("access").refresh("refresh")).await.expect("store");
    let mut seen = Vec::new();
    for _ in 0..rounds {
        clock.advance(Duration::from_mins(14));
        let waiters: Vec<_> = (0..WAITERS)
            .map(|_| {
                let tokens = tokens.clone();
                tokio::spawn(async move {
                    tokens.access_token("ada").await.expect("a token");
                    elapsed()
                })
            })
            .collect();
        settle().await;
        server.answers.notify_one();
        seen.push(Round::of(gather(waiters, || server.answered()).await));
    }
    let calls = server.calls.load(Ordering::SeqCst);
    (seen, precise(calls as u64) / precise(rounds as u64))
}

/// The same with nothing but waiting.
async fn notify(rounds: usize) -> Vec<Round> {
    let mut seen = Vec::new();
    for _ in 0..rounds {
        let bell = Arc::new(Notify::new());
        let waiters: Vec<_> = (0..WAITERS)
            .map(|_| {
                let bell = Arc::clone(&bell);
                tokio::spawn(async move {
                    bell.notified().await;
                    elapsed()
                })
            })
            .collect();
        settle().await;
        let rung = elapsed();
        bell.notify_waiters();
        seen.push(Round::of(gather(waiters, || rung).await));
    }
    seen
}

async fn settle() {
    tokio::task::spawn_blocking(|| std::thread::sleep(SETTLE)).await.expect("it sleeps");
}

/// Microseconds from `start`, which is known by then, to the end of each.
async fn gather(waiters: Vec<tokio::task::JoinHandle<Duration>>, start: impl Fn() -> Duration) -> Vec<f64> {
    let mut ends = Vec::with_capacity(waiters.len());
    for waiter in waiters {
        ends.push(waiter.await.expect("no waiter panics"));
    }
    ends.into_iter().map(|end| end.saturating_sub(start()).as_secs_f64() * 1e6).collect()
}
