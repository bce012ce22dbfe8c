//! Replicas over the reference store: `follow` (what they show), `deadlines`, `loss` (slow subscribers, failing stores, feeds that are down),
//! `orders` (every order in which a change and a read can meet), `bounds`.

mod bounds;
mod deadlines;
mod follow;
mod loss;
mod orders;

use std::sync::Arc;
use std::time::Duration;

use strata_core::conformance::{Faulty, block_on};
use strata_core::{Collection, Handle, ManualClock, ReferenceStore, Store};
use strata_sync::Replica;
use strata_sync::replica::{Follower, ReplicaBuilder};

use crate::support::Beats;

const MINUTE: Duration = Duration::from_mins(1);

/// A handle over a store that can be made to fail, and time that is moved.
struct World {
    faulty: Arc<Faulty>,
    clock: Arc<ManualClock>,
    db: Handle,
    carts: Collection<String>,
    beats: Beats,
}

fn world() -> World {
    let store: Arc<dyn Store> = Arc::new(ReferenceStore::new());
    let faulty = Arc::new(Faulty::new(store));
    let clock = Arc::new(ManualClock::default());
    let db = handle(Arc::clone(&faulty) as _, &clock);
    let carts = db.collection("cart").expect("a collection");
    World { faulty, clock, db, carts, beats: Beats::default() }
}

fn handle(store: Arc<dyn Store>, clock: &Arc<ManualClock>) -> Handle {
    Handle::builder(store, Arc::clone(clock) as _).build().expect("a handle")
}

impl World {
    /// A loaded replica, and its follower to be driven by hand.
    fn replica(&self) -> (Replica<String>, Follower<String>) {
        self.replica_as(|builder| builder)
    }

    fn replica_as(
        &self,
        tune: impl FnOnce(ReplicaBuilder<String>) -> ReplicaBuilder<String>,
    ) -> (Replica<String>, Follower<String>) {
        let builder = tune(Replica::builder(&self.carts));
        let (replica, mut follower) = builder.follow(Arc::new(self.beats.clone())).expect("a replica");
        block_on(follower.catch_up()).expect("loaded");
        (replica, follower)
    }

    fn set(&self, name: &str, value: &str) {
        block_on(self.carts.set(name, &value.to_owned()).into_future()).expect("set");
    }
}

fn shows(replica: &Replica<String>, name: &str) -> Option<String> {
    replica.get(name).map(|value| (*value).clone())
}
