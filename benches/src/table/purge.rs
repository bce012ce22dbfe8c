//! Removing what is due: p11. Strata's `purge`, a scan and an index written by hand, and moka.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ahash::RandomState;
use async_trait::async_trait;
use dashmap::DashMap;
use moka::Expiry as MokaExpiry;
use moka::sync::Cache;
use strata_adapter_memory::MemoryStore;
use strata_core::{
    Batch, Capabilities, Clock, Committed, Handle, Key, ManualClock, Page, Record, Result, Scan, Store,
};

use crate::harness::{Effort, Shot, Table, cpu_time, elapsed, precise, quantile, ready, shoot, since};
use crate::record::id;
use crate::section::Section;
use crate::subject::sealed;
use crate::target::Target;

/// Sessions that live on.
const LIVING: u64 = 900_000;
/// Sessions that die.
const DUE: u64 = 100_000;
/// How many one step of a purge looks at, as the sweeper does.
const STEP: usize = 128;
/// Bytes of a value, sealed.
const VALUE: usize = 128;

/// The same million sessions four times over.
#[derive(Debug)]
pub struct Million {
    strata: Strata,
    scan: ByScan,
    index: ByIndex,
    moka: Moka,
}

impl Default for Million {
    fn default() -> Self {
        let million = Self {
            strata: Strata::new(),
            scan: ByScan::default(),
            index: ByIndex::default(),
            moka: Moka::new(),
        };
        for number in 0..LIVING {
            let name = id(number);
            million.strata.put(&name, LONG);
            million.scan.put(&name, u64::MAX);
            million.index.put(&name, u64::MAX);
            million.moka.put(name, LONG);
        }
        million
    }
}

const LONG: Duration = Duration::from_hours(24);
/// Longer than it takes to put in all that are to die.
const SHORT: Duration = Duration::from_millis(1500);

impl Million {
    /// Removals by hand, by scan and by index; then Strata's.
    pub fn shots(&self) -> Vec<Shot<'_>> {
        let Self { strata, scan, index, .. } = self;
        vec![
            Shot::cpu("floor scan, retain", || dying(|name| scan.put(&name, 1)), || scan.purge(1)),
            Shot::cpu("floor ordered index", || dying(|name| index.put(&name, 1)), || index.purge(1)),
            Shot::cpu("strata purge", || strata.prepare(), || strata.purge()),
        ]
    }

    fn moka_shot(&self) -> Vec<Shot<'_>> {
        let prepare = || {
            dying(|name| self.moka.put(name, SHORT));
            // Its clock can't be moved.
            std::thread::sleep(SHORT);
        };
        vec![Shot::cpu("moka expire_after", prepare, || self.moka.purge())]
    }
}

fn dying(put: impl FnMut(String)) {
    (LIVING..LIVING + DUE).map(id).for_each(put);
}

/// Strata over a store whose calls are timed.
#[derive(Debug)]
struct Strata {
    handle: Handle,
    clock: Arc<ManualClock>,
    store: Arc<Timed>,
}

impl Strata {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let store = Arc::new(Timed::default());
        let handle = sealed(Arc::clone(&store) as _, Arc::clone(&clock) as _).build().expect("handle");
        Self { handle, clock, store }
    }

    fn put(&self, name: &str, ttl: Duration) {
        ready(self.handle.set(name, &[7_u64; 6]).ttl(ttl).into_future()).expect("set");
    }

    fn prepare(&self) {
        dying(|name| self.put(&name, Duration::from_secs(10)));
        self.clock.advance(Duration::from_secs(20));
    }

    fn purge(&self) {
        let (mut removed, mut after) = (0, None);
        loop {
            let step = ready(self.handle.purge(after.take(), STEP)).expect("purge");
            removed += step.removed;
            after = step.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(removed, DUE);
    }
}

/// A store in memory that remembers how long the longest call took: no lock is held longer than the call that took it.
#[derive(Debug, Default)]
struct Timed {
    inner: MemoryStore,
    longest_nanos: AtomicU64,
}

impl Timed {
    /// Starts a new count and gives the old one.
    fn take_longest(&self) -> Duration {
        Duration::from_nanos(self.longest_nanos.swap(0, Ordering::Relaxed))
    }

    fn note(&self, start: Duration) {
        let taken = cpu_time().saturating_sub(start).as_nanos();
        self.longest_nanos.fetch_max(u64::try_from(taken).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl Store for Timed {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        self.inner.get(key).await
    }

    async fn commit(&self, batch: Batch) -> Result<Committed> {
        let start = cpu_time();
        let committed = self.inner.commit(batch).await;
        self.note(start);
        committed
    }

    async fn scan(&self, scan: Scan) -> Result<Page> {
        let start = cpu_time();
        let page = self.inner.scan(scan).await;
        self.note(start);
        page
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}

impl fmt::Display for Timed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

type Map = DashMap<Box<str>, (u64, Box<[u8]>), RandomState>;

fn value() -> Box<[u8]> {
    vec![7; VALUE].into()
}

/// A map whose values hold their deadlines.
#[derive(Debug, Default)]
struct ByScan(Map);

impl ByScan {
    fn put(&self, name: &str, deadline: u64) {
        self.0.insert(name.into(), (deadline, value()));
    }

    fn purge(&self, now: u64) {
        let mut removed = 0;
        self.0.retain(|_, (deadline, _)| {
            removed += u64::from(*deadline <= now);
            *deadline > now
        });
        assert_eq!(removed, DUE);
    }
}

/// The same with an ordered index beside it.
#[derive(Debug, Default)]
struct ByIndex {
    map: Map,
    index: Mutex<BTreeSet<(u64, Box<str>)>>,
}

impl ByIndex {
    fn put(&self, name: &str, deadline: u64) {
        self.map.insert(name.into(), (deadline, value()));
        self.index.lock().expect("not poisoned").insert((deadline, name.into()));
    }

    fn purge(&self, now: u64) {
        let mut removed = 0;
        loop {
            let mut index = self.index.lock().expect("not poisoned");
            let Some((_, name)) = index.first().filter(|(deadline, _)| *deadline <= now) else { break };
            let name = name.clone();
            index.pop_first();
            drop(index);
            removed += u64::from(self.map.remove_if(&name, |_, (deadline, _)| *deadline <= now).is_some());
        }
        assert_eq!(removed, DUE);
    }
}

/// moka with a time to live per entry.
#[derive(Debug)]
struct Moka(Cache<String, Timely, RandomState>);

/// A value and how long it lives.
type Timely = (Duration, Arc<[u8]>);

struct ByValue;

impl MokaExpiry<String, Timely> for ByValue {
    fn expire_after_create(&self, _: &String, value: &Timely, _: std::time::Instant) -> Option<Duration> {
        Some(value.0)
    }

    fn expire_after_update(
        &self,
        _: &String,
        value: &Timely,
        _: std::time::Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(value.0)
    }
}

impl Moka {
    fn new() -> Self {
        Self(Cache::builder().expire_after(ByValue).build_with_hasher(RandomState::new()))
    }

    fn put(&self, name: String, ttl: Duration) {
        self.0.insert(name, (ttl, value().into()));
    }

    fn purge(&self) {
        loop {
            self.0.run_pending_tasks();
            if self.0.entry_count() <= LIVING {
                break;
            }
        }
        assert_eq!(self.0.entry_count(), LIVING);
    }
}

/// Measures the table.
pub fn run(effort: Effort) -> Section {
    let million = Million::default();
    let table = shoot(effort.pick(9, 5), DUE, million.shots());
    let moka = shoot(3, DUE, million.moka_shot());
    let mut rows = table.rows();
    rows.extend(moka.rows());
    let locks = locks(&million.strata);
    Section {
        name: "purge",
        title: "Removing what is due",
        how: format!(
            "{DUE} due of {} sessions, values of {VALUE} bytes; Strata in steps of {STEP} through the handle, each removal guarded and \
             announced. The scan by hand holds each shard's lock for milliseconds.",
            LIVING + DUE
        ),
        unit: "ns per removed session",
        rows,
        targets: targets(&table, &moka, &locks),
    }
}

fn targets(table: &Table, moka: &Table, locks: &Locks) -> Vec<Target> {
    let floors = format!("scan {:.0} ns, index {:.0}", table.nanos(0), table.nanos(1));
    let millis = precise(locks.longest_nanos) / 1e6;
    vec![
        Target::cost("p11", "purge / better of scan and index", table.ratio_to_least(2, &[0, 1]), 1.3, None)
            .noting(format!("{:.0} ns a session; {floors}", table.nanos(2))),
        Target::cost(
            "p11b",
            "longest a purge keeps any lock, ms (its longest store call)",
            millis,
            1.0,
            None,
        )
        .noting(format!(
            "a reader meanwhile: p99.9 {:.0} µs, longest {:.0} µs",
            locks.reader.0, locks.reader.1
        )),
        Target::gain("p11c", "moka / purge", moka.nanos(0) / table.nanos(2), 3.0, None)
            .noting(format!("moka {:.0} ns", moka.nanos(0))),
    ]
}

/// How long others may have to wait for a purge.
struct Locks {
    /// The most CPU time of one call of the store.
    longest_nanos: u64,
    /// Microseconds that concurrent reads took: 99.9 of 100, and all. Those include what the system takes away.
    reader: (f64, f64),
}

fn locks(strata: &Strata) -> Locks {
    strata.prepare();
    strata.store.take_longest();
    let over = AtomicBool::new(false);
    let mut taken = std::thread::scope(|scope| {
        let reader = scope.spawn(|| read_until(strata, &over));
        strata.purge();
        over.store(true, Ordering::Relaxed);
        reader.join().expect("the reader ends")
    });
    let longest = u64::try_from(strata.store.take_longest().as_nanos()).unwrap_or(u64::MAX);
    Locks { longest_nanos: longest, reader: (quantile(&mut taken, 0.999), quantile(&mut taken, 1.0)) }
}

fn read_until(strata: &Strata, over: &AtomicBool) -> Vec<f64> {
    let mut taken = Vec::new();
    for number in (0..LIVING).step_by(7919).cycle() {
        if over.load(Ordering::Relaxed) && !taken.is_empty() {
            break;
        }
        let name = id(number);
        let start = elapsed();
        let found = ready(strata.handle.get::<[u64; 6]>(&name)).expect("get");
        taken.push(since(start).as_secs_f64() * 1e6);
        assert!(found.is_some(), "purging at {} took a living one", strata.clock.now().as_millis());
    }
    taken
}
