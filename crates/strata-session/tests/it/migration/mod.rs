//! Guests who become users: what is moved and how, what a failure at any call leaves, every order in which
//! others can meet a migration, and a sign-in from end to end.

mod faults;
mod guests;
mod moving;
mod orders;
mod random;
mod rules;
mod sign_in;
mod stuck;

use std::sync::Arc;

use strata_adapter_memory::{MemoryConfig, MemoryStore};
use strata_core::conformance::{PerKey, block_on};
use strata_core::{Handle, ReferenceStore, Store, Value};
use strata_session::migration::{Cart, Guest, Guests, Migrated, Preferences};
use strata_session::{Limits, Session, SessionToken, Sessions};

use crate::{World, grounds, world_over};

/// A guest with a session of theirs, and the user `ada`.
struct Scene {
    world: World,
    guests: Guests,
    token: SessionToken,
    session: Session,
    guest: Guest,
}

const ADA: &str = "ada";

impl Scene {
    fn over(store: Arc<dyn Store>) -> Self {
        Self::in_world(world_over(store))
    }

    fn in_world(world: World) -> Self {
        let limits = Limits::default().values(200);
        let guests = Guests::builder(&world.db).limits(limits).build().expect("a manager");
        let (token, session) = crate::created(&world.sessions);
        let guest = guests.of(&session).expect("a guest");
        Self { world, guests, token, session, guest }
    }

    fn user(&self, user: &str) -> Handle {
        self.guests.user(user).expect("a user")
    }

    fn set<T: Value + Sync>(&self, name: &str, value: &T) {
        block_on(async { self.guest.set(name, value).await }).expect("set");
    }

    fn users<T: Value>(&self, name: &str) -> Option<T> {
        block_on(self.user(ADA).peek(name)).expect("peek")
    }

    fn give<T: Value>(&self, name: &str, value: &T) {
        block_on(async { self.user(ADA).set(name, value).await }).expect("set");
    }

    fn migrate(&mut self) -> Migrated {
        block_on(async { self.guests.migrate(&mut self.session, ADA).await }).expect("migrated")
    }

    /// The names of all records, of guests, roots and users.
    fn names(&self) -> Vec<String> {
        let names = block_on(self.world.db.keys("*").collect()).expect("keys");
        names.into_iter().filter(|name| !name.starts_with("session:")).collect()
    }

    /// Nothing is left of the guest but the root that says so, and no mark on what the user has.
    fn assert_clean(&self) {
        for name in self.names() {
            assert!(!name.starts_with("guest:"), "left behind: {name}");
            let info = block_on(self.world.db.info(&name)).expect("info").expect("alive");
            assert!(info.tags.iter().all(|tag| !tag.as_str().starts_with('~')), "{name}: {:?}", info.tags);
        }
        assert!(block_on(self.guests.unfinished()).expect("a walk").is_empty());
    }
}

/// Stores that commit batches, in memory, on disk, and in the reference.
fn each(scene: impl Fn(Scene)) {
    grounds::each(|world| scene(Scene::in_world(world)));
}

/// Those, one that commits one record at a time, and one whose batches hold no migration.
fn each_kind(scene: impl Fn(Scene)) {
    each(&scene);
    scene(Scene::over(per_key()));
    scene(Scene::over(few()));
}

fn batches() -> Arc<dyn Store> {
    Arc::new(ReferenceStore::new())
}

fn per_key() -> Arc<dyn Store> {
    Arc::new(PerKey::over(batches()))
}

/// Commits two records at once: enough for a guest, too few to migrate one.
fn few() -> Arc<dyn Store> {
    Arc::new(MemoryStore::with_config(MemoryConfig::default().max_batch(2)))
}

fn cart(lines: &[(&str, u32)]) -> Cart {
    let mut cart = Cart::new();
    for (product, quantity) in lines {
        cart.add(product, *quantity).expect("a line");
    }
    cart
}

fn preferences(settings: &[(&str, &str)]) -> Preferences {
    let mut preferences = Preferences::new();
    for (name, value) in settings {
        preferences.set(name, *value).expect("a setting");
    }
    preferences
}

/// What a session opens, from now on and in any process.
fn opens(sessions: &Sessions, token: &SessionToken) -> bool {
    crate::opened(sessions, token).is_some()
}
