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

use std::sync::Arc;

use strata::crypto::FileKeys;
use strata::keyring::keyring_core::{CredentialStore, mock};
use strata::session::{SessionKind, Sessions};
use strata::{
    Builder, Durability, ErrorKind, KeyProvider, KeyringConfig, KeyringKeys, Keys, Protection,
    ReferenceStore, Span,
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
    assert_eq!(error.kind(), ErrorKind::Invalid, "`or_memory` is said of a keyring");
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
async fn a_keyring_changes_keys_as_a_file_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let keyring: Arc<dyn KeyProvider> = Arc::new(KeyringKeys::new(mock()).expect("a configuration"));
    let open = || {
        let keys = Keys::provider(Arc::clone(&keyring)).require(Protection::OsKeyring);
        strata::builder().sled(folder.path().join("data")).keys(keys).open()
    };
    let db = open().await.expect("open");
    db.set("a", &1_u32).await.expect("set");
    let (keys, store, now) = (db.keyset().expect("keys"), &**db.store(), db.clock().now());
    let old = strata::Seal::primary(&**keys.sealer());
    let new = keys.add(store, now).await.expect("add");
    keys.promote(store, new, now).await.expect("promote");
    assert!(keys.rekey(db.handle(), |_| ()).await.expect("rekey").finished);
    keys.retire(db.handle(), old).await.expect("retire");
    db.close().await.expect("close");
    let db = open().await.expect("open again");
    assert_eq!(db.get::<u32>("a").await.expect("get"), Some(1));
    assert_eq!(db.keyset().expect("keys").list().iter().map(|key| key.id).collect::<Vec<_>>(), [new]);
}
