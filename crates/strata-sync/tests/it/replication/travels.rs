//! The whole of it: handles over stores of their own, a sealed group, a link, a runtime.

use std::sync::Arc;
use std::time::Duration;

use strata_core::{
    Change, ChangeKind, Clock, Event, Handle, ManualClock, Origin, ReferenceStore, Subscription,
};
use strata_sync::{InProcess, Recorder, Replication, ReplicationConfig, ReplicationRunning, Scope};

use crate::support::{Beats, System, Tokio, key, member};

/// A handle that is kept in step with the others of the hub.
async fn joined(hub: &InProcess) -> (Handle, ReplicationRunning) {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::default());
    let recorder = Recorder::new(Arc::clone(&clock), Scope::all());
    let db = Handle::builder(Arc::new(ReferenceStore::new()), clock)
        .random(Arc::new(System))
        .journal(Arc::clone(&recorder) as _)
        .bus(Arc::clone(&recorder) as _)
        .build()
        .expect("a handle");
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
