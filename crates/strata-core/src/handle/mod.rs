//! The typed handle: [`Handle`], the namespaces under it, and what every operation shares. One file per kind of operation:
//! `read`, `write`, `modify`, `life` (expiry), `select` and `walk` (many records), `writes` (several at once), `transfer`
//! (export, import, reseal), `lift` (values of any type on the move), `peer` (what peers did), `sweep`; `pipe` is the order in which they run.

mod builder;
mod life;
mod lift;
mod modify;
mod peer;
mod pipe;
mod read;
mod select;
mod sweep;
#[cfg(test)]
mod tests;
mod transfer;
mod walk;
mod write;
mod writes;

use std::fmt;
use std::sync::Arc;

pub use builder::{HandleBuilder, Needs, Touch};
pub use life::Ttl;
pub use lift::Lifted;
pub use peer::FromPeer;
pub use read::{Info, View};
pub use select::Selection;
pub use sweep::Purged;
pub use transfer::{Body, Export, Exported, Imported, Resealed};
pub use walk::{Entries, Inspections, Keys};
pub use write::Set;
pub use writes::{Staged, Writes};

use crate::batch::Durability;
use crate::change::Subscription;
use crate::codec::Value;
use crate::collection::Collection;
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::pattern::Pattern;
use crate::random::Random;
use crate::seal::{Protection, Seal};
use crate::store::{Capabilities, Store};
use crate::time::Clock;
use pipe::Pipe;

/// A place to keep values of any type, by name. Cheap to clone; clones, namespaces and collections share one store, one
/// set of keys and one stream of changes.
///
/// Types are chosen call by call here; a [`Collection`] fixes one. Reading a value as a type of another shape is
/// [`ErrorKind::Mismatch`].
#[derive(Clone)]
pub struct Handle {
    pipe: Arc<Pipe>,
    /// The namespace with its trailing colon, or nothing.
    prefix: Arc<str>,
}

impl Handle {
    /// Starts a handle over `store` that takes its time from `clock`.
    pub fn builder(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> HandleBuilder {
        HandleBuilder::new(store, clock)
    }

    fn root(pipe: Pipe) -> Self {
        Self { pipe: Arc::new(pipe), prefix: Arc::from("") }
    }

    /// A handle whose names all lie under `name:`. Costs two reference counts.
    ///
    /// Names of namespaces have no `:`, `*`, `?`, `\` and do not begin with `~`; escape what users chose with
    /// [`Key::escape`]. A namespace is a part of its parent: the parent sees the same records under longer names.
    pub fn namespace(&self, name: &str) -> Result<Self> {
        if name.contains([':', '*', '?', '\\']) || name.starts_with('~') {
            return Err(Error::new(
                ErrorKind::Invalid,
                "open namespace",
                "the name has one of `:`, `*`, `?`, `\\` or begins with `~`; pass it through `Key::escape`",
            ));
        }
        let key = self.key(name)?;
        Ok(Self { pipe: Arc::clone(&self.pipe), prefix: Arc::from(format!("{key}:")) })
    }

    /// The typed view of a namespace.
    pub fn collection<T: Value>(&self, name: &str) -> Result<Collection<T>> {
        Ok(Collection::new(self.namespace(name)?))
    }

    /// Changes of this namespace from now on, made through any clone of this handle, whose names match `glob`.
    /// Keys in events are whole names, namespaces included.
    pub fn subscribe(&self, glob: &str) -> Result<Subscription> {
        let pattern = self.pattern(glob)?;
        Ok(self.pipe.hub.subscribe(pattern, None))
    }

    /// The whole name of a record of this namespace.
    #[inline]
    pub fn key(&self, name: &str) -> Result<Key> {
        Key::join(&self.prefix, name)
    }

    /// The namespace with its trailing colon; empty at the root.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether changes made through `other` can be committed together with changes made through this one.
    pub fn commits_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.pipe, &other.pipe)
    }

    /// The store underneath, for what the handle does not offer. What is written there passes by sealing and events.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.pipe.store
    }

    /// What the store underneath can do.
    pub fn capabilities(&self) -> Capabilities {
        self.pipe.capabilities
    }

    /// The durability of commits that name none.
    pub fn durability(&self) -> Durability {
        self.pipe.durability
    }

    /// How values are protected.
    pub fn protection(&self) -> Protection {
        let sealed = self.pipe.seal.as_ref().map_or(Protection::Plaintext, |seal| seal.protection());
        sealed.max(self.pipe.capabilities.protection)
    }

    /// The seal, if values are sealed.
    pub fn seal(&self) -> Option<&Arc<dyn Seal>> {
        self.pipe.seal.as_ref()
    }

    /// Where the handle's time comes from.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.pipe.clock
    }

    /// Where managers draw secrets from.
    pub fn random(&self) -> &Arc<dyn Random> {
        &self.pipe.random
    }

    /// A name of this namespace as callers know it, from a whole one.
    fn local<'k>(&self, key: &'k Key) -> &'k str {
        let name = key.as_str();
        name.strip_prefix(&*self.prefix).unwrap_or(name)
    }

    /// A glob of this namespace as a pattern over whole names. Namespace names hold no wildcard, so they are literal.
    fn pattern(&self, glob: &str) -> Result<Pattern> {
        Pattern::new(&format!("{}{glob}", self.prefix))
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("store", &format_args!("{}", self.pipe.store))
            .field("prefix", &self.prefix)
            .field("protection", &self.protection())
            .field("durability", &self.pipe.durability)
            .finish_non_exhaustive()
    }
}
