//! The keys of an open store, changed while it is in use: [`StoreKeys`].

use std::fmt;
use std::sync::Arc;

use strata_core::{Error, ErrorKind, Guard, KeyId, Random, Result, Store, Timestamp};

use crate::header::Header;
use crate::keyset::{self, KeyInfo, Keyset};
use crate::sealer::Sealer;
use crate::unlock::{self, Origin};

/// How often a change is tried again after another process made one.
const ATTEMPTS: usize = 8;

/// Changes a store's keys durably: where they are kept first, then in the store's header, then in the live seal. A crash in between
/// leaves a store that opens; the next open, or the same change again, finishes it.
///
/// Every change starts from what is kept, so processes that share the keys do not undo each other's. A process learns others' changes by
/// [`reload`](StoreKeys::reload) or when it opens the store: add a key, let every process reload, then promote it.
pub struct StoreKeys {
    sealer: Arc<Sealer>,
    origin: Origin,
    random: Arc<dyn Random>,
}

impl StoreKeys {
    pub(crate) fn new(sealer: Arc<Sealer>, origin: Origin, random: Arc<dyn Random>) -> Self {
        Self { sealer, origin, random }
    }

    /// The keys that are here, without their bytes.
    pub fn list(&self) -> Vec<KeyInfo> {
        self.sealer.list()
    }

    /// Adds a fresh key and gives its id. It seals nothing before it is promoted. [`ErrorKind::Unsupported`] where the keys are kept by the
    /// caller or in the environment: they are changed there.
    pub async fn add(&self, store: &dyn Store, now: Timestamp) -> Result<KeyId> {
        // Drawn once, so that a change that is tried again adds one key.
        let mut fresh = self.sealer.keyset();
        let id = fresh.add(&*self.random, now)?;
        let master = Arc::clone(&fresh.find(id, "add key")?.master);
        self.change(store, now, |keyset, _| keyset.insert(id, (*master).clone(), now)).await?;
        Ok(id)
    }

    /// Seals new records under `id` from now on, here and in every later open. The same in every place that [`add`](StoreKeys::add) works.
    pub async fn promote(&self, store: &dyn Store, id: KeyId, now: Timestamp) -> Result<()> {
        self.change(store, now, |keyset, _| keyset.promote(id)).await
    }

    /// Learns what others changed: reads the keys again from where they are kept.
    pub async fn reload(&self, store: &dyn Store) -> Result<()> {
        let (header, _) = load(store).await?;
        let Some((keyset, _)) = self.kept(&header).await? else { return Ok(()) };
        self.sealer.replace(&keyset)
    }

    /// Takes a key out everywhere. The caller has seen that nothing is sealed under it.
    pub(crate) async fn remove(&self, store: &dyn Store, id: KeyId, now: Timestamp) -> Result<()> {
        self.change(store, now, |keyset, header| {
            // Where it is gone from the one, an earlier removal was cut short before it reached the other.
            if keyset.contains(id) {
                keyset.remove(id)?;
            }
            header.info.keys.retain(|key| key.id != id);
            Ok(())
        })
        .await
    }

    /// The live seal.
    pub fn sealer(&self) -> &Arc<Sealer> {
        &self.sealer
    }

    /// Refuses early what [`StoreKeys::remove`] would refuse, and a key that nothing knows. One that only the header still
    /// lists may go: its removal was cut short, or its bytes are lost and nothing needs them.
    pub(crate) async fn check_removable(&self, store: &dyn Store, id: KeyId) -> Result<()> {
        let mut keyset = self.sealer.keyset();
        if keyset.contains(id) {
            return keyset.remove(id);
        }
        let (header, _) = load(store).await?;
        match header.info.keys.iter().find(|key| key.id == id) {
            Some(key) if key.primary => Err(primary_elsewhere(id)),
            Some(_) => Ok(()),
            None => Err(keyset::missing(id, "retire key")),
        }
    }

    /// Applies `change`, which may run several times, to the kept keyset and the header; the header lists the keyset afterwards.
    async fn change(
        &self,
        store: &dyn Store,
        now: Timestamp,
        change: impl Fn(&mut Keyset, &mut Header) -> Result<()>,
    ) -> Result<()> {
        for _ in 0..ATTEMPTS {
            match self.try_change(store, now, &change).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                done => return done,
            }
        }
        Err(Error::new(
            ErrorKind::Conflict,
            "change keys",
            "others keep changing the keys; retry when they are done",
        ))
    }

    async fn try_change(
        &self,
        store: &dyn Store,
        now: Timestamp,
        change: impl Fn(&mut Keyset, &mut Header) -> Result<()>,
    ) -> Result<()> {
        let (mut header, version) = load(store).await?;
        let (mut keyset, text) = self.kept(&header).await?.ok_or_else(kept_by_caller)?;
        change(&mut keyset, &mut header)?;
        match &self.origin {
            Origin::Given => return Err(kept_by_caller()),
            Origin::Header(wrapping) => {
                header.wrapped = Some(wrapping.wrap(&keyset, header.info.id, &*self.random)?);
            }
            Origin::Provider(provider) => {
                let (old, new) = (text.unwrap_or_default(), keyset.to_text());
                if *old != *new {
                    provider.replace(header.info.id, &old, &new).await?;
                }
            }
        }
        header.list(&keyset);
        header.save(store, Guard::Version(version), now).await?;
        self.sealer.replace(&keyset)
    }

    /// The keyset where it is kept, and its text where a provider keeps it. `None` when only the caller has it.
    async fn kept(&self, header: &Header) -> Result<Option<(Keyset, Option<crate::KeyText>)>> {
        match &self.origin {
            Origin::Given => Ok(None),
            Origin::Header(wrapping) => {
                let wrapped = header.wrapped.as_ref().ok_or_else(|| unlock::missing(header))?;
                Ok(Some((wrapping.unwrap(wrapped, header.info.id)?, None)))
            }
            Origin::Provider(provider) => {
                let (text, keyset) = unlock::read(&**provider, header).await?;
                Ok(Some((keyset, Some(text))))
            }
        }
    }
}

impl fmt::Debug for StoreKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreKeys")
            .field("origin", &self.origin)
            .field("keys", &self.list())
            .finish_non_exhaustive()
    }
}

/// The header, which a store that was opened has.
pub(crate) async fn load(store: &dyn Store) -> Result<(Header, strata_core::Version)> {
    Header::load(store).await?.ok_or_else(|| {
        Error::new(
            ErrorKind::Foreign,
            "change keys",
            "the store's header is gone; restore it from a backup before any key is changed",
        )
        .in_store(store)
    })
}

#[cold]
fn primary_elsewhere(id: KeyId) -> Error {
    Error::new(
        ErrorKind::Invalid,
        "retire key",
        format!(
            "the store's header still calls key {id} the primary one; promote the key that is to stay, then retire this"
        ),
    )
}

#[cold]
fn kept_by_caller() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "change keys",
        "the keys are kept by the caller; change the keyset there and open the store with it, or keep it in a file",
    )
}
