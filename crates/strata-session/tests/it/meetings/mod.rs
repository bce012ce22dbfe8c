//! Operations of all managers meeting in one store: every order of any two of them, and of any three as many as are drawn from a
//! seed. Whatever they come to, what has to be true afterwards is in [`scene`].

mod scene;

use strata_core::conformance::{World, every_schedule, sampled_schedules};

use scene::{OPERATIONS, Scene};

/// How many orders of each three are drawn.
const DRAWN: usize = 25;

fn world_of(operations: &[&'static str]) -> World {
    let scene = Scene::new();
    let tasks = operations.iter().map(|operation| scene.task(operation)).collect();
    scene.world(tasks)
}

/// Every pair, an operation with itself included.
#[test]
fn s13_every_order_of_any_two_operations() {
    let mut count = 0;
    for (at, first) in OPERATIONS.iter().enumerate() {
        for second in &OPERATIONS[at..] {
            let orders = every_schedule(|| world_of(&[first, second]));
            assert!(orders >= 2, "{first}, {second}: {orders} orders");
            println!("{first}, {second}: {orders}");
            count += orders;
        }
    }
    println!("{count} orders of two operations");
    assert!(count >= 7500, "{count} orders of two operations");
}

/// Every three different ones.
#[test]
fn s13_drawn_orders_of_any_three_operations() {
    let mut count = 0;
    for (at, first) in OPERATIONS.iter().enumerate() {
        for (next, second) in OPERATIONS.iter().enumerate().skip(at + 1) {
            for third in &OPERATIONS[next + 1..] {
                let seed = (at * 1000 + next) as u64;
                count += sampled_schedules(seed, DRAWN, || world_of(&[first, second, third]));
            }
        }
    }
    println!("{count} different orders of three operations");
    assert!(count >= 5000, "{count} different orders of three operations");
}
