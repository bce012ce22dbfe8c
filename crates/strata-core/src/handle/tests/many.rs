//! Many records and what surrounds them: walks, clears, batches, events, journal and bus, transfer, namespaces.

use super::*;
use crate::change::Origin;
use crate::record::Version;

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
struct Tape(std::sync::Mutex<Vec<Change>>, std::sync::atomic::AtomicU32);

impl Bus for Tape {
    fn publish(&self, change: &Change) {
        self.0.lock().expect("lock").push(change.clone());
    }

    fn lose(&self) {
        self.1.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
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
async fn what_peers_did_is_remote_and_does_not_echo() {
    let World { db: there, .. } = world();
    there.set("a", &cart(2)).idle(MINUTE).tag("t").await.expect("set");
    let key = Key::new("a").expect("key");
    let (exported, _) = there.export_plaintext(&key).await.expect("export").expect("alive");

    let (store, tape) = (Arc::new(ReferenceStore::new()), Arc::new(Tape::default()));
    let clock = Arc::new(ManualClock::default());
    let here = Handle::builder(Arc::clone(&store) as _, Arc::clone(&clock) as _)
        .journal(Arc::new(Stamps))
        .bus(Arc::clone(&tape) as _)
        .build()
        .expect("handle");
    let mut changes = here.subscribe("*").expect("subscribe").from(Origin::Remote);
    let mark = |name| Op { key: Key::system(name).expect("key"), guard: Guard::Any, write: Write::Remove };
    let mut commit = here.from_peer();
    assert!(commit.put(&exported, Guard::Absent).expect("put"));
    commit.beside(mark("sync:a")).expect("beside");
    assert_eq!(
        commit.beside(Op { key: key.clone(), ..mark("x") }).expect_err("a name").kind(),
        ErrorKind::Invalid
    );
    assert_eq!(commit.commit().await.expect("commit").len(), 2);
    let info = here.info("a").await.expect("info").expect("alive");
    assert_eq!((info.expiry.idle_time(), info.tags.iter().count()), (Some(MINUTE), 1));

    let slid = exported.expiry[0] + 1_000;
    let mut commit = here.from_peer();
    commit.slide(&key, Guard::Present, Timestamp::from_millis(slid)).expect("slide");
    commit.commit().await.expect("commit");
    assert_eq!(
        here.info("a").await.expect("info").expect("alive").expiry.deadline().map(Timestamp::as_millis),
        Some(slid)
    );

    let mut commit = here.from_peer();
    commit.remove(&key, Guard::Any).expect("remove");
    commit.commit().await.expect("commit");
    let mut heard = Vec::new();
    while let Some(Event::Change(change)) = changes.try_next() {
        assert_eq!(change.origin, Origin::Remote);
        heard.push(change.kind);
    }
    assert_eq!(heard, [ChangeKind::Created, ChangeKind::Removed]);
    assert!(tape.0.lock().expect("lock").is_empty(), "no echo");
    assert!(store.get(&Key::system("stamp").expect("key")).await.expect("get").is_none(), "no journal");

    let mut shared = here.subscribe("*").expect("subscribe");
    here.hear(&Change { key, kind: ChangeKind::Updated, version: Version::new(9), origin: Origin::Local });
    here.hear_of_loss();
    assert!(matches!(shared.try_next(), Some(Event::Change(Change { origin: Origin::Remote, .. }))));
    assert_eq!(shared.try_next(), Some(Event::Lagged(1)));

    clock.advance(2 * MINUTE);
    assert!(!here.from_peer().put(&exported, Guard::Absent).expect("put"), "it has died meanwhile");
    assert_eq!(tape.1.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[tokio::test]
async fn s31_exports_come_back_sealed_or_plain() {
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

#[tokio::test]
async fn filters_named_twice_both_hold() {
    let World { db, clock, .. } = world();
    for name in ["aa", "ab", "bb"] {
        db.set(name, &1_u32).ttl(10 * MINUTE).await.expect("set");
    }
    let names = async |selection: Selection<'_>| selection.keys().collect().await.expect("keys");
    assert_eq!(names(db.select().glob("a*").glob("*b")).await, ["ab"]);
    assert_eq!(names(db.select().glob("*b").glob("a*")).await, ["ab"]);
    assert_eq!(names(db.select().prefix("a").prefix("ab")).await, ["ab"]);
    assert_eq!(names(db.select().prefix("ab").prefix("a")).await, ["ab"]);
    assert!(names(db.select().prefix("a").prefix("b")).await.is_empty());
    clock.advance(MINUTE);
    assert!(names(db.select().older_than(2 * MINUTE).older_than(SECOND)).await.is_empty());
    assert!(names(db.select().expiring(MINUTE).expiring(20 * MINUTE)).await.is_empty());
    assert_eq!(db.select().glob("a*").glob("*").clear().await.expect("clear"), 2);
    assert_eq!(names(db.select()).await, ["bb"]);
}

/// A store whose commits happen at the second poll.
#[derive(Debug, Default)]
struct Late(ReferenceStore);

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "late({})", self.0)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for Late {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        self.0.get(key).await
    }

    async fn commit(&self, batch: Batch) -> Result<Committed> {
        super::super::modify::yield_now().await;
        self.0.commit(batch).await
    }

    async fn scan(&self, scan: Scan) -> Result<Page> {
        self.0.scan(scan).await
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }
}

#[tokio::test]
async fn who_gives_up_on_a_commit_makes_subscribers_look_anew() {
    let db =
        Handle::builder(Arc::new(Late::default()), Arc::new(ManualClock::default())).build().expect("handle");
    let mut changes = db.subscribe("*").expect("subscribe");
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut set = db.set("a", &1_u32);
    assert!(std::pin::Pin::new(&mut set).poll(&mut context).is_pending());
    drop(set);
    assert_eq!(changes.try_next(), Some(Event::Lagged(1)));
    let mut removal = Box::pin(db.remove("a"));
    assert!(removal.as_mut().poll(&mut context).is_pending());
    drop(removal);
    assert_eq!(changes.try_next(), Some(Event::Lagged(1)));
    drop(db.set("a", &1_u32));
    db.set("a", &1_u32).await.expect("set");
    assert_eq!(kinds(&mut changes), [("a".to_owned(), ChangeKind::Created)], "nothing is lost otherwise");
}
