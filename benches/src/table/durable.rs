//! One writer whose commits survive a loss of power: p08.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::Path;

use strata_core::{Collection, Durability};
use tempfile::TempDir;

use crate::floor::{Cipher, SledFloor};
use crate::harness::{Effort, Shot, shoot, wait};
use crate::record::{Record, id};
use crate::section::Section;
use crate::subject::disk;
use crate::table::disk::folder;
use crate::target::Target;

const CACHE: u64 = 64 << 20;
const RESIDENT: u64 = 1000;

/// A plain file, sled, and Strata over sled, on one file system.
#[derive(Debug)]
pub struct Durable {
    ids: Vec<String>,
    file: File,
    cipher: Cipher,
    sled: SledFloor,
    sessions: Collection<Record>,
    _folders: [TempDir; 3],
}

impl Default for Durable {
    fn default() -> Self {
        let folders = [folder(), folder(), folder()];
        let log = folders[0].path().join("log");
        let db = sled::Config::new().path(folders[1].path()).cache_capacity(CACHE).open().expect("sled");
        let handle = disk(folders[2].path(), CACHE, Durability::Power);
        Self {
            ids: (0..RESIDENT).map(id).collect(),
            file: preallocated(&log),
            cipher: Cipher::default(),
            sled: SledFloor::new(db),
            sessions: handle.collection("s").expect("collection"),
            _folders: folders,
        }
    }
}

/// A file whose blocks are all there, so that a sync writes data and no metadata: as fast as a log can be. Position: its start.
fn preallocated(path: &Path) -> File {
    let mut file = File::create(path).expect("a file");
    let zeros = vec![0; 1 << 20];
    (0..32).for_each(|_| file.write_all(&zeros).expect("writes"));
    file.sync_all().expect("syncs");
    file.rewind().expect("rewinds");
    file
}

impl Durable {
    /// A session written to a file and synced, one put into sled and flushed, one saved by Strata.
    pub fn shots(&self) -> Vec<Shot<'_>> {
        let Self { ids, file, cipher, sled, sessions, .. } = self;
        let [mut by_file, mut by_sled, mut by_strata] = [0_u64; 3];
        let next = move |turn: &mut u64| {
            *turn += 1;
            (&ids[usize::try_from(*turn % RESIDENT).unwrap_or(0)], Record::of(*turn))
        };
        let (mut file, mut scratch, mut other) = (file, Vec::new(), Vec::new());
        vec![
            Shot::wall(
                "floor write and fdatasync",
                || {},
                move || {
                    let (id, record) = next(&mut by_file);
                    cipher.seal(id, &record, &mut scratch);
                    file.write_all(&scratch).expect("writes");
                    file.sync_data().expect("syncs");
                },
            ),
            Shot::wall(
                "floor sled insert and flush, made a real barrier",
                || {},
                move || {
                    let (id, record) = next(&mut by_sled);
                    sled.save(id, &record, &mut other);
                    sled.db.flush().expect("flushes");
                },
            ),
            Shot::wall(
                "strata set, durability power",
                || {},
                move || {
                    let (id, record) = next(&mut by_strata);
                    wait(sessions.set(id, &record).into_future()).expect("set");
                },
            ),
        ]
    }
}

/// Measures the table.
pub fn run(effort: Effort) -> Section {
    let durable = Durable::default();
    let table = shoot(effort.pick(600, 200), 1, durable.shots());
    let micros = |case| table.nanos(case) / 1000.0;
    Section {
        name: "durable",
        title: "One durable writer",
        how: "One session at a time, on disk before the next, by turns: other users of the disk disturb all alike. By hand: what was sealed, about 480 bytes, goes into a file \
              allocated beforehand, and fdatasync; sled's own flush is one here because Strata's feature `power` is in the program."
            .to_owned(),
        unit: "ns",
        rows: table.rows(),
        targets: vec![
            Target::cost("p08", "durable commit, one writer / write and fdatasync", table.ratio(2, 0), 2.0, Some(1.3))
                .noting(format!("medians: {:.0} µs against {:.0}, sled alone {:.0}", micros(2), micros(0), micros(1))),
        ],
    }
}
