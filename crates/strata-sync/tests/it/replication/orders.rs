//! Any three operations at three peers that have not heard of each other, their messages in every order: one end, and no logout undone.

use std::time::Duration;

use strata_core::conformance::block_on;
use strata_core::{Handle, Lifetime};

use super::world::World;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Save,
    Logout,
    LogoutAndLogin,
    Touch,
    Extend,
}

impl Deed {
    const ALL: [Self; 5] = [Self::Save, Self::Logout, Self::LogoutAndLogin, Self::Touch, Self::Extend];

    fn ends(self) -> bool {
        matches!(self, Self::Logout | Self::LogoutAndLogin)
    }
}

const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
/// The life that all three know at first. Others are numbered after the peer that began them.
const FIRST: u64 = 100;

async fn act(db: &Handle, deed: Deed, peer: u64) {
    match deed {
        Deed::Save => {
            db.modify("session", |value: &mut (u64, u64)| value.1 = peer).await.expect("alive here");
        }
        Deed::Logout => assert!(db.remove("session").await.expect("remove")),
        Deed::LogoutAndLogin => {
            assert!(db.remove("session").await.expect("remove"));
            db.set("session", &(peer, 0_u64)).if_absent().await.expect("created");
        }
        Deed::Touch => assert!(db.touch("session").await.expect("touch")),
        Deed::Extend => {
            assert!(db.expire("session", Lifetime::idle(Duration::from_hours(2))).await.expect("expire"));
        }
    }
}

fn meet(deeds: [Deed; 3], order: [usize; 3]) {
    let mut world = World::new(3);
    block_on(async {
        let set = world.nodes[1].db.set("session", &(FIRST, 0_u64)).idle(Duration::from_hours(1));
        set.await.expect("set");
    });
    world.flow();
    for peer in order {
        // Sometimes at one instant, sometimes one after the other.
        if order[0] != 1 {
            world.advance(Duration::from_secs(1));
        }
        block_on(act(&world.nodes[peer].db, deeds[peer], peer as u64));
    }
    for peer in order.into_iter().rev() {
        world.run(peer, async |peer| peer.on_change().await);
    }
    world.flying.sort_by_key(|flying| order.iter().position(|peer| *peer == flying.from));
    world.flow();
    let seen = [0, 1, 2].map(|peer| world.nodes[peer].get("session"));
    assert!(seen.iter().all(|value| *value == seen[0]), "{deeds:?} in {order:?}: {seen:?}");
    let life = seen[0].map(|(life, _)| life);
    if deeds.iter().any(|deed| deed.ends()) {
        assert_ne!(life, Some(FIRST), "{deeds:?} in {order:?}");
    } else {
        assert_eq!(life, Some(FIRST), "{deeds:?} in {order:?}");
    }
    if !deeds.contains(&Deed::LogoutAndLogin) && deeds.contains(&Deed::Logout) {
        assert_eq!(life, None, "{deeds:?} in {order:?}");
    }
    // Nothing changes any more.
    world.tick();
    let later = [0, 1, 2].map(|peer| world.nodes[peer].get("session"));
    assert_eq!(later, seen, "{deeds:?} in {order:?}");
}

#[test]
fn s13_any_three_operations_at_three_peers_in_every_order_undo_no_logout() {
    let mut cases = 0;
    for first in Deed::ALL {
        for second in Deed::ALL {
            for third in Deed::ALL {
                for order in ORDERS {
                    meet([first, second, third], order);
                    cases += 1;
                }
            }
        }
    }
    assert_eq!(cases, 750);
}
