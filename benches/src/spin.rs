//! One hot path, run over few records so that the code shows and not the cache: for profilers, instruction counts and
//! allocation counts.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use strata_core::{Collection, ManualClock, Touch};

use crate::floor::Floor;
use crate::harness::ready;
use crate::record::{Record, id};
use crate::subject::memory;

const RECORDS: usize = 64;

/// A hot path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Path {
    /// Load and decode.
    Get,
    /// Load and look.
    View,
    /// Save.
    Set,
    /// The same by hand.
    FloorGet,
    /// The same by hand.
    FloorView,
    /// The same by hand.
    FloorSet,
}

impl Path {
    /// Those of Strata.
    pub const STRATA: [Self; 3] = [Self::Get, Self::View, Self::Set];

    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::View => "view",
            Self::Set => "set",
            Self::FloorGet => "floor-get",
            Self::FloorView => "floor-view",
            Self::FloorSet => "floor-set",
        }
    }
}

/// A few sessions, in Strata and by hand.
#[derive(Debug)]
pub struct Spin {
    ids: Vec<String>,
    records: Vec<Record>,
    sessions: Collection<Record>,
    floor: Floor,
    scratch: Vec<u8>,
}

impl Default for Spin {
    fn default() -> Self {
        // Reading the system's clock ends in the kernel's own code, which valgrind can't follow.
        let clock = Arc::new(ManualClock::default());
        let sessions = memory(clock, Touch::default()).collection("s").expect("collection");
        let mut spin = Self {
            ids: (0..RECORDS as u64).map(id).collect(),
            records: (0..RECORDS as u64).map(Record::of).collect(),
            sessions,
            floor: Floor::default(),
            scratch: Vec::new(),
        };
        for (id, record) in spin.ids.iter().zip(&spin.records) {
            let save = spin.sessions.set(id, record).idle(Duration::from_mins(30));
            ready(save.into_future()).expect("set");
            spin.floor.save(id, record, &mut spin.scratch);
        }
        spin
    }
}

impl Spin {
    /// Goes down `path` once; `turn` says for which session.
    pub fn once(&mut self, path: Path, turn: usize) {
        let id = &self.ids[turn % RECORDS];
        let other = &self.records[(turn + 1) % RECORDS];
        match path {
            Path::Get => drop(black_box(ready(self.sessions.get(id)).expect("get"))),
            Path::View => {
                black_box(ready(self.sessions.view(id, |view| view.bytes().len())).expect("view"));
            }
            Path::Set => {
                black_box(ready(self.sessions.set(id, other).into_future()).expect("set"));
            }
            Path::FloorGet => drop(black_box(self.floor.load(id, &mut self.scratch))),
            Path::FloorView => {
                black_box(self.floor.view(id, &mut self.scratch));
            }
            Path::FloorSet => self.floor.save(id, other, &mut self.scratch),
        }
    }
}
