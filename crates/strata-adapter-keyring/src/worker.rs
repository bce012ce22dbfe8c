//! The thread that speaks to the keyring, and the deadline of each call: [`Worker`].
//!
//! The platform's calls block, some until a person has answered a question. They run on one thread of their own and not on a
//! runtime's pool: a runtime waits for its pool when it shuts down, so one unanswered question would keep a program from ending.
//! One thread also is what the platforms like best, and gives each service's calls an order.
//!
//! A call whose caller gave up before its turn is not made; one that had begun is made wholly. Calls that wait are bounded, also while
//! the keyring hangs and each caller gives up early.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use strata_core::{BoxFuture, Error, ErrorKind, Result};
use tokio::sync::oneshot;

use crate::config::KeyringConfig;
use crate::connection::Connection;
use crate::error::{broken, busy, crowded, late};
use crate::turn::Turns;

/// The most calls that wait for one thread; each holds what it is to write.
const MOST: u64 = 1024;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// A thread with a connection, started by the first call. It ends when the worker is dropped and its call has returned.
pub(crate) struct Worker {
    config: KeyringConfig,
    desk: Mutex<Desk>,
    /// The number of the last call the thread is done with.
    done: Arc<AtomicU64>,
    /// The number of the last call whose caller waited in vain.
    overdue: AtomicU64,
}

#[derive(Default)]
struct Desk {
    jobs: Option<mpsc::Sender<Job>>,
    /// How many calls were handed over.
    given: u64,
}

impl Worker {
    pub(crate) fn new(config: KeyringConfig) -> Self {
        let desk = Mutex::default();
        Self { config, desk, done: Arc::default(), overdue: AtomicU64::new(0) }
    }

    /// Runs `work` on the thread, in its turn if it is to take one, and gives what it gave, in time. [`ErrorKind::Unavailable`]: it did
    /// not come back in time, an earlier call has not, too many wait, or it panicked.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        operation: &'static str,
        turns: Option<Turns>,
        work: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if self.done.load(Ordering::SeqCst) < self.overdue.load(Ordering::SeqCst) {
            return Err(busy(operation));
        }
        let deadline = self.sleep(operation)?;
        let (answer, answered) = oneshot::channel();
        let number = self.hand_over(operation, move |connection| {
            if answer.is_closed() {
                return;
            }
            let done = catch_unwind(AssertUnwindSafe(|| {
                let _turn = turns.as_ref().map(Turns::take).transpose()?;
                // Others may have had their turns meanwhile, and have counted on this change not being made any more.
                if answer.is_closed() { Err(broken(operation)) } else { work(&mut *connection) }
            }));
            let done = done.unwrap_or_else(|_| {
                connection.forget();
                Err(broken(operation))
            });
            // Whoever asked may have gone meanwhile.
            let _ = answer.send(done);
        })?;
        match in_time(answered, deadline).await {
            Some(Ok(done)) => done,
            Some(Err(_)) => Err(broken(operation)),
            None => {
                self.overdue.fetch_max(number, Ordering::SeqCst);
                Err(late(operation, self.config.timeout))
            }
        }
    }

    fn sleep(&self, operation: &'static str) -> Result<BoxFuture<'static, ()>> {
        let timeout: Duration = self.config.timeout;
        if let Some(timer) = &self.config.timer {
            return Ok(timer.sleep(timeout));
        }
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(Error::new(
                // Not `Unsupported`: that would be no keyring, and a reason to keep secrets elsewhere.
                ErrorKind::Invalid,
                operation,
                "there is no tokio runtime to wait on; call this from one, or give the keyring a timer",
            ));
        }
        Ok(Box::pin(tokio::time::sleep(timeout)))
    }

    /// Queues a job, starting the thread if there is none; the job's number.
    fn hand_over(
        &self,
        operation: &'static str,
        job: impl FnOnce(&mut Connection) + Send + 'static,
    ) -> Result<u64> {
        // Plain data, whole between any two statements.
        let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        if desk.jobs.is_none() {
            desk.jobs = Some(self.start().map_err(|error| broken(operation).because(error))?);
        }
        if desk.given.saturating_sub(self.done.load(Ordering::SeqCst)) >= MOST {
            return Err(crowded(operation, MOST));
        }
        desk.given += 1;
        let jobs = desk.jobs.as_ref().ok_or_else(|| broken(operation))?;
        jobs.send(Box::new(job)).map_err(|_| broken(operation))?;
        Ok(desk.given)
    }

    fn start(&self) -> std::io::Result<mpsc::Sender<Job>> {
        let (sender, jobs) = mpsc::channel::<Job>();
        let mut connection = Connection::new(&self.config);
        let done = Arc::clone(&self.done);
        thread::Builder::new().name("keyring".to_owned()).spawn(move || {
            for job in jobs {
                job(&mut connection);
                done.fetch_add(1, Ordering::SeqCst);
            }
        })?;
        Ok(sender)
    }
}

/// What came, if it came before the deadline.
async fn in_time<T>(
    answered: oneshot::Receiver<T>,
    deadline: BoxFuture<'static, ()>,
) -> Option<Result<T, oneshot::error::RecvError>> {
    let (mut answered, mut deadline) = (pin!(answered), deadline);
    std::future::poll_fn(|context| {
        if let Poll::Ready(answer) = answered.as_mut().poll(context) {
            return Poll::Ready(Some(answer));
        }
        deadline.as_mut().poll(context).map(|()| None)
    })
    .await
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("config", &self.config).finish_non_exhaustive()
    }
}
