//! Delivery that goes on by itself: [`Delivery::run`], and [`Running`], the guard of its task.

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use strata_core::{Error, ErrorKind, Result, Spawn};
use tokio::sync::oneshot;

use super::delivery::{Delivered, Delivery};

/// A delivery at work. Dropping it stops the work where it stands; nothing is lost by that, for each step is one commit.
#[must_use = "delivery stops when this is dropped"]
pub struct Running {
    stop: Option<oneshot::Sender<()>>,
    last: oneshot::Receiver<Result<Delivered>>,
}

impl Delivery {
    /// Ends the visits that are due and delivers what waits, again and again: for ever. A failure of the store is tried again after the
    /// interval, one of the transport after its pause, or the interval if that is shorter; neither ends the work. Whoever polls it
    /// owns it: to stop, drop the future, at any point.
    pub async fn run(&self) -> Infallible {
        loop {
            let closed = self.recorder.close_due().await;
            let delivered = self.deliver().await;
            if let Err(error) = closed.and(delivered.as_ref().copied().map_err(copied)) {
                tracing::warn!(target: "strata::analytics", "{error}");
            }
            self.timer.sleep(self.pause(delivered.ok())).await;
        }
    }

    fn pause(&self, delivered: Option<Delivered>) -> Duration {
        let wait = delivered.and_then(|delivered| delivered.wait).unwrap_or(self.interval);
        wait.clamp(Duration::from_millis(1), self.interval)
    }

    /// Starts [`Delivery::run`] as a task.
    pub fn start(self, spawn: &dyn Spawn) -> Running {
        let (stop, mut stopped) = oneshot::channel();
        let (tell, last) = oneshot::channel();
        spawn.spawn(Box::pin(async move {
            let asked = {
                let mut run = pin!(self.run());
                poll_fn(|context| match Pin::new(&mut stopped).poll(context) {
                    Poll::Ready(asked) => Poll::Ready(asked.is_ok()),
                    Poll::Pending => run.as_mut().poll(context).map(|never| match never {}),
                })
                .await
            };
            if asked {
                // Whoever asked may have given up on the answer.
                let _ = tell.send(self.deliver_now().await);
            }
        }));
        Running { stop: Some(stop), last }
    }
}

impl Running {
    /// Stops the work after one last pass over all that waits, and says what that did. It ends at the first failure of the transport, so after
    /// its timeout at the latest; what is left waits in the store for the next start. Open visits stay open.
    ///
    /// # Errors
    /// What the store reports; [`ErrorKind::Unavailable`] if the task was ended by its runtime.
    pub async fn shutdown(mut self) -> Result<Delivered> {
        if let Some(stop) = self.stop.take() {
            // An error means that the task is gone; the next line says so.
            let _ = stop.send(());
        }
        (&mut self.last).await.map_err(|_| gone())?
    }
}

/// The same situation once more, for the log.
fn copied(error: &Error) -> Error {
    Error::new(error.kind(), error.operation(), error.message())
}

#[cold]
fn gone() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "deliver analytics",
        "the task was ended before it could deliver what waits; it is delivered after the next start",
    )
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").finish_non_exhaustive()
    }
}
