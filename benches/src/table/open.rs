//! Opening a large store: p12.

use std::cell::RefCell;
use std::fs::File;
use std::path::Path;

use strata_adapter_sled::{SledConfig, SledStore};
use strata_core::{Durability, Key, Store as _};

use crate::harness::{Effort, Shot, shoot, wait};
use crate::record::{Record, id};
use crate::section::Section;
use crate::subject::disk;
use crate::table::disk::folder;
use crate::target::Target;

const CACHE: u64 = 256 << 20;

/// Measures the table.
pub fn run(effort: Effort) -> Section {
    let place = folder();
    let count = effort.pick(1_000_000, 100_000);
    fill(place.path(), count);
    let opened = RefCell::new(Opened::Nothing);
    let table = shoot(effort.pick(11, 9), 1, shots(place.path(), &opened));
    close(place.path(), &opened);
    let millis = |case| table.nanos(case) / 1e6;
    Section {
        name: "open",
        title: "Opening",
        how: format!(
            "From closed to the first record read, with {count} encrypted sessions; sled alone opens the very same folder. Warm page \
             cache, orderly close."
        ),
        unit: "ns",
        rows: table.rows(),
        targets: vec![
            Target::cost("p12", "open and first get / the engine's own", table.ratio(1, 0), 1.1, None)
                .noting(format!("{:.1} ms against {:.1}, {count} records", millis(1), millis(0))),
        ],
    }
}

fn fill(place: &Path, count: u64) {
    let handle = disk(place, CACHE, Durability::Relaxed);
    for number in 0..count {
        wait(handle.set(&id(number), &Record::of(number)).into_future()).expect("set");
    }
}

/// Opens by sled itself and by Strata. Each leaves open what it opened; the next one's preparation closes that.
fn shots<'a>(place: &'a Path, opened: &'a RefCell<Opened>) -> Vec<Shot<'a>> {
    let key = Key::new(&id(7)).expect("key");
    let entry = entry_of(place, &key);
    vec![
        Shot::wall(
            "floor sled open and get",
            || close(place, opened),
            move || {
                let db = sled::Config::new().path(place).cache_capacity(CACHE).open().expect("sled");
                assert!(db.get(&entry).expect("get").is_some());
                opened.replace(Opened::Sled(db));
            },
        ),
        Shot::wall(
            "strata open and get",
            || close(place, opened),
            move || {
                let store = SledConfig::new(place).cache_bytes(CACHE).open().expect("store");
                assert!(wait(store.get(&key)).expect("get").is_some());
                opened.replace(Opened::Strata(store));
            },
        ),
    ]
}

/// What is open just now. The stores are kept for their drop.
#[derive(Debug)]
enum Opened {
    Nothing,
    Sled(sled::Db),
    Strata(SledStore),
}

/// Closes what is open, and waits until sled's threads have let go of the file.
fn close(place: &Path, opened: &RefCell<Opened>) {
    match opened.replace(Opened::Nothing) {
        Opened::Nothing => {}
        Opened::Sled(db) => drop(db),
        Opened::Strata(store) => drop(store),
    }
    let file = File::open(place.join("db")).expect("sled's file");
    file.lock().expect("the file can be locked");
    file.unlock().expect("and unlocked");
}

/// Under which name sled holds the record.
fn entry_of(place: &Path, key: &Key) -> sled::IVec {
    let db = sled::Config::new().path(place).cache_capacity(CACHE).open().expect("sled");
    let names = db.iter().keys().map(|name| name.expect("reads"));
    let mut ours = names.filter(|name| name.ends_with(key.as_bytes()));
    ours.next().expect("the record is there")
}
