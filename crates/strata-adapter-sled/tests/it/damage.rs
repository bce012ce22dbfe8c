//! Bytes that changed on disk: an error or the right value, never a wrong value, never a panic; and a repair.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use strata_adapter_sled::{ProblemKind, SledConfig};
use strata_core::conformance::block_on;
use strata_core::{ErrorKind, Expiry, Handle, KeyPrefix, ManualClock, Record, Scan, Select, Store};

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
    for select in [tag("t:1"), tag("t:2"), Select::Due(at(60)), Select::Prefix(KeyPrefix::all())] {
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
            // What is there now: each probe that opens also closes, which is counted.
            let value = reopen(folder.path()).get(&name).expect("read").expect("there");
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
fn s32_damage_to_a_closed_log_is_refused_and_never_wrong_or_missing() {
    let folder = folder();
    let (small, large) = fill(folder.path());
    let log = std::fs::read(folder.path().join("db")).expect("read");
    let end = log.iter().rposition(|&byte| byte != 0).expect("not empty") + 1;
    for index in (0..end).step_by(end / 40) {
        let copy = super::folder();
        for file in ["conf", "strata.store", "closed"] {
            std::fs::copy(folder.path().join(file), copy.path().join(file)).expect("copied");
        }
        let mut flipped = log.clone();
        flipped[index] ^= 0x55;
        std::fs::write(copy.path().join("db"), flipped).expect("written");
        let Ok(store) = SledConfig::new(copy.path()).cache_bytes(8 << 20).open() else { continue };
        for (name, right) in [("small", &small), ("large", &large)] {
            // sled takes damage for the end of the log, and what came later for never written; the close knows better.
            if let Ok(found) = block_on(store.get(&key(name))) {
                assert_eq!(found.as_ref(), Some(right), "byte {index}: `{name}`");
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

/// Three hundred records of which two are damaged, one in its header and one in its value, between two that never die; and an
/// entry of the due index that is none. All but the two have died.
fn one_bad_apple(path: &Path) -> (Handle, Arc<strata_adapter_sled::SledStore>) {
    let clock = Arc::new(ManualClock::default());
    let handle = |store| Handle::builder(store, Arc::clone(&clock) as _).build().expect("a handle");
    let db = handle(Arc::new(open(path)));
    block_on(async {
        for number in 0..300_u32 {
            let life = Duration::from_secs(1 + u64::from(number));
            db.set(&format!("k{number:03}"), &number).ttl(life).tag("t:1").await.expect("set");
        }
        db.set("a", &1_u32).tag("t:1").await.expect("set");
        db.set("z", &1_u32).tag("t:1").await.expect("set");
    });
    drop(db);
    meddle(path, |db| {
        for (name, index) in [("rk000", 40), ("rk007", usize::MAX)] {
            let mut value = db.get(name).expect("read").expect("there").to_vec();
            let index = index.min(value.len() - 1);
            value[index] ^= 0x40;
            db.insert(name, value).expect("written");
        }
        db.insert("d\0\0", "").expect("written");
    });
    clock.advance(Duration::from_hours(1));
    let store = Arc::new(open(path));
    (handle(Arc::clone(&store) as _), store)
}

/// Sweeps as the sweeper does, and says how many records that removed.
async fn sweep(db: &Handle) -> u64 {
    let (mut removed, mut cursor) = (0, None);
    loop {
        let purged = db.purge(cursor, 32).await.expect("a damaged record does not stop sweeping");
        removed += purged.removed;
        cursor = purged.next;
        if cursor.is_none() {
            return removed;
        }
    }
}

#[test]
fn one_damaged_record_does_not_stop_the_sweeping_of_the_others() {
    let folder = folder();
    let (db, store) = one_bad_apple(folder.path());
    block_on(async {
        assert_eq!(sweep(&db).await, 298);
        assert_eq!(sweep(&db).await, 0);
        assert_eq!(db.select().expired().count().await.expect("count"), 0, "nothing whole is left");
        assert_eq!(db.select().expired().clear().await.expect("clear"), 0);
    });
    let check = store.check().expect("a report");
    assert_eq!(check.counts[&ProblemKind::DamagedRecord], 2, "they are not forgotten: {:?}", check.problems);
    drop((db, store));

    let store = SledConfig::new(folder.path()).repair(true).open().expect("repaired");
    assert_eq!(store.repair().expect("asked for").quarantined, 2);
    assert_eq!(walk(&store, &Select::Prefix(KeyPrefix::all()), 10), ["a", "z"]);
    assert_clean(&store);
}

/// Listings and exports never leave a damaged record out: they give what comes before it, then its error.
#[test]
fn a_walk_gives_what_lies_before_a_damaged_record_and_then_its_error() {
    let folder = folder();
    let (_db, store) = one_bad_apple(folder.path());
    for select in [Select::Prefix(KeyPrefix::all()), tag("t:1")] {
        let page = block_on(store.scan(Scan::new(select.clone(), 10))).expect("a short page");
        let names: Vec<&str> = page.entries.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(names, ["a"]);
        assert!(page.next.is_some(), "it is not the end");
        let error =
            block_on(store.scan(Scan { after: page.next, ..Scan::new(select, 10) })).expect_err("damage");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        let text = error.to_string();
        assert!(text.contains("`k000`") && text.contains("repair"), "{text}");
    }
}

/// What hangs on a record is known from its header. While that is whole the record can be removed; else a repair has to.
#[test]
fn a_record_with_a_damaged_value_can_be_removed_and_one_with_a_damaged_header_waits_for_a_repair() {
    let folder = folder();
    let (db, store) = one_bad_apple(folder.path());
    block_on(async {
        db.remove("k007").await.expect("removed");
        let error = db.remove("k000").await.expect_err("its entries are not known");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains("repair"), "{error}");
    });
    assert_eq!(store.check().expect("a report").counts[&ProblemKind::DamagedRecord], 1);
}

/// Copies a closed store, its log only up to `len`.
fn cut_copy(path: &Path, len: usize) -> tempfile::TempDir {
    let copy = super::folder();
    for file in ["conf", "strata.store", "closed"] {
        std::fs::copy(path.join(file), copy.path().join(file)).expect("copied");
    }
    let log = std::fs::read(path.join("db")).expect("read");
    std::fs::write(copy.path().join("db"), &log[..len]).expect("written");
    copy
}

#[test]
fn s32_a_log_that_lost_its_end_is_refused_until_that_is_accepted() {
    let folder = folder();
    let names: Vec<String> = (0..2_000).map(|number| format!("key:{number}")).collect();
    // A close in the middle, so that a cut between the two leaves an older number.
    for half in names.chunks(1_000) {
        let store = open(folder.path());
        for name in half {
            done(&store, [put(name, &[7; 700], Expiry::NEVER, &["t"])]);
        }
    }
    let whole = std::fs::metadata(folder.path().join("db")).expect("there").len();
    let whole = usize::try_from(whole).expect("small");
    assert_eq!(open(cut_copy(folder.path(), whole).path()).stats().expect("stats").records, Some(2_000));
    let mut accepted = 0;
    for part in [8, 4, 2] {
        let copy = cut_copy(folder.path(), whole - whole / part);
        let config = SledConfig::new(copy.path()).cache_bytes(8 << 20);
        for _ in 0..2 {
            let error = config.clone().open().expect_err("it has lost its end");
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            assert!(error.to_string().contains("restore a backup"), "{error}");
        }
        // Where the header is gone too, a repair goes on from the marker; where a page is, it cannot.
        let Ok(store) = config.clone().repair(true).open() else { continue };
        accepted += 1;
        let records = store.repair().expect("asked for").records;
        assert!(records < 2_000, "less than all is left, and that was accepted");
        assert_clean(&store);
        drop(store);
        assert_eq!(config.open().expect("accepted once").stats().expect("stats").records, Some(records));
    }
    assert!(accepted > 0, "no cut could be accepted");
}

#[cfg(unix)]
#[test]
fn s32_pages_that_go_bad_under_an_open_store_are_told_by_a_check() {
    let folder = folder();
    let store = SledConfig::new(folder.path()).cache_bytes(1 << 20).open().expect("opens");
    for number in 0..12_000 {
        done(&store, [put(&format!("key:{number}"), &[7; 700], Expiry::NEVER, &[])]);
    }
    block_on(store.flush()).expect("flushed");
    let log = folder.path().join("db");
    let len = usize::try_from(std::fs::metadata(&log).expect("there").len()).expect("small");
    let file = std::fs::OpenOptions::new().write(true).open(&log).expect("opened");
    std::os::unix::fs::FileExt::write_all_at(&file, &vec![0x55; len], 0).expect("written");
    let check = store.check().expect("a report all the same");
    assert_eq!(check.counts.get(&ProblemKind::Unreadable), Some(&1), "{:?}", check.counts);
    let error = block_on(store.get(&key("key:1"))).expect_err("the handle has ended");
    assert_eq!(error.kind(), ErrorKind::Poisoned);
    assert!(error.to_string().contains("restore a backup"), "{error}");
}
