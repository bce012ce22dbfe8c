//! Which store a [`Builder`](crate::Builder) opens, and what only some stores can do: [`Choice`], [`Engine`].

use std::fmt;
use std::sync::Arc;

#[cfg(all(feature = "keyring", not(target_arch = "wasm32")))]
use strata_adapter_keyring::{KeyringConfig, KeyringStore};
#[cfg(feature = "memory")]
use strata_adapter_memory::{MemoryConfig, MemoryStore};
#[cfg(feature = "sled")]
use strata_adapter_sled::{SledConfig, SledStore};
use strata_core::{Error, ErrorKind, Result, Store};

use crate::check::Check;
use crate::report::Stats;

/// A store that is to be opened.
#[derive(Debug)]
pub(crate) enum Choice {
    Undecided,
    #[cfg(feature = "sled")]
    Sled(Box<SledConfig>, std::path::PathBuf),
    #[cfg(feature = "memory")]
    Memory(MemoryConfig),
    #[cfg(all(feature = "keyring", not(target_arch = "wasm32")))]
    Keyring(Box<KeyringConfig>, OrElse),
    Given(Arc<dyn Store>),
}

/// What to do where there is no keyring.
#[cfg(all(feature = "keyring", not(target_arch = "wasm32")))]
#[derive(Clone, Copy, Debug)]
pub(crate) enum OrElse {
    Refuse,
    #[cfg(feature = "memory")]
    Memory,
}

/// What a choice came to.
pub(crate) struct Found {
    pub(crate) engine: Engine,
    /// What was wanted in place of it, and why it could not be had.
    pub(crate) instead: Option<String>,
}

impl From<Engine> for Found {
    fn from(engine: Engine) -> Self {
        Self { engine, instead: None }
    }
}

/// An open store, by its own type where the umbrella knows it.
#[derive(Clone)]
pub(crate) enum Engine {
    #[cfg(feature = "sled")]
    Sled(Arc<SledStore>, std::path::PathBuf),
    #[cfg(feature = "memory")]
    Memory(Arc<MemoryStore>),
    Given(Arc<dyn Store>),
}

impl Choice {
    /// Opens it; what blocks does so on a thread for blocking work.
    #[allow(clippy::unused_async)] // it waits where a feature adds a store that blocks
    pub(crate) async fn open(self) -> Result<Found> {
        match self {
            Self::Undecided => Err(Error::new(
                ErrorKind::Invalid,
                "open",
                "no store was chosen; name one, such as `.sled(\"./data\")` or `.memory()`; `.or_memory()` is said of a keyring, after it",
            )),
            #[cfg(feature = "sled")]
            Self::Sled(config, dir) => {
                let store = blocking(move || config.open()).await??;
                Ok(Engine::Sled(Arc::new(store), dir).into())
            }
            #[cfg(feature = "memory")]
            Self::Memory(config) => Ok(Engine::Memory(Arc::new(MemoryStore::with_config(config))).into()),
            #[cfg(all(feature = "keyring", not(target_arch = "wasm32")))]
            Self::Keyring(config, or_else) => keyring(*config, or_else).await,
            Self::Given(store) => Ok(Engine::Given(store).into()),
        }
    }

    /// Whether it is the engine that guards values, so that nothing is said about keys and no header is kept.
    pub(crate) fn guards_itself(&self) -> bool {
        match self {
            #[cfg(all(feature = "keyring", not(target_arch = "wasm32")))]
            Self::Keyring(..) => true,
            _ => false,
        }
    }
}

/// The keyring, or what was named for where there is none. A locked one, or one that does not answer, is there.
#[cfg(all(feature = "keyring", not(target_arch = "wasm32")))]
async fn keyring(config: KeyringConfig, or_else: OrElse) -> Result<Found> {
    match (KeyringStore::open(config).await, or_else) {
        (Ok(store), _) => Ok(Engine::Given(Arc::new(store)).into()),
        #[cfg(feature = "memory")]
        (Err(error), OrElse::Memory) if error.kind() == ErrorKind::Unsupported => {
            let engine = Engine::Memory(Arc::new(MemoryStore::new()));
            Ok(Found { engine, instead: Some(error.to_string()) })
        }
        (Err(error), _) => Err(error),
    }
}

impl Engine {
    /// The store as the handle knows it.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match self {
            #[cfg(feature = "sled")]
            Self::Sled(store, _) => Arc::clone(store) as _,
            #[cfg(feature = "memory")]
            Self::Memory(store) => Arc::clone(store) as _,
            Self::Given(store) => Arc::clone(store),
        }
    }

    /// The folder the data is in, which keys have to stay out of.
    #[cfg(feature = "crypto")]
    pub(crate) fn folder(&self) -> Option<&std::path::Path> {
        match self {
            #[cfg(feature = "sled")]
            Self::Sled(_, dir) => Some(dir),
            #[cfg(feature = "memory")]
            Self::Memory(_) => None,
            Self::Given(_) => None,
        }
    }

    /// How much it holds. `None` where the store does not count.
    #[allow(clippy::unused_async)] // it waits where a feature adds a store that blocks
    pub(crate) async fn stats(&self) -> Result<Option<Stats>> {
        match self {
            #[cfg(feature = "sled")]
            Self::Sled(store, _) => {
                let store = Arc::clone(store);
                blocking(move || store.stats()).await?.map(|stats| Some(Stats::from(&stats)))
            }
            #[cfg(feature = "memory")]
            Self::Memory(store) => Ok(Some(Stats::from(&store.stats()))),
            Self::Given(_) => Ok(None),
        }
    }

    /// Compares its indexes with its records. `None` where the store offers no such check.
    #[allow(clippy::unused_async)] // it waits where a feature adds a store that blocks
    pub(crate) async fn check(&self) -> Result<Option<Check>> {
        match self {
            #[cfg(feature = "sled")]
            Self::Sled(store, _) => {
                let store = Arc::clone(store);
                blocking(move || store.check()).await?.map(|check| Some(Check::from(&check)))
            }
            #[cfg(feature = "memory")]
            Self::Memory(store) => {
                let store = Arc::clone(store);
                blocking(move || Some(Check::from(&store.check()))).await
            }
            Self::Given(_) => Ok(None),
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.store())
    }
}

/// Runs what blocks on a thread for blocking work.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    if tokio::runtime::Handle::try_current().is_err() {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "run blocking work",
            "this runs outside a tokio runtime; call it from one, such as under `#[tokio::main]`",
        ));
    }
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        Error::new(ErrorKind::Other, "run blocking work", "it did not come to its end; see the cause")
            .because(error)
    })
}

/// Runs it here: there is one thread.
#[cfg(target_arch = "wasm32")]
pub(crate) async fn blocking<T>(work: impl FnOnce() -> T) -> Result<T> {
    Ok(work())
}
