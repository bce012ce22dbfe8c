//! What a replica shows and tells.

use std::sync::Arc;

use strata_core::conformance::block_on;
use strata_core::{Change, ChangeKind, Origin};
use strata_sync::replica::{Look, Phase, ReplicaEvent};

use super::{shows, world};

#[test]
fn a_late_joiner_has_everything_and_reads_without_the_store() {
    let world = world();
    for number in 0..700 {
        world.set(&format!("{number}"), &format!("value {number}"));
    }
    let (replica, _follower) = world.replica();
    let calls = world.faulty.calls();
    for number in 0..700 {
        assert_eq!(shows(&replica, &format!("{number}")), Some(format!("value {number}")));
    }
    assert_eq!(replica.look("700"), Look::Absent);
    assert_eq!(replica.entries().len(), 700);
    assert_eq!(world.faulty.calls(), calls, "no read reached the store");
    let report = replica.report();
    assert_eq!((report.phase, report.held, report.complete), (Phase::InStep, 700, true));
}

#[test]
fn what_others_change_is_shown_then_told_with_its_origin() {
    let world = world();
    let (replica, mut follower) = world.replica();
    let mut changes = replica.changes();
    world.set("ada", "tea");
    block_on(follower.catch_up()).expect("caught up");
    assert_eq!(shows(&replica, "ada").as_deref(), Some("tea"));
    let Some(ReplicaEvent::Changed(change)) = changes.try_next() else { panic!("a change is told") };
    assert_eq!(
        (change.key.as_str(), change.kind, change.origin),
        ("cart:ada", ChangeKind::Created, Origin::Local)
    );

    // A peer over the same store, as a bus would say.
    world.db.hear(&Change { kind: ChangeKind::Updated, ..change });
    block_on(follower.catch_up()).expect("caught up");
    let Some(ReplicaEvent::Changed(heard)) = changes.try_next() else { panic!("a peer's change is told") };
    assert_eq!((heard.kind, heard.origin), (ChangeKind::Updated, Origin::Remote));
    assert_eq!(changes.try_next(), None);
}

#[test]
fn not_again_remote_changes_labelled_local() {
    let world = world();
    let other = super::handle(Arc::clone(&world.faulty) as _, &world.clock);
    let (replica, mut follower) = world.replica();
    let mut changes = replica.changes();
    let version = block_on(other.set("cart:ada", &"tea".to_owned()).into_future()).expect("set by a peer");
    let key = other.key("cart:ada").expect("key");
    world.db.hear(&Change { key, kind: ChangeKind::Created, version, origin: Origin::Local });
    block_on(follower.catch_up()).expect("caught up");
    assert_eq!(shows(&replica, "ada").as_deref(), Some("tea"));
    let Some(ReplicaEvent::Changed(heard)) = changes.try_next() else { panic!("told") };
    assert_eq!(heard.origin, Origin::Remote);
}

#[test]
fn not_again_the_last_message_of_a_burst_lost() {
    let world = world();
    let (replica, mut follower) = world.replica();
    let mut changes = replica.changes();
    for number in 0..300 {
        world.set("ada", &format!("{number}"));
    }
    block_on(follower.catch_up()).expect("caught up");
    assert_eq!(shows(&replica, "ada").as_deref(), Some("299"));
    let Some(ReplicaEvent::Changed(last)) = changes.try_next() else { panic!("the last change is told") };
    let held = block_on(world.carts.info("ada")).expect("read").expect("there");
    assert_eq!(last.version, held.version);
    assert_eq!(changes.try_next(), None, "changes that came faster than they were read are told as one");
}

#[test]
fn not_again_a_logout_by_prefix_that_nobody_hears_of() {
    let world = world();
    for name in ["ada", "bob", "eve"] {
        world.set(name, "signed in");
    }
    let (replica, mut follower) = world.replica();
    let mut changes = replica.changes();
    assert_eq!(block_on(world.carts.clear()).expect("cleared"), 3);
    block_on(follower.catch_up()).expect("caught up");
    assert!(replica.entries().is_empty());
    assert_eq!(replica.look("ada"), Look::Absent, "a removed value is absent, no cached nothing");
    let told: Vec<_> = std::iter::from_fn(|| changes.try_next()).collect();
    assert_eq!(told.len(), 3);
    assert!(
        told.iter().all(
            |event| matches!(event, ReplicaEvent::Changed(change) if change.kind == ChangeKind::Removed)
        )
    );
}

#[test]
fn a_removal_shows_before_the_store_can_be_read() {
    let world = world();
    world.set("ada", "signed in");
    let (replica, mut follower) = world.replica();
    block_on(world.carts.remove("ada")).expect("removed");
    world.faulty.arm_from(1, strata_core::conformance::Fault::Unavailable);
    block_on(follower.catch_up()).expect_err("the store is away");
    assert_eq!(shows(&replica, "ada"), None);
}

#[test]
fn it_holds_only_its_glob() {
    let world = world();
    world.set("user-ada", "tea");
    world.set("guest-1", "milk");
    let (replica, mut follower) = world.replica_as(|builder| builder.glob("user-*"));
    assert_eq!(shows(&replica, "user-ada").as_deref(), Some("tea"));
    world.set("guest-2", "milk");
    world.set("user-bob", "milk");
    block_on(follower.catch_up()).expect("caught up");
    assert_eq!(replica.report().held, 2);
    assert_eq!(replica.look("guest-1"), Look::Unknown, "it does not vouch for what it does not follow");
    assert_eq!(replica.look("user-eve"), Look::Absent);
    let read = block_on(replica.read("guest-1")).expect("read");
    assert_eq!(read.as_deref().map(String::as_str), Some("milk"), "the store is asked");
    assert_eq!(replica.report().held, 2, "what was read past it is not taken in");
}
