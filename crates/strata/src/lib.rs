//! Session state for Rust programs, kept safe wherever they run.
//!
//! ```
//! # #[cfg(all(feature = "memory", feature = "ttl", feature = "crypto"))]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> strata::Result<()> {
//! use serde::{Deserialize, Serialize};
//! use strata::prelude::*;
//!
//! #[derive(Serialize, Deserialize)]
//! struct Cart {
//!     items: Vec<(String, u32)>,
//! }
//!
//! let db = strata::builder().memory().plaintext().open().await?; // on disk and sealed: strata::open("./data")
//!
//! let carts = db.collection::<Cart>("cart")?;
//! let cart = Cart { items: vec![("tea".to_owned(), 2)] };
//! carts.set("ada", &cart).idle(30.minutes()).at_most(12.hours()).tag("user:ada").await?;
//! carts.modify("ada", |cart| cart.items[0].1 += 1).await?; // atomic, retried on conflict
//! assert_eq!(carts.get("ada").await?.map(|cart| cart.items[0].1), Some(3));
//! # Ok(())
//! # }
//! # #[cfg(not(all(feature = "memory", feature = "ttl", feature = "crypto")))]
//! # fn main() {}
//! ```
//!
//! This crate puts the others together: a store ([`builder`]: on disk with sled, in memory, or any [`Store`]), keys
//! (`Keys`), the system's clocks and the background sweeper, into a [`Strata`], which is a [`Handle`] with what belongs to it.
//! Features add parts; they never change what another part does.
//!
//! | feature | adds |
//! |---|---|
//! | `keyring` | the operating system's keyring, for keys and small secrets |
//! | `memory` | the store in memory |
//! | `sled` | the store on disk, [`open`] |
//! | `power` | durability `power` on Linux |
//! | `crypto` | sealing, keysets, key sources |
//! | `ttl` | policies, the steady clock, the sweeper |
//! | `session` | session managers |
//! | `sync` | buses, replicas, replication |
//! | `http` | clients of the HTTP routes |
//! | `axum` | layer, extractors and routes of a server |
//! | `tower-sessions`, `tower-sessions-0-14` | a store for applications of tower-sessions 0.15, and 0.14 |

#[cfg(feature = "ttl")]
mod background;
mod builder;
mod check;
mod engine;
#[cfg(feature = "session")]
mod managers;
#[cfg(not(target_arch = "wasm32"))]
pub mod native;
mod open;
pub mod prelude;
mod protect;
mod report;
mod span;
#[cfg(all(feature = "sync", not(target_arch = "wasm32")))]
mod step;
#[cfg(feature = "ttl")]
mod sweeping;
mod time;
#[cfg(all(feature = "crypto", not(target_arch = "wasm32")))]
mod user_keys;

pub use builder::Builder;
pub use check::Check;
pub use open::Strata;
pub use report::{Report, Stats};
pub use span::Span;
#[cfg(all(feature = "keyring", not(target_arch = "wasm32")))]
pub use strata_adapter_keyring::{self as keyring, Keyring, KeyringConfig, KeyringKeys, KeyringStore};
#[cfg(feature = "memory")]
pub use strata_adapter_memory::{self as memory, MemoryConfig, MemoryStore};
#[cfg(feature = "sled")]
pub use strata_adapter_sled::{self as sled, SledConfig, SledStore};
#[cfg(all(feature = "axum", not(target_arch = "wasm32")))]
pub use strata_axum::{self as axum};
pub use strata_core::{
    Atomicity, Batch, Before, Body, BoxFuture, Bus, Capabilities, Change, ChangeKind, Clock, Codec,
    Coherence, Collection, Committed, Cursor, Durability, Effect, Entries, Error, ErrorKind, Event, Expiry,
    Export, Exported, Guard, GuardScope, Handle, HandleBuilder, Hub, Imported, Info, Journal, Keep, Key,
    KeyId, KeyPrefix, KeyProvider, KeyText, Lifetime, Lifted, Listing, ManualClock, MaybeSend, MaybeSync,
    Needs, NoRandom, Op, Ops, Origin, Outcome, Page, Pattern, Payload, Protection, Purged, Random, Record,
    ReferenceStore, Resealed, Result, Scan, Seal, Select, Selection, Set, Shape, Spawn, Staged, Store,
    StoreId, Subscription, Tag, Tags, Timer, Timestamp, Touch, Ttl, Value, Version, View, Write, Writes,
};
#[cfg(feature = "crypto")]
pub use strata_crypto::{self as crypto, Keys, Keyset, SystemRandom};
#[cfg(all(feature = "http", not(target_arch = "wasm32")))]
pub use strata_http::{self as http};
#[cfg(feature = "session")]
pub use strata_session::{self as session};
#[cfg(all(feature = "sync", not(target_arch = "wasm32")))]
pub use strata_sync::{self as sync, Replica};
#[cfg(feature = "ttl")]
pub use strata_ttl::{self as ttl, Policy};
#[cfg(all(feature = "crypto", not(target_arch = "wasm32")))]
pub use user_keys::user_keys;

/// Opens the store in the folder `path`, made if it is missing: on disk, sealed, swept once a minute.
///
/// The keys of a fresh store are drawn and kept by [`user_keys`]: in the operating system's keyring if there is one here, else in a
/// file of the user's outside the data, readable by the owner alone; [`Strata::report`] says where. A keyring that is locked or does
/// not answer is an error, and no reason for the file. A store that is there is opened with the keys it was made with, from where they
/// are, or not at all: this never draws a key for it and never looks for one elsewhere.
///
/// # Errors
/// As [`Builder::open`].
#[cfg(all(feature = "sled", feature = "crypto", feature = "ttl"))]
pub async fn open(path: impl AsRef<std::path::Path>) -> Result<Strata> {
    builder().sled(path).keys(user_keys()?).open().await
}

/// Starts a builder, for another store, other keys, another clock.
pub fn builder() -> Builder {
    Builder::new()
}

/// The examples of the README are compiled and run.
#[cfg(all(doctest, feature = "sled", feature = "ttl"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// So are those of the workspace's README.
#[cfg(all(doctest, feature = "sled", feature = "ttl"))]
#[doc = include_str!("../../../README.md")]
struct WorkspaceReadme;
