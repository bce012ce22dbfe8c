//! Every order in which writers, the follower and a reader can meet, with pauses after each read as well as before it: what a read found may be
//! old by the time it arrives, and an end may be heard before it does.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use strata_core::conformance::{Stepped, World, block_on, every_schedule};
use strata_core::{
    Batch, Capabilities, Collection, Committed, Handle, Key, ManualClock, Page, Record, ReferenceStore,
    Result, Scan, Store,
};
use strata_sync::Replica;
use strata_sync::replica::Follower;

use crate::support::Beats;

/// A store that gives way twice more after each read.
struct Late(Arc<Stepped>);

impl Late {
    async fn travel(&self) -> Result<()> {
        let elsewhere = Key::new("elsewhere")?;
        self.0.get(&elsewhere).await?;
        self.0.get(&elsewhere).await.map(drop)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for Late {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        let found = self.0.get(key).await;
        self.travel().await?;
        found
    }

    async fn commit(&self, batch: Batch) -> Result<Committed> {
        self.0.commit(batch).await
    }

    async fn scan(&self, scan: Scan) -> Result<Page> {
        let found = self.0.scan(scan).await;
        self.travel().await?;
        found
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }
}

impl fmt::Debug for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Late")
    }
}

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("late")
    }
}

struct Scene {
    store: Arc<Stepped>,
    carts: Collection<String>,
    replica: Replica<String>,
    follower: Follower<String>,
}

/// A cart, and a replica that was loaded if that is asked.
fn scene(loaded: bool) -> Scene {
    let store = Stepped::over(Arc::new(ReferenceStore::new()));
    let late = Arc::new(Late(Arc::clone(&store)));
    let db = Handle::builder(late, Arc::new(ManualClock::default())).build().expect("a handle");
    let carts = db.collection::<String>("cart").expect("a collection");
    block_on(carts.set("ada", &"one".to_owned()).into_future()).expect("set");
    let builder = Replica::builder(&carts);
    let (replica, mut follower) = builder.follow(Arc::new(Beats::default())).expect("a replica");
    if loaded {
        block_on(follower.catch_up()).expect("loaded");
    }
    Scene { store, carts, replica, follower }
}

/// What a reader saw, one after the other.
type Seen = Arc<Mutex<Vec<Option<String>>>>;

/// A writer, a follower that catches up, and somebody who looks twice. In the end the replica has what the store has, and
/// nobody saw what is in `order` go back.
fn meet(scene: Scene, writer: Writer, order: &'static [Option<&'static str>]) -> World {
    let Scene { store, carts, replica, follower } = scene;
    let seen: Seen = Arc::default();
    let follower = Arc::new(tokio::sync::Mutex::new(follower));
    let follows = Arc::clone(&follower);
    let (looks, notes, others) = (replica.clone(), Arc::clone(&seen), carts.clone());
    World {
        store,
        tasks: vec![
            writer(carts.clone()),
            Box::pin(async move {
                follows.lock().await.catch_up().await.expect("caught up");
            }),
            Box::pin(async move {
                for _ in 0..2 {
                    others.remove("nobody").await.expect("removed");
                    notes.lock().expect("lock").push(looks.get("ada").map(|value| (*value).clone()));
                }
            }),
        ],
        check: Box::new(move || {
            let seen = seen.lock().expect("lock");
            let places: Vec<_> = seen.iter().map(|seen| place(order, seen.as_deref())).collect();
            assert!(places.is_sorted(), "seen in this order: {seen:?}");
            block_on(async { follower.lock().await.catch_up().await }).expect("caught up");
            let stored = block_on(carts.peek("ada")).expect("read");
            let held = replica.get("ada").map(|value| (*value).clone());
            assert_eq!(held, stored, "in step in the end");
        }),
    }
}

fn place(order: &[Option<&str>], seen: Option<&str>) -> usize {
    order.iter().position(|value| *value == seen).expect("something that was there")
}

type Writer = fn(Collection<String>) -> Pin<Box<dyn Future<Output = ()> + Send>>;

async fn set(carts: &Collection<String>, value: &str) {
    carts.set("ada", &value.to_owned()).await.expect("set");
}

#[test]
fn a_change_that_lands_during_a_read_is_not_covered_by_it() {
    let writer: Writer = |carts| {
        Box::pin(async move {
            set(&carts, "two").await;
            set(&carts, "three").await;
        })
    };
    let order = &[Some("one"), Some("two"), Some("three")];
    let count = every_schedule(|| meet(scene(true), writer, order));
    assert!(count > 500, "only {count} schedules");
}

#[test]
fn not_again_a_late_update_undoing_a_logout() {
    let writer: Writer = |carts| {
        Box::pin(async move {
            set(&carts, "two").await;
            carts.remove("ada").await.expect("removed");
        })
    };
    let order = &[Some("one"), Some("two"), None];
    let count = every_schedule(|| meet(scene(true), writer, order));
    assert!(count > 500, "only {count} schedules");
}

#[test]
fn a_logout_during_a_resynchronisation_stays() {
    let writer: Writer = |carts| {
        Box::pin(async move {
            carts.remove("ada").await.expect("removed");
        })
    };
    let count = every_schedule(|| {
        let scene = scene(true);
        scene.carts.handle().hear_of_loss();
        meet(scene, writer, &[Some("one"), None])
    });
    assert!(count > 500, "only {count} schedules");
}

#[test]
fn what_changes_during_the_first_load_is_in_step() {
    let writer: Writer = |carts| {
        Box::pin(async move {
            set(&carts, "two").await;
            carts.remove("ada").await.expect("removed");
            set(&carts, "three").await;
        })
    };
    // Nothing before it is loaded, and nothing again between two lives; so only the end is compared.
    let count = every_schedule(|| {
        let mut world = meet(scene(false), writer, &[None, Some("one"), Some("two"), Some("three")]);
        world.tasks.truncate(2);
        world
    });
    assert!(count > 50, "only {count} schedules");
}
