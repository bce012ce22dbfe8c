//! Tasks on the current tokio runtime: [`TokioSpawn`].

use strata_core::{BoxFuture, Spawn};

/// Starts tasks on the tokio runtime that [`TokioSpawn::current`] found.
#[derive(Clone, Debug)]
pub struct TokioSpawn(tokio::runtime::Handle);

impl TokioSpawn {
    /// Of the runtime this is called in; `None` outside of one.
    pub fn current() -> Option<Self> {
        tokio::runtime::Handle::try_current().ok().map(Self)
    }
}

impl Spawn for TokioSpawn {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        drop(self.0.spawn(task));
    }
}
