//! Loads, views, saves and touches of encrypted sessions in memory: p01, p02, p03, p05.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use strata_adapter_memory::MemoryStore;
use strata_core::{Clock, Collection, Handle, ManualClock, Protection, Timestamp, Touch};
use strata_crypto::{Keyset, Nonces, Sealer, SystemRandom};
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record as TowerRecord};
use tower_sessions_memory_store::MemoryStore as TowerStore;

use crate::floor::Floor;
use crate::harness::{Case, Effort, compare, ready};
use crate::record::{Record, Zipf, id};
use crate::target::{Bound, Target};

const RESIDENT: u64 = 100_000;

/// A clock that reads the system's, as a program's does.
#[derive(Debug)]
pub struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let millis = u64::try_from(time.tv_sec).unwrap_or(0) * 1000 + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000_000;
        Timestamp::from_millis(1_767_225_600_000 + millis)
    }
}

/// An encrypted handle over memory.
pub fn handle(clock: Arc<dyn Clock>, touch: Touch) -> Handle {
    let random = Arc::new(SystemRandom::new());
    let keyset = Keyset::generate(&*random, clock.now()).expect("keyset");
    let seal = Sealer::new(keyset, Nonces::default(), Protection::Sealed, random).expect("seal");
    Handle::builder(Arc::new(MemoryStore::new()), clock).seal(Arc::new(seal)).touch(touch).build().expect("handle")
}

struct Peer {
    store: TowerStore,
    ids: Vec<Id>,
}

impl Peer {
    fn new() -> Self {
        let store = TowerStore::default();
        let ids: Vec<Id> = (0..RESIDENT).map(|number| Id(i128::from(number) << 64 | i128::from(number))).collect();
        let peer = Self { store, ids };
        for number in 0..RESIDENT {
            peer.save(usize::try_from(number).unwrap_or(0), &Record::of(number));
        }
        peer
    }

    fn save(&self, index: usize, record: &Record) {
        let data = [("user".to_owned(), serde_json::to_value(record).expect("json"))].into();
        let expiry_date = tower_sessions::cookie::time::OffsetDateTime::now_utc() + Duration::from_secs(3600);
        ready(self.store.save(&TowerRecord { id: self.ids[index], data, expiry_date })).expect("save");
    }

    fn load(&self, index: usize) -> Record {
        let mut record = ready(self.store.load(&self.ids[index])).expect("load").expect("there");
        serde_json::from_value(record.data.remove("user").expect("there")).expect("json")
    }
}

/// Measures the tables of memory.
pub fn run(effort: Effort) -> Vec<Target> {
    let ids: Vec<String> = (0..RESIDENT).map(id).collect();
    let floor = Floor::default();
    let db = handle(Arc::new(WallClock), Touch::default());
    let sessions: Collection<Record> = db.collection("s").expect("collection");
    let mut scratch = Vec::new();
    for (number, id) in (0..RESIDENT).zip(&ids) {
        let record = Record::of(number);
        floor.save(id, &record, &mut scratch);
        ready(sessions.set(id, &record).idle(Duration::from_secs(1800)).at_most(Duration::from_secs(86_400)).into_future())
            .expect("set");
    }
    let peer = Peer::new();
    let mut targets = loads(effort, &ids, &floor, &sessions, &peer);
    targets.extend(saves(effort, &ids, &floor, &sessions, &peer));
    targets.extend(touches(effort, &ids));
    targets
}

fn loads(effort: Effort, ids: &[String], floor: &Floor, sessions: &Collection<Record>, peer: &Peer) -> Vec<Target> {
    let (mut a, mut b, mut c, mut d, mut e) = (zipf(), zipf(), zipf(), zipf(), zipf());
    let (mut scratch, mut other) = (Vec::new(), Vec::new());
    let table = compare(
        effort,
        vec![
            Case::cpu("floor load", |times| {
                for _ in 0..times {
                    black_box(floor.load(&ids[a.draw()], &mut scratch));
                }
            }),
            Case::cpu("strata get", |times| {
                for _ in 0..times {
                    black_box(ready(sessions.get(&ids[b.draw()])).expect("get"));
                }
            }),
            Case::cpu("floor view", |times| {
                for _ in 0..times {
                    black_box(floor.view(&ids[c.draw()], &mut other));
                }
            }),
            Case::cpu("strata view", |times| {
                for _ in 0..times {
                    black_box(ready(sessions.view(&ids[d.draw()], |view| view.bytes().len())).expect("view"));
                }
            }),
            Case::cpu("tower-sessions load", |times| {
                for _ in 0..times {
                    black_box(peer.load(e.draw()));
                }
            }),
        ],
    );
    let nanos = |case| format!("{:.0} ns against {:.0}", table.nanos(case), table.nanos(case - 1));
    vec![
        Target {
            id: "p01",
            what: "encrypted load / floor",
            value: table.ratio(1, 0),
            gate: Bound::AtMost(1.25),
            aim: Some(Bound::AtMost(1.10)),
            note: nanos(1),
        },
        Target {
            id: "p01b",
            what: "tower-sessions plaintext typed load / encrypted load",
            value: table.ratio(4, 1),
            gate: Bound::AtLeast(1.0),
            aim: Some(Bound::AtLeast(1.6)),
            note: format!("peer {:.0} ns", table.nanos(4)),
        },
        Target {
            id: "p02",
            what: "encrypted borrowed view / floor",
            value: table.ratio(3, 2),
            gate: Bound::AtMost(1.4),
            aim: Some(Bound::AtMost(1.15)),
            note: nanos(3),
        },
        Target {
            id: "p02b",
            what: "tower-sessions plaintext typed load / encrypted view",
            value: table.ratio(4, 3),
            gate: Bound::AtLeast(1.0),
            aim: Some(Bound::AtLeast(4.0)),
            note: format!("peer {:.0} ns", table.nanos(4)),
        },
    ]
}

fn saves(effort: Effort, ids: &[String], floor: &Floor, sessions: &Collection<Record>, peer: &Peer) -> Vec<Target> {
    let records: Vec<Record> = (0..1024).map(Record::of).collect();
    let (mut a, mut b, mut c) = (zipf(), zipf(), zipf());
    let mut scratch = Vec::new();
    let table = compare(
        effort,
        vec![
            Case::cpu("floor save", |times| {
                for _ in 0..times {
                    let index = a.draw();
                    floor.save(&ids[index], &records[index & 1023], &mut scratch);
                }
            }),
            Case::cpu("strata set", |times| {
                for _ in 0..times {
                    let index = b.draw();
                    black_box(ready(sessions.set(&ids[index], &records[index & 1023]).into_future()).expect("set"));
                }
            }),
            Case::cpu("tower-sessions save", |times| {
                for _ in 0..times {
                    let index = c.draw();
                    peer.save(index, &records[index & 1023]);
                }
            }),
        ],
    );
    let allocations = allocation_counter::measure(|| {
        ready(sessions.set(&ids[5], &records[5]).into_future()).expect("set");
    });
    vec![
        Target {
            id: "p03",
            what: "encrypted save / floor",
            value: table.ratio(1, 0),
            gate: Bound::AtMost(1.4),
            aim: Some(Bound::AtMost(1.15)),
            note: format!("{:.0} ns against {:.0}", table.nanos(1), table.nanos(0)),
        },
        Target {
            id: "p03a",
            what: "allocations of a save",
            value: crate::harness::precise(allocations.count_total),
            gate: Bound::AtMost(2.0),
            aim: None,
            note: format!("{} bytes", allocations.bytes_total),
        },
        Target {
            id: "p03b",
            what: "tower-sessions typed save / encrypted save",
            value: table.ratio(2, 1),
            gate: Bound::AtLeast(1.0),
            aim: Some(Bound::AtLeast(4.0)),
            note: format!("peer {:.0} ns", table.nanos(2)),
        },
    ]
}

/// Activity: a get whose slide is throttled, one whose slide is always due, and a plain one.
fn touches(effort: Effort, ids: &[String]) -> Vec<Target> {
    let plain = handle(Arc::new(ManualClock::default()), Touch::default());
    let clock = Arc::new(ManualClock::default());
    let sliding = handle(Arc::clone(&clock) as _, Touch::default());
    let due_clock = Arc::new(ManualClock::default());
    let due = handle(Arc::clone(&due_clock) as _, Touch::Every(Duration::from_millis(1)));
    let ids = &ids[..20_000];
    for (number, id) in (0..).zip(ids) {
        let record = Record::of(number);
        let idle = Duration::from_secs(1800);
        ready(plain.set(id, &record).into_future()).expect("set");
        ready(sliding.set(id, &record).idle(idle).into_future()).expect("set");
        ready(due.set(id, &record).idle(idle).into_future()).expect("set");
    }
    let (mut a, mut b, mut c) = (0, 0, 0);
    let next = |index: &mut usize| {
        *index = (*index + 7919) % ids.len();
        &ids[*index]
    };
    let table = compare(
        effort,
        vec![
            Case::cpu("get", |times| {
                for _ in 0..times {
                    black_box(ready(plain.get::<Record>(next(&mut a))).expect("get"));
                }
            }),
            Case::cpu("get, idle time, throttled", |times| {
                for _ in 0..times {
                    // 20,000 sessions each seen once in ten seconds: a slide every 18th time.
                    clock.advance(Duration::from_micros(0));
                    if b == 0 {
                        clock.advance(Duration::from_secs(10));
                    }
                    black_box(ready(sliding.get::<Record>(next(&mut b))).expect("get"));
                }
            }),
            Case::cpu("get, slide due each time", |times| {
                for _ in 0..times {
                    due_clock.advance(Duration::from_millis(1));
                    black_box(ready(due.get::<Record>(next(&mut c))).expect("get"));
                }
            }),
        ],
    );
    vec![
        Target {
            id: "p05",
            what: "get with an idle time, amortised / get",
            value: table.ratio(1, 0),
            gate: Bound::AtMost(1.05),
            aim: None,
            note: format!("{:.0} ns against {:.0}", table.nanos(1), table.nanos(0)),
        },
        Target {
            id: "p05b",
            what: "a slide that is due / a load",
            value: table.ratio(2, 0) - 1.0,
            gate: Bound::AtMost(0.7),
            aim: None,
            note: format!("{:.0} ns more than a get", table.nanos(2) - table.nanos(0)),
        },
    ]
}

fn zipf() -> Zipf {
    // The resident count fits a usize on every machine this runs on.
    Zipf::new(usize::try_from(RESIDENT).unwrap_or(usize::MAX))
}
