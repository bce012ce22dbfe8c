//! One refresh for all who wait, whatever becomes of any of them.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use strata_core::conformance::block_on;
use strata_core::{BoxFuture, ErrorKind, Spawn, Timer};
use strata_session::tokens::{RefreshFailure, Tokens};

use super::{LEASE, Scene, Server, builder, policy, scene, text};
use crate::MINUTE;

/// Polls a future once.
fn poll<T>(future: &mut BoxFuture<'_, T>) -> Poll<T> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[derive(Debug)]
struct OnTokio;

impl Spawn for OnTokio {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_waiters_are_one_call() {
    for spawned in [false, true] {
        let scene = tokio::task::spawn_blocking(|| scene().due()).await.expect("a scene");
        let tokens = with_spawn(&scene, spawned);
        let waiters: Vec<_> = (0..1000)
            .map(|_| {
                let tokens = tokens.clone();
                tokio::spawn(
                    async move { tokens.access_token("ada").await.expect("a token").expose().to_owned() },
                )
            })
            .collect();
        for waiter in waiters {
            assert_eq!(waiter.await.expect("it ends"), "access-2");
        }
        assert_eq!(scene.server.refreshes(), 1);
    }
}

fn with_spawn(scene: &Scene, spawned: bool) -> Tokens {
    let builder = builder(&scene.world, &scene.server);
    let builder = if spawned { builder.spawn(Arc::new(OnTokio)) } else { builder };
    builder.build().expect("a manager")
}

/// Cancelled callers do not cancel the refresh: as a task it ends by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spawned_refresh_outlives_its_callers() {
    let scene = tokio::task::spawn_blocking(|| scene().due()).await.expect("a scene");
    let tokens = with_spawn(&scene, true);
    // The first poll reads the record and starts the task; then the caller is gone.
    let mut caller: BoxFuture<'_, _> = Box::pin(tokens.access_token("ada"));
    let _ = poll(&mut caller);
    drop(caller);
    for _ in 0..100_000 {
        if tokens.info("ada").await.expect("info").expect("signed in").generation == 2 {
            assert_eq!(scene.server.refreshes(), 1);
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the refresh was given up with its caller");
}

/// Without a task, the next waiter goes on where the cancelled one left.
#[test]
fn a_refresh_whose_caller_left_is_taken_up() {
    let scene = scene().due();
    let mut first: BoxFuture<'_, _> = Box::pin(scene.tokens.access_token("ada"));
    hang(&scene, &mut first);
    let mut second: BoxFuture<'_, _> = Box::pin(scene.tokens.access_token("ada"));
    drop(first);
    scene.server.state().hangs = false;
    let token = loop {
        if let Poll::Ready(token) = poll(&mut second) {
            break token.expect("a token");
        }
    };
    assert_eq!((token.expose(), scene.server.refreshes()), ("access-2", 1), "by the call that was under way");
}

/// Polls up to the point where the server has rotated, does not answer, and nobody's patience ends.
fn hang<T>(scene: &Scene, caller: &mut BoxFuture<'_, T>) {
    scene.server.state().hangs = true;
    scene.server.state().patient = true;
    assert!(poll(caller).is_pending(), "it waits for the server");
    assert_eq!(scene.server.refreshes(), 1);
}

#[test]
fn waiters_share_a_failure() {
    let scene = scene().due();
    scene.advance(MINUTE);
    scene.server.fails_with(RefreshFailure::OFFLINE);
    let calls = (0..5).map(|_| scene.tokens.access_token("ada"));
    let results = block_on(futures_all(calls.collect()));
    for result in results {
        assert_eq!(result.expect_err("offline").kind(), ErrorKind::Unavailable);
    }
    assert_eq!(scene.server.refreshes(), 1);
}

/// A panic of the transport is the panic of whoever drove it, and not of everybody after.
#[test]
fn a_transport_that_panics_is_asked_again() {
    let scene = scene().due();
    scene.server.state().panics = true;
    let tokens = scene.tokens.clone();
    let panicked = std::thread::spawn(move || block_on(tokens.access_token("ada")).map(drop)).join();
    assert!(panicked.is_err(), "it is not swallowed");
    assert_eq!((scene.access("ada").as_str(), scene.server.refreshes()), ("access-2", 2));
}

/// All of them at once, on one thread.
async fn futures_all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, output) in futures.iter_mut().filter(|(_, output)| output.is_none()) {
            if let Poll::Ready(value) = future.as_mut().poll(context) {
                *output = Some(value);
            }
        }
        if futures.iter().all(|(_, output)| output.is_some()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    futures.into_iter().filter_map(|(_, output)| output).collect()
}

#[test]
fn a_server_that_hangs_is_given_up() {
    let scene = scene().due();
    scene.advance(MINUTE);
    scene.server.state().hangs = true;
    let error = block_on(scene.tokens.access_token("ada")).expect_err("a timeout");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    block_on(scene.tokens.clear("ada")).expect("clear");
    assert_eq!(block_on(scene.tokens.revoke_pending()).expect("drain").left, 1, "a revocation is, too");
}

/// A timer whose waits are over at once, while the clock stands still.
#[derive(Debug)]
struct Impatient;

impl Timer for Impatient {
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// A lease that its holder never gives back holds nobody up for longer than a lease lasts.
#[test]
fn a_dead_holder_of_the_lease_is_passed_by() {
    let scene = scene().due();
    let dead = scene.sibling();
    let mut stuck: BoxFuture<'_, _> = Box::pin(dead.access_token("ada"));
    hang(&scene, &mut stuck);
    scene.server.state().hangs = false;
    let begun = scene.now();
    assert_eq!(scene.access("ada"), "access-2", "after the lease, which the clock outlived");
    assert_eq!(scene.now().since(begun), LEASE);
    assert_eq!(scene.server.refreshes(), 2, "the server takes the second for a retry");
    let transport = Server::new(Arc::clone(scene.world.faulty.inner()));
    let impatient = Tokens::builder(scene.db(), Arc::clone(&transport) as _, Arc::new(Impatient))
        .policy(policy())
        .unprotected("a test")
        .build()
        .expect("a manager");
    assert_eq!(text(&impatient, "ada"), "access-2");
}
