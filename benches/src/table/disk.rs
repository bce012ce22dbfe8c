//! What Strata adds to sled's own reads and writes: p07. All writes here are relaxed: the disk's barrier is another table.

use std::hint::black_box;
use std::time::Duration;

use strata_core::{Collection, Durability};
use tempfile::TempDir;

use crate::floor::SledFloor;
use crate::harness::{Case, Effort, compare, wait};
use crate::record::{Record, Zipf, id};
use crate::section::Section;
use crate::subject::disk;
use crate::target::Target;

/// Sled's cache, in bytes: everything stays in memory.
const CACHE: u64 = 1 << 30;

/// A folder on the file system that the program was built on, so on a disk.
pub fn folder() -> TempDir {
    let program = std::env::current_exe().expect("this program has a path");
    let beside = program.parent().expect("a program is in a folder");
    TempDir::with_prefix_in("strata-bench-", beside).expect("a folder")
}

/// The same sessions in sled by hand and in Strata over sled.
#[derive(Debug)]
pub struct OnDisk {
    ids: Vec<String>,
    records: Vec<Record>,
    floor: SledFloor,
    sessions: Collection<Record>,
    // Last: the stores are closed before their folders go.
    _folders: [TempDir; 2],
}

impl OnDisk {
    /// `resident` sessions.
    pub fn new(resident: u64) -> Self {
        let folders = [folder(), folder()];
        let db = sled::Config::new().path(folders[0].path()).cache_capacity(CACHE).open().expect("sled");
        let handle = disk(folders[1].path(), CACHE, Durability::Relaxed);
        let stores = Self {
            ids: (0..resident).map(id).collect(),
            records: (0..1024).map(Record::of).collect(),
            floor: SledFloor::new(db),
            sessions: handle.collection("s").expect("collection"),
            _folders: folders,
        };
        let mut scratch = Vec::new();
        for (number, id) in (0..).zip(&stores.ids) {
            let record = Record::of(number);
            stores.floor.save(id, &record, &mut scratch);
            wait(stores.sessions.set(id, &record).into_future()).expect("set");
        }
        stores
    }

    /// Reads, by hand and by Strata.
    pub fn gets(&self) -> Vec<Case<'_>> {
        let Self { ids, floor, sessions, .. } = self;
        let (mut a, mut b) = (Zipf::new(ids.len()), Zipf::new(ids.len()));
        let mut scratch = Vec::new();
        vec![
            Case::cpu("floor sled get, open, decode", move |times| {
                for _ in 0..times {
                    black_box(floor.load(&ids[a.draw()], &mut scratch));
                }
            }),
            Case::cpu("strata get", move |times| {
                for _ in 0..times {
                    black_box(wait(sessions.get(&ids[b.draw()])).expect("get"));
                }
            }),
        ]
    }

    /// Overwrites of sessions without tags and deadlines.
    pub fn puts(&self) -> Vec<Case<'_>> {
        let Self { ids, records, floor, sessions, .. } = self;
        let (mut a, mut b) = (Zipf::new(ids.len()), Zipf::new(ids.len()));
        let mut scratch = Vec::new();
        vec![
            Case::cpu("floor encode, seal, sled insert", move |times| {
                for _ in 0..times {
                    let index = a.draw();
                    floor.save(&ids[index], &records[index & 1023], &mut scratch);
                }
            }),
            Case::cpu("strata set", move |times| {
                for _ in 0..times {
                    let index = b.draw();
                    wait(sessions.set(&ids[index], &records[index & 1023]).into_future()).expect("set");
                }
            }),
        ]
    }

    /// New sessions, which sled has to make room for; Strata's with a tag and a deadline, so with two index entries and a
    /// redo intent.
    pub fn creations(&self) -> Vec<Case<'_>> {
        let Self { records, floor, sessions, .. } = self;
        let [mut a, mut b, mut c] = [1_u64 << 32, 2 << 32, 3 << 32];
        let mut scratch = Vec::new();
        let next = |number: &mut u64| {
            *number += 1;
            id(*number)
        };
        let record = |number: u64| &records[usize::try_from(number & 1023).unwrap_or(0)];
        vec![
            Case::cpu("floor encode, seal, sled insert, new key", move |times| {
                for _ in 0..times {
                    floor.save(&next(&mut a), record(a), &mut scratch);
                }
            }),
            Case::cpu("strata set, new key", move |times| {
                for _ in 0..times {
                    wait(sessions.set(&next(&mut b), record(b)).into_future()).expect("set");
                }
            }),
            Case::cpu("strata set, new key, tag and deadline", move |times| {
                for _ in 0..times {
                    let name = next(&mut c);
                    let save = sessions.set(&name, record(c)).idle(Duration::from_mins(30));
                    wait(save.tag(&format!("user:{c:08x}")).into_future()).expect("set");
                }
            }),
        ]
    }
}

/// Measures the table.
pub fn run(effort: Effort) -> Section {
    let resident = effort.pick(100_000, 30_000);
    let stores = OnDisk::new(resident);
    let gets = compare(effort, stores.gets());
    let puts = compare(effort.longer(2), stores.puts());
    let creations = compare(effort.longer(2), stores.creations());
    let mut rows = gets.rows();
    rows.extend(puts.rows());
    rows.extend(creations.rows());
    Section {
        name: "disk",
        title: "Sessions on disk",
        how: format!(
            "{resident} encrypted sessions in sled 0.34, its cache large enough, relaxed writes; CPU time of the caller."
        ),
        unit: "ns",
        rows,
        targets: vec![
            Target::cost("p07", "sled get / the engine's get, open, decode", gets.ratio(1, 0), 1.2, None)
                .noting(gets.versus(1, 0)),
            Target::cost("p07b", "relaxed put / encode, seal, the engine's put", puts.ratio(1, 0), 1.3, None)
                .noting(puts.versus(1, 0)),
            Target::cost(
                "p07c",
                "create with tag and deadline / the engine's put",
                creations.ratio(2, 0),
                4.0,
                Some(2.0),
            )
            .noting(creations.versus(2, 0)),
        ],
    }
}
