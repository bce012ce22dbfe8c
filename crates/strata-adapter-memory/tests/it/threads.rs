//! Threads at work: batches stay whole beside single writes and reads, and the indexes equal the records afterwards.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use strata_adapter_memory::{MemoryConfig, MemoryStore, WhenFull};
use strata_core::conformance::block_on;
use strata_core::{ErrorKind, Expiry, Guard, Key, KeyPrefix, Scan, Select, Store, Tag, Write};

use crate::{at, commit, get, idle, op, put, tagged, until, version};

/// A sequence that looks random, the same each time.
struct Mixed(u64);

impl Mixed {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn number(store: &MemoryStore, name: &str) -> u64 {
    let record = get(store, name).expect("the record stays");
    u64::from_le_bytes(record.payload.as_bytes().try_into().expect("eight bytes"))
}

#[test]
fn whoever_saw_one_change_of_a_batch_sees_all_of_it() {
    let store = MemoryStore::new();
    let names = ["first", "middle", "last"];
    let write =
        |round: u64| commit(&store, 0, names.map(|name| put(name, &round.to_le_bytes(), Expiry::NEVER)));
    write(0).expect("the first round");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
            let (store, done) = (&store, &done);
            scope.spawn(move || {
                let mut newest = 0;
                while !done.load(Ordering::Relaxed) {
                    for index in order {
                        let found = number(store, names[index]);
                        assert!(
                            found >= newest,
                            "{} is of round {found}, round {newest} was seen",
                            names[index]
                        );
                        newest = found;
                    }
                }
            });
        }
        (1..3000).for_each(|round| drop(write(round).expect("a round")));
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn transfers_in_batches_beside_guarded_single_writes_lose_nothing() {
    let store = MemoryStore::new();
    let accounts: Vec<String> = (0..4).map(|account| format!("account:{account}")).collect();
    for account in &accounts {
        commit(&store, 0, [put(account, &1000_u64.to_le_bytes(), Expiry::NEVER)]).expect("opened");
    }
    let balance = |name: &String, change: i64| {
        let record = get(&store, name).expect("an account");
        let amount = u64::from_le_bytes(record.payload.as_bytes().try_into().expect("eight bytes"));
        let amount = amount.wrapping_add_signed(change);
        let mut change = put(name, &amount.to_le_bytes(), Expiry::NEVER);
        change.guard = version(&record);
        change
    };
    thread::scope(|scope| {
        for seed in 0..3_u64 {
            let (accounts, balance, store) = (&accounts, &balance, &store);
            scope.spawn(move || {
                let mut mixed = Mixed(seed);
                let mut made = 0;
                while made < 400 {
                    let from = usize::try_from(mixed.below(4)).expect("small");
                    let (from, to) = (&accounts[from], &accounts[(from + 1) % 4]);
                    made += u64::from(commit(store, 0, [balance(from, -1), balance(to, 1)]).is_ok());
                    // One of its own, in and out again: a single write between the batches.
                    made += u64::from(commit(store, 0, [balance(to, 0)]).is_ok());
                }
            });
        }
    });
    let total: u64 = accounts.iter().map(|account| number(&store, account)).sum();
    assert_eq!(total, 4000);
}

/// One step of everything a store can do, on few keys so that threads meet.
fn step(store: &MemoryStore, mixed: &mut Mixed, now: u64) {
    let name = format!("key:{}", mixed.below(50));
    let tag = format!("tag:{}", mixed.below(5));
    let result = match mixed.below(8) {
        0 | 1 => {
            commit(store, now, [tagged(&name, &[7; 20], idle(1 + mixed.below(100), now), &[&tag, "all"])])
        }
        2 => commit(store, now, [put(&name, &[7; 40], Expiry::NEVER)]),
        3 => commit(store, now, [op(&name, Guard::Any, Write::Slide(at(now + mixed.below(200))))]),
        4 => commit(store, now, [op(&name, Guard::Any, Write::Expire(until(now + mixed.below(50))))]),
        5 => commit(store, now, [op(&name, Guard::Any, Write::Remove)]),
        6 => purge(store, now),
        _ => {
            let other = format!("other:{}", mixed.below(50));
            commit(
                store,
                now,
                [tagged(&other, &[7; 30], until(now + 40), &[&tag]), op(&name, Guard::Any, Write::Remove)],
            )
        }
    };
    if let Err(error) = result {
        assert!(matches!(error.kind(), ErrorKind::Full | ErrorKind::Conflict), "{error}");
    }
}

/// What a sweeper does: removes a page of records that are dead, each only if it still is.
fn purge(store: &MemoryStore, now: u64) -> strata_core::Result<strata_core::Committed> {
    let page = block_on(store.scan(Scan::new(Select::Due(at(now)), 16)))?;
    commit(store, now, page.entries.iter().map(|(key, _)| op(key.as_str(), Guard::Absent, Write::Remove)))
}

fn walked(store: &MemoryStore, select: &Select) -> Vec<Key> {
    let mut scan = Scan::new(select.clone(), 7);
    let mut keys = Vec::new();
    loop {
        let page = block_on(store.scan(scan.clone())).expect("a page");
        keys.extend(page.entries.into_iter().map(|(key, _)| key));
        scan.after = page.next;
        if scan.after.is_none() {
            return keys;
        }
    }
}

#[test]
fn indexes_equal_the_records_after_threads_did_everything() {
    let full = MemoryConfig::new().max_records(40);
    for config in [MemoryConfig::new(), full.clone(), full.when_full(WhenFull::EvictNearestDeadline)] {
        let store = MemoryStore::with_config(config);
        thread::scope(|scope| {
            for seed in 0..4 {
                let store = &store;
                scope.spawn(move || {
                    let mut mixed = Mixed(seed);
                    (0..3000).for_each(|round| step(store, &mut mixed, round / 10));
                });
            }
        });
        let check = store.check();
        assert_eq!(check.problems, []);
        let all = walked(&store, &Select::Prefix(KeyPrefix::all()));
        assert_eq!((all.len(), check.records), (store.stats().records, all.len()));
        assert!(all.is_sorted() && !all.is_empty());
        let due = walked(&store, &Select::Due(at(100_000)));
        assert_eq!(due.len(), check.due_entries);
        let tagged = walked(&store, &Select::Tag(Tag::new("all").expect("valid")));
        let wanted: Vec<Key> = all
            .iter()
            .filter(|key| get(&store, key.as_str()).is_some_and(|record| !record.tags.is_empty()))
            .cloned()
            .collect();
        let wanted: Vec<Key> = wanted.into_iter().filter(|key| key.as_str().starts_with("key:")).collect();
        assert_eq!(tagged, wanted);
    }
}
