//! Where the keys of a store come from: [`Keys`].

use std::fmt;
use std::sync::Arc;

use strata_core::{KeyProvider, Protection, Result};

use crate::env::EnvKeys;
#[cfg(not(target_arch = "wasm32"))]
use crate::file::FileKeys;
use crate::keyset::Keyset;
use crate::master::MasterKey;
use crate::nonce::Nonces;
use crate::passphrase::Passphrase;

/// Where the keys of a store come from, and what is asked of them.
#[derive(Clone)]
#[must_use = "keys do nothing until a store is opened with them"]
pub struct Keys {
    pub(crate) source: Source,
    pub(crate) nonces: Nonces,
    pub(crate) least: Protection,
}

#[derive(Clone)]
pub(crate) enum Source {
    /// One key; the header knows or gets its id.
    Bare(MasterKey),
    /// A keyset that the caller keeps.
    Given(Keyset),
    /// A keyset in the header, behind a passphrase.
    Passphrase(Passphrase),
    /// The first of these that can be used; for a store that is there, the one it was made with.
    Providers(Vec<Arc<dyn KeyProvider>>),
}

impl Keys {
    fn of(source: Source) -> Self {
        Self { source, nonces: Nonces::default(), least: Protection::Plaintext }
    }

    /// One key of 32 bytes that the caller keeps. Its copy of the bytes is the caller's to wipe.
    pub fn bytes(key: &[u8; MasterKey::LEN]) -> Result<Self> {
        MasterKey::new(key).map(|key| Self::of(Source::Bare(key)))
    }

    /// A keyset that the caller keeps, and changes where it keeps it.
    pub fn keyset(keyset: Keyset) -> Self {
        Self::of(Source::Given(keyset))
    }

    /// A variable of the environment: a keyset's text, or 32 bytes in base64. See [`EnvKeys`].
    pub fn env(variable: impl Into<String>) -> Self {
        Self::provider(Arc::new(EnvKeys::new(variable)))
    }

    /// A key file, made if the store is fresh and the file is not there. See [`FileKeys`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn file(path: impl Into<std::path::PathBuf>) -> Self {
        Self::provider(Arc::new(FileKeys::named(path)))
    }

    /// A passphrase. Opening derives for about 150 ms or more; records are sealed under random keys as ever.
    pub fn passphrase(passphrase: Passphrase) -> Self {
        Self::of(Source::Passphrase(passphrase))
    }

    /// A key file of the user's, outside the data, drawn for a fresh store and reported:
    /// [`FileKeys::of_user`]. A program that also has the system's keyring puts it first, by [`Keys::first_of`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn auto() -> Result<Self> {
        Ok(Self::provider(Arc::new(FileKeys::of_user()?)))
    }

    /// Another place that keeps keys.
    pub fn provider(provider: Arc<dyn KeyProvider>) -> Self {
        Self::of(Source::Providers(vec![provider]))
    }

    /// The first of these places that exists here, for a fresh store. A place that exists but is locked or fails is an error, not
    /// passed over. A store that is there is opened from the place it was made with, never from another.
    pub fn first_of(providers: impl IntoIterator<Item = Arc<dyn KeyProvider>>) -> Self {
        Self::of(Source::Providers(providers.into_iter().collect()))
    }

    /// How nonces are chosen; by default [`Nonces::Counter`].
    pub fn nonces(mut self, nonces: Nonces) -> Self {
        self.nonces = nonces;
        self
    }

    /// Refuses keys that are guarded by less than this, with [`ErrorKind::Downgrade`](strata_core::ErrorKind::Downgrade).
    pub fn require(mut self, least: Protection) -> Self {
        self.least = least;
        self
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source: &dyn fmt::Debug = match &self.source {
            Source::Bare(key) => key,
            Source::Given(keyset) => keyset,
            Source::Passphrase(passphrase) => passphrase,
            Source::Providers(providers) => providers,
        };
        f.debug_struct("Keys").field("source", source).field("nonces", &self.nonces).finish_non_exhaustive()
    }
}
