//! Synchronisation that goes on by itself: [`ServerSynced::run`], and [`Running`], the guard of its task.

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use futures_util::future::select;
use strata_core::{Error, ErrorKind, Result, Spawn};
use tokio::sync::oneshot;

use super::events::Synced;
use super::synced::ServerSynced;

/// A session kept in step. Dropping it stops the work where it stands; nothing is lost by that.
#[must_use = "synchronisation stops when this is dropped"]
pub struct Running {
    stop: Option<oneshot::Sender<()>>,
    last: oneshot::Receiver<Result<Synced>>,
}

impl ServerSynced {
    /// Syncs now, and again after each interval or pause, at once when an important place is edited or a session begins, and tells the server of
    /// logouts: for ever. No failure ends the work. Whoever polls it owns it: to stop, drop the future, at any point.
    pub async fn run(&self) -> Infallible {
        loop {
            let wait = match self.pass().await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::warn!(target: "strata::server_sync", "{error}");
                    self.core.interval
                }
            };
            let sleep = self.core.timer.sleep(wait.max(Duration::from_millis(1)));
            select(sleep, pin!(self.core.wake.notified())).await;
        }
    }

    /// One sync and the logouts that are due; how long to wait for the next.
    async fn pass(&self) -> Result<Duration> {
        let synced = self.sync().await;
        self.tell_logouts().await?;
        synced?;
        let farewell = self.core.read().await?.wait(self.core.now());
        let wait = self.core.wait();
        Ok(farewell.map_or(wait, |farewell| farewell.min(wait)))
    }

    /// One last sync, and the logouts that are due.
    async fn last_pass(&self) -> Result<Synced> {
        let synced = self.sync().await?;
        self.tell_logouts().await?;
        Ok(synced)
    }

    /// Starts [`ServerSynced::run`] as a task.
    pub fn start(&self, spawn: &dyn Spawn) -> Running {
        let (stop, mut stopped) = oneshot::channel();
        let (tell, last) = oneshot::channel();
        let this = self.clone();
        spawn.spawn(Box::pin(async move {
            let asked = {
                let mut run = pin!(this.run());
                poll_fn(|context| match Pin::new(&mut stopped).poll(context) {
                    Poll::Ready(asked) => Poll::Ready(asked.is_ok()),
                    Poll::Pending => run.as_mut().poll(context).map(|never| match never {}),
                })
                .await
            };
            if asked {
                // Whoever asked may have given up on the answer.
                let _ = tell.send(this.last_pass().await);
            }
        }));
        Running { stop: Some(stop), last }
    }
}

impl Running {
    /// Stops the work after one last sync, and after telling the logouts that are due, which takes no longer than a few timeouts each. What
    /// could not be sent waits in the store.
    ///
    /// # Errors
    /// What the store reports; [`ErrorKind::Unavailable`] if the task was ended by its runtime.
    pub async fn shutdown(mut self) -> Result<Synced> {
        if let Some(stop) = self.stop.take() {
            // An error means that the task is gone; the next line says so.
            let _ = stop.send(());
        }
        (&mut self.last).await.map_err(|_| gone())?
    }
}

#[cold]
fn gone() -> Error {
    let message = "the task was ended before its last sync; edits are kept and sent after the next start";
    Error::new(ErrorKind::Unavailable, "synchronise session", message)
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").finish_non_exhaustive()
    }
}
