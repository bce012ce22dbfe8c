//! The peer: tower-sessions with its store in memory, plaintext, one typed value per session.

use std::time::Duration;

use tower_sessions::SessionStore;
use tower_sessions::cookie::time::OffsetDateTime;
use tower_sessions::session::{Id, Record as TowerRecord};
use tower_sessions_memory_store::MemoryStore;

use crate::harness::ready;
use crate::record::Record;

/// Sessions of tower-sessions, by number.
#[derive(Clone, Debug, Default)]
pub struct Tower(MemoryStore);

impl Tower {
    /// Turns the record into JSON values and stores them.
    pub fn save(&self, number: u64, record: &Record) {
        let data = [("user".to_owned(), serde_json::to_value(record).expect("json"))].into();
        let expiry_date = OffsetDateTime::now_utc() + Duration::from_hours(1);
        ready(self.0.save(&TowerRecord { id: id(number), data, expiry_date })).expect("save");
    }

    /// Loads the session and makes a record of it.
    pub fn load(&self, number: u64) -> Record {
        let mut record = ready(self.0.load(&id(number))).expect("load").expect("there");
        serde_json::from_value(record.data.remove("user").expect("there")).expect("json")
    }
}

fn id(number: u64) -> Id {
    Id(i128::from(number) << 64 | i128::from(number))
}
