//! What went wrong in the original, and what users of peers complain of: each would fail there.

use std::time::Duration;

use strata_core::conformance::block_on;
use strata_core::{ChangeKind, Event, Lifetime, Origin};
use strata_sync::Scope;

use super::world::{World, config};

const MINUTE: Duration = Duration::from_mins(1);

fn put(world: &World, peer: usize, key: &str, value: u64) {
    block_on(async { world.nodes[peer].db.set(key, &(value, 0_u64)).await }).expect("set");
}

fn remove(world: &World, peer: usize, key: &str) {
    assert!(block_on(world.nodes[peer].db.remove(key)).expect("remove"));
}

fn values(world: &World, key: &str) -> Vec<Option<u64>> {
    world.nodes.iter().map(|node| node.get(key).map(|(value, _)| value)).collect()
}

#[test]
fn equal_timestamps_converge() {
    let mut world = World::new(3);
    for peer in 0..3 {
        put(&world, peer, "theme", peer as u64);
    }
    world.flow();
    let seen = values(&world, "theme");
    assert!(seen[0].is_some() && seen.iter().all(|value| *value == seen[0]), "{seen:?}");
}

/// In the order in which they were made, and the other way round, at a peer that hears of both.
#[test]
fn s13_one_late_update_does_not_undo_a_logout() {
    for turned in [false, true] {
        let mut world = World::new(3);
        put(&world, 0, "session", 1);
        world.flow();
        assert_eq!(values(&world, "session"), [Some(1); 3]);
        remove(&world, 1, "session");
        world.run(1, async |peer| peer.on_change().await);
        // The other saves after the logout, of which it has not heard.
        world.advance(MINUTE);
        put(&world, 0, "session", 2);
        world.run(0, async |peer| peer.on_change().await);
        if turned {
            world.flying.reverse();
        }
        world.flow();
        assert_eq!(values(&world, "session"), [None; 3], "turned: {turned}");
        assert!(block_on(world.nodes[0].db.modify("session", |value: &mut (u64, u64)| value.1 = 1)).is_err());
    }
}

#[test]
fn s13_a_touch_or_extension_that_races_a_logout_revives_nothing() {
    let mut world = World::new(2);
    block_on(async {
        world.nodes[0].db.set("session", &(1_u64, 0_u64)).idle(10 * MINUTE).await.expect("set");
    });
    world.flow();
    remove(&world, 1, "session");
    world.advance(5 * MINUTE);
    block_on(async {
        assert!(world.nodes[0].db.touch("session").await.expect("touch"));
        assert!(world.nodes[0].db.expire("session", Lifetime::idle(MINUTE)).await.expect("expire"));
    });
    world.flow();
    for _ in 0..3 {
        world.tick();
    }
    assert_eq!(values(&world, "session"), [None; 2]);
}

#[test]
fn a_session_created_anew_after_its_logout_lives() {
    let mut world = World::new(2);
    for round in 0..3 {
        put(&world, 0, "session", round);
        world.flow();
        remove(&world, 1, "session");
        put(&world, 1, "session", 10 + round);
        world.flow();
        assert_eq!(values(&world, "session"), [Some(10 + round); 2]);
        remove(&world, 0, "session");
        world.flow();
        assert_eq!(values(&world, "session"), [None; 2]);
    }
}

#[test]
fn the_last_message_of_a_burst_lost_is_repaired() {
    let mut world = World::new(3);
    world.flow();
    for value in 0..20 {
        put(&world, 0, "cart", value);
        world.run(0, async |peer| peer.on_change().await);
    }
    let last = world.flying.len() - 2;
    world.flying.truncate(last);
    world.flow();
    assert_eq!(values(&world, "cart"), [Some(19), Some(18), Some(18)]);
    world.tick();
    assert_eq!(values(&world, "cart"), [Some(19); 3]);
}

#[test]
fn a_logout_by_prefix_and_a_new_lifetime_are_announced() {
    let mut world = World::new(2);
    for number in 0..100 {
        put(&world, 0, &format!("session:{number}"), number);
    }
    put(&world, 0, "kept", 7);
    world.flow();
    assert_eq!(world.nodes[1].seen().len(), 101);
    let cleared = block_on(async { world.nodes[0].db.select().prefix("session:").clear().await });
    assert_eq!(cleared.expect("cleared"), 100);
    assert!(block_on(world.nodes[0].db.expire("kept", Lifetime::ttl(MINUTE))).expect("expire"));
    world.flow();
    let seen = world.nodes[1].seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen, world.nodes[0].seen(), "the deadline too");
    world.advance(MINUTE);
    assert_eq!(world.nodes[1].get("kept"), None);
}

#[test]
fn changes_of_peers_are_labelled_remote_and_echo_nowhere() {
    let mut world = World::new(2);
    let mut here = world.nodes[0].db.subscribe("*").expect("subscribe");
    let mut there = world.nodes[1].db.subscribe("*").expect("subscribe");
    put(&world, 0, "a", 1);
    world.flow();
    put(&world, 0, "a", 2);
    world.flow();
    remove(&world, 0, "a");
    world.flow();
    world.tick();
    for (events, origin) in [(&mut here, Origin::Local), (&mut there, Origin::Remote)] {
        let seen: Vec<_> = std::iter::from_fn(|| events.try_next()).collect();
        let kinds: Vec<_> = seen
            .iter()
            .map(|event| match event {
                Event::Change(change) => (change.kind, change.origin),
                Event::Lagged(_) => panic!("nothing was lost"),
            })
            .collect();
        let kind = [ChangeKind::Created, ChangeKind::Updated, ChangeKind::Removed];
        assert_eq!(kinds, kind.map(|kind| (kind, origin)));
    }
}

#[test]
fn expiry_and_tags_travel() {
    let mut world = World::new(2);
    block_on(async {
        let set = world.nodes[0].db.set("a", &(1_u64, 1_u64)).idle(MINUTE).at_most(10 * MINUTE);
        set.tag("user:ada").tag("device:1").await.expect("set");
    });
    world.flow();
    assert_eq!(world.nodes[1].seen(), world.nodes[0].seen());
    let (_, expiry, tags) = &world.nodes[1].seen()["a"];
    assert!(
        expiry.iter().all(|word| *word != 0 && *word != u64::MAX) && tags.iter().count() == 2,
        "{expiry:?}"
    );
}

/// A life made shorter, or ended by it, is not made longer again by a peer that slept through it.
#[test]
fn an_expiry_made_shorter_is_not_undone_by_a_peer_that_missed_it() {
    for swept in [false, true] {
        let mut world = World::new(3);
        put(&world, 0, "session", 1);
        world.flow();
        world.leave(2, 1);
        assert!(block_on(world.nodes[0].db.expire("session", Lifetime::ttl(MINUTE))).expect("expire"));
        world.flow();
        world.advance(2 * MINUTE);
        for node in &world.nodes[..2] {
            if swept {
                assert_eq!(block_on(node.db.purge(None, 10)).expect("purge").removed, 1);
            }
        }
        world.flow();
        assert_eq!(values(&world, "session"), [None, None, Some(1)]);
        world.rejoin(2, 0);
        world.flow();
        world.tick();
        assert_eq!(values(&world, "session"), [None; 3], "swept: {swept}");
    }
}

#[test]
fn what_has_died_leaves_nothing_behind_and_a_removal_only_its_tombstone() {
    let mut world = World::new(2);
    block_on(async {
        world.nodes[0].db.set("dies", &(1_u64, 0_u64)).ttl(MINUTE).await.expect("set");
    });
    put(&world, 0, "ends", 1);
    world.flow();
    remove(&world, 1, "ends");
    world.flow();
    world.advance(2 * MINUTE);
    for node in &world.nodes {
        assert_eq!(block_on(node.db.purge(None, 10)).expect("purge").removed, 1);
    }
    world.tick();
    for node in &world.nodes {
        assert_eq!(node.system(), ["~strata:sync:self", "~strata:sync:state:=ends"]);
        assert_eq!((node.peer.report().keys, node.peer.report().tombstones), (1, 1));
    }
    world.advance(Duration::from_hours(25));
    world.tick();
    for node in &world.nodes {
        assert_eq!(node.system(), ["~strata:sync:self"], "kept for the retention");
    }
}

#[test]
fn only_keys_in_scope_are_told_and_taken() {
    let scope = Scope::only(["session:*"]).expect("globs");
    let mut world = World::with(1, &config(), &scope);
    world.add(&config(), &Scope::all());
    put(&world, 0, "session:a", 1);
    put(&world, 0, "cache", 1);
    put(&world, 1, "session:b", 2);
    put(&world, 1, "other", 2);
    world.flow();
    world.tick();
    let keys = |peer: usize| world.nodes[peer].seen().into_keys().collect::<Vec<_>>();
    assert_eq!(keys(0), ["cache", "session:a", "session:b"]);
    assert_eq!(keys(1), ["other", "session:a", "session:b"]);
    let report = world.nodes[0].peer.report();
    assert!(report.dropped.keys().all(|refusal| *refusal == strata_sync::replication::Refusal::OutOfScope));
}

/// A removal elsewhere of a life that has died here does not end the next one.
#[test]
fn a_life_created_where_the_last_had_died_is_a_new_one() {
    let mut world = World::new(2);
    block_on(async { world.nodes[0].db.set("session", &(1_u64, 0_u64)).ttl(MINUTE).await }).expect("set");
    world.flow();
    world.leave(1, 1);
    world.advance(MINUTE / 2);
    remove(&world, 1, "session");
    world.advance(MINUTE);
    block_on(async { world.nodes[0].db.set("session", &(2_u64, 0_u64)).if_absent().await }).expect("created");
    world.flow();
    world.rejoin(1, 0);
    world.tick();
    assert_eq!(values(&world, "session"), [Some(2); 2]);
}
