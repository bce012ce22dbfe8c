//! A store together with what it stands on: [`Kept`], for stores that need a folder or a server during a test.

use std::fmt;

use async_trait::async_trait;

use crate::batch::{Batch, Committed};
use crate::bounds::{MaybeSend, MaybeSync};
use crate::error::Result;
use crate::key::Key;
use crate::record::Record;
use crate::scan::{Page, Scan};
use crate::store::{Capabilities, Store};

/// Passes everything to a store and drops `ground`, such as a temporary folder, after it.
pub struct Kept<S, G> {
    // Fields are dropped in this order: the store first.
    store: S,
    _ground: G,
}

impl<S, G> Kept<S, G> {
    /// Keeps `ground` for as long as the store lives.
    pub fn new(store: S, ground: G) -> Self {
        Self { store, _ground: ground }
    }
}

#[cfg_attr(not(target_arch = "wasm32"), async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
#[deny(clippy::missing_trait_methods)]
impl<S: Store, G: MaybeSend + MaybeSync + 'static> Store for Kept<S, G> {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        self.store.get(key).await
    }

    async fn commit(&self, batch: Batch) -> Result<Committed> {
        self.store.commit(batch).await
    }

    async fn scan(&self, scan: Scan) -> Result<Page> {
        self.store.scan(scan).await
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }
}

impl<S: fmt::Debug, G> fmt::Debug for Kept<S, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("store", &self.store).finish_non_exhaustive()
    }
}

impl<S: fmt::Display, G> fmt::Display for Kept<S, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kept({})", self.store)
    }
}
