//! Handles over one store, told of each other's changes by a bus.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use strata_core::conformance::block_on;
use strata_core::{
    BoxFuture, Bus as _, Change, ChangeKind, Clock as _, Event, Handle, Lifetime, ManualClock, Origin,
    ReferenceStore, Spawn, Subscription,
};
use strata_sync::replica::Feed as _;
use strata_sync::{Group, InProcess, Link, SharedBus, Topic};

use crate::support::{Beats, Switched, System, Tapped, key};

/// Runs tasks when told to.
#[derive(Clone, Debug, Default)]
struct Tasks(Arc<std::sync::Mutex<Vec<Task>>>);

struct Task(Pin<Box<dyn Future<Output = ()> + Send>>);

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Task")
    }
}

impl Spawn for Tasks {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.0.lock().expect("lock").push(Task(task));
    }
}

impl Tasks {
    /// Polls all of them often enough for every message to have been answered.
    fn run(&self) {
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..20 {
            self.0.lock().expect("lock").retain_mut(|task| task.0.as_mut().poll(&mut context).is_pending());
        }
    }

    fn left(&self) -> usize {
        self.0.lock().expect("lock").len()
    }
}

/// A program over the shared store.
struct Program {
    bus: SharedBus,
    db: Handle,
    changes: Subscription,
    running: Option<strata_sync::BusRunning>,
}

/// What programs share.
#[derive(Default)]
struct Ground {
    store: Arc<ReferenceStore>,
    clock: Arc<ManualClock>,
    hub: InProcess,
    beats: Beats,
    tasks: Tasks,
}

impl Ground {
    fn program(&self) -> Program {
        self.over(self.hub.join())
    }

    fn over(&self, link: impl Link) -> Program {
        let group = Group::builder(
            link,
            &key(),
            Arc::new(System),
            Arc::clone(&self.clock) as _,
            Arc::new(self.beats.clone()),
        );
        let bus = SharedBus::new(group.build().expect("a group"));
        let db = Handle::builder(Arc::clone(&self.store) as _, Arc::clone(&self.clock) as _)
            .bus(Arc::new(bus.clone()))
            .build()
            .expect("a handle");
        let changes = db.subscribe("*").expect("a subscription");
        let running = Some(bus.start(&db, &self.tasks));
        Program { bus, db, changes, running }
    }

    /// Two programs that know each other, with nothing left to hear.
    fn two(&self) -> [Program; 2] {
        let mut two = [self.program(), self.program()];
        self.tasks.run();
        for program in &mut two {
            program.heard();
        }
        two
    }
}

impl Program {
    /// What subscribers were told since the last time.
    fn heard(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.changes.try_next()).collect()
    }

    fn changes(&mut self) -> Vec<(String, ChangeKind, Origin)> {
        self.heard()
            .into_iter()
            .map(|event| match event {
                Event::Change(Change { key, kind, origin, .. }) => (key.as_str().to_owned(), kind, origin),
                Event::Lagged(_) => panic!("nothing was lost"),
            })
            .collect()
    }

    fn was_told_to_read_anew(&mut self) -> bool {
        self.heard().iter().any(|event| matches!(event, Event::Lagged(_)))
    }
}

/// Every kind of change, one after the other.
async fn change_everything(db: &Handle) {
    let hour = Duration::from_hours(1);
    db.set("user:ada:cart", &1_u8).await.expect("set");
    db.set("user:ada:cart", &2_u8).await.expect("set");
    db.set("user:ada:name", &3_u8).await.expect("set");
    db.expire("user:ada:cart", Lifetime::ttl(hour)).await.expect("a ttl");
    db.persist("user:ada:cart").await.expect("no ttl");
    db.modify("user:ada:cart", |value: &mut u8| *value += 1).await.expect("modified");
    db.select().prefix("user:ada:").clear().await.expect("logged out");
    db.set("other", &4_u8).await.expect("set");
    db.remove("other").await.expect("removed");
}

#[test]
fn not_again_every_change_is_told_as_remote_there_and_local_here_and_echoes_nowhere() {
    let ground = Ground::default();
    let [mut ada, mut bob] = ground.two();
    block_on(change_everything(&ada.db));
    ground.tasks.run();
    let told = ada.changes();
    assert!(told.iter().all(|(_, _, origin)| *origin == Origin::Local));
    for kind in [ChangeKind::Created, ChangeKind::Updated, ChangeKind::Retimed, ChangeKind::Removed] {
        assert!(told.iter().any(|(_, other, _)| *other == kind), "{kind:?} is among {told:?}");
    }
    let logout =
        told.iter().filter(|(key, kind, _)| key.starts_with("user:ada:") && *kind == ChangeKind::Removed);
    assert_eq!(logout.count(), 2, "both of ada's");
    assert_eq!(told.iter().filter(|(_, kind, _)| *kind == ChangeKind::Retimed).count(), 2, "ttl and no ttl");
    let as_remote: Vec<_> = told.into_iter().map(|(key, kind, _)| (key, kind, Origin::Remote)).collect();
    assert_eq!(bob.changes(), as_remote);
    assert_eq!((ada.bus.report().heard, bob.bus.report().announced), (0, 0), "nothing echoes");
}

#[test]
fn not_again_the_last_change_of_a_burst_is_read_anew_if_its_message_is_lost() {
    let ground = Ground::default();
    let tap = Tapped::new(ground.hub.join());
    let (ada, mut bob) = (ground.over(tap.clone()), ground.program());
    ground.tasks.run();
    bob.heard();
    tap.only(|_| false);
    block_on(ada.db.set("logout", &1_u8)).expect("set");
    ground.tasks.run();
    tap.only(|_| true);
    assert_eq!(bob.heard(), []);
    ground.beats.tell();
    ground.tasks.run();
    assert!(bob.was_told_to_read_anew());
}

#[test]
fn who_joins_is_caught_up_and_who_is_killed_leaves_nothing_untold() {
    let ground = Ground::default();
    let mut ada = ground.program();
    ground.tasks.run();
    ada.heard();
    let mut bob = ground.program();
    ground.tasks.run();
    assert!(ada.was_told_to_read_anew() && bob.was_told_to_read_anew());
    // Bob is killed between a commit and its message.
    block_on(ground.program().db.set("unsaid", &1_u8)).expect("set");
    drop(bob.running.take());
    drop(bob);
    ground.tasks.run();
    assert!(ada.was_told_to_read_anew());
}

#[test]
fn a_link_that_is_down_fails_no_write_and_everybody_reads_anew_when_it_is_up() {
    let ground = Ground::default();
    let switch = Switched::new(ground.hub.join());
    let (mut ada, mut bob) = (ground.over(switch.clone()), ground.program());
    ground.tasks.run();
    let start = ground.clock.now();
    assert_eq!(ada.bus.report().in_step_since, Some(start));
    assert_eq!(ada.bus.report().staleness(start), Some(Duration::ZERO));
    switch.turn(true);
    ground.tasks.run();
    ada.heard();
    bob.heard();
    ground.clock.advance(Duration::from_mins(1));
    let report = ada.bus.report();
    assert_eq!((report.in_step_since, report.group.down_since), (None, Some(start)));
    assert_eq!(report.staleness(ground.clock.now()), Some(Duration::from_mins(1)));
    block_on(ada.db.set("one", &1_u8)).expect("a write that does not care");
    block_on(bob.db.set("two", &2_u8)).expect("a write that does not care");
    ground.tasks.run();
    assert_eq!(bob.changes().len(), 1, "bob hears only himself");
    switch.turn(false);
    ground.tasks.run();
    assert!(ada.was_told_to_read_anew() && bob.was_told_to_read_anew(), "at once: no beat has passed");
    ground.beats.tell();
    ground.tasks.run();
    ada.heard();
    bob.heard();
    let report = ada.bus.report();
    assert_eq!((report.in_step_since, report.group.down_since), (Some(ground.clock.now()), None));
    assert_eq!((report.group.peers, report.staleness(ground.clock.now())), (1, Some(Duration::ZERO)));
    block_on(ada.db.set("three", &3_u8)).expect("set");
    ground.tasks.run();
    assert_eq!(bob.changes(), [("three".to_owned(), ChangeKind::Created, Origin::Remote)]);
}

#[test]
fn a_burst_over_the_queue_is_told_as_loss_and_blocks_nobody() {
    let ground = Ground::default();
    let [ada, mut bob] = ground.two();
    let most = u64::try_from(SharedBus::CAPACITY).expect("small");
    let before = bob.bus.report().resynchronised;
    for _ in 0..most + 10 {
        block_on(ada.db.set("busy", &1_u8)).expect("set");
    }
    ground.tasks.run();
    assert!(bob.was_told_to_read_anew());
    let report = ada.bus.report();
    assert_eq!((report.announced, report.untold), (most, 10));
    assert_eq!((bob.bus.report().heard, bob.bus.report().resynchronised), (most, before + 1));
}

#[test]
fn a_commit_that_nobody_knows_the_end_of_makes_peers_read_anew() {
    let ground = Ground::default();
    let [ada, mut bob] = ground.two();
    ada.bus.lose();
    ground.tasks.run();
    assert!(bob.was_told_to_read_anew());
    assert_eq!(ada.bus.report().resynchronised, 2, "its own start, and bob's coming");
}

#[test]
fn a_hint_that_makes_no_sense_is_counted_and_read_as_loss() {
    let ground = Ground::default();
    let [ada, mut bob] = ground.two();
    let long = vec![0; 300_000];
    let hostile =
        [&b""[..], b"\x07", b"\x00\xff\xff\xff\xff\xff\xff\xff\xff", &long, b"\x00\x01\x00\x01\x01"];
    for (count, body) in (1..).zip(hostile) {
        ada.bus.group().broadcast(Topic::HINTS, body).expect("sent");
        ground.tasks.run();
        assert_eq!(bob.bus.report().strange, count);
        let heard = bob.heard();
        assert!(
            !heard.is_empty() && heard.iter().all(|event| matches!(event, Event::Lagged(_))),
            "{heard:?}"
        );
    }
    ada.bus.group().broadcast(Topic::new(999), b"not for a bus").expect("sent");
    ground.tasks.run();
    assert_eq!((bob.heard(), bob.bus.report().strange), (vec![], 6));
}

#[test]
fn a_guard_hands_out_what_waits_and_stops() {
    let ground = Ground::default();
    let [mut ada, mut bob] = ground.two();
    block_on(ada.db.set("last", &1_u8)).expect("set");
    drop(ada.running.take());
    assert_eq!((ground.tasks.left(), ada.bus.cut_off_since()), (2, None));
    ground.clock.advance(Duration::from_secs(1));
    ground.tasks.run();
    assert_eq!(ground.tasks.left(), 1, "its task has ended");
    assert_eq!(ada.bus.cut_off_since(), Some(ground.clock.now()), "replicas that it feeds are behind");
    assert_eq!(bob.changes(), [("last".to_owned(), ChangeKind::Created, Origin::Remote)]);
    let report = ada.bus.report();
    assert_eq!(
        (report.running, report.in_step_since, report.staleness(ground.clock.now())),
        (false, None, None)
    );
    assert!(ada.was_told_to_read_anew(), "subscribers know that nothing more comes");
    block_on(ada.db.set("alone", &1_u8)).expect("writes go on");
}

#[test]
fn staleness_grows_with_the_silence_of_a_peer() {
    let ground = Ground::default();
    let [ada, bob] = ground.two();
    ground.clock.advance(Duration::from_secs(4));
    assert_eq!(ada.bus.report().staleness(ground.clock.now()), Some(Duration::from_secs(4)));
    ground.beats.tell();
    ground.tasks.run();
    assert_eq!(ada.bus.report().staleness(ground.clock.now()), Some(Duration::ZERO));
    drop(bob);
}
