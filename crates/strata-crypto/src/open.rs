//! Opening a store: [`open`] with keys, [`open_plaintext`] without, and what they tell, [`Opened`] and [`KeyReport`].

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use strata_core::{
    Envelope, Error, ErrorKind, Guard, KeyId, KeyPrefix, Listing, Protection, Random, Result, Scan, Select,
    Store, StoreId, Timestamp, Version,
};

use crate::header::{self, Header};
use crate::keys::Keys;
use crate::keyset::{KeyInfo, Keyset};
use crate::random::draw;
use crate::sealer::Sealer;
use crate::store_keys::StoreKeys;
use crate::unlock::{self, Origin, Unlocked};

/// How often an opener looks again after another one changed the header.
const ATTEMPTS: usize = 8;

/// A store's seal, its keys, and where they came from.
#[derive(Debug)]
pub struct Opened {
    /// What the handle seals with.
    pub sealer: Arc<Sealer>,
    /// The keys, to be changed.
    pub keys: StoreKeys,
    /// What to tell the user.
    pub report: KeyReport,
}

/// How a store was opened. Printed, it is one line for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyReport {
    /// The store's name.
    pub store: StoreId,
    /// How its records are protected.
    pub protection: Protection,
    /// Who keeps the keys; empty for plaintext.
    pub provider: String,
    /// Where: a path, a variable. `None` where there is no such place.
    pub place: Option<String>,
    /// Whether the store was fresh.
    pub fresh: bool,
    /// Whether its keys were drawn now, and so exist nowhere else yet.
    pub created: bool,
    /// The keys that are here.
    pub keys: Vec<KeyInfo>,
    /// Keys the store may have records under that were not given. Reading such a record is [`ErrorKind::MissingKey`].
    pub missing: Vec<KeyId>,
}

/// Opens `store` encrypted: checks `keys` against the store's header, or writes the header of a fresh one. `data` is the folder the
/// store's data lies in, if it does; key files inside are refused.
///
/// When it returns, fresh keys are on disk (or wherever their provider keeps them) and the header is as durable as the store can
/// make it, up to surviving the process. When two open a fresh store at once, one header wins and both use it.
///
/// # Errors
/// [`ErrorKind::MissingKey`]: none of the store's keys was given; the message names who keeps them. [`ErrorKind::WrongKey`]: a key or
/// passphrase is not the store's. [`ErrorKind::Downgrade`]: the store is plaintext, or the keys are guarded by less than was required.
/// [`ErrorKind::Foreign`]: there are records but no header. [`ErrorKind::Corrupt`], [`ErrorKind::Newer`]: the header. Nothing is ever
/// deleted.
pub async fn open(
    store: &dyn Store,
    keys: Keys,
    data: Option<&Path>,
    random: Arc<dyn Random>,
    now: Timestamp,
) -> Result<Opened> {
    for _ in 0..ATTEMPTS {
        let opened = match Header::load(store).await? {
            Some((header, version)) => resume(store, &keys, data, &random, now, header, version).await,
            None if is_used(store).await? => Err(foreign()),
            None => begin(store, &keys, data, &random, now).await,
        };
        match opened {
            // Somebody else wrote the header; theirs holds. A header may also have come between two looks.
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) if error.kind() == ErrorKind::Foreign && Header::load(store).await?.is_some() => {}
            done => return done.map_err(|error| error.in_store(store)),
        }
    }
    Err(contended().in_store(store))
}

/// Opens `store` without encryption: checks that it is a plaintext store, or marks a fresh one as such, so that no later open
/// takes it for anything else.
///
/// # Errors
/// [`ErrorKind::MissingKey`]: the store is encrypted; the message names who keeps its keys. [`ErrorKind::Foreign`]: it has sealed
/// records but no header.
pub async fn open_plaintext(store: &dyn Store, random: &dyn Random, now: Timestamp) -> Result<KeyReport> {
    for _ in 0..ATTEMPTS {
        if let Some((header, _)) = Header::load(store).await? {
            if header.is_sealed() {
                return Err(unlock::missing(&header).in_store(store));
            }
            return Ok(KeyReport::plaintext(header.info.id, false));
        }
        if holds_sealed(store).await? {
            return Err(foreign().in_store(store));
        }
        let header = Header::plaintext(StoreId::new(draw(random)?));
        match header.save(store, Guard::Absent, now).await {
            Ok(()) => return Ok(KeyReport::plaintext(header.info.id, true)),
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error),
        }
    }
    Err(contended().in_store(store))
}

impl KeyReport {
    fn plaintext(store: StoreId, fresh: bool) -> Self {
        Self {
            store,
            protection: Protection::Plaintext,
            provider: String::new(),
            place: None,
            fresh,
            created: false,
            keys: Vec::new(),
            missing: Vec::new(),
        }
    }

    fn sealed(header: &Header, unlocked: &Unlocked, fresh: bool) -> Self {
        let missing = header.info.keys.iter().map(|key| key.id).filter(|id| !unlocked.keyset.contains(*id));
        Self {
            store: header.info.id,
            protection: unlocked.origin.protection(),
            provider: unlocked.origin.name().to_owned(),
            place: unlocked.origin.place(header.info.id),
            fresh,
            created: unlocked.created,
            keys: unlocked.keyset.list(),
            missing: missing.collect(),
        }
    }
}

impl fmt::Display for KeyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(primary) = self.keys.iter().find(|key| key.primary) else {
            return f.write_str("not encrypted");
        };
        write!(f, "encrypted under key {} ({}", primary.id, self.provider)?;
        if let Some(place) = &self.place {
            write!(f, ": {place}")?;
        }
        f.write_str(if self.created { ", drawn now: keep a copy, without it the data is lost)" } else { ")" })
    }
}

/// Makes a fresh store's header. The keys are durable before it; if another opener's header is there first, fresh keys that only
/// this one could have used are taken back.
async fn begin(
    store: &dyn Store,
    keys: &Keys,
    data: Option<&Path>,
    random: &Arc<dyn Random>,
    now: Timestamp,
) -> Result<Opened> {
    let id = StoreId::new(draw(&**random)?);
    let unlocked = unlock::begin(&keys.source, keys.least, id, data, &**random, now).await?;
    check_guarded(&unlocked.origin, keys.least)?;
    let mut header = Header::plaintext(id);
    header.info.protection = unlocked.origin.protection();
    unlocked.origin.name().clone_into(&mut header.info.provider);
    header.wrapped.clone_from(&unlocked.wrapped);
    header.list(&unlocked.keyset);
    if let Err(error) = header.save(store, Guard::Absent, now).await {
        // An unclear failure may have stored the header: only a lost race proves that nobody needs the keys.
        if error.kind() == ErrorKind::Conflict
            && unlocked.created
            && let Origin::Provider(provider) = &unlocked.origin
        {
            provider.discard(id).await?;
        }
        return Err(error);
    }
    finish(keys, random, &header, unlocked, true)
}

/// Checks the keys against the header, and lists those in it that are new.
async fn resume(
    store: &dyn Store,
    keys: &Keys,
    data: Option<&Path>,
    random: &Arc<dyn Random>,
    now: Timestamp,
    mut header: Header,
    version: Version,
) -> Result<Opened> {
    if !header.is_sealed() {
        return Err(Error::new(
            ErrorKind::Downgrade,
            "open store",
            "keys were given, but the store is plaintext; open it as plaintext by name, or export it into a new encrypted store",
        ));
    }
    let unlocked = unlock::resume(&keys.source, &header, data).await?;
    check_guarded(&unlocked.origin, keys.least)?;
    if news(&header, &unlocked.keyset) {
        header.list(&unlocked.keyset);
        header.save(store, Guard::Version(version), now).await?;
    }
    finish(keys, random, &header, unlocked, false)
}

/// Whether the keyset has a key that the header does not list. A change of primary alone is written by whoever promotes.
fn news(header: &Header, keyset: &Keyset) -> bool {
    keyset.entries().iter().any(|entry| header.info.keys.iter().all(|key| key.id != entry.id))
}

fn finish(
    keys: &Keys,
    random: &Arc<dyn Random>,
    header: &Header,
    unlocked: Unlocked,
    fresh: bool,
) -> Result<Opened> {
    let report = KeyReport::sealed(header, &unlocked, fresh);
    let sealer = Sealer::new(unlocked.keyset, keys.nonces, report.protection, Arc::clone(random))?;
    let sealer = Arc::new(sealer);
    let keys = StoreKeys::new(Arc::clone(&sealer), unlocked.origin, Arc::clone(random));
    Ok(Opened { sealer, keys, report })
}

fn check_guarded(origin: &Origin, least: Protection) -> Result<()> {
    if origin.protection() >= least {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Downgrade,
        "open store",
        format!(
            "the keys are kept by `{}`, which guards less than was required; require less, or move them",
            origin.name()
        ),
    ))
}

/// Whether there is any record, dead ones included. A store that cannot be walked is taken for fresh.
async fn is_used(store: &dyn Store) -> Result<bool> {
    any(store, 1, |_| true).await
}

/// Whether one of the first records is sealed.
async fn holds_sealed(store: &dyn Store) -> Result<bool> {
    any(store, 64, Envelope::is_sealed).await
}

async fn any(store: &dyn Store, limit: usize, is: impl Fn(&[u8]) -> bool) -> Result<bool> {
    if store.capabilities().listing == Listing::None {
        return Ok(false);
    }
    let mut scan = Scan::new(Select::Prefix(KeyPrefix::all()), limit);
    loop {
        let page = store.scan(scan.clone()).await?;
        if page.entries.iter().any(|(_, record)| is(record.payload.as_bytes())) {
            return Ok(true);
        }
        // An empty page may have others behind it.
        match page.next {
            Some(next) if page.entries.is_empty() => scan.after = Some(next),
            _ => return Ok(false),
        }
    }
}

#[cold]
fn foreign() -> Error {
    Error::new(
        ErrorKind::Foreign,
        "open store",
        format!(
            "there are records but no header `{}`: it was removed, or the store is not ours; restore it from a backup, or open an empty store",
            header::NAME
        ),
    )
}

#[cold]
fn contended() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "open store",
        "the store's header keeps changing; retry when key changes are done",
    )
}
