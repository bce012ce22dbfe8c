//! The journaling ingredient: [`Journal`], which adds its own writes to a batch so that they commit with the data.

use std::fmt;

use crate::batch::Batch;
use crate::bounds::{MaybeSend, MaybeSync};
use crate::error::Result;

/// Adds what must be true together with a change: stamps and tombstones of a sync, an outbox.
///
/// Called with the sealed batch just before it is committed, again on every retry. It may append operations on system keys;
/// it must leave those it finds. An error fails the operation before anything is written.
pub trait Journal: fmt::Debug + MaybeSend + MaybeSync + 'static {
    /// Appends to `batch`.
    fn record(&self, batch: &mut Batch) -> Result<()>;
}
