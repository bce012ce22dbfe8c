//! The operating system's keyring for Strata: a store of small secrets, [`KeyringStore`], and a keeper of other stores' keys,
//! [`KeyringKeys`].
//!
//! Under both is a [`Keyring`]: one connection to the platform's keyring, served by one thread of its own.
//!
//! | platform | keyring | crate under it | state |
//! |---|---|---|---|
//! | Linux, BSD | Secret Service (GNOME Keyring, `KWallet`, `KeePassXC`) | `zbus-secret-service-keyring-store` | tested against a real one |
//! | macOS | the user's keychain | `apple-native-keyring-store` | written by its documentation, not run |
//! | Windows | Credential Manager | `windows-native-keyring-store` | written by its documentation, not run |
//! | others | one you bring, by [`KeyringConfig::platform`] | any store of `keyring-core` | |
//!
//! The map of the files: `config` is what a caller chooses, `platform` finds the keyring of this machine, `worker` is the thread
//! and its deadline, `connection` reads and writes entries on it, `turn` keeps writers apart, `name` names entries; `entry` is a
//! record as it lies in the keyring, `store` the store, `large` what does not fit, `keys` the keeper of keys; `error` strips
//! what the platform says of secrets.

mod config;
mod connection;
mod entry;
mod error;
mod keyring;
mod keys;
mod large;
mod name;
mod platform;
mod store;
mod turn;
mod worker;

pub use config::KeyringConfig;
pub use keyring::Keyring;
pub use keys::KeyringKeys;
pub use store::KeyringStore;

/// The platform seam of the keyring project, for [`KeyringConfig::platform`].
pub use keyring_core;

/// The examples of the README are compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
