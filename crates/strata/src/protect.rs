//! Whether values are sealed, and with what: [`Protect`], as the caller says it, becomes [`Protected`] when the store opens.

use std::sync::Arc;

use strata_core::{
    Error, ErrorKind, Key, KeyPrefix, Listing, Random, Result, Scan, Seal, Select, Store, Timestamp,
};

use crate::engine::Engine;

/// What the caller said about encryption. Nothing is assumed.
#[derive(Debug)]
pub(crate) enum Protect {
    Unsaid,
    Plaintext,
    /// The engine guards values by itself.
    Engine,
    #[cfg(feature = "crypto")]
    Keys(Box<strata_crypto::Keys>),
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Protected {
    pub(crate) seal: Option<Arc<dyn Seal>>,
    #[cfg(feature = "crypto")]
    pub(crate) keys: Option<strata_crypto::StoreKeys>,
    #[cfg(feature = "crypto")]
    pub(crate) report: Option<strata_crypto::KeyReport>,
}

impl Protect {
    /// What holds for an engine that guards values by itself. Whatever else was said would be a second lock, or none.
    pub(crate) fn by_engine(self) -> Result<Self> {
        match self {
            Self::Unsaid | Self::Engine => Ok(Self::Engine),
            _ => Err(Error::new(
                ErrorKind::Invalid,
                "open",
                "a keyring guards its values by itself; leave out `.keys(…)` and `.plaintext()`",
            )),
        }
    }

    /// Reads or writes the store's header and obtains the keys.
    pub(crate) async fn open(
        self,
        engine: &Engine,
        random: &Arc<dyn Random>,
        now: Timestamp,
    ) -> Result<Protected> {
        match self {
            Self::Unsaid => Err(Error::new(
                ErrorKind::Invalid,
                "open",
                "nothing was said about encryption; give `.keys(…)`, such as `Keys::auto()?`, or ask for `.plaintext()`",
            )),
            Self::Plaintext => plaintext(engine, random, now).await,
            Self::Engine => Ok(Protected::default()),
            #[cfg(feature = "crypto")]
            Self::Keys(keys) => sealed(*keys, engine, random, now).await,
        }
    }
}

/// Refuses a store that has no header, and so is not bound to keys or to plaintext yet. Writes nothing.
pub(crate) async fn check_begun(engine: &Engine) -> Result<()> {
    let store = engine.store();
    if store.get(&Key::system("header")?).await?.is_some() {
        return Ok(());
    }
    let (kind, message) = if holds_records(&*store).await? {
        (ErrorKind::Foreign, "there are records but no header; restore it from a backup")
    } else {
        (
            ErrorKind::Gone,
            "the store was not begun; open it once without `existing`, with the keys it is to have",
        )
    };
    Err(Error::new(kind, "open", message).in_store(store))
}

/// Whether there is any record, dead ones included. A store that cannot be walked is taken for empty.
async fn holds_records(store: &dyn Store) -> Result<bool> {
    if store.capabilities().listing == Listing::None {
        return Ok(false);
    }
    let mut scan = Scan::new(Select::Prefix(KeyPrefix::all()), 1);
    loop {
        let page = store.scan(scan.clone()).await?;
        match page.next {
            // An empty page may have others behind it.
            Some(next) if page.entries.is_empty() => scan.after = Some(next),
            _ => return Ok(!page.entries.is_empty()),
        }
    }
}

/// Records or finds in the header that the store is not encrypted. Without the feature `crypto` headers can't be read, so a
/// store that has one is refused.
async fn plaintext(engine: &Engine, random: &Arc<dyn Random>, now: Timestamp) -> Result<Protected> {
    let store = engine.store();
    #[cfg(feature = "crypto")]
    strata_crypto::open_plaintext(&*store, &**random, now).await?;
    if cfg!(feature = "crypto") {
        return Ok(Protected::default());
    }
    let _ = (random, now);
    refuse_header(&*store).await.map(|()| Protected::default())
}

async fn refuse_header(store: &dyn Store) -> Result<()> {
    match store.get(&Key::system("header")?).await? {
        None => Ok(()),
        Some(_) => Err(Error::new(
            ErrorKind::Unsupported,
            "open",
            "the store may be encrypted, which this program can't tell; build it with the feature `crypto`",
        )
        .in_store(store)),
    }
}

/// Obtains the keys on a thread for blocking work: a passphrase is stretched for 150 ms or more.
#[cfg(all(feature = "crypto", not(target_arch = "wasm32")))]
async fn sealed(
    keys: strata_crypto::Keys,
    engine: &Engine,
    random: &Arc<dyn Random>,
    now: Timestamp,
) -> Result<Protected> {
    let (store, random) = (engine.store(), Arc::clone(random));
    let folder = engine.folder().map(std::path::Path::to_owned);
    let runtime = tokio::runtime::Handle::try_current();
    let opened = crate::engine::blocking(move || {
        // `blocking` has found a runtime before it runs this.
        let runtime = runtime.expect("a runtime");
        runtime.block_on(strata_crypto::open(&*store, keys, folder.as_deref(), random, now))
    })
    .await??;
    Ok(Protected { seal: Some(opened.sealer), keys: Some(opened.keys), report: Some(opened.report) })
}

/// Obtains the keys here: there is one thread.
#[cfg(all(feature = "crypto", target_arch = "wasm32"))]
async fn sealed(
    keys: strata_crypto::Keys,
    engine: &Engine,
    random: &Arc<dyn Random>,
    now: Timestamp,
) -> Result<Protected> {
    let opened = strata_crypto::open(&*engine.store(), keys, None, Arc::clone(random), now).await?;
    Ok(Protected { seal: Some(opened.sealer), keys: Some(opened.keys), report: Some(opened.report) })
}
