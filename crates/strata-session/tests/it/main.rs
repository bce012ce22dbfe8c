//! The managers over the reference store and, by `grounds`, in memory and on disk. Basic sessions: life, tokens, limits, faults, and every order in which
//! two or three of their operations can meet; the others each in a folder of their name.

mod analytics;
mod auth;
mod document;
mod faults;
mod fingerprint;
mod grounds;
mod life;
mod loaded;
mod meetings;
mod migration;
mod not_again;
mod orders;
mod refresh;
mod secrets;
#[path = "../../../strata-ttl/tests/it/single.rs"]
mod single;
mod tokens;
mod traced;
mod values;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use strata_core::conformance::{Faulty, block_on};
use strata_core::{
    Error, ErrorKind, Handle, KeyPrefix, ManualClock, Random, Record, ReferenceStore, Result, Scan, Select,
    Store,
};
use strata_session::{Session, SessionToken, Sessions};

const MINUTE: Duration = Duration::from_mins(1);

/// A generator that remembers what it gave: `SplitMix64` from a fixed seed.
#[derive(Debug, Default)]
struct Tape {
    state: Mutex<u64>,
    given: Mutex<Vec<Vec<u8>>>,
}

impl Random for Tape {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        let mut state = self.state.lock().expect("lock");
        for chunk in bytes.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = *state;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(word ^ (word >> 31)).to_le_bytes()[..chunk.len()]);
        }
        self.given.lock().expect("lock").push(bytes.to_vec());
        Ok(())
    }
}

/// A store that can be made to fail, a handle over it, a manager, and what moves them.
struct World {
    faulty: Arc<Faulty>,
    clock: Arc<ManualClock>,
    random: Arc<Tape>,
    db: Handle,
    sessions: Sessions,
}

fn world() -> World {
    world_over(Arc::new(ReferenceStore::new()))
}

fn world_over(store: Arc<dyn Store>) -> World {
    let faulty = Arc::new(Faulty::new(store));
    let clock = Arc::new(ManualClock::default());
    let random = Arc::new(Tape::default());
    let db = Handle::builder(Arc::clone(&faulty) as _, Arc::clone(&clock) as _)
        .random(Arc::clone(&random) as _)
        .build()
        .expect("a handle");
    let sessions = Sessions::new(&db).expect("a manager");
    World { faulty, clock, random, db, sessions }
}

/// Every record in the store as it lies there.
async fn raw(store: &dyn Store) -> Vec<Record> {
    let page = store.scan(Scan::new(Select::Prefix(KeyPrefix::all()), 1024)).await.expect("scan");
    page.entries.into_iter().map(|(_, record)| record).collect()
}

fn created(sessions: &Sessions) -> (SessionToken, Session) {
    block_on(sessions.create()).expect("create")
}

fn opened(sessions: &Sessions, token: &SessionToken) -> Option<Session> {
    block_on(sessions.open(token)).expect("open")
}

fn kind_of<T: std::fmt::Debug>(result: Result<T, Error>) -> ErrorKind {
    result.expect_err("an error").kind()
}

/// Lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}
