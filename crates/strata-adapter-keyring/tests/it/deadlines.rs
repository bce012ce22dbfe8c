//! A keyring that does not answer: timeouts, callers that give up, a thread that holds up nothing.

use std::future::Future as _;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use strata_core::conformance::block_on;
use strata_core::{BoxFuture, ErrorKind, Guard, Timer, Write};

use super::desk::{Act, Desk};
use super::{commit, get, opened, payload, put, written};

/// So long that a test fails before it is over.
const NEVER: Duration = Duration::from_hours(1);
/// So short that it is over while a hanging call hangs.
const SOON: Duration = Duration::from_millis(20);

#[tokio::test]
async fn a_call_that_hangs_is_given_up_and_later_ones_fail_at_once() {
    let desk = Desk::default();
    let store = opened(desk.config().timeout(SOON)).await;
    written(&store, "a", b"one").await;
    desk.arm(1, Act::Hang);
    let late = commit(&store, "a", Guard::Present, put(b"two")).await.expect_err("late");
    assert_eq!(late.kind(), ErrorKind::Unavailable);
    assert!(late.is_retryable() && late.to_string().contains("may or may not"), "{late}");
    desk.wait_for_hang();
    let asked = desk.calls();
    for _ in 0..3 {
        let busy = get_error(&store).await;
        assert!(busy.to_string().contains("nothing was asked of it"), "{busy}");
    }
    assert_eq!(desk.calls(), asked, "a keyring that hangs is not asked again");
    desk.let_go();
    let found = loop {
        // The thread needs a moment to notice.
        match strata_core::Store::get(&store, &super::key("a")).await {
            Ok(found) => break found,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable),
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(found.expect("there").payload.as_bytes(), b"two", "what had begun was made, wholly");
}

async fn get_error(store: &strata_adapter_keyring::KeyringStore) -> strata_core::Error {
    strata_core::Store::get(store, &super::key("a")).await.expect_err("the keyring hangs")
}

#[tokio::test]
async fn a_call_given_up_before_its_turn_is_not_made() {
    let desk = Desk::default();
    let store = opened(desk.config().timeout(NEVER)).await;
    written(&store, "a", b"one").await;
    desk.arm(1, Act::Hang);
    let mut context = Context::from_waker(Waker::noop());
    {
        let mut begun = pin!(commit(&store, "a", Guard::Present, put(b"two")));
        assert!(begun.as_mut().poll(&mut context).is_pending());
        desk.wait_for_hang();
        let mut queued = pin!(commit(&store, "a", Guard::Any, Write::Remove));
        assert!(queued.as_mut().poll(&mut context).is_pending());
    }
    desk.let_go();
    assert_eq!(payload(&store, "a").await, b"two", "the first was made wholly, the second not at all");
}

#[test]
fn a_keyring_that_hangs_does_not_hold_up_the_end_of_a_runtime() {
    let desk = Desk::default();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = opened(desk.config().timeout(SOON)).await;
        desk.arm(1, Act::Hang);
        assert_eq!(get_error(&store).await.kind(), ErrorKind::Unavailable);
    });
    // Returns, or this test never does: the thread is not one that a runtime waits for.
    drop(runtime);
    desk.let_go();
}

/// A timer that is never over.
#[derive(Debug)]
struct Patient;
impl Timer for Patient {
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

#[test]
fn outside_a_runtime_a_timer_is_asked_for() {
    let desk = Desk::default();
    let error = block_on(strata_adapter_keyring::Keyring::open(desk.config())).expect_err("no runtime");
    assert_eq!(
        error.kind(),
        ErrorKind::Invalid,
        "not `there is no keyring`, which lets secrets go elsewhere"
    );
    assert!(error.to_string().contains("timer"), "{error}");
    let keys = strata_adapter_keyring::KeyringKeys::new(desk.config()).expect("a configuration");
    let error = block_on(strata_core::KeyProvider::load(&keys, strata_core::StoreId::new([1; 16])));
    assert_eq!(error.expect_err("no runtime").kind(), ErrorKind::Invalid);

    block_on(async {
        let store = opened(desk.config().timer(Arc::new(Patient))).await;
        written(&store, "a", b"one").await;
        assert!(get(&store, "a").await.is_some());
    });
}

#[tokio::test]
async fn two_keyrings_of_one_service_take_turns() {
    let desk = Desk::default();
    let config = desk.config().timeout(NEVER);
    let (first, second) = (opened(config.clone()).await, opened(config).await);
    written(&first, "a", b"one").await;
    desk.arm(1, Act::Hang);
    let change = |store: &strata_adapter_keyring::KeyringStore, bytes: &'static [u8]| {
        let store = store.clone();
        async move { commit(&store, "a", Guard::Any, put(bytes)).await }
    };
    let begun = tokio::spawn(change(&first, b"two"));
    tokio::task::spawn_blocking({
        let desk = desk.clone();
        move || desk.wait_for_hang()
    })
    .await
    .expect("it hangs");
    let before = desk.calls();
    let waiting = tokio::spawn(change(&second, b"three"));
    tokio::task::yield_now().await;
    assert_eq!(desk.calls(), before, "the second keyring, with a thread of its own, waits for its turn");
    desk.let_go();
    begun.await.expect("task").expect("commit");
    waiting.await.expect("task").expect("commit");
    assert_eq!(payload(&first, "a").await, b"three");
}

#[tokio::test]
async fn s38_callers_that_give_up_early_fill_no_queue() {
    let desk = Desk::default();
    let store = opened(desk.config().timeout(NEVER)).await;
    written(&store, "a", b"one").await;
    desk.arm(1, Act::Hang);
    let mut context = Context::from_waker(Waker::noop());
    let mut begun = pin!(commit(&store, "a", Guard::Present, put(b"two")));
    assert!(begun.as_mut().poll(&mut context).is_pending());
    desk.wait_for_hang();
    let mut refused = None;
    for asked in 0..5_000 {
        // Each gives up long before its own time is over.
        let mut call = pin!(commit(&store, "a", Guard::Any, put(b"three")));
        if let std::task::Poll::Ready(done) = call.as_mut().poll(&mut context) {
            refused = Some((asked, done.expect_err("the keyring hangs")));
            break;
        }
    }
    let (asked, error) = refused.expect("the queue has an end");
    assert!((1_000..2_000).contains(&asked), "{asked}");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("nothing was asked of it"), "{error}");
    desk.let_go();
    begun.await.expect("it goes on");
    while let Err(error) = strata_core::Store::get(&store, &super::key("a")).await {
        // What was given up is thrown away first.
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        tokio::task::yield_now().await;
    }
    assert_eq!(payload(&store, "a").await, b"two", "nothing is made that nobody waits for");
}

#[tokio::test]
async fn a_call_given_up_while_another_keyring_had_its_turn_is_not_made() {
    for _ in 0..50 {
        let desk = Desk::default();
        let config = desk.config().timeout(NEVER);
        let (first, second) = (opened(config.clone()).await, opened(config).await);
        written(&first, "a", b"one").await;
        written(&second, "a", b"one").await;
        desk.arm(1, Act::Hang);
        let mut context = Context::from_waker(Waker::noop());
        let mut begun = pin!(commit(&first, "a", Guard::Present, put(b"two")));
        assert!(begun.as_mut().poll(&mut context).is_pending());
        desk.wait_for_hang();
        {
            // Its own thread is free, and waits for the other's turn to end.
            let mut waiting = pin!(commit(&second, "a", Guard::Any, put(b"three")));
            assert!(waiting.as_mut().poll(&mut context).is_pending());
            for _ in 0..200 {
                std::thread::yield_now();
            }
        }
        desk.let_go();
        begun.await.expect("the first is made");
        // Behind whatever the second thread had begun.
        assert_eq!(payload(&second, "a").await, b"two", "nobody waited for the other any more");
    }
}
