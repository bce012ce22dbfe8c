//! Reads from a replica: p04.

use std::fmt;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use ahash::RandomState;
use dashmap::DashMap;
use strata_core::{BoxFuture, Timer, Touch};
use strata_sync::Replica;
use strata_sync::replica::Follower;

use crate::harness::{Case, Effort, compare, ready};
use crate::peer::Tower;
use crate::record::{Record, Zipf, id};
use crate::section::Section;
use crate::subject::{WallClock, memory};
use crate::target::Target;

const RESIDENT: u64 = 100_000;

/// A timer that never wakes anybody: nothing has to be looked at anew while this measures.
#[derive(Debug)]
struct Never;

impl Timer for Never {
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// The same sessions in a replica, in a map by hand, and in the peer.
pub struct Copies {
    ids: Vec<String>,
    floor: DashMap<String, Arc<Record>, RandomState>,
    replica: Replica<Record>,
    /// Kept, for a replica that nobody follows says that it is old.
    _follower: Follower<Record>,
    peer: Tower,
}

impl Default for Copies {
    fn default() -> Self {
        let sessions =
            memory(Arc::new(WallClock), Touch::default()).collection::<Record>("s").expect("collection");
        let (floor, peer) = (DashMap::<_, _, RandomState>::default(), Tower::default());
        let ids: Vec<String> = (0..RESIDENT).map(id).collect();
        for (number, id) in (0..).zip(&ids) {
            let record = Record::of(number);
            let save =
                sessions.set(id, &record).idle(Duration::from_mins(30)).at_most(Duration::from_hours(24));
            ready(save.into_future()).expect("set");
            peer.save(number, &record);
            floor.insert(id.clone(), Arc::new(record));
        }
        let (replica, mut follower) = Replica::builder(&sessions).follow(Arc::new(Never)).expect("a replica");
        ready(follower.catch_up()).expect("loaded");
        Self { ids, floor, replica, _follower: follower, peer }
    }
}

impl Copies {
    /// By hand, by the replica, by the peer.
    pub fn cases(&self) -> Vec<Case<'_>> {
        let Self { ids, floor, replica, peer, .. } = self;
        let [mut by_hand, mut copied, mut by_peer] = [(); 3].map(|()| zipf());
        vec![
            Case::cpu("floor map get, Arc clone", move |times| {
                for _ in 0..times {
                    let found = floor.get(&ids[by_hand.draw()]).map(|record| Arc::clone(&record));
                    black_box(found.expect("there"));
                }
            }),
            Case::cpu("strata replica get", move |times| {
                for _ in 0..times {
                    black_box(replica.get(&ids[copied.draw()]).expect("there"));
                }
            }),
            Case::cpu("tower-sessions load", move |times| {
                for _ in 0..times {
                    black_box(peer.load(by_peer.draw() as u64));
                }
            }),
        ]
    }
}

impl fmt::Debug for Copies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Copies").field("resident", &self.ids.len()).finish_non_exhaustive()
    }
}

fn zipf() -> Zipf {
    // The resident count fits a usize on every machine this runs on.
    Zipf::new(usize::try_from(RESIDENT).unwrap_or(usize::MAX))
}

/// Measures the table.
pub fn run(effort: Effort) -> Section {
    let copies = Copies::default();
    let table = compare(effort, copies.cases());
    Section {
        name: "replica",
        title: "Reads from a replica",
        how: format!(
            "{RESIDENT} sessions of 454 bytes (bincode), zipf 0.99 access, one thread. The replica checks deadlines by the system's clock; \
             the floor checks nothing. The peer holds plaintext JSON values."
        ),
        unit: "ns",
        rows: table.rows(),
        targets: vec![
            Target::cost("p04", "replica read / map get and Arc clone", table.ratio(1, 0), 1.3, Some(1.1))
                .noting(table.versus(1, 0)),
            Target::gain(
                "p04b",
                "replica read against tower-sessions' load",
                table.ratio(2, 1),
                8.0,
                Some(10.0),
            )
            .noting(table.versus(2, 1)),
        ],
    }
}
