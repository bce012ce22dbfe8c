//! A store that is atomic over one key only: a sweep of it takes a commit for each record.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use strata_core::{Atomicity, Batch, Capabilities, Committed, Key, Page, Record, Result, Scan, Store};

#[derive(Debug)]
pub(crate) struct Single(pub(crate) Arc<dyn Store>);

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for Single {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        self.0.get(key).await
    }

    async fn commit(&self, batch: Batch) -> Result<Committed> {
        batch.validate(&self.capabilities(), self)?;
        self.0.commit(batch).await
    }

    async fn scan(&self, scan: Scan) -> Result<Page> {
        self.0.scan(scan).await
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { atomicity: Atomicity::Key, ..self.0.capabilities() }
    }
}

impl fmt::Display for Single {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "single({})", self.0)
    }
}
