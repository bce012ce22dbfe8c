//! The handle over a store whose calls fail, one at a time: an error or success, never a half state, never a hang.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use strata_core::conformance::{Fault, Faulty, block_on};
use strata_core::{
    BoxFuture, ErrorKind, Expiry, Guard, Handle, KeyPrefix, Lifetime, ManualClock, Payload, ReferenceStore,
    Result, Scan, Select, Store, Tags,
};

const MINUTE: Duration = Duration::from_mins(1);

/// What is stored, without versions: names, values, expiry, tags.
type State = BTreeMap<String, (Payload, Expiry, Tags)>;

/// One public operation, as it is tried.
type Operation = for<'h> fn(&'h Handle) -> BoxFuture<'h, Result<()>>;

struct World {
    store: Arc<Faulty>,
    db: Handle,
}

/// A store with a sliding record, a tagged one, a dead one and a plain one.
fn world() -> World {
    let store = Arc::new(Faulty::new(Arc::new(ReferenceStore::new()) as Arc<dyn Store>));
    let clock = Arc::new(ManualClock::default());
    let db = Handle::builder(Arc::clone(&store) as _, Arc::clone(&clock) as _).build().expect("handle");
    block_on(async {
        db.set("dead", &1_u32).ttl(MINUTE).tag("t").await.expect("set");
        db.set("sliding", &1_u32).idle(10 * MINUTE).at_most(60 * MINUTE).await.expect("set");
        clock.advance(5 * MINUTE);
        db.set("tagged", &1_u32).tag("t").await.expect("set");
        db.set("plain", &1_u32).await.expect("set");
    });
    World { store, db }
}

impl World {
    fn state(&self) -> State {
        let scan = Scan::new(Select::Prefix(KeyPrefix::all()), Scan::MAX_LIMIT);
        let page = block_on(self.store.inner().scan(scan)).expect("scan");
        let entries = page.entries.into_iter();
        entries.map(|(key, record)| (key.to_string(), (record.payload, record.expiry, record.tags))).collect()
    }
}

/// Operations that are one commit: afterwards all of it has happened or nothing.
const WHOLE: &[(&str, Operation)] = &[
    ("set", |db| Box::pin(async { db.set("new", &7_u32).ttl(MINUTE).tag("t").await.map(drop) })),
    ("set over", |db| Box::pin(async { db.set("plain", &7_u32).await.map(drop) })),
    ("set over a dead one", |db| Box::pin(async { db.set("dead", &7_u32).await.map(drop) })),
    ("create", |db| Box::pin(async { db.set("new", &7_u32).if_absent().await.map(drop) })),
    ("get that slides", |db| Box::pin(async { db.get::<u32>("sliding").await.map(drop) })),
    ("view that slides", |db| Box::pin(async { db.view("sliding", |_| ()).await.map(drop) })),
    ("peek", |db| Box::pin(async { db.peek::<u32>("plain").await.map(drop) })),
    ("contains", |db| Box::pin(async { db.contains("plain").await.map(drop) })),
    ("ttl", |db| Box::pin(async { db.ttl("sliding").await.map(drop) })),
    ("modify", |db| Box::pin(async { db.modify("sliding", |n: &mut u32| *n = 7).await })),
    ("update that creates", |db| {
        Box::pin(async { db.update("new", |_: Option<u32>| Some(7)).await.map(drop) })
    }),
    ("update that removes", |db| {
        Box::pin(async { db.update("plain", |_: Option<u32>| None).await.map(drop) })
    }),
    ("remove", |db| Box::pin(async { db.remove("tagged").await.map(drop) })),
    ("expire", |db| Box::pin(async { db.expire("tagged", Lifetime::ttl(MINUTE)).await.map(drop) })),
    ("expire that moves the cap", |db| {
        Box::pin(async { db.expire("sliding", Lifetime::idle(MINUTE).at_most(2 * MINUTE)).await.map(drop) })
    }),
    ("persist", |db| Box::pin(async { db.persist("sliding").await.map(drop) })),
    ("touch", |db| Box::pin(async { db.touch("sliding").await.map(drop) })),
    ("writes", |db| {
        Box::pin(async {
            let writes = db.writes().stage(db.set("new", &7_u32)).stage(db.removal("tagged"));
            writes.stage(db.check("plain", Guard::Present)).commit().await.map(drop)
        })
    }),
    ("purge", |db| Box::pin(async { db.purge(None, 10).await.map(drop) })),
    ("import", |db| {
        Box::pin(async {
            let mut export = db.select().prefix("plain").export_plaintext();
            let mut record = export.next().await.expect("one")?;
            "copy".clone_into(&mut record.key);
            db.import(&record, Guard::Absent).await.map(drop)
        })
    }),
    ("keys", |db| Box::pin(async { db.keys("*").collect().await.map(drop) })),
    ("entries", |db| Box::pin(async { db.entries::<u32>("*").collect().await.map(drop) })),
    ("count", |db| Box::pin(async { db.select().tag("t").count().await.map(drop) })),
];

#[test]
fn s35_every_call_of_every_operation_fails_once_and_leaves_all_or_nothing() {
    for (name, operation) in WHOLE {
        let clean = world();
        let before = clean.state();
        block_on(operation(&clean.db)).expect(name);
        let after = clean.state();
        for fault in Fault::ALL {
            let mut nth = 1;
            loop {
                let world = world();
                world.store.arm(nth, fault);
                let result = block_on(operation(&world.db));
                if world.store.disarm() == 0 {
                    break;
                }
                let state = world.state();
                let context = format!("{name}, call {nth}, {fault:?}: {result:?}");
                match result {
                    // A failed slide is not the read's failure, so a read may succeed with nothing changed.
                    Ok(()) if name.contains("slides") => {
                        assert!(state == before || state == after, "{context}");
                    }
                    Ok(()) => assert!(state == after, "{context}"),
                    Err(error) => {
                        assert!(state == before || state == after, "{context}");
                        assert!(state == before || fault == Fault::LostAnswer, "{context}");
                        assert!(
                            matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Conflict),
                            "{context}"
                        );
                        assert!(error.is_retryable(), "{context}");
                    }
                }
                block_on(operation(&world.db)).map_or_else(
                    // Done already, though the answer was lost.
                    |error| {
                        assert!(
                            fault == Fault::LostAnswer && error.kind() == ErrorKind::Conflict,
                            "{context}, then {error}"
                        );
                    },
                    |()| assert!(world.state() == after, "{context}, then done again"),
                );
                nth += 1;
            }
        }
    }
}

#[test]
fn s35_a_clear_that_fails_halfway_removes_nothing_it_was_not_asked_to() {
    for fault in Fault::ALL {
        for nth in 1..20 {
            let world = world();
            let before = world.state();
            world.store.arm(nth, fault);
            let result = block_on(world.db.select().tag("t").clear());
            world.store.disarm();
            let state = world.state();
            for (name, record) in &before {
                assert!(name == "tagged" || state.get(name) == Some(record), "{name} after {result:?}");
            }
            assert_eq!(
                result.is_ok() && !state.contains_key("tagged"),
                result.is_ok(),
                "{result:?} at {nth}, {fault:?}"
            );
            assert_eq!(
                block_on(world.db.select().tag("t").count()).expect("count"),
                u64::from(state.contains_key("tagged"))
            );
        }
    }
}
