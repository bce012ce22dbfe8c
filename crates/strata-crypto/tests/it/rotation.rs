//! Rekeying and retiring when something comes between: promotions, damage, a key file and header that differ, writes in flight.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::sync::atomic::AtomicBool;
use std::task::{Context, Waker};

use strata_core::conformance::{Fault, Faulty, block_on};
use strata_core::{Capabilities, Committed, Envelope, Page, Record, Seal as _};

use super::*;

/// A store that holds commits back, and cannot read one record by its name.
#[derive(Debug, Default)]
struct Awkward {
    inner: ReferenceStore,
    holds: AtomicBool,
    torn: Option<Key>,
}

impl fmt::Display for Awkward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("awkward")
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for Awkward {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        if self.torn.as_ref() == Some(key) {
            return Err(Error::new(ErrorKind::Corrupt, "get", "torn"));
        }
        self.inner.get(key).await
    }

    async fn commit(&self, batch: Batch) -> Result<Committed> {
        while self.holds.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
        self.inner.commit(batch).await
    }

    async fn scan(&self, scan: Scan) -> Result<Page> {
        self.inner.scan(scan).await
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}

/// `records` values under the first key, in a store whose keys lie in `folder`.
async fn filled(store: &Arc<dyn Store>, folder: &Path, records: u32) -> (Opened, Handle) {
    let opened = opened(store, Keys::file(folder.join("key"))).await.expect("open");
    let db = handle(store, &opened);
    for number in 0..records {
        db.set(&format!("k{number:04}"), &number).await.expect("set");
    }
    (opened, db)
}

async fn added(store: &Arc<dyn Store>, opened: &Opened) -> KeyId {
    opened.keys.add(&**store, NOW).await.expect("add")
}

async fn promote(store: &Arc<dyn Store>, opened: &Opened, id: KeyId) {
    opened.keys.promote(&**store, id, NOW).await.expect("promote");
}

/// The keys that values are sealed under.
async fn in_use(store: &Arc<dyn Store>, opened: &Opened) -> Vec<KeyId> {
    let mut keys = Vec::new();
    for (_, payload) in everything(store).await.iter().filter(|(key, _)| !key.is_system()) {
        let id = opened.sealer.sealed_under(payload, Envelope::HEADER);
        keys.push(id.expect("sealed"));
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

#[tokio::test]
async fn s28_a_promotion_during_a_rekeying_sends_it_back_to_the_start() {
    let folder = tempfile::tempdir().expect("folder");
    let store = store();
    let (opened, db) = filled(&store, folder.path(), 600).await;
    let (one, two) = (added(&store, &opened).await, added(&store, &opened).await);
    promote(&store, &opened, one).await;
    let mut steps = 0;
    let done = opened.keys.rekey(&db, |_| {
        steps += 1;
        if steps == 1 {
            block_on(promote(&store, &opened, two));
        }
    });
    let done = done.await.expect("rekey");
    assert_eq!((done.primary, done.seen, done.finished), (two, 600, true));
    assert_eq!(in_use(&store, &opened).await, [two]);
}

#[tokio::test]
async fn s28_a_promotion_there_and_back_during_a_rekeying_is_noticed_too() {
    let folder = tempfile::tempdir().expect("folder");
    let store = store();
    let (opened, db) = filled(&store, folder.path(), 600).await;
    let (one, two) = (added(&store, &opened).await, added(&store, &opened).await);
    promote(&store, &opened, one).await;
    let mut steps = 0;
    let done = opened.keys.rekey(&db, |_| {
        steps += 1;
        if steps == 1 {
            block_on(async {
                promote(&store, &opened, two).await;
                db.set("k0000", &1_u32).await.expect("set");
                promote(&store, &opened, one).await;
            });
        }
    });
    assert!(done.await.expect("rekey").finished);
    assert_eq!(in_use(&store, &opened).await, [one]);
}

#[tokio::test]
async fn s28_a_rekeying_does_not_go_on_from_before_another_promotion() {
    let folder = tempfile::tempdir().expect("folder");
    let store = store();
    let (opened, db) = filled(&store, folder.path(), 600).await;
    let (one, two) = (added(&store, &opened).await, added(&store, &opened).await);
    promote(&store, &opened, one).await;
    let opened = Arc::new(opened);
    let (task_keys, task_db) = (Arc::clone(&opened), db.clone());
    let killed =
        tokio::spawn(async move { task_keys.keys.rekey(&task_db, |_| panic!("killed here")).await }).await;
    assert!(killed.expect_err("killed").is_panic());
    promote(&store, &opened, two).await;
    db.set("k0000", &1_u32).await.expect("set");
    promote(&store, &opened, one).await;
    let done = opened.keys.rekey(&db, |_| ()).await.expect("rekey");
    assert_eq!((done.primary, done.seen, done.finished), (one, 600, true));
    assert_eq!(in_use(&store, &opened).await, [one]);
}

#[tokio::test]
async fn s28_damaged_records_are_counted_and_stop_no_walk() {
    let folder = tempfile::tempdir().expect("folder");
    let torn = Key::new("k0300").expect("key");
    let awkward = Awkward { torn: Some(torn.clone()), ..Awkward::default() };
    let store: Arc<dyn Store> = Arc::new(awkward);
    let (opened, db) = filled(&store, folder.path(), 600).await;
    let old = opened.sealer.primary();
    let (cut, whole) = everything(&store).await.swap_remove(1);
    put(&store, cut, whole[..20].to_vec()).await;
    let new = added(&store, &opened).await;
    promote(&store, &opened, new).await;

    let done = opened.keys.rekey(&db, |_| ()).await.expect("rekey");
    assert_eq!((done.seen, done.moved, done.unreadable, done.finished), (600, 598, 2, true));
    let refused = opened.keys.retire(&db, old).await.expect_err("the torn one");
    assert!(refused.kind() == ErrorKind::Invalid && refused.to_string().contains("1 records"), "{refused}");
    let remove = Op { key: torn, guard: Guard::Any, write: Write::Remove };
    store.commit(Batch::one(NOW, Durability::Volatile, remove)).await.expect("remove");
    opened.keys.retire(&db, old).await.expect("the cut one names no key");
}

#[tokio::test]
async fn s28_a_retirement_cut_short_is_finished_after_the_next_open() {
    let folder = tempfile::tempdir().expect("folder");
    let faulty = Arc::new(Faulty::new(store()));
    let store: Arc<dyn Store> = Arc::clone(&faulty) as _;
    let (opened, db) = filled(&store, folder.path(), 3).await;
    let old = opened.sealer.primary();
    let new = added(&store, &opened).await;
    promote(&store, &opened, new).await;
    opened.keys.rekey(&db, |_| ()).await.expect("rekey");
    // A page, the header read, the header written.
    faulty.arm(3, Fault::Unavailable);
    assert_eq!(opened.keys.retire(&db, old).await.expect_err("cut short").kind(), ErrorKind::Unavailable);
    assert_eq!(faulty.disarm(), 1);

    let next = self::opened(&store, Keys::file(folder.path().join("key"))).await.expect("reopen");
    assert_eq!(next.report.missing, [old], "the file is done, the header is not");
    let db = handle(&store, &next);
    next.keys.retire(&db, old).await.expect("finished");
    assert_eq!(next.keys.retire(&db, old).await.expect_err("gone").kind(), ErrorKind::MissingKey);
    let last = self::opened(&store, Keys::file(folder.path().join("key"))).await.expect("reopen");
    assert!(last.report.missing.is_empty());
}

#[tokio::test]
async fn s28_a_key_that_only_the_header_calls_primary_is_not_retired() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("key");
    let store = store();
    let (opened, _) = filled(&store, folder.path(), 1).await;
    let backup = std::fs::read_to_string(&path).expect("key file");
    let new = added(&store, &opened).await;
    promote(&store, &opened, new).await;
    // An older key file was put back: it lacks what other programs may be sealing under.
    std::fs::write(&path, backup).expect("put back");
    let older = self::opened(&store, Keys::file(&path)).await.expect("reopen");
    assert_eq!(older.report.missing, [new]);
    let refused = older.keys.retire(&handle(&store, &older), new).await.expect_err("primary");
    assert!(refused.kind() == ErrorKind::Invalid && refused.to_string().contains("promote"), "{refused}");
}

/// What `retire` documents under "Writes in flight": it cannot be prevented here, but it can be undone.
#[tokio::test]
async fn s28_a_write_that_was_in_flight_over_a_retirement_is_opened_by_a_copy_of_the_old_key() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("key");
    let awkward = Arc::new(Awkward::default());
    let store: Arc<dyn Store> = Arc::clone(&awkward) as _;
    let (opened, db) = filled(&store, folder.path(), 3).await;
    let old = opened.sealer.primary();

    awkward.holds.store(true, Ordering::SeqCst);
    let mut write = Box::pin(db.set("late", &7_u32).into_future());
    assert!(write.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending(), "sealed, not stored");
    awkward.holds.store(false, Ordering::SeqCst);
    let new = added(&store, &opened).await;
    promote(&store, &opened, new).await;
    let copy = std::fs::read_to_string(&path).expect("key file");
    opened.keys.rekey(&db, |_| ()).await.expect("rekey");
    opened.keys.retire(&db, old).await.expect("nothing stored is under it");
    write.await.expect("acknowledged");

    let error = db.get::<u32>("late").await.expect_err("its key is gone");
    assert!(error.kind() == ErrorKind::MissingKey && error.to_string().contains(&old.to_string()), "{error}");
    std::fs::write(&path, copy).expect("put back");
    let again = self::opened(&store, Keys::file(&path)).await.expect("reopen");
    let db = handle(&store, &again);
    assert_eq!(db.get::<u32>("late").await.expect("get"), Some(7));
    assert_eq!(again.keys.rekey(&db, |_| ()).await.expect("rekey").moved, 1);
    again.keys.retire(&db, old).await.expect("retire");
    assert_eq!(db.get::<u32>("late").await.expect("get"), Some(7));
}
