//! Odd stores that keep the contract: [`Narrow`], which can do the least, and [`Sparse`], which takes its time.

use std::fmt;
use std::task::Poll;

use async_trait::async_trait;
use strata_core::{
    Atomicity, Batch, Capabilities, Committed, Cursor, Error, ErrorKind, Key, Listing, Page, Record,
    ReferenceStore, Result, Scan, Select, Store,
};

/// Atomic over one key, no listing, small payloads.
#[derive(Debug, Default)]
pub(crate) struct Narrow(ReferenceStore);

impl fmt::Display for Narrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "narrow({})", self.0)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for Narrow {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        self.0.get(key).await
    }

    async fn commit(&self, batch: Batch) -> Result<Committed> {
        batch.validate(&self.capabilities(), self)?;
        self.0.commit(batch).await
    }

    async fn scan(&self, scan: Scan) -> Result<Page> {
        if let Select::Keys(_) = scan.select {
            return self.0.scan(scan).await;
        }
        let message = "this store lists named keys only; keep a list of them";
        Err(Error::new(ErrorKind::Unsupported, "scan", message).in_store(self))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            atomicity: Atomicity::Key,
            listing: Listing::None,
            max_payload: 4096,
            max_batch: 1,
            ..self.0.capabilities()
        }
    }
}

/// Every call is pending at first; every other page is empty, and the rest have two records at most.
#[derive(Debug, Default)]
pub(crate) struct Sparse(ReferenceStore);

impl fmt::Display for Sparse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sparse({})", self.0)
    }
}

/// Pending once, woken by another thread.
pub(crate) async fn pause() {
    let mut paused = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut paused, true) {
            return Poll::Ready(());
        }
        let waker = context.waker().clone();
        std::thread::spawn(move || waker.wake());
        Poll::Pending
    })
    .await;
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for Sparse {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        pause().await;
        self.0.get(key).await
    }

    async fn commit(&self, batch: Batch) -> Result<Committed> {
        pause().await;
        self.0.commit(batch).await
    }

    /// A cursor is one byte, which says whether an empty page was given at this place, and that of the inner store.
    async fn scan(&self, mut scan: Scan) -> Result<Page> {
        let (rested, inner) = match &scan.after {
            None => (false, Vec::new()),
            Some(cursor) => (cursor.as_bytes()[0] == 1, cursor.as_bytes()[1..].to_vec()),
        };
        if !rested {
            return Ok(Page { entries: Vec::new(), next: Some(Cursor::new([vec![1], inner].concat())) });
        }
        scan.after = (!inner.is_empty()).then(|| Cursor::new(inner));
        scan.limit = scan.limit().min(2);
        let page = self.0.scan(scan).await?;
        let next = page.next.map(|cursor| Cursor::new([&[0], cursor.as_bytes()].concat()));
        Ok(Page { next, ..page })
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }
}
