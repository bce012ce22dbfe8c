//! Which store a [`Builder`](crate::Builder) opens, and what only some stores can do: [`Choice`], [`Engine`].

use std::fmt;
use std::sync::Arc;

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
    Given(Arc<dyn Store>),
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
    pub(crate) async fn open(self) -> Result<Engine> {
        match self {
            Self::Undecided => Err(Error::new(
                ErrorKind::Invalid,
                "open",
                "no store was chosen; name one, such as `.sled(\"./data\")` or `.memory()`",
            )),
            #[cfg(feature = "sled")]
            Self::Sled(config, dir) => {
                let store = blocking(move || config.open()).await??;
                Ok(Engine::Sled(Arc::new(store), dir))
            }
            #[cfg(feature = "memory")]
            Self::Memory(config) => Ok(Engine::Memory(Arc::new(MemoryStore::with_config(config)))),
            Self::Given(store) => Ok(Engine::Given(store)),
        }
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
