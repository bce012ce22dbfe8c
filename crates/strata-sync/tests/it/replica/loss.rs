//! What a replica says when it cannot keep up: hubs that lost changes, slow subscribers, stores and feeds that are away.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use strata_core::conformance::{Fault, block_on};
use strata_core::{BoxFuture, ErrorKind, Hub, Spawn, Timestamp};
use strata_sync::Replica;
use strata_sync::replica::{Feed, Look, Phase, ReplicaEvent};

use super::{MINUTE, shows, world};
use crate::support::poll;

#[test]
fn a_hub_that_lost_changes_makes_it_read_everything_and_say_so() {
    let world = world();
    world.set("ada", "tea");
    world.set("bob", "milk");
    let (replica, mut follower) = world.replica();
    let mut changes = replica.changes();
    block_on(world.carts.remove("ada")).expect("removed");
    for number in 0..=Hub::CAPACITY {
        world.set("bob", &format!("{number}"));
    }
    block_on(follower.catch_up()).expect("caught up");
    assert!(matches!(changes.try_next(), Some(ReplicaEvent::Behind(_))));
    assert_eq!(changes.try_next(), Some(ReplicaEvent::Resynchronised));
    assert_eq!(replica.look("ada"), Look::Absent, "its removal was among what was lost");
    assert_eq!(shows(&replica, "bob"), Some(Hub::CAPACITY.to_string()));
    assert!(replica.report().lost > 0);
}

#[test]
fn what_a_bus_lost_is_read() {
    let world = world();
    let other = super::handle(Arc::clone(&world.faulty) as _, &world.clock);
    let (replica, mut follower) = world.replica();
    let mut changes = replica.changes();
    block_on(other.set("cart:ada", &"tea".to_owned()).into_future()).expect("set unheard");
    world.db.hear_of_loss();
    block_on(follower.catch_up()).expect("caught up");
    assert_eq!(shows(&replica, "ada").as_deref(), Some("tea"));
    assert_eq!(changes.try_next(), Some(ReplicaEvent::Behind(1)));
    assert_eq!(changes.try_next(), Some(ReplicaEvent::Resynchronised));
}

#[test]
fn what_nobody_noticed_is_repaired_in_time() {
    let world = world();
    let other = super::handle(Arc::clone(&world.faulty) as _, &world.clock);
    let (replica, mut follower) = world.replica_as(|builder| builder.resync_every(5 * MINUTE));
    let mut changes = replica.changes();
    super::deadlines::listen(&mut follower);
    block_on(other.set("cart:ada", &"tea".to_owned()).into_future()).expect("set unheard");
    world.clock.advance(4 * MINUTE);
    world.beats.tell();
    super::deadlines::listen(&mut follower);
    assert_eq!(replica.get("ada"), None, "not yet");
    world.clock.advance(MINUTE);
    world.beats.tell();
    super::deadlines::listen(&mut follower);
    assert_eq!(shows(&replica, "ada").as_deref(), Some("tea"));
    assert_eq!(changes.try_next(), Some(ReplicaEvent::Resynchronised), "subscribers are told, too");
}

#[test]
fn a_slow_subscriber_is_told() {
    let world = world();
    let (replica, mut follower) = world.replica();
    let mut changes = replica.changes();
    for number in 0..1030 {
        world.set("ada", &format!("{number}"));
        block_on(follower.catch_up()).expect("caught up");
    }
    assert_eq!(changes.try_next(), Some(ReplicaEvent::Lagged(6)));
    assert!(matches!(changes.try_next(), Some(ReplicaEvent::Changed(_))));
}

#[test]
fn a_store_that_is_away_shows_and_is_read_again() {
    let world = world();
    world.set("ada", "tea");
    let (replica, mut follower) = world.replica();
    assert_eq!(replica.staleness(), Some(Duration::ZERO));
    world.set("ada", "milk");
    world.faulty.arm_from(1, Fault::Unavailable);
    let error = block_on(follower.catch_up()).expect_err("the store is away");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    world.clock.advance(MINUTE);
    assert_eq!(shows(&replica, "ada").as_deref(), Some("tea"), "old, and it says how old");
    assert_eq!(replica.staleness(), Some(MINUTE));
    let report = replica.report();
    assert_eq!((report.phase, report.failures), (Phase::Behind, 1));
    assert_eq!(report.last_failure.map(|failure| failure.kind), Some(ErrorKind::Unavailable));
    world.faulty.disarm();
    block_on(follower.catch_up()).expect("caught up");
    assert_eq!(shows(&replica, "ada").as_deref(), Some("milk"));
    assert_eq!((replica.staleness(), replica.report().last_failure), (Some(Duration::ZERO), None));
}

#[test]
fn any_call_that_fails_is_made_again() {
    for nth in 1.. {
        let world = world();
        (0..300).for_each(|number| world.set(&format!("{number}"), "tea"));
        let builder = Replica::builder(&world.carts);
        let (replica, mut follower) = builder.follow(Arc::new(world.beats.clone())).expect("a replica");
        assert_eq!((replica.look("0"), replica.staleness()), (Look::Unknown, None), "nothing is loaded");
        world.faulty.arm(nth, Fault::Unavailable);
        let first = block_on(follower.catch_up());
        assert_eq!(first.is_err(), world.faulty.disarm() == 1);
        block_on(follower.catch_up()).expect("loaded by the second try");
        assert_eq!(replica.report().held, 300);
        if first.is_ok() {
            assert!(nth > 2, "a load of 300 takes two pages");
            break;
        }
    }
}

/// A bus that is down since an instant, or not.
#[derive(Debug, Default)]
struct Cable(Mutex<Option<Timestamp>>);

impl Feed for Cable {
    fn cut_off_since(&self) -> Option<Timestamp> {
        *self.0.lock().expect("lock")
    }
}

#[test]
fn a_bus_that_is_down_shows() {
    let world = world();
    let cable = Arc::new(Cable::default());
    let feed = Arc::clone(&cable) as Arc<dyn Feed>;
    let (replica, mut follower) = world.replica_as(|builder| builder.feed(feed));
    let cut = strata_core::Clock::now(&*world.clock);
    *cable.0.lock().expect("lock") = Some(cut);
    world.clock.advance(3 * MINUTE);
    world.set("ada", "tea");
    block_on(follower.catch_up()).expect("a bus that is down fails nothing here");
    assert_eq!(shows(&replica, "ada").as_deref(), Some("tea"));
    assert_eq!((replica.report().cut_off, replica.staleness()), (Some(cut), Some(3 * MINUTE)));
    *cable.0.lock().expect("lock") = None;
    assert_eq!(replica.staleness(), Some(Duration::ZERO));
}

/// Takes up tasks without running them.
#[derive(Debug, Default)]
struct Shelf(Mutex<Vec<Task>>);

struct Task(BoxFuture<'static, ()>);

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Task")
    }
}

impl Spawn for Shelf {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.0.lock().expect("lock").push(Task(task));
    }
}

#[test]
fn a_task_follows_until_the_last_clone_is_dropped() {
    let world = world();
    let shelf = Shelf::default();
    let builder = Replica::builder(&world.carts);
    let replica = builder.start(&shelf, Arc::new(world.beats.clone())).expect("a replica");
    let Task(mut task) = shelf.0.lock().expect("lock").pop().expect("a task");
    assert_eq!(poll(replica.in_step()), None, "not loaded yet");
    assert_eq!(poll(task.as_mut()), None);
    assert_eq!(poll(replica.in_step()), Some(true));
    world.set("ada", "tea");
    assert_eq!(poll(task.as_mut()), None);
    let clone = replica.clone();
    drop(replica);
    assert_eq!(poll(task.as_mut()), None, "a clone is left");
    assert_eq!(shows(&clone, "ada").as_deref(), Some("tea"));
    let mut changes = clone.changes();
    drop(clone);
    assert_eq!(poll(task.as_mut()), Some(()));
    drop(task);
    assert_eq!(poll(changes.next()), Some(None), "and subscribers hear of the end");
}

#[test]
fn a_follower_that_was_dropped_shows() {
    let world = world();
    world.set("ada", "tea");
    let (replica, follower) = world.replica();
    drop(follower);
    world.clock.advance(MINUTE);
    assert_eq!(replica.report().phase, Phase::Stopped);
    assert_eq!(replica.staleness(), Some(MINUTE));
    assert_eq!(poll(replica.in_step()), Some(false));
}
