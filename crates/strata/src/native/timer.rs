//! Waiting on tokio's timer: [`TokioTimer`].

use std::time::Duration;

use strata_core::{BoxFuture, Timer};

/// The timer of the tokio runtime that polls it.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioTimer;

impl Timer for TokioTimer {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}
