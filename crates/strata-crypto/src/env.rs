//! The environment as a place that keeps a store's keyset: [`EnvKeys`].

use std::path::Path;

use async_trait::async_trait;
use strata_core::{Error, ErrorKind, KeyProvider, KeyText, Protection, Result, StoreId};
use zeroize::Zeroizing;

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
