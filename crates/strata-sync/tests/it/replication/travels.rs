//! The whole of it: handles over stores of their own, a sealed group, a link, a runtime.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use strata_core::conformance::{Stepped, block_on};
use strata_core::{
    BoxFuture, Change, ChangeKind, Clock, ErrorKind, Event, Handle, ManualClock, Origin, ReferenceStore,
    Store, Subscription, Timer,
};
use strata_sync::replica::Feed as _;
use strata_sync::{InProcess, Recorder, Replication, ReplicationConfig, ReplicationRunning, Scope};

use crate::support::{Beats, Switched, System, Tokio, key, member, poll};

fn handle(store: Arc<dyn Store>, clock: Arc<ManualClock>) -> (Handle, Arc<Recorder>) {
    let recorder = Recorder::new(Arc::clone(&clock) as Arc<dyn Clock>, Scope::all());
    let db = Handle::builder(store, clock)
        .random(Arc::new(System))
        .journal(Arc::clone(&recorder) as _)
        .bus(Arc::clone(&recorder) as _)
        .build();
    (db.expect("a handle"), recorder)
}

/// A handle that is kept in step with the others of the hub.
async fn joined(hub: &InProcess) -> (Handle, ReplicationRunning) {
    let (db, recorder) = handle(Arc::new(ReferenceStore::new()), Arc::new(ManualClock::default()));
    let group = member(hub.join(), &key(), &Beats::default());
    let config = ReplicationConfig::default().interval(Duration::from_hours(1));
    let timer = Arc::new(Tokio);
    let replication =
        Replication::open(db.clone(), recorder, group, timer, config).await.expect("replication");
    (db, replication.start(&Tokio))
}

async fn change(events: &mut Subscription) -> Change {
    let wait = tokio::time::timeout(Duration::from_mins(1), events.next());
    match wait.await.expect("peers hear each other").expect("the handle lives") {
        Event::Change(change) => change,
        Event::Lagged(_) => panic!("nothing was lost"),
    }
}

async fn hears(events: &mut Subscription, kind: ChangeKind) {
    let change = change(events).await;
    assert_eq!((change.kind, change.origin), (kind, Origin::Remote));
}

#[tokio::test]
async fn records_travel_over_a_sealed_group_and_late_joiners_catch_up() {
    let hub = InProcess::new();
    let (ada, first) = joined(&hub).await;
    let (bob, second) = joined(&hub).await;
    let mut at_ada = ada.subscribe("*").expect("subscribe").from(Origin::Remote);
    let mut at_bob = bob.subscribe("*").expect("subscribe").from(Origin::Remote);
    ada.set("session", &1_u32).await.expect("set");
    hears(&mut at_bob, ChangeKind::Created).await;
    assert_eq!(bob.get::<u32>("session").await.expect("get"), Some(1));
    bob.modify("session", |value: &mut u32| *value += 1).await.expect("modify");
    hears(&mut at_ada, ChangeKind::Updated).await;
    assert_eq!(ada.get::<u32>("session").await.expect("get"), Some(2));

    let (eve, third) = joined(&hub).await;
    let mut at_eve = eve.subscribe("*").expect("subscribe").from(Origin::Remote);
    if !eve.contains("session").await.expect("contains") {
        hears(&mut at_eve, ChangeKind::Created).await;
    }
    assert_eq!(eve.get::<u32>("session").await.expect("get"), Some(2));

    assert!(bob.remove("session").await.expect("remove"));
    hears(&mut at_ada, ChangeKind::Removed).await;
    hears(&mut at_eve, ChangeKind::Removed).await;
    assert!(!ada.contains("session").await.expect("contains"));
    for running in [&first, &second, &third] {
        let report = running.replication().report();
        assert_eq!((report.tombstones, report.failures, report.dropped.len()), (1, 0, 0), "{report:?}");
    }
}

#[tokio::test]
async fn a_guard_dropped_stops_it_and_what_was_not_told_is_told_later() {
    let hub = InProcess::new();
    let (ada, first) = joined(&hub).await;
    let (bob, second) = joined(&hub).await;
    let mut at_bob = bob.subscribe("*").expect("subscribe").from(Origin::Remote);
    ada.set("one", &1_u32).await.expect("set");
    hears(&mut at_bob, ChangeKind::Created).await;
    let replication = first.replication().clone();
    drop(first);
    ada.set("two", &2_u32).await.expect("a write waits for no peer");
    assert_eq!(replication.report().pending, 1);
    let again = replication.start(&Tokio);
    let heard = change(&mut at_bob).await;
    assert_eq!(heard.key.as_str(), "two");
    drop((again, second));
}

/// A timer that notes for how long it is asked to sleep.
#[derive(Clone, Debug, Default)]
struct Noted {
    beats: Beats,
    asked: Arc<Mutex<Vec<Duration>>>,
}

impl Timer for Noted {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.asked.lock().expect("lock").push(duration);
        self.beats.sleep(duration)
    }
}

#[test]
fn losses_without_end_do_not_put_off_their_repair() {
    let (db, recorder) = handle(Arc::new(ReferenceStore::new()), Arc::new(ManualClock::default()));
    let (link, timer) = (Switched::new(InProcess::new().join()), Noted::default());
    let group = member(link.clone(), &key(), &Beats::default());
    let (config, noted) = (ReplicationConfig::default(), Arc::new(timer.clone()));
    let replication = block_on(Replication::open(db, recorder, group, noted, config)).expect("replication");
    let mut run = pin!(replication.run());
    for round in 1..=2 {
        for _ in 0..3 {
            link.lose();
            assert_eq!(poll(run.as_mut()), None);
        }
        let asked = timer.asked.lock().expect("lock").clone();
        assert_eq!(asked.len(), 2 * round, "{asked:?}");
        assert!(asked[2 * round - 1] * 5 < asked[2 * round - 2], "the first loss hurries it: {asked:?}");
        timer.beats.tell();
    }
}

#[test]
fn a_flush_that_is_given_up_forgets_nothing() {
    for steps in 1.. {
        let store = Stepped::over(Arc::new(ReferenceStore::new()));
        let (db, recorder) = handle(Arc::clone(&store) as _, Arc::new(ManualClock::default()));
        let group = member(InProcess::new().join(), &key(), &Beats::default());
        let opened =
            Replication::open(db.clone(), recorder, group, Arc::new(Tokio), ReplicationConfig::default());
        let replication = block_on(opened).expect("replication");
        block_on(db.set("session", &1_u32).into_future()).expect("set");
        store.pause(true);
        let mut flush = Box::pin(replication.flush());
        let done = (0..steps).any(|_| poll(flush.as_mut()).is_some());
        drop(flush);
        store.pause(false);
        assert_eq!(replication.report().pending, usize::from(!done), "given up after {steps} steps");
        block_on(replication.flush());
        assert_eq!((replication.report().pending, replication.report().keys), (0, 1), "after {steps} steps");
        if done {
            assert!(steps > 2, "a change is read and settled");
            break;
        }
    }
}

#[test]
fn messages_that_the_group_cannot_carry_are_refused_at_the_start() {
    let (db, recorder) = handle(Arc::new(ReferenceStore::new()), Arc::new(ManualClock::default()));
    let group = member(InProcess::new().join(), &key(), &Beats::default());
    let config = ReplicationConfig::default().max_message(group.max_body() + 1);
    let refused = block_on(Replication::open(db, recorder, group, Arc::new(Tokio), config));
    assert_eq!(refused.expect_err("they would never arrive").kind(), ErrorKind::Invalid);
}

#[test]
fn a_replication_that_nobody_runs_shows_as_cut_off() {
    let clock = Arc::new(ManualClock::default());
    let (db, recorder) = handle(Arc::new(ReferenceStore::new()), Arc::clone(&clock));
    let group = member(InProcess::new().join(), &key(), &Beats::default());
    let opened =
        Replication::open(db, recorder, group, Arc::new(Beats::default()), ReplicationConfig::default());
    let replication = block_on(opened).expect("replication");
    assert_eq!(replication.cut_off_since(), Some(clock.now()), "not started yet");
    let mut run = Box::pin(replication.run());
    assert_eq!(poll(run.as_mut()), None);
    assert_eq!(replication.cut_off_since(), None);
    clock.advance(Duration::from_mins(1));
    drop(run);
    assert_eq!(replication.cut_off_since(), Some(clock.now()));
}
