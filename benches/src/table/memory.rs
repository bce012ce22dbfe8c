//! Loads, views and saves of encrypted sessions in memory: p01, p02, p03.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use strata_core::{Collection, Touch};

use crate::child;
use crate::floor::Floor;
use crate::harness::{Case, Effort, Table, compare, precise, ready};
use crate::peer::Tower;
use crate::record::{Record, Zipf, id};
use crate::section::Section;
use crate::subject::{WallClock, memory};
use crate::target::Target;

const RESIDENT: u64 = 100_000;

/// The same sessions in Strata, by hand, and in the peer.
#[derive(Debug)]
pub struct Resident {
    ids: Vec<String>,
    records: Vec<Record>,
    floor: Floor,
    sessions: Collection<Record>,
    peer: Tower,
}

impl Default for Resident {
    fn default() -> Self {
        let sessions = memory(Arc::new(WallClock), Touch::default()).collection("s").expect("collection");
        let (floor, peer, mut scratch) = (Floor::default(), Tower::default(), Vec::new());
        let ids: Vec<String> = (0..RESIDENT).map(id).collect();
        for (number, id) in (0..).zip(&ids) {
            let record = Record::of(number);
            floor.save(id, &record, &mut scratch);
            let save =
                sessions.set(id, &record).idle(Duration::from_mins(30)).at_most(Duration::from_hours(24));
            ready(save.into_future()).expect("set");
            peer.save(number, &record);
        }
        Self { ids, records: (0..1024).map(Record::of).collect(), floor, sessions, peer }
    }
}

impl Resident {
    /// Reads: by hand and by Strata, owned and viewed, then the peer's.
    pub fn loads(&self) -> Vec<Case<'_>> {
        let Self { ids, floor, sessions, peer, .. } = self;
        let [mut by_hand, mut owned, mut viewed_by_hand, mut viewed, mut by_peer] = [(); 5].map(|()| zipf());
        let (mut scratch, mut other) = (Vec::new(), Vec::new());
        vec![
            Case::cpu("floor load", move |times| {
                for _ in 0..times {
                    black_box(floor.load(&ids[by_hand.draw()], &mut scratch));
                }
            }),
            Case::cpu("strata get", move |times| {
                for _ in 0..times {
                    black_box(ready(sessions.get(&ids[owned.draw()])).expect("get"));
                }
            }),
            Case::cpu("floor view", move |times| {
                for _ in 0..times {
                    black_box(floor.view(&ids[viewed_by_hand.draw()], &mut other));
                }
            }),
            Case::cpu("strata view", move |times| {
                for _ in 0..times {
                    black_box(
                        ready(sessions.view(&ids[viewed.draw()], |view| view.bytes().len())).expect("view"),
                    );
                }
            }),
            Case::cpu("tower-sessions load", move |times| {
                for _ in 0..times {
                    black_box(peer.load(by_peer.draw() as u64));
                }
            }),
        ]
    }

    /// Overwrites: by hand, by Strata, by the peer.
    pub fn saves(&self) -> Vec<Case<'_>> {
        let Self { ids, records, floor, sessions, peer } = self;
        let (mut a, mut b, mut c) = (zipf(), zipf(), zipf());
        let mut scratch = Vec::new();
        vec![
            Case::cpu("floor save", move |times| {
                for _ in 0..times {
                    let index = a.draw();
                    floor.save(&ids[index], &records[index & 1023], &mut scratch);
                }
            }),
            Case::cpu("strata set", move |times| {
                for _ in 0..times {
                    let index = b.draw();
                    black_box(
                        ready(sessions.set(&ids[index], &records[index & 1023]).into_future()).expect("set"),
                    );
                }
            }),
            Case::cpu("tower-sessions save", move |times| {
                for _ in 0..times {
                    let index = c.draw();
                    peer.save(index as u64, &records[index & 1023]);
                }
            }),
        ]
    }
}

/// Measures the table.
pub fn run(effort: Effort) -> Section {
    // First: what has to be built for it either builds or ends the run before anything is measured.
    let allocations = child::allocations();
    let resident = Resident::default();
    let loads = compare(effort, resident.loads());
    let saves = compare(effort, resident.saves());
    let mut rows = loads.rows();
    rows.extend(saves.rows());
    let mut targets = load_targets(&loads);
    targets.extend(save_targets(&saves, &allocations));
    Section {
        name: "memory",
        title: "Sessions in memory",
        how: format!(
            "{RESIDENT} sessions of 454 bytes (bincode), zipf 0.99 access. Strata: encrypted, expiry checked. The peer \
             holds plaintext JSON values."
        ),
        unit: "ns",
        rows,
        targets,
    }
}

fn load_targets(table: &Table) -> Vec<Target> {
    let peer = format!("peer {:.0} ns", table.nanos(4));
    vec![
        Target::cost("p01", "encrypted load / floor", table.ratio(1, 0), 1.25, Some(1.10))
            .noting(table.versus(1, 0)),
        Target::gain(
            "p01b",
            "tower-sessions plaintext typed load / encrypted load",
            table.ratio(4, 1),
            1.0,
            Some(1.6),
        )
        .noting(peer.clone()),
        Target::cost("p02", "encrypted borrowed view / floor", table.ratio(3, 2), 1.4, Some(1.15))
            .noting(table.versus(3, 2)),
        Target::gain(
            "p02b",
            "tower-sessions plaintext typed load / encrypted view",
            table.ratio(4, 3),
            1.0,
            Some(4.0),
        )
        .noting(peer),
    ]
}

fn save_targets(table: &Table, allocations: &[(String, u64, u64)]) -> Vec<Target> {
    let (_, count, bytes) = allocations.iter().find(|(path, ..)| path == "set").expect("sets are counted");
    vec![
        Target::cost("p03", "encrypted save / floor", table.ratio(1, 0), 1.4, Some(1.15))
            .noting(table.versus(1, 0)),
        Target::cost("p03a", "allocations of an encrypted save", precise(*count), 2.0, None)
            .noting(format!("{bytes} bytes, counted in a process of its own")),
        Target::gain(
            "p03b",
            "tower-sessions plaintext typed save / encrypted save",
            table.ratio(2, 1),
            1.0,
            Some(4.0),
        )
        .noting(format!("peer {:.0} ns", table.nanos(2))),
    ]
}

fn zipf() -> Zipf {
    // The resident count fits a usize on every machine this runs on.
    Zipf::new(usize::try_from(RESIDENT).unwrap_or(usize::MAX))
}
