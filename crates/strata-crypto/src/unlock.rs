//! From a source of keys to a keyset, for a fresh store or against the header of one that is there: [`Unlocked`], [`Origin`].

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use strata_core::{
    Error, ErrorKind, KeyId, KeyProvider, KeyText, Protection, Random, Result, StoreId, Timestamp,
};

use crate::header::Header;
use crate::keys::Source;
use crate::keyset::{KeyInfo, Keyset};
use crate::master::MasterKey;
use crate::passphrase::{Wrapped, Wrapping};
use crate::random::draw;
use crate::text::Material;

/// Where a store's keyset is kept, and so where it can be changed.
pub(crate) enum Origin {
    /// With the caller.
    Given,
    /// In the header.
    Header(Wrapping),
    /// There.
    Provider(Arc<dyn KeyProvider>),
}

/// A keyset and where it came from.
pub(crate) struct Unlocked {
    pub(crate) keyset: Keyset,
    pub(crate) origin: Origin,
    /// Whether its keys were drawn just now.
    pub(crate) created: bool,
    /// What the header of a fresh store keeps of it.
    pub(crate) wrapped: Option<Wrapped>,
}

impl Origin {
    /// The name that headers keep.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Header(_) => "passphrase",
            Self::Provider(provider) => provider.name(),
        }
    }

    /// What guards the keys.
    pub(crate) fn protection(&self) -> Protection {
        match self {
            Self::Given | Self::Header(_) => Protection::Sealed,
            Self::Provider(provider) => provider.protection(),
        }
    }

    /// Where exactly, where that can be said.
    pub(crate) fn place(&self, store: StoreId) -> Option<String> {
        match self {
            Self::Given | Self::Header(_) => None,
            Self::Provider(provider) => Some(provider.place(store)),
        }
    }
}

impl Unlocked {
    fn found(keyset: Keyset, origin: Origin) -> Self {
        Self { keyset, origin, created: false, wrapped: None }
    }
}

/// The keys of a fresh store: those that are given or found, else fresh ones where they can be kept.
pub(crate) async fn begin(
    source: &Source,
    least: Protection,
    id: StoreId,
    data: Option<&Path>,
    random: &dyn Random,
    now: Timestamp,
) -> Result<Unlocked> {
    match source {
        Source::Bare(master) => {
            named(master, random, now).map(|keyset| Unlocked::found(keyset, Origin::Given))
        }
        Source::Given(keyset) => Ok(Unlocked::found(keyset.clone(), Origin::Given)),
        Source::Passphrase(passphrase) => {
            let keyset = Keyset::generate(random, now)?;
            let wrapping = passphrase.begin(random)?;
            let wrapped = Some(wrapping.wrap(&keyset, id, random)?);
            Ok(Unlocked { keyset, origin: Origin::Header(wrapping), created: true, wrapped })
        }
        Source::Providers(providers) => {
            let mut passed = None;
            for provider in providers.iter().filter(|provider| provider.protection() >= least) {
                match first(provider, id, data, random, now).await {
                    Err(error) if error.kind() == ErrorKind::Unsupported => passed = Some(error),
                    done => return done,
                }
            }
            Err(nowhere(passed))
        }
    }
}

/// What `provider` has for a fresh store, or a fresh keyset that it now keeps.
async fn first(
    provider: &Arc<dyn KeyProvider>,
    id: StoreId,
    data: Option<&Path>,
    random: &dyn Random,
    now: Timestamp,
) -> Result<Unlocked> {
    if let Some(data) = data {
        provider.check_apart(id, data)?;
    }
    let origin = Origin::Provider(Arc::clone(provider));
    if let Some(text) = provider.load(id).await? {
        let keyset = match Material::parse(&text)? {
            Material::Keyset(keyset) => keyset,
            Material::Bare(master) => named(&master, random, now)?,
        };
        return Ok(Unlocked::found(keyset, origin));
    }
    let keyset = Keyset::generate(random, now)?;
    provider.create(id, &keyset.to_text()).await?;
    Ok(Unlocked { keyset, origin, created: true, wrapped: None })
}

/// The keys of a store that is there. Nothing is created, and no other place than the header's is asked where several are offered.
pub(crate) async fn resume(source: &Source, header: &Header, data: Option<&Path>) -> Result<Unlocked> {
    match source {
        Source::Bare(master) => Ok(Unlocked::found(identified(master, header)?, Origin::Given)),
        Source::Given(keyset) => {
            verified(keyset.clone(), header).map(|keyset| Unlocked::found(keyset, Origin::Given))
        }
        Source::Passphrase(passphrase) => {
            let wrapped = header.wrapped.as_ref().ok_or_else(|| missing(header))?;
            let (wrapping, keyset) = passphrase.unlock(wrapped, header.info.id)?;
            Ok(Unlocked::found(verified(keyset, header)?, Origin::Header(wrapping)))
        }
        Source::Providers(providers) => {
            let provider = chosen(providers, header)?;
            if let Some(data) = data {
                provider.check_apart(header.info.id, data)?;
            }
            let (_, keyset) = read(&**provider, header).await?;
            Ok(Unlocked::found(keyset, Origin::Provider(Arc::clone(provider))))
        }
    }
}

/// What `provider` has for the store of `header`, as text and as the keyset it stands for.
pub(crate) async fn read(provider: &dyn KeyProvider, header: &Header) -> Result<(KeyText, Keyset)> {
    let Some(text) = provider.load(header.info.id).await? else {
        let place = provider.place(header.info.id);
        return Err(missing(header).because(format!("there is no key at {place}")));
    };
    let keyset = match Material::parse(&text)? {
        Material::Keyset(keyset) => verified(keyset, header)?,
        Material::Bare(master) => identified(&master, header)?,
    };
    Ok((text, keyset))
}

/// A single place was named by the caller and may have been moved to; of several, only the header's.
fn chosen<'p>(providers: &'p [Arc<dyn KeyProvider>], header: &Header) -> Result<&'p Arc<dyn KeyProvider>> {
    match providers {
        [provider] => Ok(provider),
        many => many
            .iter()
            .find(|provider| provider.name() == header.info.provider)
            .ok_or_else(|| missing(header)),
    }
}

/// A lone key of a fresh store, with an id.
fn named(master: &MasterKey, random: &dyn Random, now: Timestamp) -> Result<Keyset> {
    let id = KeyId::new(u32::from_le_bytes(draw(random)?));
    Ok(Keyset::of(id, master.clone(), now))
}

/// A lone key, by the id that the header has for it.
fn identified(master: &MasterKey, header: &Header) -> Result<Keyset> {
    let check = master.check();
    let key = header.info.keys.iter().find(|key| key.check == check);
    key.map(|key| Keyset::of(key.id, master.clone(), key.created)).ok_or_else(|| wrong(header))
}

/// The keyset, if no key of it is another than the header's of that id and at least one is the header's.
fn verified(keyset: Keyset, header: &Header) -> Result<Keyset> {
    let given = keyset.list();
    let same =
        |key: &KeyInfo| given.iter().find(|given| given.id == key.id).map(|given| given.check == key.check);
    let verdicts: Vec<Option<bool>> = header.info.keys.iter().map(same).collect();
    if verdicts.contains(&Some(false)) {
        return Err(wrong(header));
    }
    if verdicts.contains(&Some(true)) { Ok(keyset) } else { Err(missing(header)) }
}

/// No key of the store, and who has them.
#[cold]
pub(crate) fn missing(header: &Header) -> Error {
    let primary = header.info.keys.iter().find(|key| key.primary).map_or(KeyId::new(0), |key| key.id);
    let provider = &header.info.provider;
    Error::new(
        ErrorKind::MissingKey,
        "open store",
        format!(
            "the store is sealed under key {primary}, kept by `{provider}`; open it with that, or restore the key"
        ),
    )
}

#[cold]
fn wrong(header: &Header) -> Error {
    let provider = &header.info.provider;
    Error::new(
        ErrorKind::WrongKey,
        "open store",
        format!("the key that was given is not this store's, which `{provider}` keeps; give that one"),
    )
}

#[cold]
fn nowhere(passed: Option<Error>) -> Error {
    let error = Error::new(
        ErrorKind::MissingKey,
        "open store",
        "there is no key for this new store, and no place that could keep a fresh one under the protection asked for; \
         give a key, or allow a key file",
    );
    match passed {
        Some(passed) => error.because(passed),
        None => error,
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
