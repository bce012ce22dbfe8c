//! What happens when the store is full: refusal, dead records first, eviction only when asked for.

use strata_adapter_memory::{MemoryConfig, MemoryStore, WhenFull};
use strata_core::{ErrorKind, Expiry, Guard, Write};

use crate::{at, commit, get, idle, put, tagged, until};

fn three() -> MemoryConfig {
    MemoryConfig::new().max_records(3)
}

fn evicting() -> MemoryConfig {
    three().when_full(WhenFull::EvictNearestDeadline)
}

fn sound(store: &MemoryStore) {
    assert_eq!(store.check().problems, []);
}

#[test]
fn a_full_store_refuses_and_keeps_what_it_has() {
    let store = MemoryStore::with_config(three());
    for name in ["a", "b", "c"] {
        commit(&store, 0, [put(name, b"1", until(100))]).expect("fits");
    }
    let error = commit(&store, 0, [put("d", b"1", until(100))]).expect_err("full");
    assert_eq!(error.kind(), ErrorKind::Full);
    assert!(
        error.to_string().contains("`d` does not fit") && error.to_string().contains("raise the bound"),
        "{error}"
    );
    assert!(!error.is_retryable());
    commit(&store, 0, [put("a", b"2", until(100))]).expect("a change adds no record");
    commit(&store, 0, [crate::op("b", Guard::Present, Write::Remove)]).expect("removed");
    commit(&store, 0, [put("d", b"1", until(100))]).expect("there is room again");
    assert!(get(&store, "a").is_some_and(|record| record.payload.as_bytes() == b"2"));
    assert_eq!((store.stats().records, store.stats().evicted, store.stats().reclaimed), (3, 0, 0));
    sound(&store);
}

#[test]
fn bytes_are_bounded_payloads_keys_and_tags_alike() {
    let cost = MemoryConfig::RECORD_BYTES;
    let store = MemoryStore::with_config(MemoryConfig::new().max_bytes(2 * cost + 100));
    commit(&store, 0, [put("a", &[0; 40], until(9))]).expect("fits");
    commit(&store, 0, [put("b", &[0; 40], until(9))]).expect("fits");
    assert_eq!(store.stats().bytes, Some(2 * cost + 82));
    let error = commit(&store, 0, [put("a", &[0; 59], until(9))]).expect_err("19 bytes more than before");
    assert_eq!(error.kind(), ErrorKind::Full);
    let tags = commit(&store, 0, [tagged("a", &[0; 40], until(9), &["user:ada"])]);
    assert_eq!(tags.expect_err("a tag costs too").kind(), ErrorKind::Full);
    commit(&store, 0, [put("a", &[0; 58], until(9))]).expect("fits to the byte");
    commit(&store, 0, [put("a", &[], until(9))]).expect("shrinks");
    assert_eq!(store.stats().bytes, Some(2 * cost + 42));
    sound(&store);
}

#[test]
fn the_dead_make_room_first() {
    for config in [three(), evicting()] {
        let store = MemoryStore::with_config(config);
        commit(&store, 0, [put("dead", b"1", until(10))]).expect("fits");
        commit(&store, 0, [put("slid", b"1", idle(10, 0))]).expect("fits");
        commit(&store, 0, [put("lives", b"1", Expiry::NEVER)]).expect("fits");
        commit(&store, 9, [crate::op("slid", Guard::Any, Write::Slide(at(19)))]).expect("slides");
        commit(&store, 11, [put("new", b"1", until(100))]).expect("takes the place of the dead one");
        assert!(
            get(&store, "dead").is_none() && get(&store, "slid").is_some() && get(&store, "lives").is_some()
        );
        assert_eq!((store.stats().reclaimed, store.stats().evicted), (1, 0));
        sound(&store);
    }
}

#[test]
fn eviction_takes_the_nearest_deadline_and_never_the_immortal() {
    let store = MemoryStore::with_config(evicting());
    commit(&store, 0, [put("later", b"1", until(5000))]).expect("fits");
    commit(&store, 0, [put("active", b"1", idle(100, 0))]).expect("fits");
    commit(&store, 0, [put("forever", b"1", Expiry::NEVER)]).expect("fits");
    commit(&store, 90, [crate::op("active", Guard::Any, Write::Slide(at(190)))]).expect("slides");
    commit(&store, 95, [put("new", b"1", until(9000))]).expect("evicts");
    assert!(get(&store, "active").is_none(), "190 s is still the nearest");
    commit(&store, 95, [put("forever 2", b"1", Expiry::NEVER)]).expect("evicts");
    assert!(get(&store, "later").is_none());
    commit(&store, 95, [put("forever 3", b"1", Expiry::NEVER)]).expect("evicts");
    let error = commit(&store, 95, [put("forever 4", b"1", Expiry::NEVER)]).expect_err("nothing may go");
    assert_eq!(error.kind(), ErrorKind::Full);
    assert!(error.to_string().contains("give records a deadline"), "{error}");
    assert_eq!((store.stats().records, store.stats().evicted), (3, 3));
    sound(&store);
}

#[test]
fn an_active_record_is_not_the_nearest_because_it_once_was() {
    let store = MemoryStore::with_config(evicting());
    commit(&store, 0, [put("active", b"1", idle(100, 0))]).expect("fits");
    commit(&store, 0, [put("quiet", b"1", until(150))]).expect("fits");
    commit(&store, 0, [put("other", b"1", until(900))]).expect("fits");
    commit(&store, 90, [crate::op("active", Guard::Any, Write::Slide(at(190)))]).expect("slides");
    commit(&store, 95, [put("new", b"1", until(9000))]).expect("evicts");
    assert!(get(&store, "active").is_some() && get(&store, "quiet").is_none());
    sound(&store);
}

#[test]
fn a_batch_that_does_not_fit_leaves_nothing_and_evicts_none_of_its_own() {
    let store = MemoryStore::with_config(evicting());
    commit(&store, 0, [put("a", b"1", until(10)), put("b", b"1", until(20))]).expect("fits");
    let batch = [put("a", b"2", until(10)), put("c", b"2", until(30)), put("d", b"2", until(40))];
    commit(&store, 0, batch).expect("b makes room, a is needed");
    assert!(
        get(&store, "a").is_some_and(|record| record.payload.as_bytes() == b"2")
            && get(&store, "b").is_none()
    );
    let four = ["e", "f", "g", "h"].map(|name| put(name, b"3", until(50)));
    assert_eq!(commit(&store, 0, four).expect_err("never fits").kind(), ErrorKind::Full);
    assert!(get(&store, "a").is_some() && get(&store, "c").is_some() && get(&store, "d").is_some());
    let swap = [crate::op("a", Guard::Present, Write::Remove), put("e", b"3", until(50))];
    commit(&store, 0, swap).expect("what a batch removes makes room for what it adds");
    assert_eq!((store.stats().records, store.stats().evicted), (3, 1));
    sound(&store);
}

#[test]
fn a_refused_guard_takes_no_room() {
    let store = MemoryStore::with_config(three());
    commit(&store, 0, [put("a", b"1", until(10))]).expect("fits");
    let mut create = put("a", b"2", until(10));
    create.guard = Guard::Absent;
    assert_eq!(commit(&store, 0, [create.clone()]).expect_err("exists").kind(), ErrorKind::Conflict);
    assert_eq!(
        commit(&store, 0, [put("b", b"1", until(10)), create]).expect_err("exists").kind(),
        ErrorKind::Conflict
    );
    assert!(get(&store, "b").is_none());
    sound(&store);
}
