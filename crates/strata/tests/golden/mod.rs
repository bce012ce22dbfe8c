//! Stores that released formats have written, kept as files, and opened here by the present code.
//!
//! `0.1.0` was written by [`write`]. To add one for a new format: `STRATA_GOLDEN=folder cargo test -p strata --test it
//! golden`, and move what it leaves in `folder` beside this file.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use strata::{Codec, Keys, Span, Strata, Timestamp, Ttl};
use tempfile::TempDir;

/// 2199-01-01T00:00:00Z.
const LATE: Timestamp = Timestamp::from_millis(7_226_582_400_000);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Cart {
    owner: String,
    items: Vec<(String, u32)>,
    paid: Option<bool>,
}

fn cart() -> Cart {
    Cart {
        owner: "ada".to_owned(),
        items: vec![("tea".to_owned(), 2), ("zażółć".to_owned(), u32::MAX)],
        paid: None,
    }
}

async fn open(folder: &Path) -> Strata {
    let keys = Keys::file(folder.join("keyset"));
    strata::builder().sled(folder.join("store")).keys(keys).without_sweeper().open().await.expect("open")
}

/// Every kind of entry: both codecs, a chunked value, tags, a deadline, an idle time with a cap, two keys of a keyset.
async fn write(folder: &Path) {
    let db = open(folder).await;
    db.set("cart:ada", &cart()).tag("user:ada").tag("kind:cart").await.expect("set");
    db.set_as(Codec::Json, "json", &cart()).expires_at(LATE).await.expect("set");
    db.set("big", &"x".repeat(9000)).await.expect("set");
    db.set("idle", &7_u64).idle(10_000.days()).at_most(60_000.days()).await.expect("set");
    let keys = db.keyset().expect("sealed");
    let new = keys.add(&**db.store(), db.clock().now()).await.expect("add");
    keys.promote(&**db.store(), new, db.clock().now()).await.expect("promote");
    db.set("later", &(1_u8, -1_i64)).await.expect("set");
    db.close().await.expect("close");
}

async fn read(folder: &Path) {
    let db = open(folder).await;
    assert_eq!(db.get::<Cart>("cart:ada").await.expect("bincode"), Some(cart()));
    assert_eq!(db.get::<Cart>("json").await.expect("json"), Some(cart()));
    assert_eq!(db.get::<String>("big").await.expect("chunked"), Some("x".repeat(9000)));
    assert_eq!(db.get::<(u8, i64)>("later").await.expect("second key"), Some((1, -1)));
    assert_eq!(db.peek::<u64>("idle").await.expect("idle"), Some(7));
    assert_eq!(db.select().tag("user:ada").keys().collect().await.expect("tag"), ["cart:ada"]);
    assert_eq!(db.info("json").await.expect("info").expect("there").expiry.deadline(), Some(LATE));
    let idle = db.info("idle").await.expect("info").expect("there").expiry;
    assert_eq!(idle.idle_time(), Some(10_000.days()));
    assert!(matches!(db.ttl("idle").await.expect("ttl"), Ttl::Left(left) if left > Duration::ZERO));
    let sealed =
        async |name| db.info(name).await.expect("info").expect("there").sealed_under.expect("sealed");
    assert_ne!(sealed("cart:ada").await, sealed("later").await);
    let check = db.check(|_| ()).await.expect("check");
    assert!(check.is_clean(), "{check:?}");
    db.modify("cart:ada", |cart: &mut Cart| cart.paid = Some(true)).await.expect("written in the old store");
    db.close().await.expect("close");
}

/// A copy that may be written to, with the modes that version control does not keep.
fn copy(version: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let from = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(version);
    fs::create_dir(folder.path().join("store")).expect("folder");
    for entry in fs::read_dir(from.join("store")).expect("golden store") {
        let entry = entry.expect("entry");
        if entry.file_type().expect("type").is_file() {
            fs::copy(entry.path(), folder.path().join("store").join(entry.file_name())).expect("copy");
        }
    }
    fs::copy(from.join("keyset"), folder.path().join("keyset")).expect("copy");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(folder.path().join("keyset"), private).expect("mode");
    }
    folder
}

#[tokio::test]
async fn s37_stores_of_every_released_format_open() {
    for version in ["0.1.0"] {
        let folder = copy(version);
        read(folder.path()).await;
    }
}

#[tokio::test]
async fn s37_a_golden_store_is_made_as_it_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path()).await;
    if let Some(kept) = std::env::var_os("STRATA_GOLDEN") {
        let kept = PathBuf::from(kept);
        fs::create_dir_all(kept.join("store")).expect("folder");
        fs::copy(folder.path().join("keyset"), kept.join("keyset")).expect("copy");
        for entry in fs::read_dir(folder.path().join("store")).expect("store") {
            let entry = entry.expect("entry");
            if entry.file_type().expect("type").is_file() {
                fs::copy(entry.path(), kept.join("store").join(entry.file_name())).expect("copy");
            }
        }
    }
    read(folder.path()).await;
}
