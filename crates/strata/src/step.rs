//! Replicas of an open store, followed by tasks of the current runtime.

use std::sync::Arc;

use strata_core::{Collection, Error, ErrorKind, MaybeSend, MaybeSync, Result, Value};
use strata_sync::replica::{Replica, ReplicaBuilder};

use crate::native::{TokioSpawn, TokioTimer};
use crate::open::Strata;

impl Strata {
    /// A typed copy of `collection`, which answers reads without the store and follows every change; it is loaded when this returns. A task of
    /// the tokio runtime this is called in keeps it in step until the last clone is dropped. Never ask it whether a session is valid.
    ///
    /// # Errors
    /// As [`Strata::replica_as`].
    pub async fn replica<T: Value + MaybeSend + MaybeSync>(
        &self,
        collection: &Collection<T>,
    ) -> Result<Replica<T>> {
        self.replica_as(Replica::builder(collection)).await
    }

    /// The same, with a glob, a bound, a feed that can be down.
    ///
    /// # Errors
    /// As [`ReplicaBuilder::follow`]; [`ErrorKind::Unsupported`] outside of a runtime. A store that fails now is tried again until it answers.
    pub async fn replica_as<T: Value + MaybeSend + MaybeSync>(
        &self,
        builder: ReplicaBuilder<T>,
    ) -> Result<Replica<T>> {
        let spawn = TokioSpawn::current().ok_or_else(|| {
            Error::new(
                ErrorKind::Unsupported,
                "start replica",
                "there is no tokio runtime to follow on; call this on one, or use `ReplicaBuilder::follow`",
            )
        })?;
        let replica = builder.start(&spawn, Arc::new(TokioTimer))?;
        if replica.in_step().await {
            return Ok(replica);
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            "start replica",
            "the runtime ended the task that loads it; start it on one that lives on",
        ))
    }
}
