//! Bytes that changed on disk: an error or the right value, never a wrong value, never a panic; and a repair.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use strata_adapter_sled::{ProblemKind, SledConfig};
use strata_core::conformance::block_on;
use strata_core::{ErrorKind, Expiry, Record, Scan, Select, Store};

use super::{assert_clean, at, done, folder, get, idle, key, open, put, tag, walk};

/// Changes entries behind the store's back.
fn meddle(path: &Path, change: impl FnOnce(&sled::Db)) {
    let db = reopen(path);
    change(&db);
    db.flush().expect("flushed");
}

/// sled lets go of its file a moment after it is closed.
fn reopen(path: &Path) -> sled::Db {
    loop {
        match sled::open(path) {
            Ok(db) => return db,
            Err(error) => assert!(error.to_string().contains("could not acquire lock"), "{error}"),
        }
    }
}

fn large() -> Vec<u8> {
    (0..7_000_u32).map(|index| u8::try_from(index % 255).expect("a byte")).collect()
}

fn fill(path: &Path) -> (Record, Record) {
    let store = open(path);
    done(&store, [put("small", b"some value", idle(60, 0), &["t:1", "t:2"])]);
    done(&store, [put("large", &large(), idle(60, 0), &["t:1"])]);
    (get(&store, "small").expect("there"), get(&store, "large").expect("there"))
}

/// What a store gives that was opened over changed bytes: refused, or each record right or refused.
fn probe(path: &Path, small: &Record, large: &Record, what: &str) {
    let store = match SledConfig::new(path).cache_bytes(8 << 20).open() {
        Ok(store) => store,
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Newer), "{what}: {error:?}");
            return;
        }
    };
    for (name, right) in [("small", small), ("large", large)] {
        if let Ok(found) = block_on(store.get(&key(name))) {
            assert_eq!(found.as_ref(), Some(right), "{what}: `{name}`");
        }
    }
    for select in [tag("t:1"), tag("t:2"), Select::Due(at(60)), Select::Prefix(strata_core::KeyPrefix::all())]
    {
        let Ok(page) = block_on(store.scan(Scan::new(select, 10))) else { continue };
        for (key, record) in page.entries {
            let right = if key.as_str() == "small" { small } else { large };
            assert_eq!(&record, right, "{what}: `{key}`");
        }
    }
    store.check().expect("a report");
}

#[test]
fn s32_every_flipped_byte_of_every_entry_is_an_error_or_the_right_value() {
    let folder = folder();
    let (small, large) = fill(folder.path());
    let db = reopen(folder.path());
    let entries: Vec<(sled::IVec, sled::IVec)> = db.iter().map(|entry| entry.expect("read")).collect();
    drop(db);
    for (name, value) in entries {
        // Every byte of what is short, and a sample of the long ones: `record.rs` has every byte of a record.
        let step = (value.len() / 12).max(1);
        for index in (0..value.len()).step_by(step) {
            let mut flipped = value.to_vec();
            flipped[index] ^= 0x55;
            meddle(folder.path(), |db| drop(db.insert(&name, flipped).expect("written")));
            let what = format!("byte {index} of {name:?}");
            let probed = catch_unwind(AssertUnwindSafe(|| probe(folder.path(), &small, &large, &what)));
            probed.unwrap_or_else(|_| panic!("{what}: wrong or panicked"));
            meddle(folder.path(), |db| drop(db.insert(&name, value.clone()).expect("written")));
        }
    }
    let store = open(folder.path());
    assert_eq!((get(&store, "small"), get(&store, "large")), (Some(small), Some(large)));
    assert_clean(&store);
}

#[test]
fn s32_damage_to_the_log_is_refused_or_lost_and_never_wrong() {
    let folder = folder();
    let (small, large) = fill(folder.path());
    let log = std::fs::read(folder.path().join("db")).expect("read");
    let end = log.iter().rposition(|&byte| byte != 0).expect("not empty") + 1;
    for index in (0..end).step_by(end / 40) {
        let copy = super::folder();
        for file in ["conf", "strata.store"] {
            std::fs::copy(folder.path().join(file), copy.path().join(file)).expect("copied");
        }
        let mut flipped = log.clone();
        flipped[index] ^= 0x55;
        std::fs::write(copy.path().join("db"), flipped).expect("written");
        let Ok(store) = SledConfig::new(copy.path()).cache_bytes(8 << 20).open() else { continue };
        for (name, right) in [("small", &small), ("large", &large)] {
            // sled takes damage for the end of the log: what came later is lost, as it is to a crash.
            if let Ok(Some(found)) = block_on(store.get(&key(name))) {
                assert_eq!(&found, right, "byte {index}: `{name}`");
            }
        }
    }
}

#[test]
fn a_check_names_what_is_wrong_and_a_repair_mends_it() {
    let folder = folder();
    let (small, _) = fill(folder.path());
    meddle(folder.path(), |db| {
        let (name, value) = db.scan_prefix("rlarge").next().expect("there").expect("read");
        let mut flipped = value.to_vec();
        flipped[30] ^= 1;
        db.insert(name, flipped).expect("written");
        db.remove("tt:2\0small").expect("removed").expect("was there");
        db.insert("tt:9\0small", "").expect("written");
        db.insert("d\0\0\0\0\0\0\0\x07nobody", "").expect("written");
    });
    let store = open(folder.path());
    let error = block_on(store.get(&key("large"))).expect_err("damaged");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("`large`") && error.to_string().contains("repair"), "{error}");
    let check = store.check().expect("a report");
    let kinds: Vec<ProblemKind> = check.counts.keys().copied().collect();
    let expected = [
        ProblemKind::DamagedRecord,
        ProblemKind::MissingTagEntry,
        ProblemKind::StrayTagEntry,
        ProblemKind::StrayDueEntry,
    ];
    assert_eq!(kinds, expected, "{:?}", check.problems);
    drop(store);

    let store = SledConfig::new(folder.path()).repair(true).open().expect("repaired");
    let repair = store.repair().expect("a repair was asked for").clone();
    assert_eq!((repair.records, repair.quarantined, repair.added), (1, 1, 1));
    assert_eq!((get(&store, "small"), get(&store, "large")), (Some(small), None));
    assert_eq!(walk(&store, &tag("t:2"), 10), ["small"]);
    assert_eq!(store.check().expect("a report").quarantined, 1);
    assert_clean(&store);
    done(&store, [put("large", b"anew", Expiry::NEVER, &[])]);
    drop(store);
    assert_clean(&open(folder.path()));
}
