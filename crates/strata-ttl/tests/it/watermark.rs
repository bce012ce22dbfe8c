//! The watermark: only up, except for the operator, whoever raises it at once.

use std::sync::Arc;
use std::time::Duration;

use strata_core::conformance::{Fault, Faulty, block_on, every_call};
use strata_core::{
    Batch, Durability, ErrorKind, Expiry, Guard, Keep, Key, Op, Payload, Result, Store, Tags, Timestamp,
    Write,
};
use strata_ttl::Watermark;

use crate::{reference, world};
use strata_core::conformance::{Stepped, World, every_schedule};

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

#[test]
fn it_is_raised_never_lowered_and_reset_by_hand() {
    block_on(async {
        let (db, _) = world(reference());
        let watermark = Watermark::under(&db);
        assert_eq!(watermark.read().await.expect("read"), None);
        assert_eq!(watermark.raise(at(50)).await.expect("raise"), at(50));
        assert_eq!(watermark.raise(at(20)).await.expect("raise"), at(50));
        assert_eq!(watermark.read().await.expect("read"), Some(at(50)));
        watermark.reset(at(10)).await.expect("reset");
        assert_eq!(watermark.read().await.expect("read"), Some(at(10)));
        assert!(db.keys("*").collect().await.expect("keys").is_empty(), "not among the program's records");
    });
}

#[test]
fn raising_to_what_stands_there_writes_nothing() {
    block_on(async {
        let faulty = Arc::new(Faulty::new(reference()));
        let watermark = Watermark::of(Arc::clone(&faulty) as _);
        watermark.raise(at(50)).await.expect("raise");
        let before = faulty.calls();
        watermark.raise(at(50)).await.expect("raise");
        assert_eq!(faulty.calls() - before, 1, "one read");
        faulty.arm(1, Fault::Unavailable);
        assert_eq!(watermark.raise(at(60)).await.expect_err("an outage").kind(), ErrorKind::Unavailable);
    });
}

/// Fails each of the `calls` of `act`, which brings the watermark from `before` to 60, in each way: it stands where it stood,
/// or where it was to go, and an error says that it may not have come there.
async fn fails_whole(before: Option<u64>, calls: u64, act: impl AsyncFn(&Watermark) -> Result<()>) {
    for fault in Fault::ALL {
        let faulty = Arc::new(Faulty::new(reference()));
        let watermark = Watermark::of(Arc::clone(&faulty) as _);
        let plain = Watermark::of(Arc::clone(faulty.inner()));
        let key = Key::system("watermark").expect("key");
        let failed = every_call(&faulty, fault, async |nth| {
            let op = Op { key: key.clone(), guard: Guard::Any, write: Write::Remove };
            faulty.inner().commit(Batch::one(at(1), Durability::Volatile, op)).await.expect("remove");
            if let Some(before) = before {
                plain.reset(at(before)).await.expect("reset");
            }
            let done = act(&watermark).await;
            let stands = plain.read().await.expect("read");
            match done {
                Ok(()) => assert_eq!(stands, Some(at(60)), "{fault:?} at call {nth}"),
                Err(error) => {
                    assert!(
                        matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Conflict),
                        "{error:?}"
                    );
                    let lost = fault == Fault::LostAnswer && stands == Some(at(60));
                    assert!(lost || stands == before.map(at), "{fault:?} at call {nth}: {stands:?}");
                }
            }
        })
        .await;
        assert_eq!(failed, calls, "{fault:?}");
    }
}

#[test]
fn s35_every_operation_of_the_watermark_fails_whole() {
    block_on(async {
        fails_whole(None, 2, async |watermark| watermark.raise(at(60)).await.map(drop)).await;
        fails_whole(Some(50), 2, async |watermark| watermark.raise(at(60)).await.map(drop)).await;
        fails_whole(Some(70), 1, async |watermark| watermark.reset(at(60)).await).await;
        let read = async |watermark: &Watermark| {
            assert_eq!(watermark.read().await?, Some(at(60)));
            Ok(())
        };
        fails_whole(Some(60), 1, read).await;
    });
}

#[test]
fn damage_is_an_error_that_names_the_way_out() {
    block_on(async {
        let store = reference();
        let watermark = Watermark::of(Arc::clone(&store));
        watermark.raise(at(50)).await.expect("raise");
        let key = Key::system("watermark").expect("key");
        let good = store.get(&key).await.expect("get").expect("a record").payload.as_bytes().to_vec();
        let other_format = [&[9], &good[1..]].concat();
        for bytes in [&good[..8], &[], &[good.clone(), vec![0]].concat(), &other_format] {
            let payload = Payload::from(bytes);
            let write =
                Write::Put { payload, expiry: Keep::Set(Expiry::NEVER), tags: Keep::Set(Tags::none()) };
            let op = Op { key: key.clone(), guard: Guard::Any, write };
            store.commit(Batch::one(at(1), Durability::Volatile, op)).await.expect("commit");
            let error = watermark.read().await.expect_err("damaged");
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(error.message().contains("reset it"), "{error}");
            assert_eq!(watermark.raise(at(99)).await.expect_err("damaged").kind(), ErrorKind::Corrupt);
        }
        watermark.reset(at(7)).await.expect("reset");
        assert_eq!(watermark.read().await.expect("read"), Some(at(7)));
    });
}

#[test]
fn it_ends_at_the_latest_of_all_who_raise_it() {
    let count = every_schedule(|| {
        let store = Stepped::over(reference());
        let watermark = Watermark::of(Arc::clone(&store) as Arc<dyn Store>);
        let raise = |to| {
            let watermark = watermark.clone();
            Box::pin(async move { assert!(watermark.raise(at(to)).await.expect("raise") >= at(to)) }) as _
        };
        let tasks = vec![raise(30), raise(20), raise(10)];
        let check = Box::new(move || {
            assert_eq!(block_on(watermark.read()).expect("read"), Some(at(30)));
        });
        World { store, tasks, check }
    });
    assert!(count > 500, "{count} schedules");
}

#[test]
fn a_store_of_one_process_and_a_long_time() {
    block_on(async {
        let watermark = Watermark::of(reference());
        let far = at(1).saturating_add(Duration::MAX);
        assert_eq!(watermark.raise(far).await.expect("raise"), Timestamp::MAX);
        assert_eq!(watermark.read().await.expect("read"), Some(Timestamp::MAX));
    });
}
