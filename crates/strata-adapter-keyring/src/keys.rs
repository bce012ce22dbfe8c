//! The keys of other stores in the keyring: [`KeyringKeys`].

use std::path::Path;

use async_trait::async_trait;
use strata_core::{Error, ErrorKind, KeyProvider, KeyText, Protection, Result, StoreId};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::config::KeyringConfig;
use crate::connection::{Bytes, Connection};
use crate::keyring::Keyring;
use crate::name;

/// Keysets as entries of the operating system's keyring, one for each store, under the service `strata` unless another is named.
///
/// Nothing is asked of the keyring before keys are. A timed-out [`create`](KeyProvider::create) may leave an entry for a store that
/// never came to be; it harms nothing. That a change replaces what it was made from, and nothing newer, holds among the tasks of this
/// process, and among processes that name the same [`lock_file`](KeyringConfig::lock_file). A keyset of one key takes about 140 bytes, of 64 keys about 7 KB: more than Windows
/// holds, where 24 fit ([`ErrorKind::TooLarge`]).
#[derive(Clone, Debug)]
pub struct KeyringKeys(Keyring);

impl KeyringKeys {
    /// The service that keys are kept under unless told otherwise.
    pub const SERVICE: &'static str = "strata";

    /// Keys in this user's keyring, under the service [`KeyringKeys::SERVICE`].
    pub fn of_user() -> Result<Self> {
        Self::new(KeyringConfig::new(Self::SERVICE))
    }

    /// Keys under another service, with another patience.
    pub fn new(config: KeyringConfig) -> Result<Self> {
        Keyring::new(config).map(Self)
    }

    /// Keys in this keyring, which others may use as well: no name of a record is that of a keyset.
    pub fn over(keyring: Keyring) -> Self {
        Self(keyring)
    }

    async fn change(
        &self,
        operation: &'static str,
        work: impl FnOnce(&mut Connection) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        self.0.change(operation, work).await
    }
}

#[async_trait]
impl KeyProvider for KeyringKeys {
    fn name(&self) -> &'static str {
        "os-keyring"
    }

    fn protection(&self) -> Protection {
        Protection::OsKeyring
    }

    fn place(&self, store: StoreId) -> String {
        format!("{}, entry `{}` of `{}`", self.0.place(), name::of_keys(store), self.0.service())
    }

    fn check_apart(&self, _store: StoreId, _data: &Path) -> Result<()> {
        Ok(())
    }

    async fn load(&self, store: StoreId) -> Result<Option<KeyText>> {
        let user = name::of_keys(store);
        let bytes = self.0.call("load keys", move |connection| connection.read("load keys", &user)).await?;
        bytes.as_ref().map(text).transpose().map_err(|error| error.in_store(&self.0))
    }

    async fn create(&self, store: StoreId, text: &str) -> Result<()> {
        let (user, text) = (name::of_keys(store), Zeroizing::new(text.as_bytes().to_vec()));
        self.change("create keys", move |connection| {
            if connection.read("create keys", &user)?.is_some() {
                return Err(taken("create keys"));
            }
            connection.write("create keys", &user, &text)?;
            // Data will be sealed under it and is lost without it, so that it was taken is not believed but seen.
            kept(connection.read("create keys", &user)?.as_ref(), &text)
        })
        .await
    }

    async fn replace(&self, store: StoreId, old: &str, new: &str) -> Result<()> {
        let user = name::of_keys(store);
        let [old, new] = [old, new].map(|text| Zeroizing::new(text.as_bytes().to_vec()));
        self.change("change keys", move |connection| {
            let found = connection.read("change keys", &user)?;
            if !found.is_some_and(|found| bool::from(found.ct_eq(&old))) {
                return Err(taken("change keys"));
            }
            connection.write("change keys", &user, &new)?;
            kept(connection.read("change keys", &user)?.as_ref(), &new)
        })
        .await
    }

    async fn discard(&self, store: StoreId) -> Result<()> {
        let user = name::of_keys(store);
        self.change("discard keys", move |connection| connection.remove("discard keys", &user)).await
    }
}

/// The bytes as text; what is no text is no keyset, and not shown.
fn text(bytes: &Bytes) -> Result<KeyText> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(crate::error::damaged("the entry with the store's keys", bytes.len())),
    }
}

fn kept(found: Option<&Bytes>, written: &[u8]) -> Result<()> {
    if found.is_some_and(|found| bool::from(found.ct_eq(written))) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unavailable,
        "keep keys",
        "the keyring took the keys but does not give them back; keep them elsewhere, such as in a key file",
    ))
}

#[cold]
fn taken(operation: &'static str) -> Error {
    Error::new(ErrorKind::Conflict, operation, "the entry holds something else by now; read it and retry")
}
