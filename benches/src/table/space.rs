//! Memory per encrypted session: p06. Each store is filled in a fresh process, whose resident memory is read before and after.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use strata_core::{Collection, Touch};

use crate::child;
use crate::floor::Floor;
use crate::harness::{Effort, median, precise, ready};
use crate::peer::Tower;
use crate::process::resident_bytes;
use crate::record::{Record, id};
use crate::section::{Row, Section};
use crate::subject::{WallClock, memory};
use crate::target::Target;

const RESIDENT: u64 = 100_000;
/// What a session can't do without: id 32, nonce 12, ciphertext 454, tag 16.
const PAYLOAD: f64 = 514.0;

/// What a child fills.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Filled {
    /// The map written by hand.
    Floor,
    /// Strata, with an idle time and a cap.
    Strata,
    /// Strata, with a tag of its own on each session besides.
    Tagged,
    /// tower-sessions.
    Tower,
}

/// In the child: fills a store and gives the bytes it took, per session.
pub fn fill(filled: Filled) -> u64 {
    let measure = |fill: &mut dyn FnMut(u64, u64)| {
        // Whatever the first records set up once is there before.
        fill(RESIDENT, RESIDENT + 1);
        let before = resident_bytes().expect("the system tells");
        fill(0, RESIDENT);
        resident_bytes().expect("the system tells").saturating_sub(before) / RESIDENT
    };
    match filled {
        Filled::Floor => {
            let (floor, mut scratch) = (Floor::default(), Vec::new());
            let bytes = measure(&mut |from, to| {
                (from..to).for_each(|n| floor.save(&id(n), &Record::of(n), &mut scratch));
            });
            black_box(floor);
            bytes
        }
        Filled::Strata | Filled::Tagged => {
            let tagged = matches!(filled, Filled::Tagged);
            let sessions = memory(Arc::new(WallClock), Touch::default()).collection("s").expect("collection");
            let bytes =
                measure(&mut |from, to| (from..to).for_each(|number| save(&sessions, number, tagged)));
            black_box(sessions);
            bytes
        }
        Filled::Tower => {
            let tower = Tower::default();
            let bytes = measure(&mut |from, to| {
                (from..to).for_each(|number| tower.save(number, &Record::of(number)));
            });
            black_box(tower);
            bytes
        }
    }
}

fn save(sessions: &Collection<Record>, number: u64, tagged: bool) {
    let record = Record::of(number);
    let name = id(number);
    let save = sessions.set(&name, &record).idle(Duration::from_mins(30)).at_most(Duration::from_hours(24));
    let save = if tagged { save.tag(&format!("user:{number:08x}")) } else { save };
    ready(save.into_future()).expect("set");
}

/// Measures the table.
pub fn run(effort: Effort) -> Section {
    let bytes = |store| {
        let readings = (0..effort.pick(5, 3)).map(|_| precise(child::number(&["space", store])));
        median(readings.collect())
    };
    let [floor, strata, tagged, tower] = ["floor", "strata", "tagged", "tower"].map(bytes);
    Section {
        name: "space",
        title: "Memory of a session",
        how: format!(
            "Growth of resident memory by {RESIDENT} sessions, per session, each store in a fresh process. The payload is \
             {PAYLOAD:.0} bytes: id, nonce, ciphertext, tag. Strata's have an idle time and a cap, so a deadline index entry each."
        ),
        unit: "bytes",
        rows: vec![
            Row::new("floor map", floor),
            Row::new("strata", strata),
            Row::new("strata, one tag each", tagged),
            Row::new("tower-sessions", tower),
        ],
        targets: vec![
            Target::cost(
                "p06",
                "memory of an encrypted session / payload",
                strata / PAYLOAD,
                1.45,
                Some(1.25),
            )
            .noting(format!("{strata:.0} bytes, floor {floor:.0}")),
            Target::cost("p06b", "the same with one tag / payload", tagged / PAYLOAD, 1.9, None)
                .noting(format!("{tagged:.0} bytes")),
            Target::gain(
                "p06c",
                "memory of a tower-sessions session / an encrypted one",
                tower / strata,
                1.0,
                Some(3.5),
            )
            .noting(format!("peer {tower:.0} bytes")),
        ],
    }
}
