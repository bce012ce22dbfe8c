//! What tower-sessions and axum-login promise their users, over a Strata store: `trait_calls` (what the trait asks of a store), `requests`
//! (that project's layer: expiry kinds, cycle, flush), `login` (an axum-login application), `races`, `damage`.

mod damage;
#[cfg(feature = "tower-sessions-0-14")]
mod login;
mod races;
mod requests;
mod trait_calls;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use strata_adapter_memory::MemoryStore;
use strata_axum::tower_sessions::StrataStore;
use strata_core::conformance::Faulty;
use strata_core::{Clock as _, Handle, KeyPrefix, ManualClock, Protection, Scan, Select, Store, Timestamp};
use strata_crypto::{Keyset, Nonces, Sealer, SystemRandom};
use tower_sessions::cookie::time::OffsetDateTime;
use tower_sessions::session::Record;

const HOUR: Duration = Duration::from_hours(1);

/// A sealed handle over a store that can be made to fail, and time that stands where the system's is until it is moved.
struct World {
    faulty: Arc<Faulty>,
    clock: Arc<ManualClock>,
    db: Handle,
    store: StrataStore,
}

fn world() -> World {
    world_over(Arc::new(MemoryStore::new()))
}

fn world_over(store: Arc<dyn Store>) -> World {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let now = Timestamp::from_millis(u64::try_from(since.as_millis()).expect("before 9999"));
    let clock = Arc::new(ManualClock::at(now));
    let faulty = Arc::new(Faulty::new(store));
    let random = Arc::new(SystemRandom::new());
    let keyset = Keyset::generate(&*random, clock.now()).expect("a keyset");
    let seal = Sealer::new(keyset, Nonces::default(), Protection::Sealed, random).expect("a seal");
    let builder = Handle::builder(Arc::clone(&faulty) as _, Arc::clone(&clock) as _).seal(Arc::new(seal));
    let db = builder.build().expect("a handle");
    let store = StrataStore::new(&db).expect("a session store");
    World { faulty, clock, db, store }
}

impl World {
    /// An instant this long after the clock's, to the millisecond.
    fn later(&self, by: Duration) -> OffsetDateTime {
        let millis = self.clock.now().saturating_add(by).as_millis();
        OffsetDateTime::UNIX_EPOCH + Duration::from_millis(millis)
    }

    /// A record of one value that ends in an hour.
    fn record(&self, value: &str) -> Record {
        let data = [("key".to_owned(), serde_json::json!(value))].into();
        Record { id: tower_sessions::session::Id::default(), data, expiry_date: self.later(HOUR) }
    }

    /// How many records there are, dead ones included.
    async fn records(&self) -> usize {
        let scan = Scan::new(Select::Prefix(KeyPrefix::all()), 1024);
        self.db.store().scan(scan).await.expect("scan").entries.len()
    }
}
