//! Every order in which the calls of two and three changes can reach a keyring.

use std::sync::Arc;
use std::time::Duration;

use strata_adapter_keyring::KeyringStore;
use strata_core::conformance::{Stepped, Task, World, block_on, every_schedule};
use strata_core::{BoxFuture, Clock, ErrorKind, Handle, ManualClock, ReferenceStore, Store, Timer};

use super::desk::Desk;

/// A timer that is never over, for schedules know no runtime.
#[derive(Debug)]
struct Never;

impl Timer for Never {
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// A keyring with one number, `elsewhere` or in its entry.
fn number(elsewhere: bool) -> (Arc<Stepped>, Handle) {
    let config = Desk::default().config().timer(Arc::new(Never));
    let config =
        if elsewhere { config.overflow(Arc::new(ReferenceStore::new())).overflow_above(0) } else { config };
    let store = block_on(KeyringStore::open(config)).expect("open");
    let store = Stepped::over(Arc::new(store));
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::default());
    let handle = Handle::builder(Arc::clone(&store) as Arc<dyn Store>, clock).build().expect("a handle");
    block_on(async { handle.set("n", &0_u32).await }).expect("set");
    (store, handle)
}

/// Adds to the number, and may find it gone.
fn add(handle: &Handle, amount: u32) -> Task {
    let handle = handle.clone();
    Box::pin(async move {
        match handle.modify("n", |number: &mut u32| *number += amount).await {
            Ok(()) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::Gone, "{error:?}"),
        }
    })
}

fn remove(handle: &Handle) -> Task {
    let handle = handle.clone();
    Box::pin(async move { assert!(handle.remove("n").await.expect("removed"), "it was there") })
}

#[test]
fn no_order_loses_an_update() {
    for elsewhere in [false, true] {
        let count = every_schedule(|| {
            let (store, handle) = number(elsewhere);
            let tasks = vec![add(&handle, 1), add(&handle, 10)];
            let check = Box::new(move || {
                assert_eq!(block_on(handle.get::<u32>("n")).expect("get"), Some(11));
            });
            World { store, tasks, check }
        });
        assert!(count >= 20, "all orders of two reads and two writes: {count}");
    }
}

/// Values lie elsewhere, which takes every step that a value in its entry takes, and more.
#[test]
fn s13_no_order_brings_back_what_was_removed() {
    let count = every_schedule(|| {
        let (store, handle) = number(true);
        let tasks = vec![add(&handle, 1), add(&handle, 10), remove(&handle)];
        let check = Box::new(move || {
            assert_eq!(block_on(handle.get::<u32>("n")).expect("get"), None, "it came back");
        });
        World { store, tasks, check }
    });
    assert!(count >= 600, "all orders of two changes and a removal: {count}");
}
