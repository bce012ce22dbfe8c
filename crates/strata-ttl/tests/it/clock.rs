//! The steady clock under jumps of its sources: chosen ones, and random walks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use strata_core::conformance::block_on;
use strata_core::{Clock, Handle, Timestamp};
use strata_ttl::{ClockReport, Policy, SteadyClock, SteadyClockBuilder, Watermark};

use crate::{HOUR, MINUTE, SECOND, reference};

const START: u64 = 1_767_225_600_000;
const YEARS: Duration = Duration::from_hours(10 * 365 * 24);

/// Two sources that go where they are told.
#[derive(Clone)]
struct Sources {
    wall: Arc<AtomicU64>,
    elapsed: Arc<AtomicU64>,
}

impl Sources {
    fn new() -> Self {
        Self { wall: Arc::new(AtomicU64::new(START)), elapsed: Arc::new(AtomicU64::new(77_000)) }
    }

    fn builder(&self) -> SteadyClockBuilder {
        let Self { wall, elapsed } = self.clone();
        SteadyClock::builder(
            move || Timestamp::from_millis(wall.load(Ordering::SeqCst)),
            move || Duration::from_millis(elapsed.load(Ordering::SeqCst)),
        )
    }

    /// Both run as they should.
    fn run(&self, time: Duration) {
        self.step(time);
        self.elapsed.fetch_add(millis(time), Ordering::SeqCst);
    }

    fn step(&self, forward: Duration) {
        self.wall.fetch_add(millis(forward), Ordering::SeqCst);
    }

    fn step_back(&self, back: Duration) {
        let wall = self.wall.load(Ordering::SeqCst).saturating_sub(millis(back));
        self.wall.store(wall, Ordering::SeqCst);
    }

    fn wall(&self) -> Timestamp {
        Timestamp::from_millis(self.wall.load(Ordering::SeqCst))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).expect("a test's times are short")
}

fn after(time: Duration) -> Timestamp {
    Timestamp::from_millis(START).saturating_add(time)
}

#[test]
fn s12_a_step_back_is_ignored_and_time_goes_on() {
    let sources = Sources::new();
    let clock = sources.builder().open();
    sources.run(HOUR);
    assert_eq!(clock.now(), after(HOUR));
    sources.step_back(YEARS);
    for minute in 1..=3 {
        sources.run(MINUTE);
        assert_eq!(clock.now(), after(HOUR + MINUTE * minute), "neither back nor frozen");
    }
    let [ClockReport::WallBehind { now, .. }] = clock.reports()[..] else {
        panic!("said once: {:?}", clock.reports());
    };
    assert_eq!(now, after(HOUR + MINUTE));
    sources.step(YEARS);
    sources.run(SECOND);
    assert_eq!(clock.now(), after(HOUR + 3 * MINUTE + SECOND));
    sources.step_back(HOUR);
    sources.run(SECOND);
    clock.now();
    assert_eq!(clock.reports().len(), 2, "said again after the two had agreed");
}

#[test]
fn s12_a_large_step_forward_is_followed_and_reported() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sources = Sources::new();
    let tape = Arc::clone(&heard);
    let clock = sources.builder().on_report(move |report| tape.lock().expect("lock").push(report)).open();
    sources.run(MINUTE);
    sources.step(YEARS);
    assert_eq!(clock.now(), after(MINUTE + YEARS), "what was due by then is dead");
    let told = ClockReport::SteppedForward { from: after(MINUTE), to: after(MINUTE + YEARS) };
    assert_eq!(clock.reports(), [told]);
    assert_eq!(*heard.lock().expect("lock"), [told]);
    sources.step_back(YEARS);
    sources.run(MINUTE);
    assert_eq!(clock.now(), after(2 * MINUTE + YEARS), "the way back needs a restart and a reset watermark");
}

#[test]
fn s12_small_drift_is_followed_without_a_word() {
    let sources = Sources::new();
    let clock = sources.builder().open();
    for _ in 0..1000 {
        sources.run(SECOND);
        sources.step(Duration::from_millis(3));
        assert_eq!(clock.now(), sources.wall());
    }
    sources.step(SteadyClock::TOLERANCE);
    sources.run(SECOND);
    assert_eq!(clock.now(), sources.wall());
    assert_eq!(clock.reports(), []);
}

#[test]
fn s12_suspension_counts_with_and_without_the_help_of_the_source() {
    let sources = Sources::new();
    let clock = sources.builder().open();
    sources.run(8 * HOUR);
    assert_eq!(clock.now(), after(8 * HOUR), "a source that counts suspension");
    // One that does not: only the wall has moved when the machine wakes up.
    sources.step(8 * HOUR);
    sources.run(SteadyClock::CHECK);
    assert_eq!(clock.now(), after(16 * HOUR).saturating_add(SteadyClock::CHECK));
}

#[test]
fn s12_an_elapsed_time_that_goes_back_does_not_freeze_the_clock() {
    let sources = Sources::new();
    let clock = sources.builder().open();
    sources.run(HOUR);
    assert_eq!(clock.now(), after(HOUR));
    sources.elapsed.store(0, Ordering::SeqCst);
    sources.step(SECOND);
    assert_eq!(clock.now(), after(HOUR + SECOND));
    sources.run(10 * SECOND);
    assert!(clock.now() >= after(HOUR + 11 * SECOND));
}

#[test]
fn s12_the_wall_is_read_once_per_interval() {
    let reads = Arc::new(AtomicU64::new(0));
    let sources = Sources::new();
    let (count, wall, elapsed) =
        (Arc::clone(&reads), Arc::clone(&sources.wall), Arc::clone(&sources.elapsed));
    let clock = SteadyClock::builder(
        move || {
            count.fetch_add(1, Ordering::SeqCst);
            Timestamp::from_millis(wall.load(Ordering::SeqCst))
        },
        move || Duration::from_millis(elapsed.load(Ordering::SeqCst)),
    )
    .open();
    for _ in 0..10_000 {
        sources.run(Duration::from_millis(1));
        clock.now();
    }
    assert_eq!(reads.load(Ordering::SeqCst), 11, "at opening and ten times in ten seconds");
}

#[test]
fn s12_a_restart_under_a_wall_set_back_starts_from_the_watermark() {
    block_on(async {
        let store = reference();
        let watermark = Watermark::of(Arc::clone(&store));
        let sources = Sources::new();
        let open = async || {
            let clock = sources.builder().watermark(watermark.read().await.expect("read")).open();
            let clock = Arc::new(clock);
            let db = Handle::builder(Arc::clone(&store), Arc::clone(&clock) as _).build().expect("handle");
            (db, clock)
        };
        let (db, clock) = open().await;
        db.set("s", &1_u32).lifetime(Policy::aal3().into()).await.expect("set");
        sources.run(HOUR);
        assert_eq!(db.get::<u32>("s").await.expect("get"), None);
        watermark.raise(clock.now()).await.expect("raise");
        drop((db, clock));

        sources.step_back(HOUR);
        let (db, clock) = open().await;
        assert_eq!(db.get::<u32>("s").await.expect("get"), None, "still dead after the restart");
        let ahead = ClockReport::WatermarkAhead { wall: after(Duration::ZERO), watermark: after(HOUR) };
        assert_eq!(clock.reports(), [ahead]);
        sources.run(MINUTE);
        assert_eq!(clock.now(), after(HOUR + MINUTE), "and not frozen");
    });
}

#[test]
fn s12_an_operator_resets_a_bogus_future() {
    block_on(async {
        let watermark = Watermark::of(reference());
        let sources = Sources::new();
        watermark.raise(after(YEARS)).await.expect("raise");
        let open = async || sources.builder().watermark(watermark.read().await.expect("read")).open();
        let clock = open().await;
        assert_eq!(clock.now(), after(YEARS), "fails closed");
        assert!(matches!(clock.reports()[..], [ClockReport::WatermarkAhead { .. }]));
        assert!(clock.reports()[0].to_string().contains("reset the watermark"));
        watermark.reset(sources.wall()).await.expect("reset");
        let clock = open().await;
        assert_eq!((clock.now(), clock.reports()), (sources.wall(), Vec::new()));
    });
}

#[test]
fn s12_extremes_do_not_panic() {
    let walls = [0, 1, START, Timestamp::MAX.as_millis()];
    let times = [Duration::ZERO, SECOND, Duration::from_millis(u64::MAX), Duration::MAX];
    for first in walls {
        for second in walls {
            for elapsed in times {
                let wall = Arc::new(AtomicU64::new(first));
                let time = Arc::new(Mutex::new(Duration::ZERO));
                let (w, t) = (Arc::clone(&wall), Arc::clone(&time));
                let clock = SteadyClock::builder(
                    move || Timestamp::from_millis(w.load(Ordering::SeqCst)),
                    move || *t.lock().expect("lock"),
                )
                .tolerance(Duration::MAX)
                .open();
                let before = clock.now();
                wall.store(second, Ordering::SeqCst);
                *time.lock().expect("lock") = elapsed;
                let now = clock.now();
                assert!(before <= now && now <= Timestamp::MAX);
                assert!(elapsed < SECOND || now.as_millis() >= second);
            }
        }
    }
}

#[test]
fn s12_threads_agree_that_time_does_not_go_back() {
    let sources = Sources::new();
    let clock = Arc::new(sources.builder().open());
    let latest = Arc::new(AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..4_u32 {
            let (sources, clock, latest) = (sources.clone(), Arc::clone(&clock), Arc::clone(&latest));
            scope.spawn(move || {
                for round in 0..2000_u32 {
                    match (round + thread) % 3 {
                        0 => sources.run(Duration::from_millis(700)),
                        1 => sources.step_back(Duration::from_mins(20)),
                        _ => sources.step(Duration::from_mins(19)),
                    }
                    let told = latest.load(Ordering::SeqCst);
                    let now = clock.now().as_millis();
                    assert!(now >= told, "another thread was told a later time before");
                    latest.fetch_max(now, Ordering::SeqCst);
                }
            });
        }
    });
    assert!(latest.load(Ordering::SeqCst) > START);
}

/// What happens to the sources between two readings.
#[derive(Clone, Debug)]
enum Step {
    Run(u64),
    WallForward(u64),
    WallBack(u64),
    WallTo(u64),
    ElapsedBack(u64),
    Suspend(u64),
    Restart,
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
        2 => Just(Step::Restart),
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
        Step::Restart => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Over any walk of both sources, restarts included: now never goes back, a session seen dead stays dead, and once the
    /// elapsed time has moved by the check interval the clock is at the wall or past it.
    #[test]
    fn s12_random_walks_never_revive_and_never_freeze(steps in prop::collection::vec(step(), 1..60)) {
        block_on(async {
            let store = reference();
            let watermark = Watermark::of(Arc::clone(&store));
            let sources = Sources::new();
            let mut clock = Arc::new(sources.builder().open());
            let mut db = Handle::builder(Arc::clone(&store), Arc::clone(&clock) as _).build().expect("handle");
            db.set("s", &1_u32).lifetime(Policy::aal3().into()).await.expect("set");
            let (mut latest, mut dead) = (clock.now(), false);
            for step in &steps {
                apply(&sources, step);
                if matches!(step, Step::Restart) {
                    watermark.raise(clock.now()).await.expect("raise");
                    let stands = watermark.read().await.expect("read");
                    clock = Arc::new(sources.builder().watermark(stands).open());
                    db = Handle::builder(Arc::clone(&store), Arc::clone(&clock) as _).build().expect("handle");
                }
                let now = clock.now();
                assert!(now >= latest, "{now:?} after {latest:?}");
                if matches!(step, Step::Run(time) if *time >= 1000) {
                    assert!(now >= sources.wall(), "the clock is behind the wall");
                }
                latest = now;
                let alive = db.get::<u32>("s").await.expect("get").is_some();
                assert!(!(dead && alive), "a dead session revived");
                dead |= !alive;
            }
        });
    }
}
