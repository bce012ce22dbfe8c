//! The sweeper of an open store and the task that runs it: [`Sweeping`].

use std::sync::Arc;
use std::time::Duration;

use strata_core::{Error, ErrorKind, Handle, Listing, Result, Timer};
use strata_ttl::{SweepReport, Sweeper, Swept};

use crate::background::Background;

/// Whether and how often dead records are removed in the background.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sweep {
    Default,
    Every(Duration),
    Never,
}

/// A sweeper, at work or waiting to be asked.
#[derive(Debug)]
pub(crate) struct Sweeping {
    /// `None` where the store can't be walked.
    sweeper: Option<Arc<Sweeper>>,
    task: Option<Background>,
}

impl Sweeping {
    /// Makes the sweeper and, if it is to run by itself, starts it. The watermark is raised only by the system's time.
    pub(crate) fn start(
        handle: &Handle,
        timer: Option<Arc<dyn Timer>>,
        sweep: Sweep,
        raises_watermark: bool,
    ) -> Result<Self> {
        if handle.capabilities().listing == Listing::None {
            return Ok(Self { sweeper: None, task: None });
        }
        let timer = timer.unwrap_or_else(|| Arc::new(crate::native::TokioTimer));
        let mut sweeper = Sweeper::new(handle.clone(), timer)?;
        if !raises_watermark {
            sweeper = sweeper.without_watermark();
        }
        let interval = match sweep {
            Sweep::Never => return Ok(Self { sweeper: Some(Arc::new(sweeper)), task: None }),
            Sweep::Default => Sweeper::INTERVAL,
            Sweep::Every(interval) => interval,
        };
        check_runtime()?;
        let sweeper = Arc::new(sweeper.interval(interval));
        let runs = Arc::clone(&sweeper);
        let task = Background::start(async move { match runs.run().await {} });
        Ok(Self { sweeper: Some(sweeper), task: Some(task) })
    }

    /// Removes what is dead now.
    pub(crate) async fn sweep(&self) -> Result<Swept> {
        match &self.sweeper {
            Some(sweeper) => sweeper.sweep_once().await,
            None => Err(Error::new(
                ErrorKind::Unsupported,
                "sweep",
                "the store can't be walked; its records have to be removed one by one",
            )),
        }
    }

    /// What has been swept.
    pub(crate) fn report(&self) -> Option<SweepReport> {
        self.sweeper.as_ref().map(|sweeper| sweeper.report())
    }

    /// Ends the task and lets go of the store.
    pub(crate) async fn stop(self) {
        if let Some(task) = self.task {
            task.stop().await;
        }
    }
}

fn check_runtime() -> Result<()> {
    if tokio::runtime::Handle::try_current().is_ok() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        "open",
        "there is no tokio runtime for the sweeper to run on; open the store on one, or `.without_sweeper()`",
    ))
}
