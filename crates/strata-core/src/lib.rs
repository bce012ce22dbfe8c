//! The ground of Strata: the storage seam, records and batches, the typed handle, codecs, change events and expiry
//! arithmetic.
//!
//! This crate knows no runtime, file system, network, cipher or wall clock. Time, randomness, sealing, journaling and buses
//! are ingredients that somebody above hands to the [`Handle`], which runs them in the one right order.
//!
//! The list of modules is the map: each file has one subject, named in its first line.

mod batch;
mod bounds;
mod codec;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod expiry;
mod key;
mod random;
mod record;
mod reference;
mod scan;
mod seal;
mod store;
mod time;

pub use batch::{Batch, Before, Committed, Durability, Effect, Guard, Keep, Op, Ops, Outcome, Write};
pub use bounds::{BoxFuture, MaybeSend, MaybeSync};
pub use codec::{Codec, Shape, Value};
pub use error::{Error, ErrorKind, Result};
pub use expiry::Expiry;
pub use key::{Key, KeyPrefix, Tag, Tags};
pub use random::{NoRandom, Random};
pub use record::{Payload, Record, Version};
pub use reference::ReferenceStore;
pub use scan::{Cursor, Page, Scan, Select};
pub use seal::{KeyId, Protection, Seal};
pub use store::{Atomicity, Capabilities, Coherence, GuardScope, Listing, Store};
pub use time::{Clock, ManualClock, Timer, Timestamp};
