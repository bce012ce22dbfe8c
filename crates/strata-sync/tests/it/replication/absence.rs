//! Peers that were away for longer than removals are remembered.

use std::time::Duration;

use strata_core::conformance::block_on;
use strata_sync::Scope;

use super::world::{World, config};

const HOUR: Duration = Duration::from_hours(1);

fn put(world: &World, peer: usize, key: &str, value: u64) {
    block_on(async { world.nodes[peer].db.set(key, &(value, 0_u64)).await }).expect("set");
}

fn keys(world: &World, peer: usize) -> Vec<String> {
    world.nodes[peer].seen().into_keys().collect()
}

fn pass(world: &mut World, hours: u32) {
    for _ in 0..hours {
        world.advance(HOUR);
        world.tick();
    }
}

/// Three peers in step on three keys; then the last is away for three days, in which the others end `ended`, and it changes that and creates
/// `own`.
fn slept() -> World {
    let mut world = World::new(3);
    for key in ["ended", "kept", "changed"] {
        put(&world, 0, key, 1);
    }
    world.flow();
    world.tick();
    world.leave(2, 1);
    assert!(block_on(world.nodes[0].db.remove("ended")).expect("remove"));
    put(&world, 0, "new", 1);
    pass(&mut world, 30);
    put(&world, 2, "ended", 2);
    put(&world, 2, "changed", 2);
    put(&world, 2, "own", 2);
    pass(&mut world, 42);
    let forgotten = world.nodes[0].system().iter().all(|name| !name.contains("ended"));
    assert!(forgotten, "the removal is out of mind: {:?}", world.nodes[0].system());
    assert!(world.nodes[2].get("ended").is_some(), "and alive at the sleeper");
    world
}

#[test]
fn s13_a_logout_is_not_undone_by_a_peer_that_slept_past_the_retention() {
    for restarted in [false, true] {
        let mut world = slept();
        if restarted {
            world.nodes[2].restart();
        }
        world.rejoin(2, 0);
        for _ in 0..4 {
            world.tick();
        }
        for peer in 0..3 {
            assert_eq!(keys(&world, peer), ["changed", "kept", "new", "own"], "restarted: {restarted}");
            assert_eq!(world.nodes[peer].get("changed"), Some((2, 0)), "its changes are kept");
            let report = world.nodes[peer].peer.report();
            assert!(report.members.iter().all(|member| member.in_step && !member.stale), "{report:?}");
        }
    }
}

/// The others do not depend on its manners: whatever it says of lives from before its absence, what has ended stays ended.
#[test]
fn what_a_sleeper_says_first_brings_nothing_back() {
    let mut world = slept();
    world.rejoin(2, 0);
    // It speaks before it has heard of anybody.
    world.flying.retain(|flying| flying.from == 2);
    put(&world, 2, "ended", 3);
    world.flow();
    for peer in 0..2 {
        assert!(!keys(&world, peer).contains(&"ended".to_owned()));
    }
    world.tick();
    world.tick();
    assert!((0..3).all(|peer| !keys(&world, peer).contains(&"ended".to_owned())));
}

#[test]
fn a_short_absence_loses_nothing() {
    let mut world = World::new(2);
    put(&world, 0, "a", 1);
    world.flow();
    world.tick();
    world.leave(1, 1);
    put(&world, 0, "b", 1);
    put(&world, 1, "c", 1);
    assert!(block_on(world.nodes[1].db.remove("a")).expect("remove"));
    pass(&mut world, 11);
    world.rejoin(1, 0);
    world.tick();
    for peer in 0..2 {
        assert_eq!(keys(&world, peer), ["b", "c"]);
        assert_eq!(world.nodes[peer].peer.report().withheld, 0);
    }
}

/// A newcomer cannot judge what a sleeper holds, so it is not told, unless somebody vouches for it.
#[test]
fn a_sleeper_gives_a_newcomer_nothing_old_unless_vouched_for() {
    let mut world = slept();
    world.leave(2, 2);
    let newcomer = world.add(&config(), &Scope::all());
    world.leave(newcomer, 2);
    world.meet(newcomer);
    for _ in 0..3 {
        world.tick();
    }
    assert_eq!(keys(&world, newcomer), ["own"]);
    let report = world.nodes[2].peer.report();
    assert!(report.withheld > 0 && report.members.iter().all(|member| member.stale), "{report:?}");
    // The newcomer carries nothing of it to the others.
    world.leave(2, 3);
    world.rejoin(newcomer, 0);
    world.tick();
    assert_eq!(keys(&world, 0), ["changed", "kept", "new", "own"]);
    // The last of a group is believed when somebody says so.
    world.leave(newcomer, 3);
    world.run(2, async |peer| peer.vouch().await);
    world.rejoin(newcomer, 3);
    world.tick();
    world.tick();
    assert!(keys(&world, newcomer).contains(&"ended".to_owned()), "{:?}", keys(&world, newcomer));
}

/// What was agreed on is stored with every change, so a process that is killed knows as much as one that sleeps.
#[test]
fn a_contact_is_stored_before_it_counts() {
    let mut world = World::new(2);
    put(&world, 0, "a", 1);
    world.flow();
    world.tick();
    pass(&mut world, 5);
    // Born long after the first agreement, known to both by the last.
    put(&world, 1, "late", 1);
    world.flow();
    world.tick();
    world.nodes[1].restart();
    world.leave(1, 1);
    assert!(block_on(world.nodes[0].db.remove("late")).expect("remove"));
    pass(&mut world, 72);
    world.rejoin(1, 0);
    world.tick();
    world.tick();
    for peer in 0..2 {
        assert_eq!(keys(&world, peer), ["a"]);
    }
}

/// It slept, and what died there of idleness meanwhile was in use: the others do not lose it.
#[test]
fn an_active_session_survives_the_return_of_a_sleeper() {
    let mut world = World::new(3);
    block_on(async { world.nodes[0].db.set("active", &(1_u64, 0_u64)).idle(3 * HOUR).await }).expect("set");
    world.flow();
    world.tick();
    world.leave(2, 1);
    for _ in 0..72 {
        assert!(block_on(world.nodes[0].db.touch("active")).expect("touch"));
        pass(&mut world, 1);
    }
    assert_eq!(block_on(world.nodes[2].db.purge(None, 10)).expect("purge").removed, 1);
    world.rejoin(2, 0);
    for _ in 0..4 {
        world.tick();
    }
    for peer in 0..3 {
        assert_eq!(keys(&world, peer), ["active"], "at {peer}");
        assert!(world.nodes[peer].peer.report().members.iter().all(|member| member.in_step && !member.stale));
    }
}

/// A logout made while nobody could be told, long ago, is told all the same.
#[test]
fn s13_a_logout_made_before_a_long_sleep_holds() {
    for peers in [2, 3] {
        let mut world = World::new(peers);
        put(&world, 0, "session", 1);
        world.flow();
        world.tick();
        let away = peers - 1;
        world.leave(away, 1);
        assert!(block_on(world.nodes[away].db.remove("session")).expect("remove"));
        pass(&mut world, 72);
        world.nodes[away].restart();
        assert!(world.nodes[0].get("session").is_some());
        world.rejoin(away, 0);
        for _ in 0..4 {
            world.tick();
        }
        for peer in 0..peers {
            assert_eq!(keys(&world, peer), [""; 0], "{peers} peers, at {peer}");
        }
        let report = world.nodes[0].peer.report();
        assert!(report.members.iter().all(|member| member.in_step && !member.stale), "{report:?}");
    }
}

/// A sleeper that does not know how long it slept is refused by those who do.
#[test]
fn what_has_ended_is_refused_from_a_sleeper_that_forgot() {
    let mut world = slept();
    world.run(2, async |peer| peer.vouch().await);
    world.rejoin(2, 0);
    for _ in 0..3 {
        world.tick();
    }
    for peer in 0..2 {
        assert!(!keys(&world, peer).contains(&"ended".to_owned()));
        let dropped = world.nodes[peer].peer.report().dropped;
        assert!(dropped.contains_key(&strata_sync::replication::Refusal::Stale), "{dropped:?}");
    }
}
