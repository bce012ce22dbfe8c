//! The sweeper: counts, failures, cancellation, two at once, and what subscribers hear.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use strata_core::conformance::{Fault, Faulty, block_on};
use strata_core::{
    BoxFuture, ChangeKind, Clock, ErrorKind, Event, Handle, ManualClock, Store, Subscription, Timer,
};
use strata_ttl::{Sweeper, Watermark};

use crate::single::Single;
use crate::{HOUR, MINUTE, SECOND, reference, world};
use strata_core::conformance::{Stepped, Task, World, every_schedule};

/// A timer that moves the clock by what it is asked to wait, remembers it, and gives way once.
#[derive(Debug)]
struct Leap {
    clock: Arc<ManualClock>,
    slept: Mutex<Vec<Duration>>,
}

impl Leap {
    fn over(clock: &Arc<ManualClock>) -> Arc<Self> {
        Arc::new(Self { clock: Arc::clone(clock), slept: Mutex::default() })
    }

    fn slept(&self) -> Vec<Duration> {
        self.slept.lock().expect("lock").clone()
    }
}

impl Timer for Leap {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.clock.advance(duration);
        self.slept.lock().expect("lock").push(duration);
        let mut gave_way = false;
        Box::pin(std::future::poll_fn(move |_| {
            if std::mem::replace(&mut gave_way, true) { Poll::Ready(()) } else { Poll::Pending }
        }))
    }
}

/// Polls `run` this often: over a store that is always ready, each poll is a step or a sweep.
fn poll_run(sweeper: &Sweeper, polls: usize) {
    let mut run = pin!(sweeper.run());
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..polls {
        assert!(run.as_mut().poll(&mut context).is_pending(), "sweeping never ends by itself");
    }
}

async fn fill(db: &Handle, count: usize) {
    for number in 0..count {
        db.set(&format!("k{number}"), &number).ttl(HOUR).await.expect("set");
    }
}

fn expired(events: &mut Subscription) -> Vec<String> {
    let (names, lost) = heard(events);
    assert_eq!(lost, 0, "events lost");
    names
}

/// The expiries announced, and how many commits ended so that nobody knows what they did.
fn heard(events: &mut Subscription) -> (Vec<String>, u64) {
    let (mut names, mut lost) = (Vec::new(), 0);
    while let Some(event) = events.try_next() {
        match event {
            Event::Change(change) if change.kind == ChangeKind::Expired => {
                names.push(change.key.as_str().to_owned());
            }
            Event::Change(_) => {}
            Event::Lagged(more) => lost += more,
        }
    }
    (names, lost)
}

/// What is physically left, dead or alive, the store's own records aside.
async fn remains(db: &Handle) -> u64 {
    db.select().expired().count().await.expect("count") + db.select().count().await.expect("count")
}

#[test]
fn it_removes_the_dead_counts_them_and_raises_the_watermark() {
    block_on(async {
        let (db, clock) = world(reference());
        fill(&db, 500).await;
        db.set("alive", &1_u32).ttl(3 * HOUR).await.expect("set");
        db.set("for ever", &1_u32).await.expect("set");
        let mut events = db.subscribe("*").expect("subscribe");
        let sweeper = Sweeper::new(db.clone(), Leap::over(&clock)).expect("sweeper").step(64);
        assert_eq!(sweeper.sweep_once().await.expect("sweep").seen, 0);
        clock.advance(2 * HOUR);
        let swept = sweeper.sweep_once().await.expect("sweep");
        assert_eq!((swept.seen, swept.removed, swept.steps), (500, 500, 8));
        let report = sweeper.report();
        assert_eq!((report.sweeps, report.removed, report.failures), (2, 500, 0));
        assert_eq!(report.last_sweep, Some(clock.now()));
        assert_eq!(expired(&mut events).len(), 500);
        assert_eq!(remains(&db).await, 2);
        assert_eq!(Watermark::under(&db).read().await.expect("read"), Some(clock.now()));
    });
}

#[test]
fn it_wants_a_whole_store() {
    let (db, clock) = world(reference());
    let part = db.namespace("session").expect("namespace");
    let error = Sweeper::new(part, Leap::over(&clock)).expect_err("a namespace");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("root handle"));
}

#[test]
fn it_runs_at_its_interval() {
    let (db, clock) = world(reference());
    block_on(fill(&db, 10));
    let timer = Leap::over(&clock);
    let sweeper = Sweeper::new(db, Arc::clone(&timer) as _).expect("sweeper").interval(20 * MINUTE);
    poll_run(&sweeper, 4);
    assert_eq!(timer.slept(), [20 * MINUTE; 4]);
    assert_eq!((sweeper.report().sweeps, sweeper.report().removed), (4, 10));
}

#[test]
fn it_outlives_an_outage_and_backs_off() {
    let (db, clock) = world(reference());
    block_on(fill(&db, 10));
    let faulty = Arc::new(Faulty::new(Arc::clone(db.store())));
    let db = Handle::builder(Arc::clone(&faulty) as _, Arc::clone(&clock) as _).build().expect("handle");
    clock.advance(2 * HOUR);
    let timer = Leap::over(&clock);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let tape = Arc::clone(&heard);
    let sweeper =
        Sweeper::new(db, Arc::clone(&timer) as _).expect("sweeper").interval(SECOND).on_sweep(move |swept| {
            let removed = swept.as_ref().map_or(0, |done| done.removed);
            tape.lock().expect("lock").push(removed);
        });
    faulty.arm_from(1, Fault::Unavailable);
    poll_run(&sweeper, 4);
    let report = sweeper.report();
    assert_eq!((report.sweeps, report.failures, report.failing), (0, 4, 4));
    assert_eq!(report.last_failure.expect("a failure").kind, ErrorKind::Unavailable);
    let millis = Duration::from_millis;
    assert_eq!(timer.slept(), [millis(250), millis(500), SECOND, SECOND], "doubling up to the interval");
    faulty.disarm();
    poll_run(&sweeper, 1);
    let report = sweeper.report();
    assert_eq!((report.sweeps, report.removed, report.failing), (1, 10, 0));
    assert_eq!(*heard.lock().expect("lock"), [0, 0, 0, 0, 10]);
}

/// The first sweep fails at its first call, the next one at its second, and so on.
#[test]
fn s35_it_survives_a_store_that_fails_at_every_call() {
    for fault in Fault::ALL {
        let (plain, clock) = world(reference());
        block_on(fill(&plain, 300));
        let faulty = Arc::new(Faulty::new(Arc::clone(plain.store())));
        let db = Handle::builder(Arc::clone(&faulty) as _, Arc::clone(&clock) as _).build().expect("handle");
        let mut events = db.subscribe("*").expect("subscribe");
        clock.advance(2 * HOUR);
        let (again, sweeps) = (Arc::clone(&faulty), AtomicU64::new(1));
        let sweeper = Sweeper::new(db, Leap::over(&clock)).expect("sweeper").step(32).on_sweep(move |_| {
            again.arm(sweeps.fetch_add(1, Ordering::SeqCst) + 1, fault);
        });
        faulty.arm(1, fault);
        poll_run(&sweeper, 100);
        faulty.disarm();
        let report = sweeper.report();
        assert_eq!(block_on(remains(&plain)), 0, "{fault:?}");
        assert!(report.failures > 0, "{fault:?}: {report:?}");
        let (names, lost) = heard(&mut events);
        assert_eq!(names.len() as u64, report.removed, "{fault:?}");
        assert_eq!(lost > 0, fault != Fault::Conflict, "{fault:?}: a conflict is known to have done nothing");
        match fault {
            // What nobody answered for is neither counted nor announced.
            Fault::LostAnswer => assert!((100..300).contains(&report.removed), "{report:?}"),
            _ => assert_eq!(report.removed, 300, "{fault:?}"),
        }
    }
}

/// Where each record takes a commit of its own, what was removed before a failure is counted, too.
#[test]
fn it_counts_what_it_removed_before_a_failure() {
    for nth in 1..=10 {
        let (plain, clock) = world(Arc::new(Single(reference())));
        block_on(fill(&plain, 8));
        let faulty = Arc::new(Faulty::new(Arc::clone(plain.store())));
        let db = Handle::builder(Arc::clone(&faulty) as _, Arc::clone(&clock) as _).build().expect("handle");
        let mut events = db.subscribe("*").expect("subscribe");
        clock.advance(2 * HOUR);
        let sweeper = Sweeper::new(db, Leap::over(&clock)).expect("sweeper").without_watermark();
        faulty.arm(nth, Fault::Unavailable);
        // One scan and eight removals.
        assert_eq!(block_on(sweeper.sweep_once()).is_ok(), nth == 10, "call {nth}");
        let removed = [0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
        let report = sweeper.report();
        assert_eq!(
            Some(&report.removed),
            removed.get(usize::try_from(nth - 1).expect("small")),
            "call {nth}"
        );
        assert_eq!(block_on(remains(&plain)), 8 - report.removed);
        let (names, lost) = heard(&mut events);
        assert_eq!((names.len() as u64, lost), (report.removed, u64::from((2..=9).contains(&nth))));
        faulty.disarm();
        block_on(sweeper.sweep_once()).expect("sweep");
        assert_eq!((sweeper.report().removed, sweeper.report().failing), (8, 0));
    }
}

#[test]
fn dropping_it_at_any_point_leaves_whole_steps() {
    let mut finished = false;
    for polls in 0..200 {
        let store = Stepped::over(reference());
        let (db, clock) = world(Arc::clone(&store) as Arc<dyn Store>);
        block_on(fill(&db, 40));
        clock.advance(2 * HOUR);
        let sweeper = Sweeper::new(db.clone(), Leap::over(&clock)).expect("sweeper").step(8);
        store.pause(true);
        poll_run(&sweeper, polls);
        store.pause(false);
        let report = sweeper.report();
        assert_eq!(block_on(remains(&db)) + report.removed, 40, "dropped after {polls} polls");
        finished |= report.sweeps > 0;
    }
    assert!(finished, "the last ones were dropped after a whole sweep");
}

/// Two sweepers and writers that replace or remove dead records: every dead life is announced exactly once, by whoever
/// removed its remains.
#[test]
fn each_expiry_is_announced_once_in_every_order() {
    let count = every_schedule(|| {
        let store = Stepped::over(reference());
        let (db, clock) = world(Arc::clone(&store) as Arc<dyn Store>);
        block_on(fill(&db, 2));
        clock.advance(2 * HOUR);
        let mut events = db.subscribe("*").expect("subscribe");
        let sweeper = || {
            let sweeper = Sweeper::new(db.clone(), Leap::over(&clock)).expect("sweeper");
            Arc::new(sweeper.without_watermark())
        };
        let (one, two) = (sweeper(), sweeper());
        let sweep = |sweeper: &Arc<Sweeper>| -> Task {
            let sweeper = Arc::clone(sweeper);
            Box::pin(async move { assert!(sweeper.sweep_once().await.expect("sweep").removed <= 2) })
        };
        let writer = db.clone();
        let overwrite: Task = Box::pin(async move {
            writer.set("k0", &7_usize).ttl(HOUR).await.expect("set");
        });
        let tasks = vec![sweep(&one), sweep(&two), overwrite];
        let check = Box::new(move || {
            let mut lives = BTreeMap::new();
            for name in expired(&mut events) {
                *lives.entry(name).or_insert(0) += 1;
            }
            assert_eq!(lives.into_iter().collect::<Vec<_>>(), [("k0".to_owned(), 1), ("k1".to_owned(), 1)]);
            let removed = one.report().removed + two.report().removed;
            assert!(removed == 1 || removed == 2, "{removed}: the writer may have replaced one");
            assert_eq!(
                block_on(db.peek::<usize>("k0")).expect("peek"),
                Some(7),
                "what was written over lives"
            );
        });
        World { store, tasks, check }
    });
    assert!(count > 500, "{count} schedules");
}
