//! What the adapter promises, over keyrings that the tests make: the conformance suite, refusals, a keyring that hangs, breaks or
//! goes away, large values, keys of stores. A real Secret Service is in `tests/secret_service.rs`.

mod conformance;
mod deadlines;
mod desk;
mod faults;
mod keys;
mod large;
mod orders;
mod secrets;

use std::sync::{Arc, OnceLock};

use strata_adapter_keyring::{KeyringConfig, KeyringStore, keyring_core};
use strata_core::{
    Batch, BoxFuture, Committed, Durability, Expiry, Guard, Keep, Key, Op, Payload, Record, Result, Store,
    Tag, Tags, Timestamp, Write,
};

/// A runtime for the adapter's timer.
fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Runtime::new().expect("a runtime"))
}

/// The suite's drive.
fn on_tokio(future: BoxFuture<'_, ()>) {
    runtime().block_on(future);
}

/// A service no other test uses.
fn service() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("strata-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A fresh keyring in memory, the project's own.
fn mock() -> KeyringConfig {
    let store = keyring_core::mock::Store::new().expect("a keyring in memory");
    KeyringConfig::new(service()).platform("mock", store)
}

async fn opened(config: KeyringConfig) -> KeyringStore {
    KeyringStore::open(config).await.expect("open")
}

/// 2026-01-01T00:00:00Z and `seconds` more.
fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_767_225_600_000 + 1000 * seconds)
}

fn key(name: &str) -> Key {
    Key::new(name).expect("a valid key")
}

fn put(payload: &[u8]) -> Write {
    Write::Put { payload: Payload::from(payload), expiry: Keep::Keep, tags: Keep::Keep }
}

fn tagged(payload: &[u8], tags: usize) -> Write {
    let tags = (0..tags).map(|number| Tag::new(&format!("{number:0>128}")).expect("a valid tag"));
    let tags = Tags::new(tags).expect("few tags");
    Write::Put { payload: Payload::from(payload), expiry: Keep::Set(Expiry::NEVER), tags: Keep::Set(tags) }
}

async fn commit(store: &dyn Store, name: &str, guard: Guard, write: Write) -> Result<Committed> {
    let op = Op { key: key(name), guard, write };
    store.commit(Batch::one(at(0), Durability::Volatile, op)).await
}

async fn written(store: &dyn Store, name: &str, payload: &[u8]) -> Committed {
    commit(store, name, Guard::Any, put(payload)).await.expect("a write")
}

async fn get(store: &dyn Store, name: &str) -> Option<Record> {
    store.get(&key(name)).await.expect("a read")
}

/// The payload, which has to be there.
async fn payload(store: &dyn Store, name: &str) -> Vec<u8> {
    get(store, name).await.expect("there").payload.as_bytes().to_vec()
}

fn shared(store: KeyringStore) -> Arc<dyn Store> {
    Arc::new(store)
}
