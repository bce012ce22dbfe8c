//! The steady clock under chosen jumps of its sources; `walks.rs` has random ones.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use strata_core::conformance::block_on;
use strata_core::{Clock, Handle, Timestamp};
use strata_ttl::{ClockReport, Policy, SteadyClock, SteadyClockBuilder, Watermark};

use crate::{HOUR, MINUTE, SECOND, reference};

pub(crate) const START: u64 = 1_767_225_600_000;
const YEARS: Duration = Duration::from_hours(10 * 365 * 24);

/// Two sources that go where they are told.
#[derive(Clone)]
pub(crate) struct Sources {
    pub(crate) wall: Arc<AtomicU64>,
    pub(crate) elapsed: Arc<AtomicU64>,
}

impl Sources {
    pub(crate) fn new() -> Self {
        Self { wall: Arc::new(AtomicU64::new(START)), elapsed: Arc::new(AtomicU64::new(77_000)) }
    }

    pub(crate) fn builder(&self) -> SteadyClockBuilder {
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

    pub(crate) fn wall(&self) -> Timestamp {
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
fn s12_an_elapsed_time_that_goes_back_under_a_wall_set_back_does_not_freeze_the_clock() {
    // By less than a check interval, and by more than the clock has seen.
    for back in [300, 50_000_000_000] {
        let sources = Sources::new();
        let clock = sources.builder().open();
        sources.run(HOUR);
        sources.step_back(2 * HOUR);
        let before = clock.now();
        let elapsed = sources.elapsed.load(Ordering::SeqCst);
        sources.elapsed.store(elapsed.saturating_sub(back), Ordering::SeqCst);
        assert_eq!(clock.now(), before, "back by {back} ms");
        for minute in 1..=10 {
            sources.run(MINUTE);
            assert_eq!(clock.now(), before.saturating_add(MINUTE * minute), "back by {back} ms");
        }
    }
}

#[test]
fn s12_threads_that_overtake_each_other_do_not_speed_the_clock_up() {
    let sources = Sources::new();
    let clock = Arc::new(sources.builder().open());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let (sources, clock) = (sources.clone(), Arc::clone(&clock));
            scope.spawn(move || {
                for _ in 0..5000 {
                    // The elapsed time last, and the wall not at all: only the elapsed time moves the clock.
                    sources.elapsed.fetch_add(7, Ordering::SeqCst);
                    clock.now();
                }
            });
        }
    });
    assert_eq!(clock.now(), after(Duration::from_secs(4 * 5 * 7)));
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
