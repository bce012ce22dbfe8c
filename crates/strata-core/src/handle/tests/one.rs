//! One record at a time: reads, sets, changes, expiry, guards, bad input.

use super::*;

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
async fn s38_bad_input_is_refused_before_anything_is_written() {
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

/// What a writer to the raw store can do to a record: everything beside the payload is its to choose.
async fn stretch(world: &World, name: &str) {
    let record = world.raw(name).await;
    world.put_raw(name, record.payload, Expiry::at(Timestamp::MAX)).await;
}

#[tokio::test]
async fn s26_every_write_that_knows_the_cap_seals_it() {
    let capped = || Lifetime::idle(10 * MINUTE).at_most(20 * MINUTE);
    for write in ["modify", "update", "expire", "reseal", "import"] {
        let world = world();
        let World { db, clock, .. } = &world;
        db.set("s", &1_u32).lifetime(capped()).await.expect("set");
        match write {
            "modify" => db.modify("s", |n: &mut u32| *n += 1).await.expect("modify"),
            "update" => drop(db.update("s", |n: Option<u32>| n.map(|n| n + 1)).await.expect("update")),
            "expire" => drop(db.expire("s", capped()).await.expect("expire")),
            "reseal" => {
                let mut export = db.select().export_sealed(Some(KeyId::new(9)));
                let Body::Sealed(other) = export.next().await.expect("one").expect("exported").body else {
                    panic!("sealed")
                };
                world.put_raw("s", Payload::from(other), world.raw("s").await.expiry).await;
                let key = Key::new("s").expect("key");
                assert_eq!(db.reseal(&key).await.expect("reseal"), Resealed::Moved);
            }
            _ => {
                let exported = db.select().export_sealed(None).next().await.expect("one").expect("exported");
                db.import(&exported, Guard::Any).await.expect("import");
            }
        }
        stretch(&world, "s").await;
        clock.advance(20 * MINUTE);
        assert_eq!(db.get::<u32>("s").await.expect("get"), None, "{write} let go of the cap");
    }
}

#[tokio::test]
async fn s26_an_edited_export_does_not_outlive_its_sealed_cap() {
    let World { db, clock, .. } = world();
    db.set("s", &1_u32).at_most(60 * MINUTE).await.expect("set");
    let exported = db.select().export_sealed(None).next().await.expect("one").expect("exported");
    let edited = |expiry| Exported { expiry, ..exported.clone() };
    let immortal = edited(Expiry::NEVER.to_words());
    db.import(&immortal, Guard::Any).await.expect("import");
    assert_eq!(db.ttl("s").await.expect("ttl"), Ttl::Left(60 * MINUTE));
    for words in [[u64::MAX, 5, u64::MAX], [u64::MAX - 1, 0, u64::MAX], [5, 0, u64::MAX - 1]] {
        let error = db.import(&edited(words), Guard::Any).await.expect_err("no expiry");
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
    clock.advance(60 * MINUTE);
    assert_eq!(db.import(&immortal, Guard::Any).await.expect("import"), Imported::Expired);
    assert_eq!(db.get::<u32>("s").await.expect("get"), None);
}

#[tokio::test]
async fn activity_in_one_life_or_under_one_expiry_does_not_prolong_another() {
    let world = world();
    let World { db, clock, .. } = &world;
    let slide =
        async |version| db.pipe.slide(db.key("s").expect("key"), version, clock.now(), Timestamp::MAX).await;
    let read = db.set("s", &1_u32).idle(60 * MINUTE).await.expect("set");
    db.expire("s", Lifetime::ttl(SECOND)).await.expect("expire");
    slide(read).await;
    assert_eq!(db.ttl("s").await.expect("ttl"), Ttl::Left(SECOND), "a shortened life stays short");
    let read = db.set("s", &1_u32).idle(60 * MINUTE).await.expect("set");
    db.remove("s").await.expect("remove");
    let new = db.set("s", &2_u32).ttl(SECOND).await.expect("set");
    slide(read).await;
    assert_eq!(db.ttl("s").await.expect("ttl"), Ttl::Left(SECOND), "a new life is its own");
    slide(new).await;
    assert_eq!(db.ttl("s").await.expect("ttl"), Ttl::Left(SECOND), "a fixed deadline does not slide");
}

#[tokio::test]
async fn a_store_that_always_conflicts_ends_every_operation() {
    #[derive(Debug)]
    struct Contended;
    impl Journal for Contended {
        fn record(&self, _batch: &mut Batch) -> Result<()> {
            Err(Error::new(ErrorKind::Conflict, "journal", "always"))
        }
    }
    let World { db, store, clock } = world();
    db.set("s", &1_u32).idle(10 * MINUTE).await.expect("set");
    clock.advance(MINUTE);
    let db = Handle::builder(store, clock)
        .seal(Arc::new(Toy))
        .journal(Arc::new(Contended))
        .build()
        .expect("handle");
    let kinds = [
        db.modify("s", |n: &mut u32| *n += 1).await.expect_err("modify").kind(),
        db.update("s", |n: Option<u32>| n.map(|n| n + 1)).await.expect_err("update").kind(),
        db.expire("s", Lifetime::FOREVER).await.expect_err("expire").kind(),
        db.touch("s").await.expect_err("touch").kind(),
    ];
    assert_eq!(kinds, [ErrorKind::Conflict; 4]);
}

#[tokio::test]
async fn a_json_collection_creates_json() {
    let World { db, .. } = world();
    let counts = db.collection::<u8>("n").expect("collection").codec(Codec::Json);
    counts.update("a", |n| Some(n.unwrap_or(0) + 1)).await.expect("update");
    assert_eq!(counts.info("a").await.expect("info").expect("there").codec, Codec::Json);
}

#[tokio::test]
async fn a_lifted_value_goes_on_under_another_name() {
    const HOUR: Duration = Duration::from_hours(1);
    let World { db, clock, .. } = world();
    db.set("guest", &7_u32).idle(HOUR).at_most(3 * HOUR).tag("t").await.expect("set");
    let expiry = db.info("guest").await.expect("info").expect("alive").expiry;
    clock.advance(HOUR / 2);
    let lifted = db.lift("guest").await.expect("lift").expect("alive");
    assert_eq!(lifted.decode::<u32>().expect("of its type"), 7);
    assert_eq!(lifted.decode::<String>().expect_err("of another").kind(), ErrorKind::Mismatch);
    let moved = db.lay("user", &lifted).if_absent();
    db.writes()
        .stage(moved)
        .stage(db.guarded_removal("guest", Guard::Version(lifted.version())))
        .commit()
        .await
        .expect("moved");
    assert_eq!(db.get::<u32>("guest").await.expect("get"), None);
    assert_eq!(db.peek::<u32>("user").await.expect("peek"), Some(7));
    let info = db.info("user").await.expect("info").expect("alive");
    assert_eq!((info.expiry.idle_time(), info.expiry.not_after()), (expiry.idle_time(), expiry.not_after()));
    assert_eq!(info.expiry.deadline(), Some(clock.now().saturating_add(HOUR)));
    assert!(info.tags.iter().any(|tag| tag.as_str() == "t"));
    clock.advance(3 * HOUR);
    assert!(db.lift("user").await.expect("lift").is_none(), "dead is gone");
}
