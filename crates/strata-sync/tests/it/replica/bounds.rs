//! Bounds, and what cannot be read.

use std::sync::Arc;
use std::time::Duration;

use strata_core::conformance::block_on;
use strata_core::{Collection, ErrorKind};
use strata_sync::Replica;
use strata_sync::replica::Look;

use super::{shows, world};

#[test]
fn beyond_its_bound_it_says_that_it_does_not_know() {
    let world = world();
    for name in ["ada", "bob", "eve"] {
        world.set(name, "tea");
    }
    let (replica, mut follower) = world.replica_as(|builder| builder.max_entries(2));
    let report = replica.report();
    assert_eq!((report.held, report.complete, report.left_out), (2, false, 1));
    assert_eq!(replica.look("eve"), Look::Unknown);
    assert!(block_on(replica.read("eve")).expect("read").is_some(), "the store knows");
    assert_eq!(replica.look("nobody"), Look::Unknown, "nor does it know who is not there");
    world.set("ada", "milk");
    block_on(follower.catch_up()).expect("caught up");
    assert_eq!(shows(&replica, "ada").as_deref(), Some("milk"), "what it holds it keeps in step");
    block_on(world.carts.remove("ada")).expect("removed");
    world.db.hear_of_loss();
    block_on(follower.catch_up()).expect("caught up");
    assert_eq!(replica.look("nobody"), Look::Absent, "now there is room for all");
    assert!(shows(&replica, "eve").is_some());
}

#[test]
fn a_record_that_cannot_be_read_is_unknown_and_stops_nothing() {
    let world = world();
    world.set("ada", "tea");
    let foreign: Collection<u64> = world.db.collection("cart").expect("the same namespace");
    block_on(foreign.set("bob", &7).into_future()).expect("set");
    world.set("eve", "tea");
    let (replica, mut follower) = world.replica();
    assert!(shows(&replica, "ada").is_some() && shows(&replica, "eve").is_some());
    assert_eq!(replica.look("bob"), Look::Unknown);
    assert_eq!(block_on(replica.read("bob")).expect_err("a mismatch").kind(), ErrorKind::Mismatch);
    block_on(foreign.set("ada", &7).into_future()).expect("set");
    block_on(follower.catch_up()).expect("caught up");
    assert_eq!(replica.look("ada"), Look::Unknown, "what it was is not shown any more");
    assert_eq!(replica.report().unreadable, 2);
}

#[test]
fn bad_input_is_refused() {
    let world = world();
    let timer = Arc::new(world.beats.clone());
    let refused = |builder: strata_sync::replica::ReplicaBuilder<String>| {
        builder.follow(Arc::clone(&timer) as _).expect_err("refused").kind()
    };
    let builder = || Replica::builder(&world.carts);
    assert_eq!(refused(builder().max_entries(0)), ErrorKind::Invalid);
    assert_eq!(refused(builder().check_every(Duration::ZERO)), ErrorKind::Invalid);
    assert_eq!(refused(builder().resync_every(Duration::ZERO)), ErrorKind::Invalid);
    assert_eq!(refused(builder().glob("a\n*")), ErrorKind::Invalid);
}

#[test]
fn debug_shows_no_value() {
    let world = world();
    world.set("zoe", "a secret");
    let (replica, follower) = world.replica();
    let printed = format!("{replica:?} {follower:?} {:?} {:?}", replica.changes(), replica.report());
    assert!(!printed.contains("secret") && !printed.contains("zoe"), "{printed}");
}
