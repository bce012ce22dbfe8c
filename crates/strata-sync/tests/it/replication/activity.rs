//! Activity at one peer keeps a session alive at the others, without a message for each touch.

use std::time::Duration;

use strata_core::conformance::block_on;

use super::world::World;

const IDLE: Duration = Duration::from_secs(30);
const SECOND: Duration = Duration::from_secs(1);

fn session(world: &World) {
    block_on(async { world.nodes[0].db.set("session", &(1_u64, 0_u64)).idle(IDLE).await }).expect("set");
}

fn lives(world: &World) -> Vec<bool> {
    world.nodes.iter().map(|node| node.get("session").is_some()).collect()
}

#[test]
fn a_session_active_at_one_peer_lives_at_all_and_dies_at_all() {
    let mut world = World::new(3);
    session(&world);
    world.flow();
    let mut said = 0;
    for second in 0..300 {
        world.advance(SECOND);
        assert!(block_on(world.nodes[0].db.touch("session")).expect("touch"));
        for index in 0..3 {
            world.run(index, async |peer| peer.on_tick().await);
        }
        said += world.flying.len();
        world.flow();
        assert_eq!(lives(&world), [true; 3], "after {second} s");
    }
    // Each tick is three digests to two others; a life of 30 s is asked about when 3 s are left.
    let digests = 300 * 3 * 2;
    assert!(said > digests && said - digests < 100, "{} messages for 300 touches", said - digests);
    world.advance(IDLE + SECOND);
    world.tick();
    assert_eq!(lives(&world), [false; 3]);
}

/// Dead of idleness at a peer that was cut off, swept or not, it is alive there again once peers find together.
#[test]
fn a_session_that_died_of_idleness_behind_a_partition_comes_back() {
    for swept in [false, true] {
        let mut world = World::new(2);
        session(&world);
        world.flow();
        world.leave(1, 1);
        for _ in 0..60 {
            world.advance(SECOND);
            assert!(block_on(world.nodes[0].db.touch("session")).expect("touch"));
            world.tick();
        }
        assert_eq!(lives(&world), [true, false]);
        if swept {
            assert_eq!(block_on(world.nodes[1].db.purge(None, 10)).expect("purge").removed, 1);
        }
        world.rejoin(1, 0);
        world.tick();
        world.tick();
        assert_eq!(lives(&world), [true; 2], "swept: {swept}");
        assert_eq!(world.nodes[0].seen(), world.nodes[1].seen());
    }
}

#[test]
fn no_activity_passes_the_cap() {
    let mut world = World::new(2);
    block_on(async {
        world.nodes[0].db.set("session", &(1_u64, 0_u64)).idle(IDLE).at_most(2 * IDLE).await.expect("set");
    });
    world.flow();
    for second in 1..=70_u64 {
        world.advance(SECOND);
        let alive = block_on(world.nodes[0].db.touch("session")).expect("touch");
        world.tick();
        assert_eq!(lives(&world), [second < 60; 2], "after {second} s");
        assert_eq!(alive, second < 60);
    }
}
