//! What the store promises, from outside: the conformance suite, reopening, kills, damage, full disks, strange directories.

mod conformance;
mod damage;
mod full;
mod homes;
mod kill;
mod large;
mod reopen;

use std::path::Path;
use std::time::Duration;

use strata_adapter_sled::{SledConfig, SledStore};
use strata_core::conformance::block_on;
use strata_core::{
    Batch, Committed, Cursor, Durability, Expiry, Guard, Keep, Key, Op, Payload, Record, Result, Scan,
    Select, Store, Tag, Tags, Timestamp, Write,
};
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn open(path: &Path) -> SledStore {
    SledConfig::new(path).cache_bytes(8 << 20).open().expect("the store opens")
}

/// 2026-01-01T00:00:00Z and `seconds` more.
fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_767_225_600_000 + 1000 * seconds)
}

fn key(name: &str) -> Key {
    Key::new(name).expect("a valid key")
}

fn idle(seconds: u64, now: u64) -> Expiry {
    Expiry::idle(Duration::from_secs(seconds), at(now))
}

fn op(name: &str, write: Write) -> Op {
    Op { key: key(name), guard: Guard::Any, write }
}

fn put(name: &str, payload: &[u8], expiry: Expiry, tags: &[&str]) -> Op {
    let tags = Tags::new(tags.iter().map(|tag| Tag::new(tag).expect("a valid tag"))).expect("few tags");
    op(name, Write::Put { payload: Payload::from(payload), expiry: Keep::Set(expiry), tags: Keep::Set(tags) })
}

fn commit(store: &SledStore, durability: Durability, ops: impl IntoIterator<Item = Op>) -> Result<Committed> {
    block_on(store.commit(Batch { now: at(0), durability, ops: ops.into_iter().collect() }))
}

fn done(store: &SledStore, ops: impl IntoIterator<Item = Op>) -> Committed {
    commit(store, Durability::Relaxed, ops).expect("the commit is made")
}

fn get(store: &SledStore, name: &str) -> Option<Record> {
    block_on(store.get(&key(name))).expect("a read")
}

/// The names a walk visits, in its order, in pages of `limit`.
fn walk(store: &SledStore, select: &Select, limit: usize) -> Vec<String> {
    let mut names = Vec::new();
    let mut after: Option<Cursor> = None;
    loop {
        let scan = Scan { select: select.clone(), after, limit };
        let page = block_on(store.scan(scan)).expect("a page");
        names.extend(page.entries.iter().map(|(key, _)| key.to_string()));
        after = page.next;
        if after.is_none() {
            return names;
        }
    }
}

fn tag(name: &str) -> Select {
    Select::Tag(Tag::new(name).expect("a valid tag"))
}

fn assert_clean(store: &SledStore) {
    let check = store.check().expect("everything can be read");
    assert!(check.is_clean(), "{:?}", check.problems);
}
