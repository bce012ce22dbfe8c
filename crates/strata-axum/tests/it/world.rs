//! What the tests run in: a store that can be made to fail, a clock, managers, and an application with routes for each act.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use strata_axum::SessionLayer;
use strata_core::conformance::Faulty;
use strata_core::{
    Handle, KeyPrefix, ManualClock, Random, Record, ReferenceStore, Result, Scan, Select, Store,
};
use strata_session::Sessions;
use strata_session::auth::AuthSessions;

pub(crate) const MINUTE: Duration = Duration::from_mins(1);

/// `SplitMix64` from a fixed seed.
#[derive(Debug, Default)]
struct Tape(Mutex<u64>);

impl Random for Tape {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        let mut state = self.0.lock().expect("lock");
        for chunk in bytes.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = *state;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(word ^ (word >> 31)).to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// A store that can be made to fail, a clock, and the managers over them.
pub(crate) struct World {
    pub(crate) faulty: Arc<Faulty>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) db: Handle,
    pub(crate) sessions: Sessions,
    pub(crate) users: AuthSessions,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::over(Arc::new(ReferenceStore::new()))
    }

    pub(crate) fn over(store: Arc<dyn Store>) -> Self {
        let faulty = Arc::new(Faulty::new(store));
        let clock = Arc::new(ManualClock::default());
        let db = Handle::builder(Arc::clone(&faulty) as _, Arc::clone(&clock) as _)
            .random(Arc::new(Tape::default()) as _)
            .build()
            .expect("a handle");
        let sessions = Sessions::new(&db).expect("sessions");
        let users = AuthSessions::new(&db).expect("users");
        Self { faulty, clock, db, sessions, users }
    }

    pub(crate) fn layer(&self) -> SessionLayer {
        SessionLayer::with_users(&self.sessions, &self.users).expect("a layer")
    }

    /// The application of [`routes`](crate::requests::routes) inside the usual layer.
    pub(crate) fn app(&self) -> Router {
        crate::requests::routes().layer(self.layer())
    }

    /// Every record in the store.
    pub(crate) async fn raw(&self) -> Vec<Record> {
        let page = self.faulty.scan(Scan::new(Select::Prefix(KeyPrefix::all()), 1024)).await.expect("scan");
        page.entries.into_iter().map(|(_, record)| record).collect()
    }
}
