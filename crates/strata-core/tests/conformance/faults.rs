//! The fault injector at work: which call fails, how, and what has happened then.

use strata_core::conformance::{Fault, Faulty, block_on, every_call};
use strata_core::{
    Batch, Clock, Durability, Error, ErrorKind, Guard, Keep, Key, KeyPrefix, ManualClock, Op, ReferenceStore,
    Result, Scan, Select, Store, Write,
};

fn key() -> Key {
    Key::new("key").expect("a valid name")
}

fn create() -> Batch {
    let write = Write::Put { payload: vec![7].into(), expiry: Keep::Keep, tags: Keep::Keep };
    let now = ManualClock::default().now();
    Batch::one(now, Durability::Volatile, Op { key: key(), guard: Guard::Absent, write })
}

fn everything() -> Scan {
    Scan::new(Select::Prefix(KeyPrefix::all()), 10)
}

fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// Whether the record was written, whatever the caller was told.
async fn written(faulty: &Faulty<ReferenceStore>) -> bool {
    faulty.inner().get(&key()).await.expect("the store underneath does not fail").is_some()
}

#[test]
fn only_the_nth_call_fails() {
    block_on(async {
        let faulty = Faulty::new(ReferenceStore::new());
        faulty.arm(2, Fault::Unavailable);
        assert_eq!(kind(faulty.get(&key()).await), None);
        assert_eq!(kind(faulty.scan(everything()).await), Some(ErrorKind::Unavailable));
        assert_eq!(kind(faulty.get(&key()).await), None);
        assert_eq!((faulty.calls(), faulty.disarm()), (3, 1));
    });
}

#[test]
fn each_fault_is_what_it_says() {
    block_on(async {
        for (fault, wanted, happened) in [
            (Fault::Unavailable, ErrorKind::Unavailable, false),
            (Fault::LostAnswer, ErrorKind::Unavailable, true),
            (Fault::Conflict, ErrorKind::Conflict, false),
        ] {
            let faulty = Faulty::new(ReferenceStore::new());
            faulty.arm(1, fault);
            let error: Error = faulty.commit(create()).await.expect_err("the first call fails");
            assert_eq!((error.kind(), error.store()), (wanted, Some("faulty(reference)")), "{fault:?}");
            assert!(error.is_retryable(), "{fault:?}");
            assert_eq!(written(&faulty).await, happened, "{fault:?}");
            faulty.arm(1, fault);
            assert_eq!(
                kind(faulty.get(&key()).await),
                Some(ErrorKind::Unavailable),
                "a read knows no conflict"
            );
        }
    });
}

#[test]
fn an_outage_lasts_until_it_is_ended() {
    block_on(async {
        let faulty = Faulty::new(ReferenceStore::new());
        faulty.arm_from(2, Fault::Unavailable);
        assert_eq!(kind(faulty.commit(create()).await), None);
        for _ in 0..3 {
            assert_eq!(kind(faulty.get(&key()).await), Some(ErrorKind::Unavailable));
        }
        assert_eq!(faulty.disarm(), 3);
        assert_eq!(kind(faulty.get(&key()).await), None);
        assert_eq!(faulty.disarm(), 0);
    });
}

/// Shows how a statement about faults is tested: an operation of three calls, each failed once, no half state.
#[test]
fn s35_every_call_is_failed_once() {
    block_on(async {
        for fault in Fault::ALL {
            let faulty = Faulty::new(ReferenceStore::new());
            let mut failed = Vec::new();
            let runs = every_call(&faulty, fault, async |nth| {
                let outcome = async {
                    faulty.get(&key()).await?;
                    faulty.commit(create()).await?;
                    faulty.scan(everything()).await
                };
                let result = outcome.await;
                failed.push((nth, result.is_err()));
                faulty.disarm();
                let remove = Op { key: key(), guard: Guard::Any, write: Write::Remove };
                let now = ManualClock::default().now();
                faulty
                    .commit(Batch::one(now, Durability::Volatile, remove))
                    .await
                    .expect("nothing is injected now");
            })
            .await;
            assert_eq!(failed, [(1, true), (2, true), (3, true), (4, false)], "{fault:?}");
            assert_eq!(runs, 3, "{fault:?}");
        }
    });
}
