//! The ground of Strata: the storage seam, records and batches, the typed handle, codecs, change events and expiry
//! arithmetic.
//!
//! This crate knows no runtime, file system, network, cipher or wall clock. Time, randomness, sealing, journaling and buses
//! are ingredients that somebody above hands to the [`Handle`], which runs them in the one right order.
//!
//! The list of modules is the map: each file has one subject, named in its first line.

mod batch;
mod bounds;
mod change;
mod codec;
mod collection;
#[cfg(feature = "conformance")]
pub mod conformance;
mod envelope;
mod error;
mod expiry;
mod handle;
mod journal;
mod key;
mod lifetime;
mod pattern;
mod provider;
mod random;
mod record;
mod reference;
mod scan;
mod seal;
mod spawn;
mod store;
mod time;

pub use batch::{
    Batch, Before, Committed, Durability, Effect, Existing, Guard, Keep, Op, Ops, Outcome, Write,
};
pub use bounds::{BoxFuture, MaybeSend, MaybeSync};
pub use change::{Bus, Change, ChangeKind, Event, Hub, Origin, Subscription};
pub use codec::{Codec, Shape, Value};
pub use collection::Collection;
pub use envelope::Envelope;
pub use error::{Error, ErrorKind, Result};
pub use expiry::Expiry;
pub use handle::{
    Body, Entries, Export, Exported, FromPeer, Handle, HandleBuilder, Imported, Info, Inspections, Keys,
    Lifted, Needs, Purged, Resealed, Selection, Set, Staged, Touch, Ttl, View, Writes,
};
pub use journal::Journal;
pub use key::{Key, KeyPrefix, Tag, Tags};
pub use lifetime::Lifetime;
pub use pattern::Pattern;
pub use provider::{KeyProvider, KeyText, StoreId};
pub use random::{NoRandom, Random};
pub use record::{Payload, Record, Version};
pub use reference::ReferenceStore;
pub use scan::{Cursor, Page, Scan, Select};
pub use seal::{KeyId, Protection, Seal};
pub use spawn::Spawn;
pub use store::{Atomicity, Capabilities, Coherence, GuardScope, Listing, Store};
pub use time::{Clock, ManualClock, Timer, Timestamp};

/// The README's code, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
