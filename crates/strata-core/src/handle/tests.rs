//! The handle over the reference store, with a seal that binds key and header but hides nothing worth hiding.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::*;
use crate::batch::{Batch, Committed, Guard, Keep, Op, Write};
use crate::change::{Bus, Change, ChangeKind, Event};
use crate::codec::Codec;
use crate::expiry::Expiry;
use crate::journal::Journal;
use crate::lifetime::Lifetime;
use crate::record::{Payload, Record};
use crate::reference::ReferenceStore;
use crate::scan::{Page, Scan, Select};
use crate::seal::KeyId;
use crate::time::{ManualClock, Timestamp};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Cart {
    owner: String,
    items: Vec<(String, u32)>,
}

fn cart(items: u32) -> Cart {
    Cart { owner: "ada".to_owned(), items: (0..items).map(|item| (format!("item {item}"), item)).collect() }
}

/// XOR and a checksum: enough to see whether the pipe hands over what it has to.
#[derive(Debug)]
struct Toy;

impl Toy {
    fn tag(key: &Key, head: &[u8], body: &[u8]) -> [u8; 8] {
        let parts = key.as_bytes().iter().chain(head).chain(body);
        parts
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
            })
            .to_le_bytes()
    }
}

impl Seal for Toy {
    fn room(&self) -> usize {
        4
    }

    fn seal(&self, with: Option<KeyId>, key: &Key, envelope: &mut Vec<u8>, header: usize) -> Result<()> {
        let body = header + self.room();
        envelope[header..body].copy_from_slice(&with.unwrap_or(self.primary()).get().to_le_bytes());
        envelope[body..].iter_mut().for_each(|byte| *byte ^= 0x5a);
        let tag = Self::tag(key, &envelope[..body], &envelope[body..]);
        envelope.extend_from_slice(&tag);
        Ok(())
    }

    fn open<'s>(
        &self,
        key: &Key,
        envelope: &[u8],
        header: usize,
        scratch: &'s mut Vec<u8>,
    ) -> Result<&'s [u8]> {
        let body = header + self.room();
        let end = envelope.len() - 8;
        if Self::tag(key, &envelope[..body], &envelope[body..end]) != envelope[end..] {
            return Err(Error::new(ErrorKind::Corrupt, "open value", "the tag does not fit"));
        }
        scratch.extend(envelope[body..end].iter().map(|byte| byte ^ 0x5a));
        Ok(scratch)
    }

    fn sealed_under(&self, envelope: &[u8], header: usize) -> Result<KeyId> {
        let bytes = envelope[header..header + 4].try_into().expect("four bytes");
        Ok(KeyId::new(u32::from_le_bytes(bytes)))
    }

    fn primary(&self) -> KeyId {
        KeyId::new(1)
    }

    fn protection(&self) -> Protection {
        Protection::Sealed
    }
}

struct World {
    store: Arc<ReferenceStore>,
    clock: Arc<ManualClock>,
    db: Handle,
}

fn world() -> World {
    let store = Arc::new(ReferenceStore::new());
    let clock = Arc::new(ManualClock::default());
    let db = Handle::builder(Arc::clone(&store) as _, Arc::clone(&clock) as _)
        .seal(Arc::new(Toy))
        .build()
        .expect("handle");
    World { store, clock, db }
}

impl World {
    async fn raw(&self, name: &str) -> Record {
        self.store.get(&Key::new(name).expect("key")).await.expect("get").expect("record")
    }

    async fn put_raw(&self, name: &str, payload: Payload, expiry: Expiry) {
        let write = Write::Put { payload, expiry: Keep::Set(expiry), tags: Keep::Keep };
        let op = Op { key: Key::new(name).expect("key"), guard: Guard::Any, write };
        self.store.commit(Batch::one(self.clock.now(), Durability::Volatile, op)).await.expect("commit");
    }
}

/// A store whose commits fail as told.
#[derive(Debug)]
struct Failing {
    inner: ReferenceStore,
    fails: fn(&Batch) -> bool,
    commits: AtomicUsize,
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failing({})", self.inner)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for Failing {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        self.inner.get(key).await
    }

    async fn commit(&self, batch: Batch) -> Result<Committed> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        if (self.fails)(&batch) {
            return Err(Error::new(ErrorKind::Unavailable, "commit", "told to fail"));
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

#[tokio::test]
async fn values_come_back_as_they_were_set() {
    let World { db, .. } = world();
    let carts = db.collection::<Cart>("cart").expect("collection");
    assert_eq!(carts.get("ada").await.expect("get"), None);
    let version = carts.set("ada", &cart(3)).await.expect("set");
    assert_eq!(carts.get_versioned("ada").await.expect("get"), Some((cart(3), version)));
    assert_eq!(carts.peek("ada").await.expect("peek"), Some(cart(3)));
    assert_eq!(db.get::<Cart>("cart:ada").await.expect("get"), Some(cart(3)));
    assert!(carts.contains("ada").await.expect("contains"));
    assert!(carts.remove("ada").await.expect("remove"));
    assert!(!carts.remove("ada").await.expect("remove"));
    assert!(!carts.contains("ada").await.expect("contains"));
}

#[tokio::test]
async fn a_view_borrows_and_checks_the_shape() {
    #[derive(Deserialize)]
    struct Borrowed<'v> {
        owner: &'v str,
        items: Vec<(&'v str, u32)>,
    }
    #[derive(Debug, Deserialize)]
    struct Other {
        #[allow(dead_code)]
        owner: u64,
    }
    let World { db, .. } = world();
    db.set("c", &cart(2)).await.expect("set");
    let seen = db
        .view("c", |view| {
            let other = view.decode::<Other>().expect_err("another shape");
            let Borrowed { owner, items } = view.decode().expect("same shape");
            (owner.to_owned(), items.len(), items[1].0.to_owned(), other.kind())
        })
        .await
        .expect("view");
    assert_eq!(seen, Some(("ada".to_owned(), 2, "item 1".to_owned(), ErrorKind::Mismatch)));
    assert_eq!(db.view("missing", |_| ()).await.expect("view"), None);
}

#[tokio::test]
async fn a_value_read_as_another_type_is_an_error() {
    let World { db, .. } = world();
    db.set("pair", &(1_u64, 2_u64)).await.expect("set");
    let error = db.get::<(i64, i64)>("pair").await.expect_err("another shape");
    assert_eq!(error.kind(), ErrorKind::Mismatch);
    assert!(error.to_string().contains("read it as the type it was stored as"), "{error}");
    assert_eq!(db.get::<(u64, u64)>("pair").await.expect("get"), Some((1, 2)));
    db.set_as(Codec::Json, "json", &cart(1)).await.expect("set");
    assert_eq!(db.get::<Cart>("json").await.expect("the codec is found"), Some(cart(1)));
}

#[tokio::test]
async fn overwriting_keeps_what_is_not_mentioned() {
    let World { db, clock, .. } = world();
    db.set("s", &1_u32).idle(10 * MINUTE).at_most(60 * MINUTE).tag("user:ada").await.expect("set");
    let before = db.info("s").await.expect("info").expect("there");
    clock.advance(MINUTE);
    db.set("s", &2_u32).await.expect("set");
    let after = db.info("s").await.expect("info").expect("there");
    assert_eq!((after.expiry, &after.tags, after.created), (before.expiry, &before.tags, before.created));
    assert_ne!(after.version, before.version);
    db.set("s", &3_u32).forever().untagged().await.expect("set");
    let dropped = db.info("s").await.expect("info").expect("there");
    assert_eq!(dropped.expiry, Expiry::NEVER);
    assert!(dropped.tags.is_empty());
}

#[tokio::test]
async fn activity_slides_at_the_touch_interval_and_never_past_the_cap() {
    let World { db, clock, store, .. } = world();
    db.set("s", &1_u32).idle(10 * MINUTE).at_most(25 * MINUTE).await.expect("set");
    let deadline = async || {
        let record = store.get(&Key::new("s").expect("key")).await.expect("get").expect("there");
        record.expiry.deadline().expect("deadline")
    };
    let start = clock.now();
    clock.advance(30 * SECOND);
    assert_eq!(db.get::<u32>("s").await.expect("get"), Some(1));
    assert_eq!(deadline().await, start.saturating_add(10 * MINUTE), "less than a tenth was gained");
    clock.advance(30 * SECOND);
    assert_eq!(db.peek::<u32>("s").await.expect("peek"), Some(1));
    assert_eq!(deadline().await, start.saturating_add(10 * MINUTE), "peek is no activity");
    assert_eq!(db.get::<u32>("s").await.expect("get"), Some(1));
    assert_eq!(deadline().await, start.saturating_add(11 * MINUTE));
    for _ in 0..3 {
        clock.advance(7 * MINUTE);
        assert_eq!(db.get::<u32>("s").await.expect("get"), Some(1));
    }
    assert_eq!(deadline().await, start.saturating_add(25 * MINUTE));
    clock.advance(3 * MINUTE);
    assert_eq!(db.get::<u32>("s").await.expect("get"), None);
    assert_eq!(db.ttl("s").await.expect("ttl"), Ttl::Missing);
    assert!(!db.touch("s").await.expect("touch"), "nothing revives");
}

#[tokio::test]
async fn s26_a_cap_stretched_in_the_store_does_not_hold() {
    let world = world();
    let World { db, clock, .. } = &world;
    db.set("s", &1_u32).idle(10 * MINUTE).at_most(20 * MINUTE).await.expect("set");
    let record = world.raw("s").await;
    world.put_raw("s", record.payload, Expiry::at(Timestamp::MAX)).await;
    assert_eq!(db.get::<u32>("s").await.expect("get"), Some(1));
    assert_eq!(db.ttl("s").await.expect("ttl"), Ttl::Left(20 * MINUTE));
    clock.advance(20 * MINUTE);
    assert_eq!(db.get::<u32>("s").await.expect("get"), None);
    assert!(!db.contains("s").await.expect("contains"));
    assert!(db.entries::<u32>("*").collect().await.expect("entries").is_empty());
    let gone = db.modify("s", |value: &mut u32| *value += 1).await.expect_err("dead");
    assert_eq!(gone.kind(), ErrorKind::Gone);
    assert_eq!(db.update("s", |value: Option<u32>| value.map(|_| 9)).await.expect("update"), None);
    let created = db.update_within("s", Lifetime::ttl(MINUTE), |value: Option<u32>| value.or(Some(5))).await;
    assert!(created.expect("a new life in place of the dead one").is_some());
    assert_eq!(db.peek::<u32>("s").await.expect("peek"), Some(5));
    assert_eq!(db.ttl("s").await.expect("ttl"), Ttl::Left(MINUTE));
}

#[tokio::test]
async fn moving_the_cap_reseals_and_other_expiry_does_not() {
    let world = world();
    let World { db, .. } = &world;
    db.set("s", &1_u32).idle(MINUTE).at_most(20 * MINUTE).await.expect("set");
    let sealed = world.raw("s").await.payload;
    assert!(db.expire("s", Lifetime::idle(2 * MINUTE).at_most(20 * MINUTE)).await.expect("expire"));
    assert_eq!(world.raw("s").await.payload, sealed, "same cap, same payload");
    assert!(db.expire("s", Lifetime::ttl(MINUTE)).await.expect("expire"));
    assert_ne!(world.raw("s").await.payload, sealed);
    assert_eq!(db.ttl("s").await.expect("ttl"), Ttl::Left(MINUTE));
    assert!(db.persist("s").await.expect("persist"));
    assert_eq!(db.ttl("s").await.expect("ttl"), Ttl::Never);
    assert_eq!(db.get::<u32>("s").await.expect("get"), Some(1));
    assert!(!db.persist("missing").await.expect("persist"));
}

#[tokio::test]
async fn a_failed_slide_never_fails_the_read() {
    let store = Arc::new(Failing {
        inner: ReferenceStore::new(),
        fails: |batch| matches!(batch.ops[0].write, Write::Slide(_)),
        commits: AtomicUsize::new(0),
    });
    let clock = Arc::new(ManualClock::default());
    let db = Handle::builder(Arc::clone(&store) as _, Arc::clone(&clock) as _).build().expect("handle");
    db.set("s", &1_u32).idle(MINUTE).await.expect("set");
    clock.advance(30 * SECOND);
    assert_eq!(db.get::<u32>("s").await.expect("the read holds"), Some(1));
    assert_eq!(store.commits.load(Ordering::SeqCst), 2, "a slide was tried");
    assert_eq!(db.touch("s").await.expect_err("an explicit touch reports").kind(), ErrorKind::Unavailable);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_changes_at_once_lose_nothing() {
    let World { db, .. } = world();
    db.set("n", &0_u64).await.expect("set");
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move { db.modify("n", |n: &mut u64| *n += 1).await })
        })
        .collect();
    for task in tasks {
        task.await.expect("join").expect("modify");
    }
    assert_eq!(db.get::<u64>("n").await.expect("get"), Some(100));
}

#[tokio::test]
async fn a_change_never_revives_and_an_unchanged_value_is_not_written() {
    let World { db, clock, store } = world();
    let gone = db.modify("s", |n: &mut u64| *n += 1).await.expect_err("missing");
    assert_eq!(gone.kind(), ErrorKind::Gone);
    let version = db.set("s", &1_u64).ttl(MINUTE).await.expect("set");
    assert_eq!(db.modify("s", |n: &mut u64| std::mem::replace(n, 1)).await.expect("modify"), 1);
    assert_eq!(db.info("s").await.expect("info").expect("there").version, version);
    clock.advance(MINUTE);
    let gone = db.modify("s", |n: &mut u64| *n += 1).await.expect_err("dead");
    assert_eq!(gone.kind(), ErrorKind::Gone);
    // Removed between the read and the write: the closure removes it itself, around the handle.
    db.set("race", &1_u64).forever().await.expect("set");
    let lost = db
        .modify("race", |n: &mut u64| {
            *n += 1;
            let op = Op { key: Key::new("race").expect("key"), guard: Guard::Any, write: Write::Remove };
            let removal = store.commit(Batch::one(clock.now(), Durability::Volatile, op));
            block(removal).expect("remove");
        })
        .await
        .expect_err("lost the race with a removal");
    assert_eq!(lost.kind(), ErrorKind::Gone);
    assert!(!db.contains("race").await.expect("contains"));
}

/// Runs a future of the reference store, which is always ready.
fn block<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("the reference store never waits"),
    }
}

#[tokio::test]
async fn update_creates_changes_and_removes() {
    let World { db, clock, .. } = world();
    let add = |n: Option<u64>| Some(n.unwrap_or(0) + 1);
    assert!(db.update_within("n", Lifetime::ttl(MINUTE), add).await.expect("update").is_some());
    db.update("n", add).await.expect("update");
    assert_eq!(db.get::<u64>("n").await.expect("get"), Some(2));
    assert_eq!(db.ttl("n").await.expect("ttl"), Ttl::Left(MINUTE), "a change keeps the expiry");
    assert_eq!(db.update("n", |_: Option<u64>| None).await.expect("update"), None);
    assert!(!db.contains("n").await.expect("contains"));
    db.set("n", &7_u64).ttl(MINUTE).tag("old").await.expect("set");
    clock.advance(MINUTE);
    db.update("n", add).await.expect("update");
    let info = db.info("n").await.expect("info").expect("there");
    assert_eq!(db.get::<u64>("n").await.expect("get"), Some(1), "a dead value is not seen");
    assert!(info.tags.is_empty(), "nor are its tags inherited");
    assert_eq!(info.expiry, Expiry::NEVER);
}

#[tokio::test]
async fn guards_say_conflict_or_gone() {
    let World { db, .. } = world();
    let first = db.set("k", &1_u32).if_absent().await.expect("create");
    let kind = async |set: Set<'_>| set.await.expect_err("refused").kind();
    assert_eq!(kind(db.set("k", &2_u32).if_absent()).await, ErrorKind::Conflict);
    let second = db.set("k", &2_u32).if_version(first).await.expect("change");
    assert_eq!(kind(db.set("k", &3_u32).if_version(first)).await, ErrorKind::Conflict);
    assert_eq!(db.remove_if("k", first).await.expect_err("changed").kind(), ErrorKind::Conflict);
    db.remove_if("k", second).await.expect("remove");
    assert_eq!(kind(db.set("k", &3_u32).if_version(second)).await, ErrorKind::Gone);
    assert_eq!(kind(db.set("k", &3_u32).if_present()).await, ErrorKind::Gone);
    assert_eq!(db.remove_if("k", second).await.expect_err("gone").kind(), ErrorKind::Gone);
}

#[tokio::test]
async fn bad_input_is_refused_before_anything_is_written() {
    let World { db, store, .. } = world();
    let long = "x".repeat(600);
    let big = vec![7_u8; HandleBuilder::DEFAULT_MAX_VALUE + 1];
    for (set, kind, says) in [
        (db.set("", &1_u8), ErrorKind::Invalid, "at least one character"),
        (db.set(&long, &1_u8), ErrorKind::Invalid, "at most 512"),
        (db.set("a\u{7}", &1_u8), ErrorKind::Invalid, "control character"),
        (db.set("~strata:header", &1_u8), ErrorKind::Invalid, "choose another name"),
        (db.set("k", &1_u8).ttl(Duration::ZERO), ErrorKind::Invalid, "at least a millisecond"),
        (db.set("k", &1_u8).ttl(Duration::MAX), ErrorKind::Invalid, "past the year 9999"),
        (db.set("k", &1_u8).expires_at(Timestamp::from_millis(5)), ErrorKind::Invalid, "deadline has passed"),
        (db.set("k", &1_u8).tag(""), ErrorKind::Invalid, "at least one character"),
        (db.set("k", &1_u8).durability(Durability::Power), ErrorKind::Unsupported, "ask for less"),
    ] {
        let error = set.await.expect_err(says);
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
    assert_eq!(db.set("k", &big).await.expect_err("too large").kind(), ErrorKind::TooLarge);
    let all = store.scan(Scan::new(Select::Prefix(crate::KeyPrefix::all()), 10)).await.expect("scan");
    assert!(all.entries.is_empty());
}

#[tokio::test]
async fn s30_plaintext_sealed_moved_and_damaged_records_are_told_apart() {
    let world = world();
    let sealed = &world.db;
    let plain = Handle::builder(Arc::clone(&world.store) as _, Arc::clone(&world.clock) as _)
        .build()
        .expect("handle");
    sealed.set("a", &1_u32).await.expect("set");
    let kind = |result: Result<Option<u32>>| result.expect_err("refused").kind();
    assert_eq!(kind(plain.get("a").await), ErrorKind::MissingKey);
    plain.set("p", &1_u32).await.expect("set");
    assert_eq!(kind(sealed.get("p").await), ErrorKind::Downgrade);
    let record = world.raw("a").await;
    world.put_raw("b", record.payload.clone(), Expiry::NEVER).await;
    assert_eq!(kind(sealed.get("b").await), ErrorKind::Corrupt, "moved to another key");
    for length in 0..Header::LEN {
        world.put_raw("b", Payload::from(&record.payload.as_bytes()[..length]), Expiry::NEVER).await;
        assert_eq!(kind(sealed.get("b").await), ErrorKind::Corrupt, "cut to {length} bytes");
    }
    assert_eq!(sealed.get::<u32>("a").await.expect("untouched"), Some(1));
}

use crate::envelope::Header;

#[tokio::test]
async fn clears_combine_filters_and_leave_system_records() {
    let World { db, clock, store } = world();
    let system = Key::system("header").expect("key");
    let write = Write::Put { payload: Payload::from(&b"x"[..]), expiry: Keep::Keep, tags: Keep::Keep };
    let op = Op { key: system.clone(), guard: Guard::Any, write };
    store.commit(Batch::one(clock.now(), Durability::Volatile, op)).await.expect("commit");
    for (name, tag) in [("cart:a", "x"), ("cart:b", "y"), ("user:a", "x"), ("user:b", "y")] {
        db.set(name, &1_u32).tag(tag).await.expect("set");
        clock.advance(MINUTE);
    }
    db.set("user:dying", &1_u32).ttl(MINUTE).await.expect("set");
    assert_eq!(db.select().count().await.expect("count"), 5);
    assert_eq!(db.select().prefix("user:").tag("x").count().await.expect("count"), 1);
    assert_eq!(db.select().glob("*:b").keys().collect().await.expect("keys"), ["cart:b", "user:b"]);
    assert_eq!(db.select().older_than(3 * MINUTE).count().await.expect("count"), 2);
    assert_eq!(db.expiring(MINUTE).keys().collect().await.expect("keys"), ["user:dying"]);
    assert!(db.select().size().await.expect("size") > 5 * 15);
    clock.advance(MINUTE);
    assert_eq!(db.select().expired().count().await.expect("count"), 1);
    assert_eq!(db.select().expired().clear().await.expect("clear"), 1);
    assert_eq!(db.select().glob("cart:*").tag("y").clear().await.expect("clear"), 1);
    let users = db.namespace("user").expect("namespace");
    assert_eq!(users.keys("*").collect().await.expect("keys"), ["a", "b"]);
    assert_eq!(users.clear().await.expect("clear"), 2);
    assert_eq!(db.clear().await.expect("clear"), 1);
    assert!(store.get(&system).await.expect("get").is_some(), "the store's own records stay");
    let error = db.select().tag("").count().await.expect_err("bad tag");
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn walks_span_pages() {
    let World { db, .. } = world();
    for number in 0..700_u32 {
        db.set(&format!("n:{number:04}"), &number).await.expect("set");
    }
    let entries = db.entries::<u32>("n:*").collect().await.expect("entries");
    assert_eq!(entries.len(), 700);
    assert!(entries.iter().enumerate().all(|(index, (name, value))| {
        *name == format!("n:{index:04}") && u32::try_from(index).is_ok_and(|index| index == *value)
    }));
    assert_eq!(db.clear().await.expect("clear"), 700);
}

#[tokio::test]
async fn several_writes_are_one() {
    let World { db, .. } = world();
    let carts = db.collection::<Cart>("cart").expect("collection");
    carts.set("old", &cart(1)).await.expect("set");
    let lost = db
        .writes()
        .stage(carts.set("new", &cart(2)))
        .stage(carts.removal("old"))
        .stage(db.check("owner", Guard::Present))
        .commit()
        .await
        .expect_err("the check does not hold");
    assert_eq!(lost.kind(), ErrorKind::Gone);
    assert!(
        carts.contains("old").await.expect("contains") && !carts.contains("new").await.expect("contains")
    );
    let writes = db.writes().stage(carts.set("new", &cart(2)).tag("t")).stage(carts.removal("old"));
    assert_eq!(writes.commit().await.expect("commit").len(), 2);
    assert!(
        !carts.contains("old").await.expect("contains") && carts.contains("new").await.expect("contains")
    );
    let twice = db.writes().stage(db.removal("a")).stage(db.removal("a")).commit().await.expect_err("twice");
    assert_eq!(twice.kind(), ErrorKind::Invalid);
    let other = world();
    let foreign = db.writes().stage(other.db.removal("a")).commit().await.expect_err("another store");
    assert_eq!(foreign.kind(), ErrorKind::Invalid);
}

fn kinds(subscription: &mut Subscription) -> Vec<(String, ChangeKind)> {
    std::iter::from_fn(|| subscription.try_next())
        .map(|event| match event {
            Event::Change(change) => (change.key.as_str().to_owned(), change.kind),
            Event::Lagged(count) => panic!("lagged {count}"),
        })
        .collect()
}

#[tokio::test]
async fn every_change_is_announced_once_and_each_expiry_by_one() {
    use ChangeKind::{Created, Expired, Removed, Retimed, Updated};
    let World { db, clock, .. } = world();
    let users = db.namespace("user").expect("namespace");
    let mut all = db.subscribe("*").expect("subscribe");
    let mut mine = users.subscribe("a*").expect("subscribe");
    users.set("a", &1_u32).ttl(MINUTE).await.expect("set");
    users.set("b", &1_u32).ttl(MINUTE).await.expect("set");
    users.set("a", &2_u32).await.expect("set");
    users.expire("a", Lifetime::ttl(2 * MINUTE)).await.expect("expire");
    users.touch("a").await.expect("touch");
    users.modify("a", |n: &mut u32| *n += 1).await.expect("modify");
    let a = |kind| ("user:a".to_owned(), kind);
    let b = |kind| ("user:b".to_owned(), kind);
    assert_eq!(kinds(&mut all), [a(Created), b(Created), a(Updated), a(Retimed), a(Updated)]);
    assert_eq!(kinds(&mut mine).len(), 4);
    clock.advance(2 * MINUTE);
    users.set("a", &3_u32).await.expect("set over a dead one");
    let purged = db.purge(None, 100).await.expect("purge");
    assert_eq!((purged.seen, purged.removed, purged.next), (1, 1, None));
    assert_eq!(db.purge(None, 100).await.expect("purge").removed, 0);
    assert!(users.remove("a").await.expect("remove"));
    assert!(!users.remove("a").await.expect("remove"));
    assert_eq!(kinds(&mut all), [a(Expired), a(Created), b(Expired), a(Removed)]);
}

#[tokio::test]
async fn who_is_refused_neither_changes_nor_keeps_alive() {
    let World { db, clock, .. } = world();
    db.set("s", &1_u32).idle(MINUTE).await.expect("set");
    clock.advance(40 * SECOND);
    let refusal = || Error::new(ErrorKind::Gone, "examine", "wrong secret");
    let read = db.examine("s", |_: u32, _| Err::<(), Error>(refusal())).await;
    assert_eq!(read.expect_err("refused").kind(), ErrorKind::Gone);
    let change = db.try_modify("s", |value: &mut u32| {
        *value = 2;
        Err::<(), Error>(refusal())
    });
    assert_eq!(change.await.expect_err("refused").kind(), ErrorKind::Gone);
    assert_eq!(db.ttl("s").await.expect("ttl"), Ttl::Left(20 * SECOND));
    assert_eq!(db.examine("s", |value: u32, _| Ok::<_, Error>(value)).await.expect("examine"), Some(1));
    assert_eq!(db.ttl("s").await.expect("ttl"), Ttl::Left(MINUTE));
}

#[derive(Debug, Default)]
struct Tape(std::sync::Mutex<Vec<Change>>);

impl Bus for Tape {
    fn publish(&self, change: &Change) {
        self.0.lock().expect("lock").push(change.clone());
    }
}

#[derive(Debug)]
struct Stamps;

impl Journal for Stamps {
    fn record(&self, batch: &mut Batch) -> Result<()> {
        let write =
            Write::Put { payload: Payload::from(&b"stamp"[..]), expiry: Keep::Keep, tags: Keep::Keep };
        batch.ops.push(Op { key: Key::system("stamp")?, guard: Guard::Any, write });
        Ok(())
    }
}

#[tokio::test]
async fn journal_and_bus_see_every_commit() {
    let store = Arc::new(ReferenceStore::new());
    let tape = Arc::new(Tape::default());
    let db = Handle::builder(Arc::clone(&store) as _, Arc::new(ManualClock::default()))
        .journal(Arc::new(Stamps))
        .bus(Arc::clone(&tape) as _)
        .build()
        .expect("handle");
    db.set("a", &1_u32).await.expect("set");
    assert!(store.get(&Key::system("stamp").expect("key")).await.expect("get").is_some());
    db.modify("a", |n: &mut u32| *n += 1).await.expect("modify");
    assert_eq!(db.writes().stage(db.removal("a")).commit().await.expect("commit").len(), 1);
    let tape = tape.0.lock().expect("lock");
    assert_eq!(
        tape.iter().map(|change| change.kind).collect::<Vec<_>>(),
        [ChangeKind::Created, ChangeKind::Updated, ChangeKind::Removed]
    );
}

#[tokio::test]
async fn exports_come_back_sealed_or_plain() {
    let World { db, clock, .. } = world();
    db.set("a", &cart(2)).idle(MINUTE).at_most(10 * MINUTE).tag("t").await.expect("set");
    db.set("dead", &cart(1)).ttl(SECOND).await.expect("set");
    clock.advance(SECOND);
    let before = db.info("a").await.expect("info").expect("there");
    for sealed in [true, false] {
        let selection = db.select();
        let mut export = if sealed { selection.export_sealed(None) } else { selection.export_plaintext() };
        let exported = export.next().await.expect("one").expect("exported");
        assert!(export.next().await.is_none());
        assert_eq!(matches!(exported.body, Body::Sealed(_)), sealed);
        let line = serde_json::to_string(&exported).expect("json");
        let back: Exported = serde_json::from_str(&line).expect("json");
        assert_eq!(db.import(&back, Guard::Absent).await.expect_err("exists").kind(), ErrorKind::Conflict);
        db.remove("a").await.expect("remove");
        assert!(matches!(db.import(&back, Guard::Absent).await.expect("import"), Imported::Stored(_)));
        let after = db.info("a").await.expect("info").expect("there");
        assert_eq!((after.expiry, after.tags), (before.expiry, before.tags.clone()));
        assert_eq!(db.peek::<Cart>("a").await.expect("peek"), Some(cart(2)));
        let moved = Exported { key: "b".to_owned(), ..back.clone() };
        assert_eq!(
            db.import(&moved, Guard::Any).await.is_err(),
            sealed,
            "a sealed body opens only under its name"
        );
        db.remove("b").await.expect("remove");
        let late = Exported { expiry: [1, 0, u64::MAX], ..back };
        assert_eq!(db.import(&late, Guard::Any).await.expect("import"), Imported::Expired);
    }
}

#[tokio::test]
async fn reseal_moves_a_record_under_the_primary_key() {
    let world = world();
    let World { db, .. } = &world;
    let version = db.set("a", &cart(1)).at_most(MINUTE).await.expect("set");
    let key = Key::new("a").expect("key");
    assert_eq!(db.reseal(&key).await.expect("reseal"), Resealed::Current);
    let mut export = db.select().export_sealed(Some(KeyId::new(9)));
    let Body::Sealed(old) = export.next().await.expect("one").expect("exported").body else {
        panic!("sealed")
    };
    world.put_raw("a", Payload::from(old), world.raw("a").await.expiry).await;
    let mut changes = db.subscribe("*").expect("subscribe");
    assert_eq!(db.info("a").await.expect("info").expect("there").sealed_under, Some(KeyId::new(9)));
    assert_eq!(db.reseal(&key).await.expect("reseal"), Resealed::Moved);
    let info = db.info("a").await.expect("info").expect("there");
    assert_eq!(info.sealed_under, Some(KeyId::new(1)));
    assert_ne!(info.version, version);
    assert_eq!(info.expiry.not_after(), Some(world.clock.now().saturating_add(MINUTE)));
    assert_eq!(db.peek::<Cart>("a").await.expect("peek"), Some(cart(1)));
    assert!(changes.try_next().is_none(), "nothing changed for a reader");
    assert_eq!(db.reseal(&Key::new("missing").expect("key")).await.expect("reseal"), Resealed::Gone);
}

#[tokio::test]
async fn namespaces_have_names_that_cannot_reach_others() {
    let World { db, .. } = world();
    for name in ["a:b", "*", "a?", "~strata", "", "a\\"] {
        assert_eq!(db.namespace(name).expect_err(name).kind(), ErrorKind::Invalid);
    }
    let hostile = Key::escape("ada:x*");
    let inner = db.namespace("user").and_then(|users| users.namespace(&hostile)).expect("namespace");
    inner.set("k", &1_u32).await.expect("set");
    assert_eq!(db.keys("user:*").collect().await.expect("keys"), ["user:ada%3Ax%2A:k"]);
    assert!(
        db.namespace("user")
            .expect("users")
            .namespace("ada")
            .expect("ada")
            .keys("*")
            .collect()
            .await
            .expect("keys")
            .is_empty()
    );
    let all_stars = inner.set("~strata:x", &1_u32).await;
    assert!(all_stars.is_ok(), "the prefix is reserved at the root only");
}

#[tokio::test]
async fn what_is_needed_is_checked_when_a_manager_is_built() {
    let World { db, store, .. } = world();
    let needs = Needs { atomicity: crate::Atomicity::Batch, protection: Protection::Sealed, ..Needs::LEAST };
    db.require(&needs).expect("this handle has it");
    let plain = Handle::builder(store, Arc::new(ManualClock::default())).build().expect("handle");
    assert_eq!(plain.require(&needs).expect_err("plaintext").kind(), ErrorKind::Downgrade);
    let shared = Needs { guards: crate::GuardScope::Shared, ..Needs::LEAST };
    assert_eq!(db.require(&shared).expect_err("one process").kind(), ErrorKind::Unsupported);
    let mut secret = [0; 4];
    assert_eq!(db.random().fill(&mut secret).expect_err("no source").kind(), ErrorKind::Unsupported);
}

#[test]
fn futures_can_be_sent() {
    fn send<T: Send>(_: T) {}
    let World { db, .. } = world();
    send(db.set("a", &1_u32).into_future());
    send(db.get::<Cart>("a"));
    send(db.view("a", |view| view.bytes().len()));
    send(db.modify("a", |n: &mut u32| *n += 1));
    send(db.update("a", |n: Option<u32>| n));
    send(db.clear());
    send(db.expire("a", Lifetime::FOREVER));
    send(db.select().count());
    send(db.writes().stage(db.removal("a")).commit());
}
