//! Places that keep a store's keyset: [`KeyProvider`], and the environment as one, [`EnvKeys`].

use std::fmt;
use std::path::Path;

use async_trait::async_trait;
use strata_core::{Error, ErrorKind, MaybeSend, MaybeSync, Protection, Result};
use zeroize::Zeroizing;

use crate::header::StoreId;

/// A keyset's text, wiped when dropped.
pub type KeyText = Zeroizing<String>;

/// A place that keeps the keys of stores: a file, the environment, the operating system's keyring.
///
/// A provider may block shortly (a file) or longer (a keyring that asks the user); whoever minds runs
/// [`open`](crate::open()) off its executor. No error shows any of a text. A place that is there but locked or unreachable is
/// [`ErrorKind::Unavailable`], never "no keys".
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

    /// The text kept for `store`, if there is one.
    async fn load(&self, store: StoreId) -> Result<Option<KeyText>>;

    /// Keeps the text of a fresh store, durably. [`ErrorKind::Conflict`] if there is one already,
    /// [`ErrorKind::Unsupported`] if this place cannot keep keys or does not exist here.
    async fn create(&self, store: StoreId, text: &str) -> Result<()>;

    /// Puts `new` in place of `old`, durably and whole; [`ErrorKind::Conflict`] if something else is there by now.
    async fn replace(&self, store: StoreId, old: &str, new: &str) -> Result<()>;

    /// Takes back what [`create`](KeyProvider::create) kept for a store that another opener made first. Leaves what other stores could be using.
    async fn discard(&self, store: StoreId) -> Result<()>;
}

/// Keys in an environment variable: a keyset's text, or 32 bytes in base64. Read at every open, never written; the
/// process's own copy of its environment can't be wiped.
#[derive(Clone, Debug)]
pub struct EnvKeys {
    variable: String,
}

impl EnvKeys {
    /// The variable that programs use unless told otherwise.
    pub const DEFAULT: &'static str = "STRATA_KEY";

    /// Keys in this variable.
    pub fn new(variable: impl Into<String>) -> Self {
        Self { variable: variable.into() }
    }

    fn unsupported(&self, operation: &'static str) -> Error {
        let variable = &self.variable;
        Error::new(
            ErrorKind::Unsupported,
            operation,
            format!(
                "a program cannot change `{variable}` for its next start; set it yourself, or keep the keys in a file"
            ),
        )
    }
}

#[cfg_attr(not(target_arch = "wasm32"), async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
impl KeyProvider for EnvKeys {
    fn name(&self) -> &'static str {
        "environment"
    }

    fn protection(&self) -> Protection {
        Protection::Sealed
    }

    fn place(&self, _store: StoreId) -> String {
        format!("${}", self.variable)
    }

    fn check_apart(&self, _store: StoreId, _data: &Path) -> Result<()> {
        Ok(())
    }

    async fn load(&self, _store: StoreId) -> Result<Option<KeyText>> {
        let Some(value) = std::env::var_os(&self.variable) else { return Ok(None) };
        // What is not UTF-8 is no key; its bytes are dropped unread.
        let text = value.into_string().map(Zeroizing::new).map_err(|_| {
            Error::new(
                ErrorKind::Invalid,
                "read keys",
                format!("`{}` is not text; set it to a key", self.variable),
            )
        })?;
        Ok(Some(text).filter(|text| !text.trim().is_empty()))
    }

    async fn create(&self, _store: StoreId, _text: &str) -> Result<()> {
        Err(self.unsupported("create keys"))
    }

    async fn replace(&self, _store: StoreId, _old: &str, _new: &str) -> Result<()> {
        Err(self.unsupported("change keys"))
    }

    async fn discard(&self, _store: StoreId) -> Result<()> {
        Ok(())
    }
}
