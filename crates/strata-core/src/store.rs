//! The seam: [`Store`], the one trait an engine implements, and what it can do, [`Capabilities`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::batch::{Batch, Committed, Durability};
use crate::bounds::{MaybeSend, MaybeSync};
use crate::error::Result;
use crate::key::Key;
use crate::record::Record;
use crate::scan::{Page, Scan};
use crate::seal::Protection;

/// A place that keeps records.
///
/// # Contract
/// - Guards, [`Keep`](crate::Keep), slides and indexes are the store's, in one atomic step. Use
///   [`Guard::judge`](crate::Guard::judge) and [`Write::apply`](crate::Write::apply) inside that step.
/// - The store never reads a clock: *now* is in the batch. It never removes a record by itself.
/// - [`Batch::validate`] comes first, so that a refusal leaves nothing written.
/// - Every real change gets a version from one sequence of the store, never reused, also after a crash.
/// - A commit that returned `Ok` is visible to every later call through any handle of the store.
///
/// # Cancellation
/// A call whose future is dropped has happened wholly or not at all.
///
/// # Errors
/// Situations of [`ErrorKind`](crate::ErrorKind), with the store's `Display` as the store. No payload, no secret.
///
/// # Wrappers
/// There are no default bodies, and every wrapper denies `clippy::missing_trait_methods`: forgetting a method is a build
/// error. `Display` prints the whole chain. Every store and wrapper runs the suite behind the feature `conformance`.
#[cfg_attr(not(target_arch = "wasm32"), async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
pub trait Store: fmt::Debug + fmt::Display + MaybeSend + MaybeSync + 'static {
    /// The record, dead or alive. The handle checks time.
    async fn get(&self, key: &Key) -> Result<Option<Record>>;

    /// All of the batch, none of it, or [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) before anything is
    /// written.
    async fn commit(&self, batch: Batch) -> Result<Committed>;

    /// A bounded page from a cursor. A key present throughout a walk is seen exactly once.
    async fn scan(&self, scan: Scan) -> Result<Page>;

    /// What the store really can do.
    fn capabilities(&self) -> Capabilities;
}

/// What a store can do. A store asked for more refuses; managers state what they need when they are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Over what a commit is all or nothing.
    pub atomicity: Atomicity,
    /// Among whom guards are judged in order.
    pub guards: GuardScope,
    /// The highest level a commit can have.
    pub durability: Durability,
    /// How much acknowledged work a crash can take at [`Durability::Relaxed`].
    pub relaxed_window: Duration,
    /// What a read sees of others' commits.
    pub coherence: Coherence,
    /// Whether records can be walked.
    pub listing: Listing,
    /// The longest payload, in bytes, header and seal included.
    pub max_payload: usize,
    /// The most operations in one batch.
    pub max_batch: usize,
    /// How the engine itself protects what it holds.
    pub protection: Protection,
}

/// Over what a commit is all or nothing. Ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Atomicity {
    /// One key.
    Key,
    /// Keys of one partition.
    Partition,
    /// Any keys.
    Batch,
}

/// Among whom guards are judged in order. Ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GuardScope {
    /// The tasks of one process, which alone holds the store.
    Process,
    /// The processes of one machine.
    Machine,
    /// Everyone who uses the store.
    Shared,
}

/// What a read sees of commits acknowledged elsewhere. Ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Coherence {
    /// Perhaps not the newest.
    Eventual,
    /// All of them.
    Strong,
}

/// Whether records can be walked. Ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listing {
    /// Not at all; `scan` is unsupported, except for named keys.
    None,
    /// By prefix, tag and deadline, each by an index.
    Indexed,
}

macro_rules! forward {
    ($pointer:ident) => {
        #[cfg_attr(not(target_arch = "wasm32"), async_trait)]
        #[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
        #[deny(clippy::missing_trait_methods)]
        impl<S: Store + ?Sized> Store for $pointer<S> {
            async fn get(&self, key: &Key) -> Result<Option<Record>> {
                (**self).get(key).await
            }

            async fn commit(&self, batch: Batch) -> Result<Committed> {
                (**self).commit(batch).await
            }

            async fn scan(&self, scan: Scan) -> Result<Page> {
                (**self).scan(scan).await
            }

            fn capabilities(&self) -> Capabilities {
                (**self).capabilities()
            }
        }
    };
}

forward!(Arc);
forward!(Box);
