//! A store that commits one key at a time: [`PerKey`], for tests of what has to do without atomic batches.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::batch::{Batch, Committed};
use crate::error::Result;
use crate::key::Key;
use crate::record::Record;
use crate::scan::{Page, Scan};
use crate::store::{Atomicity, Capabilities, Store};

/// Passes single changes to another store and refuses several at once.
pub struct PerKey(Arc<dyn Store>);

impl PerKey {
    /// A store like `inner`, whose commits are over one key.
    pub fn over(inner: Arc<dyn Store>) -> Self {
        Self(inner)
    }
}

#[cfg_attr(not(target_arch = "wasm32"), async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
#[deny(clippy::missing_trait_methods)]
impl Store for PerKey {
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

impl fmt::Debug for PerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PerKey({:?})", self.0)
    }
}

impl fmt::Display for PerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "per-key({})", self.0)
    }
}
