//! Stores opened, rotated, broken into and recovered, over the reference store and through the handle.

mod faults;
#[cfg(unix)]
mod forks;
mod rotation;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use strata_core::{
    Batch, Durability, Error, ErrorKind, Expiry, Guard, Handle, Keep, Key, KeyId, KeyPrefix, ManualClock, Op,
    Payload, Protection, Random, ReferenceStore, Result, Scan, Select, Store, Tags, Timestamp, Write,
};
use strata_crypto::{
    FileKeys, KeyProvider, KeyReport, KeyText, Keys, Keyset, MasterKey, Nonces, Opened, Passphrase, StoreId,
    SystemRandom, inspect, open, open_plaintext,
};
use tokio::sync::{Barrier, Mutex};

const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

fn random() -> Arc<dyn Random> {
    Arc::new(SystemRandom::new())
}

fn store() -> Arc<dyn Store> {
    Arc::new(ReferenceStore::new())
}

async fn opened(store: &Arc<dyn Store>, keys: Keys) -> Result<Opened> {
    open(&**store, keys, None, random(), NOW).await
}

fn handle(store: &Arc<dyn Store>, opened: &Opened) -> Handle {
    let clock = Arc::new(ManualClock::at(NOW));
    Handle::builder(Arc::clone(store), clock).seal(Arc::clone(&opened.sealer) as _).build().expect("handle")
}

async fn put(store: &Arc<dyn Store>, key: Key, payload: Vec<u8>) {
    let write = Write::Put {
        payload: Payload::from(payload),
        expiry: Keep::Set(Expiry::NEVER),
        tags: Keep::Set(Tags::none()),
    };
    let op = Op { key, guard: Guard::Any, write };
    store.commit(Batch::one(NOW, Durability::Volatile, op)).await.expect("put");
}

async fn everything(store: &Arc<dyn Store>) -> Vec<(Key, Vec<u8>)> {
    let page = store.scan(Scan::new(Select::Prefix(KeyPrefix::all()), 1024)).await.expect("scan");
    page.entries.into_iter().map(|(key, record)| (key, record.payload.as_bytes().to_vec())).collect()
}

fn header_key() -> Key {
    Key::system("header").expect("key")
}

fn master() -> [u8; 32] {
    std::array::from_fn(|index| u8::try_from(index * 7 + 1).expect("small"))
}

/// A keyring of the operating system, as far as this crate sees one.
#[derive(Debug, Default)]
struct Keyring {
    kept: Mutex<Option<String>>,
    fails: Option<ErrorKind>,
}

#[async_trait]
impl KeyProvider for Keyring {
    fn name(&self) -> &'static str {
        "os-keyring"
    }

    fn protection(&self) -> Protection {
        Protection::OsKeyring
    }

    fn place(&self, store: StoreId) -> String {
        format!("keyring entry {store}")
    }

    fn check_apart(&self, _store: StoreId, _data: &Path) -> Result<()> {
        Ok(())
    }

    async fn load(&self, _store: StoreId) -> Result<Option<KeyText>> {
        match self.fails {
            Some(kind) => Err(Error::new(kind, "read keyring", "not now")),
            None => Ok(self.kept.lock().await.clone().map(KeyText::new)),
        }
    }

    async fn create(&self, _store: StoreId, text: &str) -> Result<()> {
        *self.kept.lock().await = Some(text.to_owned());
        Ok(())
    }

    async fn replace(&self, _store: StoreId, _old: &str, new: &str) -> Result<()> {
        *self.kept.lock().await = Some(new.to_owned());
        Ok(())
    }

    async fn discard(&self, _store: StoreId) -> Result<()> {
        *self.kept.lock().await = None;
        Ok(())
    }
}

/// Key files whose creations wait for one another, so that two openers surely race.
#[derive(Debug)]
struct Racing(FileKeys, Barrier, AtomicUsize);

#[async_trait]
impl KeyProvider for Racing {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn protection(&self) -> Protection {
        self.0.protection()
    }

    fn place(&self, store: StoreId) -> String {
        self.0.place(store)
    }

    fn check_apart(&self, store: StoreId, data: &Path) -> Result<()> {
        self.0.check_apart(store, data)
    }

    async fn load(&self, store: StoreId) -> Result<Option<KeyText>> {
        self.0.load(store).await
    }

    async fn create(&self, store: StoreId, text: &str) -> Result<()> {
        self.0.create(store, text).await?;
        self.1.wait().await;
        Ok(())
    }

    async fn replace(&self, store: StoreId, old: &str, new: &str) -> Result<()> {
        self.0.replace(store, old, new).await
    }

    async fn discard(&self, store: StoreId) -> Result<()> {
        self.2.fetch_add(1, Ordering::SeqCst);
        self.0.discard(store).await
    }
}

#[tokio::test]
async fn a_fresh_store_gets_a_key_file_and_later_opens_use_it() {
    let folder = tempfile::tempdir().expect("folder");
    let keys = || Keys::provider(Arc::new(FileKeys::in_folder(folder.path().join("keys"))));
    let store = store();
    let first = open(&*store, keys(), Some(&folder.path().join("data")), random(), NOW).await.expect("fresh");
    assert!(first.report.fresh && first.report.created);
    let path = folder.path().join("keys").join(format!("{}.key", first.report.store));
    assert_eq!(first.report.place.as_deref(), path.to_str());
    assert!(first.report.to_string().contains("drawn now") && first.report.to_string().contains(".key"));
    handle(&store, &first).set("k", &"v".to_owned()).await.expect("set");

    let again = opened(&store, keys()).await.expect("again");
    let expected = KeyReport { fresh: false, created: false, ..first.report.clone() };
    assert_eq!(again.report, expected);
    assert_eq!(handle(&store, &again).get::<String>("k").await.expect("get").as_deref(), Some("v"));

    let info = inspect(&*store).await.expect("inspect").expect("a header");
    assert_eq!((info.id, info.provider.as_str(), info.keys), (first.report.store, "file", first.report.keys));
    let secret = std::fs::read_to_string(&path).expect("key file");
    let secret = secret.lines().nth(1).and_then(|line| line.rsplit(' ').next()).expect("key");
    for (key, payload) in everything(&store).await {
        assert!(!String::from_utf8_lossy(&payload).contains(&secret[..40]), "{key} holds the key");
    }
}

#[tokio::test]
async fn s26_a_key_file_inside_the_data_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().expect("folder");
    let store = store();
    let keys = Keys::file(folder.path().join("data/key"));
    let error =
        open(&*store, keys, Some(&folder.path().join("data")), random(), NOW).await.expect_err("inside");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(everything(&store).await.is_empty() && !folder.path().join("data").exists());
}

#[tokio::test]
async fn s26_a_key_file_inside_the_data_is_refused_by_a_store_that_is_there_too() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("data/key");
    std::fs::create_dir(folder.path().join("data")).expect("folder");
    let store = store();
    opened(&store, Keys::file(&path)).await.expect("fresh, its data elsewhere");
    let before = everything(&store).await;
    let inside = open(&*store, Keys::file(&path), Some(&folder.path().join("data")), random(), NOW).await;
    assert_eq!(inside.expect_err("inside").kind(), ErrorKind::Invalid);
    assert_eq!(everything(&store).await, before);
    open(&*store, Keys::file(&path), Some(&folder.path().join("other")), random(), NOW)
        .await
        .expect("outside");
}

#[tokio::test]
async fn s30_missing_wrong_corrupt_and_downgrade_differ_and_delete_nothing() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("key");
    let store = store();
    let first = opened(&store, Keys::file(&path)).await.expect("fresh");
    handle(&store, &first).set("k", &1_u32).await.expect("set");
    let before = everything(&store).await;
    let id = first.report.keys[0].id;

    let stranger = Keyset::generate(&SystemRandom::new(), NOW).expect("keyset");
    let impostor = Keyset::of(id, MasterKey::new(&master()).expect("key"), NOW);
    for (keys, kind) in [
        (Keys::file(folder.path().join("elsewhere")), ErrorKind::MissingKey),
        (Keys::keyset(stranger), ErrorKind::MissingKey),
        (Keys::passphrase(Passphrase::new("correct horse").expect("long")), ErrorKind::MissingKey),
        (Keys::env("STRATA_TEST_NO_SUCH_VARIABLE"), ErrorKind::MissingKey),
        (Keys::keyset(impostor), ErrorKind::WrongKey),
        (Keys::bytes(&master()).expect("key"), ErrorKind::WrongKey),
        (Keys::file(&path).require(Protection::OsKeyring), ErrorKind::Downgrade),
    ] {
        let error = opened(&store, keys).await.expect_err("refused");
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(
            kind != ErrorKind::MissingKey || error.to_string().contains("`file`"),
            "names who keeps them: {error}"
        );
    }
    let plain = open_plaintext(&*store, &SystemRandom::new(), NOW).await.expect_err("sealed");
    assert_eq!(plain.kind(), ErrorKind::MissingKey);
    assert!(!folder.path().join("elsewhere").exists(), "no key is created for a store that is there");
    assert_eq!(everything(&store).await, before);

    put(&store, header_key(), b"{\"format\":1".to_vec()).await;
    assert_eq!(opened(&store, Keys::file(&path)).await.expect_err("damaged").kind(), ErrorKind::Corrupt);
    put(&store, header_key(), b"{\"format\":9}".to_vec()).await;
    assert_eq!(opened(&store, Keys::file(&path)).await.expect_err("newer").kind(), ErrorKind::Newer);
    assert_eq!(everything(&store).await.len(), before.len());
}

#[tokio::test]
async fn s30_plaintext_stores_are_opened_as_such_by_name_only() {
    let store = store();
    let report = open_plaintext(&*store, &SystemRandom::new(), NOW).await.expect("fresh");
    assert_eq!(
        (report.fresh, report.protection, report.to_string().as_str()),
        (true, Protection::Plaintext, "not encrypted")
    );
    let again = open_plaintext(&*store, &SystemRandom::new(), NOW).await.expect("again");
    assert_eq!((again.fresh, again.store), (false, report.store));
    let error = opened(&store, Keys::bytes(&master()).expect("key")).await.expect_err("plaintext");
    assert_eq!(error.kind(), ErrorKind::Downgrade);
}

#[tokio::test]
async fn s30_records_without_a_header_are_not_taken_over() {
    let bytes = || Keys::bytes(&master()).expect("key");
    let store = store();
    let first = opened(&store, bytes()).await.expect("fresh");
    handle(&store, &first).set("k", &1_u32).await.expect("set");
    let remove = Op { key: header_key(), guard: Guard::Any, write: Write::Remove };
    store.commit(Batch::one(NOW, Durability::Volatile, remove)).await.expect("remove");
    assert_eq!(opened(&store, bytes()).await.expect_err("no header").kind(), ErrorKind::Foreign);
    let plain = open_plaintext(&*store, &SystemRandom::new(), NOW).await.expect_err("sealed records");
    assert_eq!(plain.kind(), ErrorKind::Foreign);
    assert_eq!(everything(&store).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_openers_of_a_fresh_store_agree_on_one_header_and_one_key() {
    let folder = tempfile::tempdir().expect("folder");
    let racing = Arc::new(Racing(FileKeys::in_folder(folder.path()), Barrier::new(2), AtomicUsize::new(0)));
    let store = store();
    let open_one = || {
        let (store, keys) = (Arc::clone(&store), Keys::provider(Arc::clone(&racing) as _));
        tokio::spawn(async move { opened(&store, keys).await.expect("open") })
    };
    let (one, two) = (open_one(), open_one());
    let (one, two) = (one.await.expect("task"), two.await.expect("task"));
    assert_eq!((one.report.store, &one.report.keys), (two.report.store, &two.report.keys));
    assert_ne!(one.report.fresh, two.report.fresh);
    assert_eq!(racing.2.load(Ordering::SeqCst), 1, "the loser took its key back");
    assert_eq!(std::fs::read_dir(folder.path()).expect("list").count(), 1);
    handle(&store, &one).set("k", &1_u32).await.expect("set");
    assert_eq!(handle(&store, &two).get::<u32>("k").await.expect("get"), Some(1));
}

#[tokio::test]
async fn a_later_open_never_switches_provider() {
    let folder = tempfile::tempdir().expect("folder");
    let file = || Arc::new(FileKeys::in_folder(folder.path())) as Arc<dyn KeyProvider>;
    let keyring = |fails| Arc::new(Keyring { fails, ..Keyring::default() }) as Arc<dyn KeyProvider>;
    let store = store();
    let locked = Keys::first_of([keyring(Some(ErrorKind::Unavailable)), file()]);
    assert_eq!(
        opened(&store, locked).await.expect_err("locked").kind(),
        ErrorKind::Unavailable,
        "locked is not absent"
    );
    let absent = || Keys::first_of([keyring(Some(ErrorKind::Unsupported)), file()]);
    let strict = absent().require(Protection::OsKeyring);
    assert_eq!(opened(&store, strict).await.expect_err("no keyring").kind(), ErrorKind::MissingKey);
    assert_eq!(std::fs::read_dir(folder.path()).expect("list").count(), 0, "nothing weaker was made");
    let first = opened(&store, absent()).await.expect("fresh");
    assert_eq!((first.report.provider.as_str(), first.report.protection), ("file", Protection::Sealed));
    let later =
        opened(&store, Keys::first_of([keyring(None), file()])).await.expect("there is a keyring now");
    assert_eq!((later.report.provider.as_str(), later.report.created), ("file", false));
    let only = opened(&store, Keys::provider(keyring(None))).await.expect_err("not there");
    assert_eq!(only.kind(), ErrorKind::MissingKey);

    let guarded = self::store();
    let keys = Keys::first_of([keyring(None), file()]).require(Protection::OsKeyring);
    let report = opened(&guarded, keys).await.expect("keyring").report;
    assert_eq!((report.provider.as_str(), report.protection), ("os-keyring", Protection::OsKeyring));
}

#[tokio::test]
async fn s28_keys_rotate_live_and_the_old_one_is_retired() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("key");
    let store = store();
    let first = opened(&store, Keys::file(&path).nonces(Nonces::Synthetic)).await.expect("fresh");
    let other = opened(&store, Keys::file(&path)).await.expect("another process");
    let (db, old) = (handle(&store, &first), first.report.keys[0].id);
    for number in 0..600_u32 {
        db.set(&format!("k{number:04}"), &number).await.expect("set");
    }

    let new = first.keys.add(&*store, NOW).await.expect("add");
    other.keys.reload(&*store).await.expect("reload");
    first.keys.promote(&*store, new, NOW).await.expect("promote");
    db.set("fresh", &7_u32).await.expect("set");
    assert_eq!(handle(&store, &other).get::<u32>("fresh").await.expect("learnt"), Some(7));
    let refused = first.keys.retire(&db, old).await.expect_err("in use");
    assert!(refused.kind() == ErrorKind::Invalid && refused.to_string().contains("600 records"), "{refused}");
    assert_eq!(first.keys.retire(&db, new).await.expect_err("primary").kind(), ErrorKind::Invalid);

    let mut steps = Vec::new();
    let done = first.keys.rekey(&db, |step| steps.push(step.seen)).await.expect("rekey");
    assert_eq!(
        (done.primary, done.seen, done.moved, done.unreadable, done.finished),
        (new, 601, 600, 0, true)
    );
    assert!(steps.len() == 3 && steps.is_sorted());
    assert_eq!(first.keys.rekey(&db, |_| ()).await.expect("again").moved, 0);
    assert!(first.keys.retire(&db, old).await.expect("retire") >= 601);
    assert_eq!(first.keys.retire(&db, old).await.expect_err("gone").kind(), ErrorKind::MissingKey);

    let last = opened(&store, Keys::file(&path)).await.expect("reopen");
    assert_eq!(last.report.keys.iter().map(|key| (key.id, key.primary)).collect::<Vec<_>>(), [(new, true)]);
    assert!(last.report.missing.is_empty());
    assert_eq!(handle(&store, &last).get::<u32>("k0599").await.expect("get"), Some(599));
    assert!(store.get(&Key::system("rekey").expect("key")).await.expect("get").is_none());
}

#[tokio::test]
async fn s28_a_rekeying_that_was_killed_goes_on_where_it_stood() {
    let folder = tempfile::tempdir().expect("folder");
    let store = store();
    let first = Arc::new(opened(&store, Keys::file(folder.path().join("key"))).await.expect("fresh"));
    let db = handle(&store, &first);
    for number in 0..700_u32 {
        db.set(&format!("k{number:04}"), &number).await.expect("set");
    }
    put(&store, Key::new("k0003").expect("key"), everything(&store).await.remove(1).1).await;
    let new = first.keys.add(&*store, NOW).await.expect("add");
    first.keys.promote(&*store, new, NOW).await.expect("promote");
    let (task_keys, task_db) = (Arc::clone(&first), db.clone());
    let killed = tokio::spawn(async move {
        task_keys.keys.rekey(&task_db, |step| assert!(step.seen < 500, "killed here")).await
    });
    assert!(killed.await.expect_err("killed").is_panic());

    let mut steps = Vec::new();
    let done = first.keys.rekey(&db, |step| steps.push(step)).await.expect("resumed");
    assert!(steps[0].seen > 500 && steps.len() == 1, "the first two pages are not walked again: {steps:?}");
    assert_eq!((done.seen, done.moved, done.unreadable), (700, 699, 1), "the moved record opens nowhere");
    let old = first.report.keys[0].id;
    assert_eq!(first.keys.retire(&db, old).await.expect_err("one is left").kind(), ErrorKind::Invalid);
    db.remove("k0003").await.expect("remove");
    first.keys.retire(&db, old).await.expect("retire");
}

#[tokio::test]
async fn s28_keys_that_the_caller_keeps_are_changed_there() {
    let store = store();
    let mut keyset = Keyset::generate(&SystemRandom::new(), NOW).expect("keyset");
    let first = opened(&store, Keys::keyset(keyset.clone())).await.expect("fresh");
    handle(&store, &first).set("k", &1_u32).await.expect("set");
    assert_eq!(first.keys.add(&*store, NOW).await.expect_err("not ours").kind(), ErrorKind::Unsupported);
    let old = keyset.primary();
    let new = keyset.add(&SystemRandom::new(), NOW).expect("add");
    keyset.promote(new).expect("promote");
    let both = opened(&store, Keys::keyset(keyset.clone())).await.expect("both");
    assert_eq!(handle(&store, &both).get::<u32>("k").await.expect("old key"), Some(1));
    handle(&store, &both).set("n", &2_u32).await.expect("set");
    keyset.remove(old).expect("remove");
    let one = opened(&store, Keys::keyset(keyset)).await.expect("one of two");
    assert_eq!(one.report.missing, [old]);
    let error = handle(&store, &one).get::<u32>("k").await.expect_err("its key is missing");
    assert_eq!(error.kind(), ErrorKind::MissingKey);
    assert_eq!(handle(&store, &one).get::<u32>("n").await.expect("get"), Some(2));
}

#[tokio::test]
async fn s29_a_passphrase_opens_its_store_and_keys_change_behind_it() {
    let keys = |text: &str| Keys::passphrase(Passphrase::new(text).expect("long enough"));
    let store = store();
    let first = opened(&store, keys("correct horse")).await.expect("fresh");
    let old = first.report.keys[0].id;
    handle(&store, &first).set("k", &1_u32).await.expect("set");
    let new = first.keys.add(&*store, NOW).await.expect("add");
    first.keys.promote(&*store, new, NOW).await.expect("promote");
    let again = opened(&store, keys("correct horse")).await.expect("again");
    assert_eq!(
        again.report.keys.iter().map(|key| (key.id, key.primary)).collect::<Vec<_>>(),
        [(old, false), (new, true)]
    );
    assert_eq!(handle(&store, &again).get::<u32>("k").await.expect("get"), Some(1));
    assert_eq!(opened(&store, keys("correct house")).await.expect_err("wrong").kind(), ErrorKind::WrongKey);
    for (key, payload) in everything(&store).await {
        let text = String::from_utf8_lossy(&payload).into_owned();
        assert!(!text.contains("horse") && !text.contains("strata-keyset"), "{key}");
    }
}

#[tokio::test]
async fn keys_come_from_the_environment() {
    const VARIABLE: &str = "STRATA_TEST_KEY";
    if std::env::var_os(VARIABLE).is_none() {
        // Variables can't be set safely in a running program, so this test runs itself as a child that has one.
        let keyset = Keyset::of(KeyId::new(5), MasterKey::new(&master()).expect("key"), NOW);
        let child = std::process::Command::new(std::env::current_exe().expect("self"))
            .args(["--exact", "keys_come_from_the_environment"])
            .env(VARIABLE, keyset.to_text().replace('\n', ";"))
            .output()
            .expect("child");
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
        return;
    }
    let store = store();
    let first = opened(&store, Keys::env(VARIABLE)).await.expect("fresh");
    assert_eq!((first.report.keys[0].id, first.report.created), (KeyId::new(5), false));
    assert_eq!(first.report.place.as_deref(), Some("$STRATA_TEST_KEY"));
    let same_bytes = opened(&store, Keys::bytes(&master()).expect("key")).await.expect("same key");
    assert_eq!(same_bytes.report.keys[0].id, KeyId::new(5));
    assert_eq!(
        first.keys.add(&*store, NOW).await.expect_err("not ours to set").kind(),
        ErrorKind::Unsupported
    );
}
