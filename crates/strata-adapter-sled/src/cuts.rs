//! Every commit of a list, cut short after each of its writes, and each recovery cut short as well: after the next whole
//! open all of the commit is there or nothing, and the indexes equal the records.

use std::path::Path;
use std::time::Duration;

use strata_core::conformance::block_on;
use strata_core::{
    Batch, Durability, Error, ErrorKind, Expiry, Guard, Keep, Key, KeyPrefix, Op, Payload, Record, Result,
    Scan, Select, Store, Tag, Tags, Timestamp, Version, Write,
};

use crate::engine::fuse::Fuse;
use crate::{SledConfig, SledStore};

fn at(second: u64) -> Timestamp {
    Timestamp::from_millis(1_767_225_600_000 + 1_000 * second)
}

fn open(path: &Path) -> Result<SledStore> {
    SledConfig::new(path).cache_bytes(1 << 20).open()
}

fn op(key: &str, write: Write) -> Op {
    Op { key: Key::new(key).expect("valid"), guard: Guard::Any, write }
}

fn put(key: &str, len: usize, seconds: u64, tags: &[&str]) -> Op {
    let tags = Tags::new(tags.iter().map(|tag| Tag::new(tag).expect("valid"))).expect("few");
    let payload: Vec<u8> = key.bytes().chain(*b"some bytes").cycle().take(len).collect();
    let expiry = match seconds {
        0 => Expiry::NEVER,
        seconds => Expiry::idle(Duration::from_secs(seconds), at(0)),
    };
    op(key, Write::Put { payload: Payload::from(payload), expiry: Keep::Set(expiry), tags: Keep::Set(tags) })
}

fn commit(store: &SledStore, second: u64, ops: Vec<Op>) -> Result<(), Error> {
    let batch = Batch { now: at(second), durability: Durability::Relaxed, ops: ops.into() };
    block_on(store.commit(batch)).map(drop)
}

/// Everything in the store but the numbers of the versions.
fn state(store: &SledStore) -> Vec<(Key, Record)> {
    let scan = Scan::new(Select::Prefix(KeyPrefix::all()), Scan::MAX_LIMIT);
    let mut entries = block_on(store.scan(scan)).expect("a page").entries;
    for (_, record) in &mut entries {
        record.version = Version::new(0);
    }
    entries
}

fn assert_clean(store: &SledStore, what: &str) {
    let check = store.check().expect("readable");
    assert!(check.is_clean(), "{what}: {:?}", check.problems);
}

/// What is there before each commit.
fn ground() -> Vec<Op> {
    vec![
        put("plain", 100, 0, &[]),
        put("tagged", 100, 60, &["t:1", "t:2"]),
        put("large", 13_000, 60, &["t:1"]),
        put("sliding", 100, 60, &[]),
    ]
}

fn long_tags() -> Vec<String> {
    (0..32).map(|number| format!("{number:0>128}")).collect()
}

fn commits() -> Vec<(&'static str, Vec<Op>)> {
    let long_tags = long_tags();
    let long_tags: Vec<&str> = long_tags.iter().map(String::as_str).collect();
    let many = (0..12).map(|number| put(&format!("many:{number}"), 900, 60, &["t:1"]));
    vec![
        ("a new record", vec![put("new", 100, 60, &["t:1", "t:3"])]),
        ("a plain overwrite", vec![put("plain", 120, 0, &[])]),
        ("other tags and deadline", vec![put("tagged", 100, 30, &["t:2", "t:3"])]),
        ("a removal", vec![op("tagged", Write::Remove)]),
        ("a new large value", vec![put("new", 7_000, 60, &["t:1"])]),
        ("large over large", vec![put("large", 20_000, 90, &["t:2"])]),
        ("small over large", vec![put("large", 10, 0, &[])]),
        ("a large value's removal", vec![op("large", Write::Remove)]),
        ("another expiry of a large value", vec![op("large", Write::Expire(Expiry::at(at(20))))]),
        ("a slide that files anew", vec![op("sliding", Write::Slide(at(500)))]),
        ("more tags than a note holds", vec![put("tagged", 100, 30, &long_tags)]),
        (
            "a batch of everything",
            vec![
                put("new", 100, 60, &["t:1"]),
                put("large", 13_500, 61, &["t:3"]),
                op("tagged", Write::Remove),
                op("sliding", Write::Slide(at(500))),
                op("plain", Write::Expire(Expiry::at(at(50)))),
            ],
        ),
        ("a small batch", vec![put("new", 100, 60, &["t:1"]), op("plain", Write::Remove)]),
        ("a batch of several pieces", many.chain([op("large", Write::Remove)]).collect()),
    ]
}

struct Case {
    ops: Vec<Op>,
    before: Vec<(Key, Record)>,
    after: Vec<(Key, Record)>,
}

/// At this second the first half of a sliding life is over.
const NOW: u64 = 40;

fn case(name: &str, ops: Vec<Op>) -> Case {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).expect("fresh");
    commit(&store, 0, ground()).expect("made");
    let before = state(&store);
    commit(&store, NOW, ops.clone()).expect("made");
    assert_clean(&store, name);
    let after = state(&store);
    assert_ne!(before, after, "{name} does something");
    Case { ops, before, after }
}

/// Makes the commit with so many writes, and gives the folder as the crash left it; and whether the commit ended.
fn cut(case: &Case, writes: i64) -> (tempfile::TempDir, bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).expect("fresh");
    commit(&store, 0, ground()).expect("made");
    store.core.engine.fuse.set(writes);
    let ended = commit(&store, NOW, case.ops.clone());
    if let Err(error) = &ended {
        assert_eq!(error.kind(), ErrorKind::Poisoned);
    }
    // Nothing is put in order by this close.
    store.core.engine.fuse.set(0);
    drop(store);
    (folder, ended.is_ok())
}

fn verify(case: &Case, path: &Path, ended: bool, what: &str) {
    let store = open(path).expect("the store opens after a crash");
    assert_clean(&store, what);
    let found = state(&store);
    let all = found == case.after;
    assert!(all || !ended, "{what}: it was acknowledged");
    assert!(all || found == case.before, "{what}: it is torn");
    drop(store);
    let store = open(path).expect("and once more");
    assert_eq!(state(&store), found, "{what}: a second open changes nothing");
    assert_clean(&store, what);
}

#[test]
fn s33_a_commit_cut_after_any_write_is_whole_or_not_at_all() {
    for (name, ops) in commits() {
        let case = case(name, ops);
        let mut writes = 0;
        loop {
            let what = format!("{name}, cut after {writes} writes");
            let (folder, ended) = cut(&case, writes);
            verify(&case, folder.path(), ended, &what);
            if ended {
                break;
            }
            writes += 1;
        }
        assert!(writes >= 1, "{name} writes");
    }
}

#[test]
fn s33_a_recovery_cut_after_any_write_is_begun_again() {
    for (name, ops) in commits() {
        let case = case(name, ops);
        for writes in (1..).step_by(3) {
            let (folder, ended) = cut(&case, writes);
            if ended {
                break;
            }
            let mut opened = 0;
            loop {
                Fuse::set_next(opened);
                let store = open(folder.path());
                let is_open = store.is_ok();
                if let Ok(store) = store {
                    store.core.engine.fuse.set(0);
                }
                if is_open {
                    break;
                }
                opened += 1;
            }
            verify(
                &case,
                folder.path(),
                false,
                &format!("{name}, cut after {writes}, opened in {opened} attempts"),
            );
        }
    }
}
