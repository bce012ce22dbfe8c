//! Listing one user's sessions by tag, among few and among many: p10.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::{Arc, RwLock};

use ahash::RandomState;
use dashmap::DashMap;
use strata_core::{Handle, ManualClock, Touch};

use crate::harness::{Case, Effort, Table, compare, ready};
use crate::record::id;
use crate::section::{Row, Section};
use crate::subject::memory;
use crate::target::Target;

const FEW: u64 = 10_000;
const MANY: u64 = 1_000_000;
/// Sessions of one user, so results of one listing.
const EACH: u64 = 10;
/// Users that are listed while they are warm in the processor's cache.
const WARM: u64 = 100;

/// A store with so many sessions, ten for each user; and what one would write by hand.
#[derive(Debug)]
pub struct Users {
    count: u64,
    handle: Handle,
    floor: ByHand,
}

impl Users {
    /// `sessions` sessions.
    pub fn new(sessions: u64) -> Self {
        let handle = memory(Arc::new(ManualClock::default()), Touch::default());
        let mut floor = ByHand::default();
        for number in 0..sessions {
            // A user's sessions were not made one after another.
            let (name, user) = (id(number), number % (sessions / EACH));
            ready(handle.set(&name, &number).tag(&tag(user)).into_future()).expect("set");
            floor.insert(user, &name, number);
        }
        Self { count: sessions / EACH, handle, floor }
    }

    /// Lists users in turn, the next one far from the last; `among` is how many of them are visited.
    fn list(&self, name: &'static str, among: u64) -> Case<'_> {
        let mut users = Turn { user: 0, among };
        Case::cpu(name, move |times| {
            for _ in 0..times {
                let found =
                    ready(self.handle.select().tag(&tag(users.next())).keys().collect()).expect("list");
                assert_eq!(found.len() as u64, EACH);
                black_box(found);
            }
        })
    }

    fn list_by_hand(&self, name: &'static str, among: u64) -> Case<'_> {
        let mut users = Turn { user: 0, among };
        Case::cpu(name, move |times| {
            for _ in 0..times {
                let found = self.floor.list(users.next());
                assert_eq!(found.len() as u64, EACH);
                black_box(found);
            }
        })
    }
}

/// Users in turn.
struct Turn {
    user: u64,
    among: u64,
}

impl Turn {
    fn next(&mut self) -> u64 {
        self.user = (self.user + 7919) % self.among;
        self.user
    }
}

/// An ordered index of users and ids, and a map.
#[derive(Debug, Default)]
struct ByHand {
    index: RwLock<BTreeSet<(u64, Box<str>)>>,
    map: DashMap<Box<str>, Box<u64>, RandomState>,
}

impl ByHand {
    fn insert(&mut self, user: u64, id: &str, value: u64) {
        self.index.get_mut().expect("not poisoned").insert((user, id.into()));
        self.map.insert(id.into(), Box::new(value));
    }

    fn list(&self, user: u64) -> Vec<String> {
        let index = self.index.read().expect("not poisoned");
        let range = index.range((user, "".into())..(user + 1, "".into()));
        let living = range.filter(|(_, id)| self.map.get(id).is_some_and(|value| **value < u64::MAX));
        living.map(|(_, id)| id.to_string()).collect()
    }
}

fn tag(user: u64) -> String {
    format!("user:{user:08x}")
}

/// All listings: few and many resident, warm and cold, by Strata and by hand.
pub fn cases<'a>(few: &'a Users, many: &'a Users) -> Vec<Case<'a>> {
    vec![
        few.list("strata list, 10,000 resident, warm", WARM),
        many.list("strata list, 1,000,000 resident, warm", WARM),
        few.list("strata list, 10,000 resident, any user", few.count),
        many.list("strata list, 1,000,000 resident, any user", many.count),
        few.list_by_hand("floor list, 10,000 resident, any user", few.count),
        many.list_by_hand("floor list, 1,000,000 resident, any user", many.count),
    ]
}

/// The stores to be listed.
pub fn stores() -> [Users; 2] {
    [Users::new(FEW), Users::new(MANY)]
}

/// Measures the table.
pub fn run(effort: Effort) -> Section {
    let [few, many] = stores();
    let table = compare(effort, cases(&few, &many));
    Section {
        name: "listing",
        title: "One user's sessions",
        how: format!(
            "`select().tag(…).keys()` with {EACH} results, among {FEW} and among {MANY} resident sessions. Warm: the same \
             {WARM} users in turn, so that the processor's cache holds both and the work of the index shows. Any user: every user in \
             turn, so that the larger store also pays for its cache misses, as the map and ordered set written by hand do."
        ),
        unit: "ns per result",
        rows: per_result(&table),
        targets: targets(&table),
    }
}

fn per_result(table: &Table) -> Vec<Row> {
    let each = crate::harness::precise(EACH);
    table.rows().into_iter().map(|row| Row { value: row.value / each, ..row }).collect()
}

fn targets(table: &Table) -> Vec<Target> {
    let each = |case| table.nanos(case) / crate::harness::precise(EACH);
    let versus = |many, few| format!("{:.0} ns a result against {:.0}", each(many), each(few));
    vec![
        Target::cost("p10", "cost of a result, 1,000,000 / 10,000 resident", table.ratio(3, 2), 1.5, None)
            .noting(format!("any user: {}", versus(3, 2))),
        Target::cost("p10b", "p10 / the same growth of the floor", growth(table), 1.5, None).noting(format!(
            "the floor grows {:.2} ×: {}",
            table.ratio(5, 4),
            versus(5, 4)
        )),
        Target::cost("p10c", "p10 where the users listed are in the cache", table.ratio(1, 0), 1.5, None)
            .noting(format!("warm: {}", versus(1, 0))),
    ]
}

/// How much more Strata's cost grows than the floor's.
fn growth(table: &Table) -> f64 {
    table.ratio(3, 2) / table.ratio(5, 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_the_plain_ratio_and_the_warm_one_stands_beside_it() {
        let [few, many] = [Users::new(100), Users::new(2000)];
        let effort = Effort { rounds: 1, slice: std::time::Duration::from_micros(100), quick: true };
        let warm = |users: u64| users.min(10);
        let cases = vec![
            few.list("strata few warm", warm(few.count)),
            many.list("strata many warm", warm(many.count)),
            few.list("strata few", few.count),
            many.list("strata many", many.count),
            few.list_by_hand("floor few", few.count),
            many.list_by_hand("floor many", many.count),
        ];
        let table = compare(effort, cases);
        let named =
            |id: &str| targets(&table).into_iter().find(|target| target.id == id).expect("there").value;
        let same = |left: f64, right: f64| (left - right).abs() < 1e-9;
        assert!(same(named("p10"), table.ratio(3, 2)) && same(named("p10c"), table.ratio(1, 0)));
        assert!(same(named("p10b"), table.ratio(3, 2) / table.ratio(5, 4)));
    }
}
