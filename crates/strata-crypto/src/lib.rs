//! Sealing for Strata: AES-256-GCM envelopes, keysets, nonces, key sources.
//!
//! [`open`] checks [`Keys`] against a store's header (or makes one) and gives a [`Sealer`], which a handle seals with, and
//! [`StoreKeys`], which changes keys while the store is in use.
//!
//! Four situations are four errors, and none deletes anything: `MissingKey` (nobody gave the key), `WrongKey` (the name is right,
//! the bytes are not), `Corrupt` (the key is right, the record is not) and `Downgrade` (plaintext, or weaker than was asked for).
//!
//! What is not protected: the idle deadline and tags beside a record, the putting back of a whole older record, the lengths and names of
//! records. Cloning a *running* machine breaks [`Nonces::Counter`]; [`Nonces::Synthetic`] is there for that.

mod cache;
mod cipher;
mod derive;
mod env;
#[cfg(not(target_arch = "wasm32"))]
mod file;
mod fork;
mod header;
mod hex;
mod keys;
mod keyset;
mod master;
mod nonce;
mod open;
mod passphrase;
mod random;
mod rekey;
mod room;
mod sealer;
mod store_keys;
mod text;
mod unlock;

pub use env::EnvKeys;
#[cfg(not(target_arch = "wasm32"))]
pub use file::FileKeys;
pub use header::{StoreInfo, inspect};
pub use keys::Keys;
pub use keyset::{KeyInfo, Keyset};
pub use master::{CheckValue, MasterKey};
pub use nonce::Nonces;
pub use open::{KeyReport, Opened, open, open_plaintext};
pub use passphrase::Passphrase;
pub use random::SystemRandom;
pub use rekey::Rekeyed;
pub use sealer::Sealer;
pub use store_keys::StoreKeys;

/// The ingredient that gives keys, as core has it.
pub use strata_core::{KeyProvider, KeyText, StoreId};

/// The examples of the README are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
