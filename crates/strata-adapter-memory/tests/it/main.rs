//! What the store promises, from outside: the conformance suite, its bounds, and its parts agreeing under threads.

mod bounds;
mod conformance;
mod threads;

use std::time::Duration;

use strata_adapter_memory::MemoryStore;
use strata_core::conformance::block_on;
use strata_core::{
    Batch, Committed, Durability, Expiry, Guard, Keep, Key, Op, Payload, Record, Result, Store, Tag, Tags,
    Timestamp, Version, Write,
};

/// 2026-01-01T00:00:00Z and `seconds` more.
fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_767_225_600_000 + 1000 * seconds)
}

fn key(name: &str) -> Key {
    Key::new(name).expect("a valid key")
}

/// Dead `seconds` after the start.
fn until(seconds: u64) -> Expiry {
    Expiry::at(at(seconds))
}

fn put(name: impl AsRef<str>, payload: &[u8], expiry: Expiry) -> Op {
    tagged(name, payload, expiry, &[])
}

fn tagged(name: impl AsRef<str>, payload: &[u8], expiry: Expiry, tags: &[&str]) -> Op {
    let tags = Tags::new(tags.iter().map(|tag| Tag::new(tag).expect("a valid tag"))).expect("few tags");
    let write =
        Write::Put { payload: Payload::from(payload), expiry: Keep::Set(expiry), tags: Keep::Set(tags) };
    Op { key: key(name.as_ref()), guard: Guard::Any, write }
}

fn op(name: impl AsRef<str>, guard: Guard, write: Write) -> Op {
    Op { key: key(name.as_ref()), guard, write }
}

fn commit(store: &MemoryStore, seconds: u64, ops: impl IntoIterator<Item = Op>) -> Result<Committed> {
    let ops = ops.into_iter().collect();
    block_on(store.commit(Batch { now: at(seconds), durability: Durability::Volatile, ops }))
}

fn get(store: &MemoryStore, name: impl AsRef<str>) -> Option<Record> {
    block_on(store.get(&key(name.as_ref()))).expect("a read")
}

fn idle(seconds: u64, now: u64) -> Expiry {
    Expiry::idle(Duration::from_secs(seconds), at(now))
}

/// The record's version, to guard a change by.
fn version(record: &Record) -> Guard {
    Guard::Version(Version::new(record.version.get()))
}
