//! Places that keep the keys of stores: the ingredient [`KeyProvider`], and the [`StoreId`] they keep them under. Files and the
//! environment are in `strata-crypto`, the operating system's keyring is in `strata-adapter-keyring`.

use std::fmt;
use std::path::Path;

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::bounds::{MaybeSend, MaybeSync};
use crate::error::Result;
use crate::seal::Protection;

/// The name a store is given when it is made: 16 random bytes. Public.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StoreId([u8; 16]);

impl StoreId {
    /// The id of these bytes.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreId({self})")
    }
}

/// A keyset's text, wiped when dropped.
pub type KeyText = Zeroizing<String>;

/// A place that keeps the keys of stores: a file, the environment, the operating system's keyring.
///
/// A provider may block shortly (a file); what may take longer (a keyring that asks the user) it does elsewhere. No error shows
/// any of a text. A place that is there but locked or unreachable is [`ErrorKind::Locked`](crate::ErrorKind::Locked) or
/// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable), never "no keys".
#[cfg_attr(not(target_arch = "wasm32"), async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
pub trait KeyProvider: fmt::Debug + MaybeSend + MaybeSync + 'static {
    /// The name that store headers keep, such as `file`. Never changes.
    fn name(&self) -> &'static str;

    /// What guards the keys.
    fn protection(&self) -> Protection;

    /// Where the keys of `store` are kept, for reports: a path, a variable's name.
    fn place(&self, store: StoreId) -> String;

    /// Whether keys may be kept here for a store whose data lies in `data`: a key beside what it locks protects nothing.
    fn check_apart(&self, store: StoreId, data: &Path) -> Result<()>;

    /// The text kept for `store`, if there is one. [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if this place does
    /// not exist here.
    async fn load(&self, store: StoreId) -> Result<Option<KeyText>>;

    /// Keeps the text of a fresh store, durably. [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if there is one already,
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if this place cannot keep keys or does not exist here.
    async fn create(&self, store: StoreId, text: &str) -> Result<()>;

    /// Puts `new` in place of `old`, durably and whole; [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if something else is
    /// there by now.
    async fn replace(&self, store: StoreId, old: &str, new: &str) -> Result<()>;

    /// Takes back what [`create`](KeyProvider::create) kept for a store that another opener made first. Leaves what other stores
    /// could be using.
    async fn discard(&self, store: StoreId) -> Result<()>;
}
