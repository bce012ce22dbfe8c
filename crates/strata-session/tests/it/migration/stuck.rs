//! What each run would meet again, and what cannot be asked: the guest stays a guest, and no store that is away is taken for
//! an ended session.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use strata_core::conformance::{Fault, Stepped, block_on};
use strata_core::{Batch, Durability, ErrorKind, Guard, Handle, Keep, Key, Op, Payload, Store, Write};
use strata_session::Sessions;

use super::{ADA, Scene, batches, few, per_key};
use crate::{kind_of, world_over};

const KINDS: [fn() -> Arc<dyn Store>; 3] = [batches, per_key, few];

/// The guest of `scene` has lost nothing and goes on.
fn assert_goes_on(scene: &Scene) {
    assert!(block_on(scene.guests.unfinished()).expect("a walk").is_empty(), "nothing is under way");
    assert_eq!(block_on(scene.guest.get::<u8>("draft")).expect("still a guest"), Some(1));
    scene.set("draft", &1_u8);
    assert_eq!(scene.users::<u8>("draft"), None, "nothing was moved");
    assert!(super::opens(&scene.world.sessions, &scene.token));
}

/// A value of the guest or of the user that nobody can read any more refuses the migration, each time, and stops nobody.
#[test]
fn s30_a_value_that_cannot_be_read_leaves_the_guest_a_guest() {
    for store in KINDS {
        for of_guest in [true, false] {
            let mut scene = Scene::over(store());
            scene.set("draft", &1_u8);
            scene.set("note", &1_u8);
            scene.give("note", &1_u8);
            let id = scene.guest.id();
            let name = if of_guest { format!("guest:{id}:note") } else { "user:ada:note".to_owned() };
            let write =
                Write::Put { payload: Payload::from(&b"torn"[..]), expiry: Keep::Keep, tags: Keep::Keep };
            let op = Op { key: Key::new(&name).expect("a key"), guard: Guard::Present, write };
            let now = scene.world.db.clock().now();
            block_on(scene.world.faulty.commit(Batch::one(now, Durability::Volatile, op))).expect("torn");
            for _ in 0..2 {
                let refused = block_on(async { scene.guests.migrate(&mut scene.session, ADA).await });
                assert_eq!(kind_of(refused), ErrorKind::Corrupt, "{name}");
                assert_goes_on(&scene);
            }
        }
    }
}

/// What became of each value is written down with the migration: more names than a record holds refuse it.
#[test]
fn s38_a_report_over_the_handles_limit_leaves_the_guest_a_guest() {
    for store in KINDS {
        let mut world = world_over(store());
        let handle = Handle::builder(Arc::clone(&world.faulty) as _, Arc::clone(&world.clock) as _);
        world.db = handle.random(Arc::clone(&world.random) as _).max_value(1500).build().expect("a handle");
        world.sessions = Sessions::new(&world.db).expect("a manager");
        let mut scene = Scene::in_world(world);
        scene.set("draft", &1_u8);
        for number in 0..40 {
            scene.set(&format!("{number:060}"), &1_u8);
        }
        for _ in 0..2 {
            let refused = block_on(async { scene.guests.migrate(&mut scene.session, ADA).await });
            assert_eq!(kind_of(refused), ErrorKind::TooLarge);
            assert_goes_on(&scene);
        }
    }
}

/// A value goes while the migration is at any of its calls, and then the store: the session, which is open, is not said to
/// have ended.
#[test]
fn s35_an_outage_after_a_lost_race_is_no_ended_session() {
    for store in KINDS {
        for (stop, reads) in (0..).flat_map(|stop| [(stop, 0), (stop, 1)]) {
            let stepped = Stepped::over(store());
            let mut scene = Scene::over(Arc::clone(&stepped) as Arc<dyn Store>);
            scene.set("draft", &1_u8);
            scene.set("note", &1_u8);
            let note = format!("guest:{}:note", scene.guest.id());
            let mut running = Box::pin(scene.guests.migrate(&mut scene.session, ADA).into_future());
            let mut context = Context::from_waker(Waker::noop());
            stepped.pause(true);
            let waits = (0..=stop).all(|_| matches!(running.as_mut().poll(&mut context), Poll::Pending));
            stepped.pause(false);
            if !waits {
                break;
            }
            block_on(scene.world.db.remove(&note)).expect("removed by an operator");
            scene.world.faulty.arm_from(1 + reads, Fault::Unavailable);
            let result = block_on(running);
            scene.world.faulty.disarm();
            if let Err(error) = result {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "at {stop}, after {reads} reads: {error}");
            }
            let again = block_on(async { scene.guests.migrate(&mut scene.session, ADA).await });
            again.expect("once the store is back");
            assert_eq!(scene.users::<u8>("draft"), Some(1));
        }
    }
}
