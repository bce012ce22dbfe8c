//! Values that end: fixed, sliding, retimed.

use std::time::Duration;

use strata_core::conformance::{Fault, block_on};
use strata_core::{ChangeKind, Lifetime};
use strata_sync::replica::{Look, ReplicaEvent};

use super::{MINUTE, World, shows, world};

fn set(world: &World, name: &str, life: Lifetime) {
    block_on(world.carts.set(name, &"tea".to_owned()).lifetime(life).into_future()).expect("set");
}

#[test]
fn a_dead_value_is_absent_whatever_the_store_still_holds() {
    let world = world();
    set(&world, "ada", Lifetime::ttl(MINUTE));
    let (replica, _follower) = world.replica();
    world.clock.advance(Duration::from_millis(59_999));
    assert!(shows(&replica, "ada").is_some());
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(replica.look("ada"), Look::Absent);
    assert!(replica.entries().is_empty());
}

#[test]
fn activity_in_the_store_makes_nothing_absent_for_good() {
    let world = world();
    set(&world, "ada", Lifetime::idle(10 * MINUTE));
    let (replica, mut follower) = world.replica();
    world.clock.advance(9 * MINUTE);
    assert!(block_on(world.carts.touch("ada")).expect("touched"), "which is announced to nobody");
    world.clock.advance(2 * MINUTE);
    assert_eq!(replica.look("ada"), Look::Unknown, "its end as it was known here has passed");
    let read = block_on(replica.read("ada")).expect("read");
    assert_eq!(read.as_deref().map(String::as_str), Some("tea"));
    block_on(follower.catch_up()).expect("caught up");
    assert_eq!(shows(&replica, "ada").as_deref(), Some("tea"), "looking had it read again");
    world.clock.advance(10 * MINUTE);
    assert_eq!(replica.get("ada"), None);
    block_on(follower.catch_up()).expect("caught up");
    assert_eq!(replica.look("ada"), Look::Absent, "and when it has ended, it has");
}

#[test]
fn what_slides_is_read_again_before_it_ends() {
    let world = world();
    set(&world, "ada", Lifetime::idle(10 * MINUTE));
    let (replica, mut follower) = world.replica_as(|builder| builder.check_every(MINUTE));
    listen(&mut follower);
    world.clock.advance(9 * MINUTE);
    block_on(world.carts.touch("ada")).expect("touched");
    world.beats.tell();
    listen(&mut follower);
    world.clock.advance(5 * MINUTE);
    assert_eq!(shows(&replica, "ada").as_deref(), Some("tea"), "it was never absent");
}

#[test]
fn a_cap_ends_what_slides() {
    let world = world();
    set(&world, "ada", Lifetime::idle(10 * MINUTE).at_most(10 * MINUTE));
    let (replica, _follower) = world.replica();
    world.clock.advance(10 * MINUTE);
    assert_eq!(replica.look("ada"), Look::Absent, "no activity passes a cap, so nobody has to be asked");
}

#[test]
fn not_again_changes_of_expiry_that_nobody_hears_of() {
    let world = world();
    set(&world, "ada", Lifetime::FOREVER);
    let (replica, mut follower) = world.replica();
    let mut changes = replica.changes();
    assert!(block_on(world.carts.expire("ada", Lifetime::ttl(MINUTE))).expect("expires"));
    block_on(follower.catch_up()).expect("caught up");
    let Some(ReplicaEvent::Changed(change)) = changes.try_next() else { panic!("told") };
    assert_eq!(change.kind, ChangeKind::Retimed);
    world.clock.advance(MINUTE);
    assert_eq!(replica.look("ada"), Look::Absent);
}

#[test]
fn reading_is_no_activity() {
    let world = world();
    set(&world, "ada", Lifetime::idle(10 * MINUTE));
    let (replica, _follower) = world.replica();
    world.clock.advance(9 * MINUTE);
    assert!(shows(&replica, "ada").is_some());
    block_on(replica.read("ada")).expect("read");
    world.clock.advance(MINUTE);
    assert_eq!(block_on(world.carts.peek("ada")).expect("read"), None, "nobody was active");
}

#[test]
fn a_lost_store_keeps_nothing_alive() {
    let world = world();
    set(&world, "ada", Lifetime::idle(MINUTE));
    let (replica, mut follower) = world.replica();
    world.faulty.arm_from(1, Fault::Unavailable);
    world.clock.advance(MINUTE);
    assert_eq!(replica.look("ada"), Look::Unknown);
    block_on(follower.catch_up()).expect_err("the store is away");
    assert_eq!(replica.look("ada"), Look::Unknown);
    block_on(replica.read("ada")).expect_err("a lost store is an error, not an absence");
}

/// Polls the follower's work once, as a runtime would.
pub(super) fn listen(follower: &mut strata_sync::replica::Follower<String>) {
    assert_eq!(crate::support::poll(follower.follow()), None, "it goes on for ever");
}
