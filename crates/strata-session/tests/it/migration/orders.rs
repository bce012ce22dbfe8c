//! Every order in which the store calls of a guest, a user and a migration can meet, where commits hold
//! several records and where they hold one. Nothing that was acknowledged is lost or doubled, whoever came
//! first.

use std::sync::{Arc, Mutex};
use std::task::Poll;

use strata_core::conformance::{Stepped, Task, World, block_on, every_schedule, sampled_schedules};
use strata_core::{ErrorKind, Key, Result, Store};
use strata_session::migration::{Cart, Rules};

use super::{ADA, Scene, batches, cart, few, per_key};

/// What operations came to, by name.
type Said = Vec<(&'static str, Result<()>)>;

/// A guest with two of tea and `n` = 1, and a user with one of tea.
struct Meeting {
    store: Arc<Stepped>,
    scene: Scene,
    said: Arc<Mutex<Said>>,
}

impl Meeting {
    fn over(store: fn() -> Arc<dyn Store>) -> Self {
        let store = Stepped::over(store());
        let scene = Scene::over(Arc::clone(&store) as Arc<dyn Store>);
        scene.set("cart", &cart(&[("tea", 2)]));
        scene.give("cart", &cart(&[("tea", 1)]));
        Self { store, scene, said: Arc::default() }
    }

    fn task(&self, what: &'static str) -> Task {
        let (guests, guest, said) =
            (self.scene.guests.clone(), self.scene.guest.clone(), Arc::clone(&self.said));
        let (mut session, user) = (self.scene.session.clone(), self.scene.user(ADA));
        Box::pin(async move {
            let result = match what {
                "guest sets new" => guest.set("new", &5_u32).await,
                "guest sets cart" => guest.set("cart", &cart(&[("tea", 4)])).await,
                "guest adds" => guest.update("cart", |cart| more(cart, 10)).await,
                "guest removes" => guest.remove("cart").await.map(drop),
                "user adds" => user.update("cart", |cart| more(cart, 100)).await.map(drop),
                "user sets new" => user.set("new", &9_u32).await.map(drop),
                "migrate" | "migrate again" => guests.migrate(&mut session, ADA).await.map(drop),
                "migrate to eve" => guests.migrate(&mut session, "eve").await.map(drop),
                "end session" => session.destroy().await.map(drop),
                _ => unreachable!("no operation `{what}`"),
            };
            said.lock().expect("lock").push((what, result));
        })
    }

    /// Whether an operation was done; `false` if it was refused because the guest or the session was gone.
    fn did(&self, what: &str) -> bool {
        let said = self.said.lock().expect("lock");
        let (_, result) = said.iter().find(|(name, _)| *name == what).expect("it took part");
        match result {
            Ok(()) => true,
            Err(error) if matches!(error.kind(), ErrorKind::Gone | ErrorKind::Denied) => false,
            Err(error) => panic!("{what}: {error:?}"),
        }
    }

    fn tea(&self) -> u64 {
        self.scene.users::<Cart>("cart").expect("a cart").quantity("tea")
    }

    fn tea_of_guest(&self) -> u64 {
        let cart: Option<Cart> = block_on(self.scene.guest.get("cart")).expect("still a guest");
        cart.map_or(0, |cart| cart.quantity("tea"))
    }

    /// A task that stands still for so many calls of no effect, in front of its own call of that number.
    fn paused(&self, before: usize, calls: usize, mut task: Task) -> Task {
        let store = Arc::clone(&self.store);
        Box::pin(async move {
            for _ in 0..before {
                if ends_at_once(&mut task).await {
                    return;
                }
            }
            let key = Key::new("nothing").expect("a key");
            for _ in 0..calls {
                assert!(store.get(&key).await.expect("get").is_none());
            }
            task.await;
        })
    }

    fn world(self, tasks: Vec<Task>, check: fn(&Self)) -> World {
        World { store: Arc::clone(&self.store), tasks, check: Box::new(move || check(&self)) }
    }
}

// The shape that `update` asks for.
#[allow(clippy::unnecessary_wraps)]
fn more(cart: Option<Cart>, count: u32) -> Option<Cart> {
    let mut cart = cart.unwrap_or_default();
    cart.add("tea", count).expect("room");
    Some(cart)
}

fn meet(store: fn() -> Arc<dyn Store>, operations: &[&'static str], check: fn(&Meeting)) -> usize {
    every_schedule(|| {
        let meeting = Meeting::over(store);
        let tasks = operations.iter().map(|operation| meeting.task(operation)).collect();
        meeting.world(tasks, check)
    })
}

/// Polls a task once: up to its next call.
async fn ends_at_once(task: &mut Task) -> bool {
    let mut polled = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(false);
        }
        task.as_mut().poll(context).map(|()| true)
    })
    .await
}

/// For orders too many to try all: each operation but the first pauses in front of each of its calls in turn,
/// shortly or as long as the first takes; some orders are drawn for each.
fn spread(store: fn() -> Arc<dyn Store>, operations: &[&'static str], check: fn(&Meeting)) -> usize {
    pauses()
        .map(|(seed, before, calls)| {
            sampled_schedules(seed, DRAWN, || {
                let meeting = Meeting::over(store);
                let tasks = operations.iter().enumerate().map(|(number, operation)| {
                    let task = meeting.task(operation);
                    if number == 0 { task } else { meeting.paused(before, calls, task) }
                });
                let tasks = tasks.collect();
                meeting.world(tasks, check)
            })
        })
        .sum()
}

/// A seed, the number of a call, and how long to pause in front of it.
fn pauses() -> impl Iterator<Item = (u64, usize, usize)> {
    let all = (1..=6).flat_map(|before| (0..=42).step_by(3).map(move |calls| (before, calls)));
    (0..).zip(all).map(|(seed, (before, calls))| (seed, before, calls))
}

const DRAWN: usize = 3;
const KINDS: [fn() -> Arc<dyn Store>; 3] = [batches, per_key, few];

/// Tries all orders of the operations where a commit holds all, and spreads them in steps, over both kinds of
/// store that need them.
fn meet_spread(operations: &[&'static str], least: usize, check: fn(&Meeting)) {
    let count = meet(batches, operations, check);
    println!("{operations:?} at once: {count} schedules");
    assert!(count >= least, "{operations:?} at once: {count} schedules");
    spread_over(&[per_key, few], operations, check);
}

fn spread_over(stores: &[fn() -> Arc<dyn Store>], operations: &[&'static str], check: fn(&Meeting)) {
    for store in stores {
        let count = spread(*store, operations, check);
        println!("{operations:?} spread: {count} schedules");
        assert!(count >= 250, "{operations:?} spread: {count} different schedules");
    }
}

/// A value that the guest was told is stored, the user has; one that was refused, nobody.
#[test]
fn s13_a_guests_new_value_is_moved_or_refused() {
    meet_spread(&["migrate", "guest sets new"], 100, |end| {
        assert!(end.did("migrate"));
        let expected = end.did("guest sets new").then_some(5_u32);
        assert_eq!(end.scene.users("new"), expected);
        assert_eq!(end.tea(), 3);
        end.scene.assert_clean();
    });
}

#[test]
fn s13_a_guests_overwriting_is_moved_or_refused() {
    meet_spread(&["migrate", "guest sets cart"], 50, |end| {
        assert!(end.did("migrate"));
        assert_eq!(end.tea(), if end.did("guest sets cart") { 5 } else { 3 });
        end.scene.assert_clean();
    });
}

#[test]
fn s13_a_guests_update_is_merged_once_or_refused() {
    meet_spread(&["migrate", "guest adds"], 50, |end| {
        assert!(end.did("migrate"));
        assert_eq!(end.tea(), if end.did("guest adds") { 13 } else { 3 });
        end.scene.assert_clean();
    });
}

#[test]
fn s13_a_guests_removal_holds_or_is_refused() {
    meet_spread(&["migrate", "guest removes"], 50, |end| {
        assert!(end.did("migrate"));
        assert_eq!(end.tea(), if end.did("guest removes") { 1 } else { 3 });
        end.scene.assert_clean();
    });
}

#[test]
fn a_users_change_meanwhile_is_kept() {
    meet_spread(&["migrate", "user adds"], 30, |end| {
        assert!(end.did("migrate") && end.did("user adds"));
        assert_eq!(end.tea(), 103);
        end.scene.assert_clean();
    });
}

/// Two runs for one user: all is moved once, and one of them at least hands out a token that opens the
/// session.
#[test]
fn s04_two_migrations_are_one() {
    let check: fn(&Meeting) = |end| {
        assert!(end.did("migrate") || end.did("migrate again"));
        assert_eq!(end.tea(), 3);
        assert!(!super::opens(&end.scene.world.sessions, &end.scene.token));
        end.scene.assert_clean();
    };
    let count = meet(batches, &["migrate", "migrate again"], check);
    println!("migrate x migrate at once: {count} schedules");
    assert!(count >= 500, "{count} schedules");
    spread_over(&[per_key, few], &["migrate", "migrate again"], check);
}

/// A guest becomes one user; the other run is refused, with nothing moved.
#[test]
fn s13_a_guest_becomes_one_of_two_users() {
    let check: fn(&Meeting) = |end| {
        let (ada, eve) = (end.did("migrate"), end.did("migrate to eve"));
        assert!(ada != eve, "one of them");
        assert_eq!(end.tea(), if ada { 3 } else { 1 });
        let of_eve = block_on(end.scene.user("eve").peek::<Cart>("cart")).expect("peek");
        assert_eq!(of_eve.map_or(0, |cart| cart.quantity("tea")), if eve { 2 } else { 0 });
        end.scene.assert_clean();
    };
    let count = meet(batches, &["migrate", "migrate to eve"], check);
    println!("migrate x migrate to another at once: {count} schedules");
    assert!(count >= 500, "{count} schedules");
    spread_over(&[per_key, few], &["migrate", "migrate to eve"], check);
}

/// A session that ends meanwhile stays ended; all was moved before, or nothing is.
#[test]
fn s13_a_session_that_ends_meanwhile_stays_ended() {
    meet_spread(&["migrate", "end session"], 30, |end| {
        let left = crate::opened(&end.scene.world.sessions, &end.scene.token);
        assert!(left.is_none(), "the old token opens nothing either way");
        if end.did("migrate") {
            assert_eq!(end.tea(), 3);
            end.scene.assert_clean();
        } else {
            assert!(end.did("end session"));
            assert_eq!((end.tea(), end.tea_of_guest()), (1, 2), "nothing was moved");
        }
    });
}

/// Three at once.
#[test]
fn s13_guest_user_and_migration_lose_and_double_nothing() {
    spread_over(&KINDS, &["migrate", "guest adds", "user adds"], |end| {
        assert_eq!(end.tea(), if end.did("guest adds") { 113 } else { 103 });
        end.scene.assert_clean();
    });
}

#[test]
fn s13_two_changes_of_a_guest_and_a_migration_lose_and_double_nothing() {
    spread_over(&KINDS, &["migrate", "guest adds", "guest sets new"], |end| {
        assert_eq!(end.tea(), if end.did("guest adds") { 13 } else { 3 });
        assert_eq!(end.scene.users("new"), end.did("guest sets new").then_some(5_u32));
        end.scene.assert_clean();
    });
}

#[test]
fn s13_a_guest_and_two_migrations_lose_and_double_nothing() {
    spread_over(&KINDS, &["migrate", "guest adds", "migrate again"], |end| {
        assert_eq!(end.tea(), if end.did("guest adds") { 13 } else { 3 });
        end.scene.assert_clean();
    });
}

/// Both make a value of one name, and none of them is overwritten unknowingly: the user's stays, whoever was
/// first.
#[test]
fn a_value_that_both_make_at_once_is_the_users() {
    spread_over(&KINDS, &["migrate", "guest sets new", "user sets new"], |end| {
        assert_eq!(end.scene.users("new"), Some(9_u32));
        end.scene.assert_clean();
    });
}

/// A merge that refuses once its values are frozen calls the migration off, and the guest goes on.
#[test]
fn a_refusal_after_freezing_leaves_the_guest_a_guest() {
    let world = |before, calls| {
        let meeting = Meeting::over(per_key);
        let (guests, mut session) = (meeting.scene.guests.clone(), meeting.scene.session.clone());
        let said = Arc::clone(&meeting.said);
        let migrate: Task = Box::pin(async move {
            let rules = Rules::new().merge("cart", |user: Cart, guest: Cart| {
                let few = strata_core::Error::new(ErrorKind::TooLarge, "merge", "too much tea");
                if guest.quantity("tea") > 2 { Err(few) } else { user.merge(guest) }
            });
            let migrated = guests.migrate(&mut session, ADA).rules(rules).await;
            said.lock().expect("lock").push(("migrate", migrated.map(drop)));
        });
        let tasks = vec![meeting.paused(before, calls, meeting.task("guest sets cart")), migrate];
        meeting.world(tasks, |end| {
            let said = end.said.lock().expect("lock");
            let of = |what| said.iter().find(|(name, _)| *name == what).map(|(_, result)| result);
            match of("migrate") {
                Some(Ok(())) => {
                    assert!(of("guest sets cart").is_some_and(Result::is_err));
                    assert_eq!(end.tea(), 3);
                    end.scene.assert_clean();
                }
                Some(Err(error)) => {
                    assert_eq!(error.kind(), ErrorKind::TooLarge);
                    assert_eq!((end.tea(), end.tea_of_guest()), (1, 4), "nothing has changed");
                    assert!(block_on(end.scene.guests.unfinished()).expect("a walk").is_empty());
                    block_on(async { end.scene.guest.set("cart", &cart(&[("tea", 1)])).await })
                        .expect("the guest goes on");
                }
                None => unreachable!("it took part"),
            }
        })
    };
    let count: usize =
        pauses().map(|(seed, before, calls)| sampled_schedules(seed, DRAWN, || world(before, calls))).sum();
    println!("refusal in steps: {count} schedules");
    assert!(count >= 250, "{count} schedules");
}
