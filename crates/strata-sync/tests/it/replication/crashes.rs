//! Processes that die between a commit and its announcement, or in the middle of settling it; stores that were there before replication; copies
//! of stores.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use strata_core::conformance::{Fault, Faulty, block_on};
use strata_core::{Handle, ManualClock, ReferenceStore, Store};
use strata_sync::Scope;

use super::world::{Node, Serial, World, config, handle};

fn in_step(world: &World) {
    let first = world.nodes[0].seen();
    for node in &world.nodes {
        assert_eq!(node.seen(), first);
        let report = node.peer.report();
        assert!(report.members.iter().all(|member| member.in_step), "{report:?}");
    }
}

#[test]
fn killed_between_commit_and_announcement_the_change_is_told_after_the_restart() {
    let mut world = World::new(3);
    block_on(async {
        world.nodes[0].db.set("kept", &(1_u64, 0_u64)).await.expect("set");
        world.nodes[0].db.set("ended", &(1_u64, 0_u64)).await.expect("set");
    });
    world.flow();
    block_on(async {
        world.nodes[0].db.set("kept", &(2_u64, 0_u64)).await.expect("set");
        assert!(world.nodes[0].db.remove("ended").await.expect("remove"));
    });
    world.nodes[0].restart();
    assert!(world.nodes[0].system().iter().all(|name| !name.contains(":put:") && !name.contains(":gone:")));
    world.meet(0);
    world.flow();
    for node in &world.nodes {
        assert_eq!((node.get("kept"), node.get("ended")), (Some((2, 0)), None));
    }
    world.tick();
    in_step(&world);
}

/// A logout between the start of the program and that of replication, whose clock is behind that of the peer who signed in.
#[test]
fn a_logout_before_replication_is_open_ends_what_a_faster_clock_began() {
    let mut world = World::new(2);
    world.nodes[1].clock.advance(Duration::from_secs(2));
    block_on(world.nodes[1].db.set("session", &(1_u64, 0_u64)).into_future()).expect("set");
    world.flow();
    let Node { store, clock, random, scope, .. } = &world.nodes[0];
    let (_, db) = handle(store, clock, random, scope);
    assert!(block_on(db.remove("session")).expect("remove"));
    world.nodes[0].restart();
    world.meet(0);
    world.tick();
    assert_eq!([0, 1].map(|peer| world.nodes[peer].get("session")), [None; 2]);
}

/// Every call of the store fails once in each way while changes are settled and told; then the process is killed, or goes on.
#[test]
fn killed_anywhere_while_settling_nothing_is_lost_or_revived() {
    for fault in Fault::ALL {
        for restarted in [false, true] {
            for nth in 1.. {
                let mut world = World::new(2);
                block_on(async {
                    world.nodes[0].db.set("kept", &(1_u64, 0_u64)).await.expect("set");
                    world.nodes[0].db.set("ended", &(1_u64, 0_u64)).await.expect("set");
                });
                world.flow();
                block_on(async {
                    let db = &world.nodes[0].db;
                    db.modify("kept", |value: &mut (u64, u64)| value.0 = 2).await.expect("modify");
                    assert!(db.remove("ended").await.expect("remove"));
                    db.set("again", &(1_u64, 0_u64)).await.expect("set");
                    assert!(db.remove("again").await.expect("remove"));
                    db.set("again", &(2_u64, 0_u64)).await.expect("set");
                });
                world.nodes[0].store.arm(nth, fault);
                let _ = block_on(world.nodes[0].peer.on_change());
                let fired = world.nodes[0].store.disarm();
                world.nodes[0].peer.take_outgoing();
                if restarted {
                    world.nodes[0].restart();
                    world.meet(0);
                }
                world.tick();
                world.tick();
                for node in &world.nodes {
                    let values = ["kept", "ended", "again"].map(|key| node.get(key).map(|(value, _)| value));
                    assert_eq!(values, [Some(2), None, Some(2)], "{fault:?} at call {nth}");
                }
                in_step(&world);
                if fired == 0 {
                    assert!(nth > 6, "three keys, each found and settled");
                    break;
                }
            }
        }
    }
}

/// As above, at the side that takes the changes up.
#[test]
fn a_store_that_fails_anywhere_while_taking_up_changes_catches_up() {
    for fault in Fault::ALL {
        for restarted in [false, true] {
            for nth in 1.. {
                let mut world = World::new(2);
                block_on(async {
                    world.nodes[0].db.set("ended", &(1_u64, 0_u64)).await.expect("set");
                    world.flow();
                    assert!(world.nodes[0].db.remove("ended").await.expect("remove"));
                    world.nodes[0].db.set("new", &(1_u64, 0_u64)).await.expect("set");
                });
                world.run(0, async |peer| peer.on_change().await);
                world.nodes[1].store.arm(nth, fault);
                let mut fired = 0;
                while !world.flying.is_empty() {
                    let message = world.flying.remove(0);
                    let from = strata_sync::Member::new(message.from as u64);
                    let _ = block_on(world.nodes[1].peer.on_message(from, &message.bytes));
                    fired += world.nodes[1].store.disarm();
                }
                if restarted {
                    world.nodes[1].restart();
                    world.meet(1);
                }
                world.tick();
                world.tick();
                for node in &world.nodes {
                    assert_eq!(
                        (node.get("ended"), node.get("new")),
                        (None, Some((1, 0))),
                        "{fault:?} at call {nth}"
                    );
                }
                in_step(&world);
                if fired == 0 {
                    assert!(nth > 3, "two keys, each found and committed");
                    break;
                }
            }
        }
    }
}

#[test]
fn records_from_before_replication_are_taken_up_and_told() {
    let mut world = World::new(1);
    let store = Arc::new(Faulty::new(Arc::new(ReferenceStore::new()) as Arc<dyn Store>));
    let clock = Arc::new(ManualClock::default());
    let before = Handle::builder(Arc::clone(&store) as _, Arc::clone(&clock) as _).build().expect("a handle");
    block_on(async {
        for number in 0..1500_u64 {
            before.set(&format!("old:{number}"), &(number, 0_u64)).await.expect("set");
        }
    });
    let random = Arc::clone(&world.random);
    world.nodes.push(Node::over(store, clock, random, config(), Scope::all()));
    world.side.push(0);
    world.meet(1);
    world.flow();
    world.tick();
    assert_eq!(world.nodes[0].get("old:1499"), Some((1499, 0)));
    assert_eq!(world.nodes[0].peer.report().keys, 1500);
    assert!(block_on(world.nodes[0].db.remove("old:7")).expect("remove"));
    world.flow();
    assert_eq!(world.nodes[1].get("old:7"), None);
    // Another start takes nothing up twice, and brings nothing back.
    world.nodes[1].restart();
    world.meet(1);
    world.flow();
    assert_eq!((world.nodes[0].get("old:7"), world.nodes[1].get("old:7")), (None, None));
}

#[test]
fn a_copy_of_a_store_parts_from_its_twin() {
    let mut world = World::new(1);
    world.random = Arc::new(Serial { next: AtomicU64::new(1), step: 1000 });
    world.add(&config(), &Scope::all());
    world.add(&config(), &Scope::all());
    for index in 0..3 {
        block_on(async {
            world.nodes[index].db.set("key", &(index as u64, 0_u64)).await.expect("set");
        });
    }
    for _ in 0..4 {
        world.tick();
    }
    let mut origins: Vec<u64> = world.nodes.iter().map(|node| node.peer.origin()).collect();
    origins.sort_unstable();
    origins.dedup();
    assert_eq!(origins.len(), 3, "each has an origin of its own");
    block_on(async {
        world.nodes[2].db.set("key", &(9_u64, 0_u64)).await.expect("set");
    });
    for _ in 0..3 {
        world.tick();
    }
    assert!(world.nodes.iter().all(|node| node.get("key") == Some((9, 0))));
    in_step(&world);
}

/// A newcomer takes up thousands of records at one meeting, in messages of bounded size, and few are said twice.
#[test]
fn a_newcomer_takes_up_everything_at_once() {
    let config = config().max_message(16 * 1024);
    let mut world = World::with(1, &config, &Scope::all());
    block_on(async {
        for number in 0..3000_u64 {
            world.nodes[0].db.set(&format!("key:{number}"), &(number, 0_u64)).await.expect("set");
        }
    });
    world.flow();
    world.add(&config, &Scope::all());
    let mut bytes = 0;
    let mut longest = 0;
    while !world.flying.is_empty() {
        let message = world.flying.remove(0);
        bytes += message.bytes.len();
        longest = longest.max(message.bytes.len());
        world.deliver(&message);
    }
    assert_eq!(world.nodes[1].peer.report().keys, 3000);
    assert!(longest <= 16 * 1024, "{longest} bytes in one message");
    assert!(bytes < 3_000_000, "{bytes} bytes for 3000 records");
    world.tick();
    in_step(&world);
}
