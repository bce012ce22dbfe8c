//! The steady clock over random walks of its sources, with sweeps and restarts in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use strata_core::conformance::block_on;
use strata_core::{Clock, Handle, Store, Timestamp};
use strata_ttl::{Policy, SteadyClock, Watermark};

use crate::clock::{START, Sources};
use crate::reference;

/// What happens to the sources between two readings.
#[derive(Clone, Debug)]
enum Step {
    Run(u64),
    WallForward(u64),
    WallBack(u64),
    WallTo(u64),
    ElapsedBack(u64),
    Suspend(u64),
    /// What a sweep does for the next start.
    Raise,
    /// The program ends and starts; whether it raised the watermark before, as it does when it is closed.
    Restart(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let short = || 0_u64..120_000;
    let long = || 0_u64..400_000_000_000;
    prop_oneof![
        6 => short().prop_map(Step::Run),
        1 => long().prop_map(Step::Run),
        2 => prop_oneof![short(), long()].prop_map(Step::WallForward),
        3 => prop_oneof![short(), long()].prop_map(Step::WallBack),
        1 => prop_oneof![Just(0), Just(START), Just(Timestamp::MAX.as_millis()), Just(u64::MAX)].prop_map(Step::WallTo),
        1 => short().prop_map(Step::ElapsedBack),
        1 => long().prop_map(Step::Suspend),
        1 => Just(Step::Raise),
        2 => any::<bool>().prop_map(Step::Restart),
    ]
}

fn apply(sources: &Sources, step: &Step) {
    let (wall, elapsed) = (&sources.wall, &sources.elapsed);
    let change = |cell: &AtomicU64, to: fn(u64, u64) -> u64, by: u64| {
        cell.store(to(cell.load(Ordering::SeqCst), by), Ordering::SeqCst);
    };
    match *step {
        Step::Run(time) => {
            change(wall, u64::saturating_add, time);
            change(elapsed, u64::saturating_add, time);
        }
        // A source that does not count suspension: only the wall has moved.
        Step::WallForward(time) | Step::Suspend(time) => change(wall, u64::saturating_add, time),
        Step::WallBack(time) => change(wall, u64::saturating_sub, time),
        Step::WallTo(time) => wall.store(time, Ordering::SeqCst),
        Step::ElapsedBack(time) => change(elapsed, u64::saturating_sub, time),
        Step::Raise | Step::Restart(_) => {}
    }
}

/// A program that uses one session, and what it has seen.
struct Walk {
    watermark: Watermark,
    sources: Sources,
    clock: Arc<SteadyClock>,
    db: Handle,
    latest: Timestamp,
    /// The earliest instant of this life at which the session was seen dead.
    died: Option<Timestamp>,
}

impl Walk {
    async fn begin() -> Self {
        let (store, sources) = (reference(), Sources::new());
        let (db, clock) = Self::start(&store, &sources, None);
        db.set("s", &1_u32).lifetime(Policy::aal3().into()).await.expect("set");
        let latest = clock.now();
        Self { watermark: Watermark::of(store), sources, clock, db, latest, died: None }
    }

    fn start(
        store: &Arc<dyn Store>,
        sources: &Sources,
        watermark: Option<Timestamp>,
    ) -> (Handle, Arc<SteadyClock>) {
        let clock = Arc::new(sources.builder().watermark(watermark).open());
        let db = Handle::builder(Arc::clone(store), Arc::clone(&clock) as _).build().expect("a handle");
        (db, clock)
    }

    async fn step(&mut self, step: &Step) {
        apply(&self.sources, step);
        // What time may not fall behind.
        let mut floor = self.latest;
        match *step {
            Step::Run(time) => floor = floor.saturating_add(Duration::from_millis(time)),
            Step::Raise => drop(self.watermark.raise(self.clock.now()).await.expect("raise")),
            Step::Restart(raised) => {
                if raised {
                    self.watermark.raise(self.clock.now()).await.expect("raise");
                }
                let stands = self.watermark.read().await.expect("read");
                if !raised {
                    floor = stands.unwrap_or(Timestamp::EPOCH).max(self.sources.wall());
                }
                (self.db, self.clock) = Self::start(self.db.store(), &self.sources, stands);
            }
            _ => {}
        }
        let now = self.clock.now();
        assert!(now >= floor, "{now:?} is before {floor:?} after {step:?}");
        if matches!(step, Step::Run(time) if *time >= 1000) {
            assert!(now >= self.sources.wall(), "the clock is behind the wall");
        }
        self.latest = now;
        self.look(now).await;
    }

    /// Only a start from an earlier instant, the watermark not raised, may show a session that was seen dead later than that.
    async fn look(&mut self, now: Timestamp) {
        if self.db.get::<u32>("s").await.expect("get").is_none() {
            self.died = Some(self.died.map_or(now, |died| died.min(now)));
        } else if let Some(died) = self.died.take() {
            assert!(now < died, "dead at {died:?} and alive at {now:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Over any walk of both sources, restarts included: now goes on by at least what both sources ran, never goes back (over
    /// a restart that did not raise the watermark: not before the watermark), a session seen dead stays dead, and once the
    /// elapsed time has moved by the check interval the clock is at the wall or past it.
    #[test]
    fn s12_random_walks_never_revive_and_never_freeze(steps in prop::collection::vec(step(), 1..60)) {
        block_on(async {
            let mut walk = Walk::begin().await;
            for step in &steps {
                walk.step(step).await;
            }
        });
    }
}
