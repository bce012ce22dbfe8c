//! The umbrella over a keyring: values it guards by itself, keys it keeps for a store on disk, fallbacks that are said and seen. The
//! keyrings here are in memory; a real one is in `tests/secret_service.rs`.
#![cfg(all(
    feature = "keyring",
    feature = "memory",
    feature = "sled",
    feature = "crypto",
    feature = "ttl",
    feature = "session"
))]

mod keyset;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use strata::crypto::FileKeys;
use strata::keyring::keyring_core::{CredentialStore, mock};
use strata::session::{SessionKind, Sessions};
use strata::{
    Builder, Durability, ErrorKind, KeyId, KeyProvider, KeyText, KeyringConfig, KeyringKeys, Keys,
    Protection, ReferenceStore, Span, StoreId,
};

/// A fresh keyring in memory, and entries of one service in it.
fn mock() -> KeyringConfig {
    let store: Arc<CredentialStore> = mock::Store::new().expect("a keyring in memory");
    KeyringConfig::new("umbrella").platform("mock", store)
}

fn over(config: &KeyringConfig) -> Builder {
    strata::builder().keyring_with(config.clone())
}

#[tokio::test]
async fn values_are_the_keyrings_to_guard_and_there_after_reopening() {
    let config = mock();
    let db = over(&config).open().await.expect("open");
    db.set("token", &"hunter2".to_owned()).ttl(1.hours()).await.expect("set");
    let report = db.report();
    assert_eq!((report.protection, report.durability), (Protection::OsKeyring, Durability::Process));
    assert!(
        report.keys.is_none() && report.instead.is_none() && db.seal().is_none(),
        "sealed once, by the keyring"
    );
    assert_eq!(report.store, "keyring(mock, umbrella)");
    assert!(report.sweeps.is_none(), "what cannot be listed cannot be swept");
    assert_eq!(db.sweep().await.expect_err("no listing").kind(), ErrorKind::Unsupported);
    db.close().await.expect("close");
    let db = over(&config).require(Protection::OsKeyring).open().await.expect("open again");
    assert_eq!(db.get::<String>("token").await.expect("get").as_deref(), Some("hunter2"));
    assert!(db.keys("*").next().await.is_some_and(|key| key.is_err()), "no listing");
}

#[tokio::test]
async fn secure_sessions_live_in_a_keyring() {
    let db = over(&mock()).open().await.expect("open");
    let sessions = Sessions::builder(&db).kind(SessionKind::Secure).build().expect("secure enough");
    let (token, session) = sessions.create().await.expect("create");
    session.set("refresh", &"secret".to_owned()).await.expect("set");
    let session = sessions.open(&token).await.expect("open").expect("there");
    assert_eq!(session.get::<String>("refresh").await.expect("get").as_deref(), Some("secret"));
    session.destroy().await.expect("destroy");
    assert!(sessions.open(&token).await.expect("open").is_none());
}

#[tokio::test]
async fn a_second_lock_and_no_lock_are_both_refused() {
    let key = [7; 31].into_iter().chain([8]).collect::<Vec<u8>>().try_into().expect("32 bytes");
    for builder in [over(&mock()).plaintext(), over(&mock()).keys(Keys::bytes(&key).expect("a key"))] {
        let error = builder.open().await.map(drop).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("leave out"), "{error}");
    }
    let error =
        strata::builder().memory().or_memory().plaintext().open().await.map(drop).expect_err("no keyring");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("`.or_memory()` is said of a keyring"), "{error}");
}

#[tokio::test]
async fn a_keyring_that_is_there_is_used_where_memory_would_do() {
    let db = over(&mock()).or_memory().open().await.expect("open");
    assert_eq!(db.report().protection, Protection::OsKeyring);
    assert!(db.report().instead.is_none());
}

#[tokio::test]
async fn large_values_are_kept_elsewhere_and_the_keyring_guards_them() {
    let other = Arc::new(ReferenceStore::new());
    let config = mock().max_entry(2560).overflow(other);
    let db = over(&config).open().await.expect("open");
    let large = "x".repeat(100_000);
    db.set("large", &large).await.expect("set");
    assert_eq!(db.get::<String>("large").await.expect("get"), Some(large));
    assert_eq!(db.report().protection, Protection::OsKeyring);
    assert_eq!(db.report().store, "keyring(mock, umbrella) over reference");
}

#[tokio::test]
async fn keys_of_a_store_on_disk_are_kept_in_the_keyring_and_looked_for_nowhere_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let keyring: Arc<dyn KeyProvider> = Arc::new(KeyringKeys::new(mock()).expect("a configuration"));
    let files: Arc<dyn KeyProvider> = Arc::new(FileKeys::in_folder(folder.path().join("keys")));
    let open = |places: &[&Arc<dyn KeyProvider>]| {
        let places: Vec<_> = places.iter().map(|place| Arc::clone(*place)).collect();
        strata::builder().sled(folder.path().join("data")).keys(Keys::first_of(places)).open()
    };
    let db = open(&[&keyring, &files]).await.expect("open");
    let keys = db.report().keys.expect("keys");
    assert!(keys.created && keys.provider == "os-keyring", "{keys}");
    assert_eq!(db.report().protection, Protection::OsKeyring);
    assert!(
        keys.place.as_ref().is_some_and(|place| place.starts_with("mock, entry `~strata:keys:")),
        "{keys}"
    );
    assert!(!folder.path().join("keys").exists(), "no file was made");
    db.set("a", &1_u32).await.expect("set");
    db.close().await.expect("close");
    // Files first, and the header still decides; without the keyring it is not opened at all.
    let db = open(&[&files, &keyring]).await.expect("open again");
    assert_eq!(db.get::<u32>("a").await.expect("get"), Some(1));
    db.close().await.expect("close");
    let error = open(&[&files]).await.map(drop).expect_err("its keys are in the keyring");
    assert_eq!(error.kind(), ErrorKind::MissingKey);
    assert!(error.to_string().contains("os-keyring"), "{error}");
    // Another keyring has not these keys, and none are drawn for a store that has some.
    let empty: Arc<dyn KeyProvider> = Arc::new(KeyringKeys::new(mock()).expect("a configuration"));
    let error = open(&[&empty, &files]).await.map(drop).expect_err("not in this one");
    assert_eq!(error.kind(), ErrorKind::MissingKey, "{error}");
    assert!(!folder.path().join("keys").exists());
}

#[tokio::test]
async fn s28_a_keyset_lives_in_a_keyring_from_its_first_key_to_its_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let keyring = KeyringKeys::new(mock()).expect("a configuration");
    keyset::lives(Arc::new(keyring), &folder.path().join("data")).await;
}

/// A keyring whose `nth` call from now fails, and goes on after that.
#[derive(Debug)]
struct Failing {
    inner: KeyringKeys,
    /// How many calls are still to come before it fails; below zero: none does.
    left: AtomicI64,
    /// Whether the call is made, and only its answer lost.
    made: bool,
}

impl Failing {
    async fn call<T>(&self, work: impl Future<Output = strata::Result<T>>) -> strata::Result<T> {
        let fails = self.left.fetch_sub(1, Ordering::SeqCst) == 1;
        let done = if fails && !self.made { None } else { Some(work.await) };
        match done {
            Some(done) if !fails => done,
            _ => Err(strata::Error::new(ErrorKind::Unavailable, "call keyring", "it is away; retry")),
        }
    }
}

#[async_trait::async_trait]
impl KeyProvider for Failing {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn protection(&self) -> Protection {
        self.inner.protection()
    }

    fn place(&self, store: StoreId) -> String {
        self.inner.place(store)
    }

    fn check_apart(&self, store: StoreId, data: &std::path::Path) -> strata::Result<()> {
        self.inner.check_apart(store, data)
    }

    async fn load(&self, store: StoreId) -> strata::Result<Option<KeyText>> {
        self.call(self.inner.load(store)).await
    }

    async fn create(&self, store: StoreId, text: &str) -> strata::Result<()> {
        self.call(self.inner.create(store, text)).await
    }

    async fn replace(&self, store: StoreId, old: &str, new: &str) -> strata::Result<()> {
        self.call(self.inner.replace(store, old, new)).await
    }

    async fn discard(&self, store: StoreId) -> strata::Result<()> {
        self.call(self.inner.discard(store)).await
    }
}

/// The changes that lead from one key to another, in this order.
const CHANGES: [&str; 3] = ["add", "promote", "retire"];

/// Makes one of them, on the way from the key `old`, or finds it made.
async fn change(db: &strata::Strata, name: &str, old: KeyId) -> strata::Result<()> {
    let (keys, store, now) = (db.keyset().expect("keys"), &**db.store(), db.clock().now());
    let new = keys.list().iter().map(|key| key.id).find(|id| *id != old);
    match (name, new) {
        ("add", None) => keys.add(store, now).await.map(drop),
        ("promote", Some(new)) => keys.promote(store, new, now).await,
        ("retire", Some(_)) => {
            keys.rekey(db.handle(), |_| ()).await?;
            keys.retire(db.handle(), old).await.map(drop)
        }
        _ => Ok(()),
    }
}

#[tokio::test]
async fn s35_a_keyring_that_goes_away_in_any_step_of_a_change_of_keys_loses_nothing() {
    let mut failed = 0;
    for made in [false, true] {
        for (at, name) in CHANGES.iter().enumerate() {
            for nth in 1.. {
                let folder = tempfile::tempdir().expect("a folder");
                let inner = KeyringKeys::new(mock()).expect("a configuration");
                let keyring = Arc::new(Failing { inner, left: AtomicI64::new(0), made });
                let open = || {
                    let keys = Keys::provider(Arc::clone(&keyring) as Arc<dyn KeyProvider>);
                    strata::builder().sled(folder.path().join("data")).keys(keys).without_sweeper().open()
                };
                let db = open().await.expect("open");
                db.set("a", &1_u32).await.expect("set");
                let old = db.keyset().expect("keys").list()[0].id;
                for before in &CHANGES[..at] {
                    change(&db, before, old).await.expect("before");
                }
                keyring.left.store(nth, Ordering::SeqCst);
                let done = change(&db, name, old).await;
                if keyring.left.swap(0, Ordering::SeqCst) > 0 {
                    done.expect("nothing failed");
                    break;
                }
                failed += 1;
                assert_eq!(done.expect_err("a call failed").kind(), ErrorKind::Unavailable);
                assert_eq!(db.get::<u32>("a").await.expect("still open"), Some(1));
                db.set("b", &2_u32).await.expect("still open");
                db.close().await.expect("close");
                let db = open().await.expect("open again");
                for after in &CHANGES[at..] {
                    change(&db, after, old).await.expect("made, or finished");
                }
                assert_eq!(db.keyset().expect("keys").list().len(), 1, "{name} at {nth}");
                db.close().await.expect("close");
                let db = open().await.expect("open once more");
                assert!(db.report().keys.is_some_and(|keys| keys.missing.is_empty()));
                for (key, value) in [("a", 1_u32), ("b", 2)] {
                    assert_eq!(db.get::<u32>(key).await.expect("it opens"), Some(value), "{name} at {nth}");
                }
            }
        }
    }
    // Each change reads, then replaces; each fails in two ways.
    assert_eq!(failed, 2 * 3 * 2);
}
