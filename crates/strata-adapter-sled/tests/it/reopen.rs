//! What a close and an open keep: records, indexes, counts, versions, slides, and what a barrier promised.

use strata_core::conformance::block_on;
use strata_core::{Durability, Expiry, KeyPrefix, Select, Store, Write};

use super::{assert_clean, at, commit, done, folder, get, idle, op, open, put, tag, walk};

#[test]
fn everything_is_there_again() {
    let folder = folder();
    let store = open(folder.path());
    done(&store, [put("a", b"one", idle(60, 0), &["t:1"]), put("b", b"two", Expiry::NEVER, &["t:1", "t:2"])]);
    done(&store, [op("a", Write::Slide(at(90)))]);
    let (a, b) = (get(&store, "a"), get(&store, "b"));
    let (id, records) = (store.stats().expect("stats").id, store.stats().expect("stats").records);
    assert_eq!(records, Some(2));
    drop(store);

    let store = open(folder.path());
    assert_eq!((get(&store, "a"), get(&store, "b")), (a.clone(), b));
    assert_eq!(a.expect("kept").expiry.deadline(), Some(at(90)));
    assert_eq!(walk(&store, &tag("t:1"), 1), ["a", "b"]);
    assert_eq!(walk(&store, &tag("t:2"), 1), ["b"]);
    assert_eq!(walk(&store, &Select::Due(at(90)), 1), ["a"]);
    assert_eq!(walk(&store, &Select::Prefix(KeyPrefix::all()), 1), ["a", "b"]);
    let stats = store.stats().expect("stats");
    assert_eq!((stats.id, stats.records, stats.format), (id, Some(2), 1));
    assert!(stats.bytes_on_disk > 0);
    assert_clean(&store);
}

#[test]
fn versions_go_on_and_never_come_back() {
    let folder = folder();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..4 {
        let store = open(folder.path());
        for _ in 0..3 {
            let committed = done(&store, [put("a", b"value", Expiry::NEVER, &[])]);
            assert!(seen.insert(committed.outcomes[0].after), "a version came back");
            done(&store, [op("a", Write::Remove)]);
        }
    }
}

#[test]
fn a_cursor_is_good_after_a_reopen() {
    let folder = folder();
    let store = open(folder.path());
    let names: Vec<String> = (0..10).map(|number| format!("key:{number}")).collect();
    done(&store, names.iter().map(|name| put(name, b"value", idle(60, 0), &["t"])));
    for select in [Select::Prefix(KeyPrefix::all()), tag("t"), Select::Due(at(60))] {
        let page = block_on(store.scan(strata_core::Scan::new(select, 4))).expect("a page");
        assert_eq!((page.entries.len(), page.next.is_some()), (4, true));
    }
    let first = block_on(store.scan(strata_core::Scan::new(tag("t"), 4))).expect("a page");
    drop(store);
    let store = open(folder.path());
    let rest = strata_core::Scan { select: tag("t"), after: first.next, limit: 100 };
    let rest = block_on(store.scan(rest)).expect("a page");
    assert_eq!(rest.entries.len(), 6);
    assert_eq!(rest.entries[0].0.as_str(), "key:4");
}

#[test]
fn records_in_use_are_found_when_they_are_due_and_not_before() {
    let folder = folder();
    let store = open(folder.path());
    done(&store, [put("a", b"value", idle(100, 0), &[])]);
    for second in (10..500).step_by(10) {
        let slide =
            strata_core::Batch::one(at(second), Durability::Relaxed, op("a", Write::Slide(at(second + 100))));
        block_on(store.commit(slide)).expect("the slide is made");
        assert_eq!(walk(&store, &Select::Due(at(second + 99)), 10), Vec::<String>::new());
        assert_eq!(walk(&store, &Select::Due(at(second + 100)), 10), ["a"]);
        assert_clean(&store);
    }
    assert_eq!(store.check().expect("readable").due_entries, 1);
}

#[test]
fn an_open_store_says_what_it_can_do_and_refuses_the_rest() {
    let folder = folder();
    let store = open(folder.path());
    let level = store.capabilities().durability;
    let expected = if cfg!(feature = "power") { Durability::Power } else { Durability::Process };
    assert_eq!(level, expected, "the self-test of the barrier decides");
    let power = commit(&store, Durability::Power, [put("a", b"value", Expiry::NEVER, &[])]);
    if level == Durability::Power {
        power.expect("durable");
        assert!(get(&store, "a").is_some());
    } else {
        assert_eq!(power.expect_err("refused").kind(), strata_core::ErrorKind::Unsupported);
        assert_eq!(get(&store, "a"), None);
    }
    commit(&store, Durability::Process, []).expect("an empty batch is a barrier");
    block_on(store.flush()).expect("flushed");
    assert_eq!(store.to_string(), format!("sled({})", folder.path().display()));
}
