//! The umbrella over real stores: opening and reopening, keys that never switch, protection that is never silently weaker,
//! background work that is owned.
#![cfg(all(feature = "memory", feature = "sled", feature = "crypto", feature = "ttl"))]

#[path = "golden/mod.rs"]
mod golden;

use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use strata::crypto::FileKeys;
use strata::ttl::{ClockReport, Watermark};
use strata::{
    Batch, Builder, ChangeKind, Durability, ErrorKind, Event, Expiry, Guard, Keep, Keys, ManualClock, Op,
    Payload, Protection, Span, Strata, Tags, Timestamp, Write,
};
use tempfile::TempDir;

/// A folder for a store, and beside it places for keys.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn sled(&self) -> Builder {
        strata::builder().sled(self.at("data"))
    }

    fn sealed(&self) -> Builder {
        self.sled().keys(Keys::file(self.at("key")))
    }
}

async fn opened(builder: Builder) -> Strata {
    builder.open().await.expect("open")
}

async fn refused(builder: Builder) -> strata::Error {
    builder.open().await.map(drop).expect_err("refused")
}

/// Puts raw bytes under `name`, around the handle.
async fn put_raw(db: &Strata, name: &str, bytes: Vec<u8>) {
    let write = Write::Put {
        payload: Payload::from(bytes),
        expiry: Keep::Set(Expiry::NEVER),
        tags: Keep::Set(Tags::none()),
    };
    let op = Op { key: db.key(name).expect("key"), guard: Guard::Any, write };
    let batch = Batch::one(db.clock().now(), Durability::Volatile, op);
    db.store().commit(batch).await.expect("raw write");
}

async fn raw(db: &Strata, name: &str) -> Vec<u8> {
    let record = db.store().get(&db.key(name).expect("key")).await.expect("raw read");
    record.expect("there").payload.as_bytes().to_vec()
}

fn holds(folder: &Path, text: &str) -> bool {
    std::fs::read_dir(folder).expect("list").any(|entry| {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            return holds(&path, text);
        }
        std::fs::read(&path).expect("read").windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[tokio::test]
async fn an_existing_store_is_one_with_a_header_and_looking_writes_none() {
    let place = Place::new();
    strata::SledConfig::new(place.at("data")).open().expect("a store without header");
    for builder in [place.sealed(), place.sled().plaintext()] {
        assert_eq!(builder.existing().open().await.expect_err("not begun").kind(), ErrorKind::Gone);
    }
    assert!(!place.at("key").exists(), "no key was drawn for it");
    place.sealed().open().await.expect("begun now").close().await.expect("close");
    place.sealed().existing().open().await.expect("there").close().await.expect("close");
    let store = Arc::new(strata::ReferenceStore::default());
    let key = strata::Key::new("k").expect("key");
    let write = Write::Put { payload: Payload::from(&b"x"[..]), expiry: Keep::Keep, tags: Keep::Keep };
    let op = Op { key, guard: Guard::Any, write };
    let batch = Batch::one(Timestamp::from_millis(1), Durability::Volatile, op);
    strata::Store::commit(&*store, batch).await.expect("a record");
    let foreign = strata::builder().store(store).plaintext().existing().open().await;
    assert_eq!(foreign.expect_err("no header").kind(), ErrorKind::Foreign);
}

#[tokio::test]
async fn what_is_stored_is_there_after_reopening() {
    let place = Place::new();
    let db = opened(place.sealed()).await;
    db.set("cart:ada", &vec!["tea".to_owned()]).ttl(1.hours()).tag("user:ada").await.expect("set");
    db.close().await.expect("close");
    let db = opened(place.sealed()).await;
    let cart: Option<Vec<String>> = db.get("cart:ada").await.expect("get");
    assert_eq!(cart, Some(vec!["tea".to_owned()]));
    assert_eq!(db.select().tag("user:ada").count().await.expect("count"), 1);
    assert!(db.check(|_| ()).await.expect("check").is_clean());
}

#[tokio::test]
async fn memory_and_disk_answer_alike() {
    let place = Place::new();
    for builder in [strata::builder().memory().plaintext(), place.sealed()] {
        let db = opened(builder).await;
        let numbers = db.collection::<u32>("number").expect("collection");
        numbers.set("one", &1).await.expect("set");
        numbers.modify("one", |number| *number += 1).await.expect("modify");
        assert_eq!(numbers.get("one").await.expect("get"), Some(2));
        assert_eq!(db.keys("*").collect().await.expect("keys"), ["number:one"]);
        let check = db.check(|_| ()).await.expect("check");
        assert_eq!((check.count, check.opened), (0, 1));
        assert!(db.stats().await.expect("stats").expect("counted").records >= Some(1));
        assert!(numbers.remove("one").await.expect("remove"));
        db.close().await.expect("close");
    }
}

#[tokio::test]
async fn the_report_says_where_the_key_came_from() {
    let place = Place::new();
    let db = opened(place.sealed()).await;
    let report = db.report();
    let keys = report.keys.clone().expect("keys");
    assert_eq!((report.protection, report.durability), (Protection::Sealed, Durability::Process));
    assert!(keys.fresh && keys.created && keys.provider == "file");
    assert_eq!(keys.place, Some(place.at("key").display().to_string()));
    assert!(report.to_string().contains("drawn now"), "{report}");
    db.close().await.expect("close");
    let again = opened(place.sealed()).await.report().keys.expect("keys");
    assert!(!again.fresh && !again.created);
    assert_eq!(again.keys, keys.keys);
}

#[tokio::test]
async fn s30_a_store_is_never_opened_with_other_keys_and_none_is_made_for_it() {
    let place = Place::new();
    opened(place.sealed()).await.close().await.expect("close");
    let missing = refused(place.sled().keys(Keys::file(place.at("other")))).await;
    assert_eq!(missing.kind(), ErrorKind::MissingKey, "{missing}");
    assert!(!place.at("other").exists(), "no key is drawn for a store that has one");
    let folder = Keys::provider(Arc::new(FileKeys::in_folder(place.at("keys"))));
    assert_eq!(refused(place.sled().keys(folder)).await.kind(), ErrorKind::MissingKey);
    let environment = refused(place.sled().keys(Keys::env("STRATA_NO_SUCH_KEY"))).await;
    assert_eq!(environment.kind(), ErrorKind::MissingKey, "{environment}");
    let bytes: [u8; 32] = std::array::from_fn(|index| u8::try_from(index).expect("small"));
    let given = refused(place.sled().keys(Keys::bytes(&bytes).expect("key"))).await;
    assert!(matches!(given.kind(), ErrorKind::MissingKey | ErrorKind::WrongKey), "{given}");
    let elsewhere = Place::new();
    opened(elsewhere.sealed()).await.close().await.expect("close");
    let foreign = refused(place.sled().keys(Keys::file(elsewhere.at("key")))).await;
    assert!(matches!(foreign.kind(), ErrorKind::MissingKey | ErrorKind::WrongKey), "{foreign}");
    opened(place.sealed()).await.close().await.expect("its own key still opens it");
}

#[tokio::test]
async fn encryption_is_required_or_absent_never_silently() {
    let place = Place::new();
    opened(place.sealed()).await.close().await.expect("close");
    let plain = refused(place.sled().plaintext()).await;
    assert_eq!(plain.kind(), ErrorKind::MissingKey, "{plain}");
    let unsaid = refused(place.sled()).await;
    assert_eq!(unsaid.kind(), ErrorKind::Invalid);
    assert!(unsaid.to_string().contains(".plaintext()"), "{unsaid}");

    let open = Place::new();
    opened(open.sled().plaintext()).await.close().await.expect("close");
    let keyed = refused(open.sealed()).await;
    assert_eq!(keyed.kind(), ErrorKind::Downgrade, "{keyed}");
    let weak = refused(place.sealed().require(Protection::OsKeyring)).await;
    assert_eq!(weak.kind(), ErrorKind::Downgrade, "{weak}");
    assert_eq!(refused(strata::builder().plaintext()).await.kind(), ErrorKind::Invalid, "no store was named");
}

#[tokio::test]
async fn a_key_file_among_the_data_is_refused() {
    let place = Place::new();
    let error = refused(place.sled().keys(Keys::file(place.at("data/key")))).await;
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
}

#[tokio::test]
async fn s26_records_changed_or_moved_in_the_raw_store_do_not_open() {
    let place = Place::new();
    let db = opened(place.sealed()).await;
    db.set("a", &"secret of a".to_owned()).await.expect("set");
    let sealed = raw(&db, "a").await;
    put_raw(&db, "b", sealed.clone()).await;
    assert_eq!(db.get::<String>("b").await.expect_err("moved").kind(), ErrorKind::Corrupt);
    for position in 0..sealed.len() {
        let mut bytes = sealed.clone();
        bytes[position] ^= 0x40;
        put_raw(&db, "a", bytes).await;
        assert!(db.get::<String>("a").await.is_err(), "a flip at {position}");
    }
    put_raw(&db, "a", sealed).await;
    assert_eq!(db.get::<String>("a").await.expect("whole").as_deref(), Some("secret of a"));
    let check = db.check(|_| ()).await.expect("check");
    assert_eq!((check.count, check.opened), (1, 1));
    assert!(check.problems[0].contains("`b`"), "{:?}", check.problems);
}

#[tokio::test]
async fn s30_plaintext_slipped_into_a_sealed_store_is_refused() {
    let place = Place::new();
    let open = opened(strata::builder().memory().plaintext()).await;
    open.set("a", &"forged".to_owned()).await.expect("set");
    let db = opened(place.sealed()).await;
    put_raw(&db, "a", raw(&open, "a").await).await;
    assert_eq!(db.get::<String>("a").await.expect_err("plaintext").kind(), ErrorKind::Downgrade);
}

#[tokio::test]
async fn nothing_readable_lies_on_disk() {
    let place = Place::new();
    let text = "a text that occurs nowhere by chance";
    for (builder, readable) in
        [(place.sealed(), false), (strata::builder().sled(place.at("plain")).plaintext(), true)]
    {
        let db = opened(builder).await;
        db.set("k", &text.to_owned()).await.expect("set");
        db.close().await.expect("close");
        assert_eq!(holds(&place.at(if readable { "plain" } else { "data" }), text), readable);
    }
}

#[tokio::test]
async fn one_process_holds_a_store_until_it_is_closed() {
    let place = Place::new();
    let db = opened(place.sealed()).await;
    let second = refused(place.sealed()).await;
    assert_eq!(second.kind(), ErrorKind::Locked, "{second}");
    db.close().await.expect("close");
    opened(place.sealed()).await.close().await.expect("at once after closing");
}

#[tokio::test]
async fn more_durability_than_a_store_has_is_refused() {
    let builder = strata::builder().memory().plaintext().durability(Durability::Process);
    assert_eq!(refused(builder).await.kind(), ErrorKind::Unsupported);
    let db = opened(strata::builder().memory().plaintext()).await;
    assert_eq!(db.report().durability, Durability::Volatile);
}

#[tokio::test]
async fn the_sweeper_announces_what_died_and_ends_with_its_owner() {
    let clock = Arc::new(ManualClock::default());
    let db = strata::builder().memory().plaintext().clock(Arc::clone(&clock) as _);
    let db = opened(db.sweep_every(Duration::from_millis(5))).await;
    let mut changes = db.subscribe("*").expect("subscribe");
    db.set("k", &1_u8).ttl(1.minutes()).await.expect("set");
    assert!(
        matches!(changes.next().await, Some(Event::Change(change)) if change.kind == ChangeKind::Created)
    );
    clock.advance(1.minutes());
    let heard = tokio::time::timeout(Duration::from_secs(20), changes.next()).await.expect("in time");
    assert!(matches!(heard, Some(Event::Change(change)) if change.kind == ChangeKind::Expired));
    assert_eq!(db.report().sweeps.expect("swept").removed, 1);
    let store = Arc::downgrade(db.store());
    db.close().await.expect("close");
    assert!(store.upgrade().is_none(), "nothing holds the store after closing");
}

#[tokio::test]
async fn without_a_sweeper_the_dead_are_not_served() {
    let clock = Arc::new(ManualClock::default());
    let db = strata::builder().memory().plaintext().clock(Arc::clone(&clock) as _);
    let db = opened(db.without_sweeper()).await;
    db.set("k", &1_u8).ttl(1.minutes()).await.expect("set");
    clock.advance(1.minutes());
    assert_eq!(db.get::<u8>("k").await.expect("get"), None);
    assert_eq!(
        db.stats().await.expect("stats").expect("counted").records,
        Some(2),
        "the remains and the header"
    );
    assert_eq!(db.sweep().await.expect("sweep").removed, 1);
    assert_eq!(db.stats().await.expect("stats").expect("counted").records, Some(1));
}

#[tokio::test]
async fn s12_time_goes_on_from_the_watermark_and_a_bogus_future_is_reported() {
    let place = Place::new();
    let db = opened(place.sealed()).await;
    let future = strata::native::wall().saturating_add(3650.days());
    Watermark::under(&db).reset(future).await.expect("reset");
    db.close().await.expect("close");
    let db = opened(place.sealed().without_sweeper()).await;
    assert!(db.clock().now() >= future);
    assert!(
        matches!(db.report().clock[..], [ClockReport::WatermarkAhead { watermark, .. }] if watermark == future)
    );
    Watermark::under(&db).reset(strata::native::wall()).await.expect("reset");
    db.close().await.expect("close");
    let db = opened(place.sealed()).await;
    assert!(db.clock().now() < future && db.report().clock.is_empty());
    assert!(db.clock().now() > Timestamp::EPOCH);
}

#[tokio::test]
async fn s12_opening_and_closing_write_down_the_time_also_without_a_sweeper() {
    let store: Arc<dyn strata::Store> = Arc::new(strata::ReferenceStore::new());
    let watermark = Watermark::of(Arc::clone(&store));
    let open = || opened(strata::builder().store(Arc::clone(&store)).plaintext().without_sweeper());
    let before = strata::native::wall();
    let db = open().await;
    let at_open = watermark.read().await.expect("read").expect("raised");
    assert!(at_open >= before);
    while db.clock().now() <= at_open {
        tokio::task::yield_now().await;
    }
    let seen = db.clock().now();
    db.close().await.expect("close");
    let at_close = watermark.read().await.expect("read").expect("raised");
    assert!(at_close >= seen, "what died while it was open stays dead");

    let db = open().await;
    watermark.reset(before).await.expect("reset");
    db.close().await.expect("close");
    assert_eq!(watermark.read().await.expect("read"), Some(before), "an operator's reset is not undone");
}

#[tokio::test]
async fn s12_a_given_clock_leaves_the_watermark_alone() {
    let store: Arc<dyn strata::Store> = Arc::new(strata::ReferenceStore::new());
    let builder = strata::builder().store(Arc::clone(&store)).plaintext();
    let db = opened(builder.clock(Arc::new(ManualClock::default()))).await;
    db.sweep().await.expect("sweep");
    db.close().await.expect("close");
    assert_eq!(Watermark::of(store).read().await.expect("read"), None);
}

#[tokio::test]
async fn keys_are_rotated_while_the_store_is_open() {
    let place = Place::new();
    let db = opened(place.sealed()).await;
    for number in 0..20_u32 {
        db.set(&format!("n:{number}"), &number).await.expect("set");
    }
    let keys = db.keyset().expect("keys");
    let old = db.seal().expect("sealed").primary();
    let new = keys.add(&**db.store(), db.clock().now()).await.expect("add");
    keys.promote(&**db.store(), new, db.clock().now()).await.expect("promote");
    let done = keys.rekey(&db, |_| ()).await.expect("rekey");
    assert!(done.finished && done.moved >= 20, "{done:?}");
    keys.retire(&db, old).await.expect("retire");
    db.close().await.expect("close");
    let db = opened(place.sealed()).await;
    assert_eq!(db.seal().expect("sealed").primary(), new);
    assert_eq!(db.entries::<u32>("n:*").collect().await.expect("entries").len(), 20);
}

#[test]
fn outside_a_runtime_opening_says_what_is_missing() {
    let mut open = Box::pin(strata::builder().memory().plaintext().open());
    let Poll::Ready(opened) = open.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("nothing to wait for")
    };
    let error = opened.map(drop).expect_err("no runtime");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("runtime"), "{error}");
}
