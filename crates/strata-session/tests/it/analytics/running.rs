//! Delivery that goes on by itself: it closes, delivers, survives failures, stops with its guard, and drains when it is shut down.

use std::sync::Arc;
use std::time::Duration;

use strata_core::conformance::{Fault, block_on};
use strata_core::{BoxFuture, ErrorKind, Spawn};
use strata_session::analytics::{Delivery, SendFailure};

use super::{Answer, HOUR, Leap, MINUTE, Never, Scene, end, scene};
use crate::kind_of;

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

fn leaping(scene: &Scene) -> Delivery {
    let timer = Leap(Arc::clone(&scene.world.clock));
    Delivery::new(&scene.recorder, Arc::clone(&scene.server) as _, Arc::new(timer))
}

/// Polls the endless work until `so`.
fn until(delivery: &Delivery, so: impl Fn() -> bool) {
    let mut run = Box::pin(delivery.run());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    for _ in 0..100_000 {
        if so() {
            return;
        }
        assert!(run.as_mut().poll(&mut context).is_pending());
    }
    panic!("it never came to that");
}

#[test]
fn it_ends_idle_visits_and_delivers_them() {
    let scene = scene();
    scene.visit("v", "/a");
    until(&leaping(&scene), || scene.insight().visits == 1);
}

#[test]
fn failures_of_store_and_server_end_nothing() {
    let scene = scene();
    end(&scene.visit("v", "/a"));
    for _ in 0..5 {
        scene.server.then(Answer::Fails(SendFailure::Unavailable));
    }
    scene.server.then(Answer::Hangs);
    scene.world.faulty.arm_from(1, Fault::Unavailable);
    let delivery = leaping(&scene);
    let began = scene.now();
    until(&delivery, || scene.now().since(began) >= 3 * MINUTE);
    assert!(scene.world.faulty.disarm() > 3);
    until(&delivery, || scene.server.came().len() == 7);
    until(&delivery, || scene.insight().visits == 1);
}

#[tokio::test]
async fn a_dropped_guard_stops_the_work() {
    let scene = scene();
    let running = leaping(&scene).start(&Tokio);
    drop(running);
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    let stood = scene.now();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(scene.now(), stood, "nobody waits any more");
}

#[tokio::test]
async fn a_shutdown_delivers_what_waits_whatever_its_pause() {
    let scene = scene();
    end(&scene.visit("v", "/a"));
    scene.server.then(Answer::Fails(SendFailure::RetryAfter(HOUR)));
    scene.deliver();
    let running =
        Delivery::new(&scene.recorder, Arc::clone(&scene.server) as _, Arc::new(Never)).start(&Tokio);
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    assert_eq!(scene.queue().waiting, 1, "it waits");
    let last = running.shutdown().await.expect("shutdown");
    assert_eq!((last.reports, scene.queue().waiting), (1, 0));
}

#[tokio::test]
async fn a_shutdown_with_the_network_down_ends_and_keeps() {
    let scene = scene();
    end(&scene.visit("v", "/a"));
    let running = leaping(&scene).timeout(Duration::from_secs(2)).start(&Tokio);
    scene.server.then(Answer::Hangs);
    scene.server.then(Answer::Hangs);
    let last = running.shutdown().await.expect("shutdown");
    assert_eq!(last.failure, Some(SendFailure::Unavailable));
    assert_eq!(scene.queue().waiting, 1);
}

#[test]
fn a_task_that_its_runtime_ended_is_told() {
    let scene = scene();
    let running = leaping(&scene).start(&Closed);
    assert_eq!(kind_of(block_on(running.shutdown())), ErrorKind::Unavailable);
}
