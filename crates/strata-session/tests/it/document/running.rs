//! Synchronisation that goes on by itself: on start, at intervals, at once for what is important, through failures, to a last sync.

use std::sync::Arc;
use std::task::{Context, Waker};

use serde_json::json;
use strata_core::conformance::{Fault, block_on};
use strata_core::{BoxFuture, Clock as _, ErrorKind, Spawn};
use strata_session::document::{ServerSynced, SyncFailure, Synced};

use super::{Fate, Leap, SECOND, Scene, here, pending, scene, set};
use crate::{MINUTE, kind_of};

/// Tasks on the current runtime.
#[derive(Debug)]
struct Tokio;

impl Spawn for Tokio {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        drop(tokio::spawn(task));
    }
}

/// A runtime that drops what it is given.
#[derive(Debug)]
struct Closed;

impl Spawn for Closed {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        drop(task);
    }
}

fn leaping(scene: &Scene) -> ServerSynced {
    let timer = Arc::new(Leap(Arc::clone(&scene.home.clock)));
    ServerSynced::builder(&scene.home.db, Arc::clone(&scene.wire) as _, timer).build().expect("a client")
}

/// Polls the endless work until `so`.
fn until(client: &ServerSynced, so: impl Fn() -> bool) {
    let mut run = Box::pin(client.run());
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..100_000 {
        if so() {
            return;
        }
        assert!(run.as_mut().poll(&mut context).is_pending());
    }
    panic!("it never came to that");
}

#[test]
fn it_syncs_on_start_and_each_minute_or_so() {
    let scene = scene();
    let began = scene.home.clock.now();
    until(&leaping(&scene), || scene.wire.sent().len() == 11);
    let took = scene.home.clock.now().since(began);
    assert!(
        took >= 10 * 54 * SECOND && took <= 10 * 67 * SECOND,
        "ten minutes, give or take a tenth: {took:?}"
    );
    assert_ne!(took, 10 * MINUTE, "jittered");
}

#[test]
fn failures_of_store_and_server_end_nothing() {
    let scene = scene();
    set(&scene.client, "a", json!(1));
    for _ in 0..3 {
        scene.wire.then(Fate::Fails(SyncFailure::OFFLINE));
    }
    scene.wire.then(Fate::Hangs);
    scene.home.faulty.arm_from(1, Fault::Unavailable);
    let client = leaping(&scene);
    let began = scene.home.clock.now();
    until(&client, || scene.home.clock.now().since(began) >= 3 * MINUTE);
    assert!(scene.home.faulty.disarm() > 3);
    until(&client, || {
        scene.wire.sent().len() == 5 && scene.wire.most.load(std::sync::atomic::Ordering::SeqCst) > 0
    });
    until(&client, || scene.at_server() == json!({"a": 1}));
}

#[test]
fn logouts_are_told_by_themselves() {
    let scene = scene();
    block_on(scene.client.logout()).expect("logout");
    scene.wire.then(Fate::Fails(SyncFailure::Unanswered));
    until(&leaping(&scene), || scene.wire.logouts().len() == 1);
}

#[test]
fn a_session_that_begins_is_synced_at_once() {
    let scene = scene();
    block_on(scene.client.logout()).expect("logout");
    block_on(scene.client.tell_logouts()).expect("tell");
    block_on(scene.server.forget("ada")).expect("forget");
    let client = super::builder(&scene.home.db, &scene.wire).build().expect("a client");
    let mut run = Box::pin(client.run());
    let mut context = Context::from_waker(Waker::noop());
    let mut go_on = || (0..50).for_each(|_| assert!(run.as_mut().poll(&mut context).is_pending()));
    go_on();
    assert_eq!(scene.wire.sent().len(), 0, "there is no session");
    assert!(block_on(client.begin(None)).expect("begin"));
    go_on();
    assert_eq!(scene.wire.sent().len(), 1);
}

#[test]
fn an_important_edit_does_not_break_a_pause_that_the_server_asked_for() {
    let scene = scene();
    let pause = SyncFailure::Offline { retry_after: Some(MINUTE) };
    scene.wire.then(Fate::Fails(pause));
    let client = super::builder(&scene.home.db, &scene.wire).build().expect("a client");
    let mut run = Box::pin(client.run());
    let mut context = Context::from_waker(Waker::noop());
    let mut go_on = || (0..50).for_each(|_| assert!(run.as_mut().poll(&mut context).is_pending()));
    go_on();
    set(&client, "user.name", json!("Ada"));
    go_on();
    assert_eq!(scene.wire.sent().len(), 1, "nothing was sent");
    scene.home.clock.advance(MINUTE);
    set(&client, "user.name", json!("Eve"));
    go_on();
    assert_eq!(scene.wire.sent().len(), 2);
}

#[tokio::test]
async fn a_shutdown_syncs_once_more() {
    let scene = scene();
    let client = super::builder(&scene.home.db, &scene.wire).build().expect("a client");
    let running = client.start(&Tokio);
    while scene.wire.sent().is_empty() {
        tokio::task::yield_now().await;
    }
    client.set("a", &1).await.expect("set");
    assert_eq!(running.shutdown().await.expect("shutdown"), Synced::InStep);
    let at_server = scene.server.read("ada").await.expect("read").expect("a document");
    assert_eq!(serde_json::to_value(at_server).expect("json"), json!({"a": 1}));
}

#[tokio::test]
async fn a_shutdown_tells_a_logout_of_just_before() {
    let scene = scene();
    let running = scene.client.start(&Tokio);
    while scene.wire.sent().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(scene.client.logout().await.expect("logout"));
    assert_eq!(running.shutdown().await.expect("shutdown"), Synced::NoSession);
    assert_eq!(scene.wire.logouts().len(), 1);
}

#[tokio::test]
async fn a_shutdown_with_the_network_down_ends_and_keeps() {
    let scene = scene();
    scene.client.set("a", &1).await.expect("set");
    for _ in 0..1000 {
        scene.wire.then(Fate::Fails(SyncFailure::OFFLINE));
    }
    let running = leaping(&scene).start(&Tokio);
    assert_eq!(running.shutdown().await.expect("shutdown"), Synced::Waiting(SyncFailure::OFFLINE));
    assert_eq!(scene.client.status().await.expect("status").expect("a session").pending.len(), 1);
}

#[tokio::test]
async fn a_dropped_guard_stops_the_work() {
    let scene = scene();
    let running = leaping(&scene).start(&Tokio);
    drop(running);
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    let stood = scene.wire.sent().len();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(scene.wire.sent().len(), stood);
}

#[test]
fn a_task_that_its_runtime_ended_is_told() {
    let scene = scene();
    let running = leaping(&scene).start(&Closed);
    assert_eq!(kind_of(block_on(running.shutdown())), ErrorKind::Unavailable);
}

#[test]
fn a_call_that_hangs_is_given_up_and_repeated() {
    let scene = scene();
    set(&scene.client, "a", json!(1));
    scene.wire.then(Fate::Hangs);
    let began = scene.home.clock.now();
    let client = leaping(&scene);
    assert_eq!(block_on(client.sync()).expect("sync"), Synced::Waiting(SyncFailure::Unanswered));
    assert_eq!(scene.home.clock.now().since(began), super::TIMEOUT);
    assert_eq!(pending(&client), ["a"]);
    assert_eq!(block_on(client.sync()).expect("sync"), Synced::InStep);
    assert_eq!(here(&client), scene.at_server());
}

/// A caller that gives up leaves a sync that the next one drives on.
#[test]
fn a_sync_that_all_have_left_goes_on_with_the_next() {
    let scene = scene();
    set(&scene.client, "a", json!(1));
    let road = super::stepped_road(&scene.wire);
    let mut left = Box::pin(scene.client.sync());
    assert!(left.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(left);
    road.pause(false);
    assert_eq!(block_on(scene.client.sync()).expect("sync"), Synced::InStep);
    assert_eq!(scene.at_server(), json!({"a": 1}));
    assert_eq!(scene.wire.most.load(std::sync::atomic::Ordering::SeqCst), 1);
}
