//! A keyset's whole life in a keyring, over a store on disk: drawn, added to, promoted, rekeyed with an interruption, retired; the
//! store closed and opened again after each step. The same over a keyring in memory and over a real one.

use std::path::Path;
use std::sync::Arc;

use strata::{ErrorKind, KeyId, KeyProvider, Keys, Keyset, Protection, Seal as _, Strata};

/// More than a rekeying looks at in one step.
const RECORDS: u32 = 300;

async fn open(keyring: &Arc<dyn KeyProvider>, data: &Path) -> Strata {
    let keys = Keys::provider(Arc::clone(keyring)).require(Protection::OsKeyring);
    strata::builder().sled(data).keys(keys).without_sweeper().open().await.expect("open")
}

/// The ids of the keys that the keyring itself has, the primary one first.
async fn kept(keyring: &Arc<dyn KeyProvider>, db: &Strata) -> Vec<KeyId> {
    let store = db.report().keys.expect("keys").store;
    let text = keyring.load(store).await.expect("load").expect("kept");
    let keyset = Keyset::parse(&text).expect("a keyset");
    let mut ids: Vec<KeyId> = keyset.list().iter().map(|key| key.id).collect();
    ids.sort_by_key(|id| *id != keyset.primary());
    ids
}

/// Every value reads as what was written.
async fn check(db: &Strata, values: u32) {
    for number in 0..values {
        let value = db.get::<u32>(&format!("k{number:03}")).await.expect("it opens");
        assert_eq!(value, Some(number));
    }
}

/// Closes the store and opens it again from what the keyring has; then its keys are `ids`, and everything reads.
async fn again(
    db: Strata,
    keyring: &Arc<dyn KeyProvider>,
    data: &Path,
    ids: &[KeyId],
    values: u32,
) -> Strata {
    db.close().await.expect("close");
    let db = open(keyring, data).await;
    assert_eq!(kept(keyring, &db).await, ids);
    let report = db.report().keys.expect("keys");
    assert!(report.provider == "os-keyring" && !report.created && report.missing.is_empty(), "{report}");
    assert_eq!(db.keyset().expect("keys").sealer().primary(), ids[0]);
    check(&db, values).await;
    db
}

/// The life of a keyset, of which `keyring` has nothing yet, and of a store in the folder `data`, which is not there yet.
pub(crate) async fn lives(keyring: Arc<dyn KeyProvider>, data: &Path) {
    let db = open(&keyring, data).await;
    assert!(db.report().keys.is_some_and(|keys| keys.created), "drawn now");
    let old = db.keyset().expect("keys").sealer().primary();
    for number in 0..RECORDS {
        db.set(&format!("k{number:03}"), &number).await.expect("set");
    }
    let db = again(db, &keyring, data, &[old], RECORDS).await;

    let keys = db.keyset().expect("keys");
    let new = keys.add(&**db.store(), db.clock().now()).await.expect("add");
    let db = again(db, &keyring, data, &[old, new], RECORDS).await;

    let keys = db.keyset().expect("keys");
    keys.promote(&**db.store(), new, db.clock().now()).await.expect("promote");
    db.set(&format!("k{RECORDS}"), &RECORDS).await.expect("set");
    let db = again(db, &keyring, data, &[new, old], RECORDS + 1).await;
    let refused = db.keyset().expect("keys").retire(db.handle(), old).await.expect_err("in use");
    assert!(refused.kind() == ErrorKind::Invalid && refused.to_string().contains("rekey"), "{refused}");

    let db = Arc::new(db);
    let task = Arc::clone(&db);
    let killed = tokio::spawn(async move {
        let keys = task.keyset().expect("keys");
        keys.rekey(task.handle(), |step| assert!(step.finished, "killed here")).await.map(drop)
    });
    assert!(killed.await.expect_err("killed").is_panic());
    let db = Arc::into_inner(db).expect("the task is over");
    let db = again(db, &keyring, data, &[new, old], RECORDS + 1).await;
    let mut steps = Vec::new();
    let keys = db.keyset().expect("keys");
    let done = keys.rekey(db.handle(), |step| steps.push(step.seen)).await.expect("rekey");
    assert!(done.finished && done.unreadable == 0 && done.moved == u64::from(RECORDS), "{done:?}");
    assert_eq!(steps.len(), 1, "what was done before is not done again");

    keys.retire(db.handle(), old).await.expect("retire");
    again(db, &keyring, data, &[new], RECORDS + 1).await.close().await.expect("close");
}
