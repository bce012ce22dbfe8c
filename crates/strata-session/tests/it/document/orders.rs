//! Every order in which edits, syncs, answers and logouts of processes on one store can meet, the server's store included, and every place
//! at which one call of a store can fail.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use strata_core::conformance::{
    Fault, Stepped, Task, World, block_on, every_distinct_schedule, sampled_schedules,
};
use strata_core::{Error, ErrorKind, ReferenceStore, Store};
use strata_session::document::{Documents, Policies, Policy, ServerSynced, Synced};

use super::{Scene, Wire, builder, here, in_step, pending, set};
use crate::world_over;

/// Processes of one client on one store, in which the server has its records too.
struct Meeting {
    store: Arc<Stepped>,
    scene: Scene,
    said: Arc<Mutex<Vec<Said>>>,
}

/// An operation's name, and what it came to.
type Said = (&'static str, Result<Option<Synced>, Error>);

fn process(scene: &Scene) -> ServerSynced {
    let sums = Policies::default().at("n", Policy::Sum).expect("policies");
    builder(&scene.home.db, &scene.wire).policies(sums).build().expect("a client")
}

impl Meeting {
    /// In step at `n` = 10, with one edit that waits: `n` = 11.
    fn new() -> Self {
        let store = Stepped::over(Arc::new(ReferenceStore::new()));
        let home = world_over(Arc::clone(&store) as Arc<dyn Store>);
        let server = Documents::new(&home.db).expect("a server");
        let wire = Wire::to(&server);
        let client = builder(&home.db, &wire).build().expect("a client");
        block_on(client.begin(None)).expect("begin");
        let scene = Scene { home, server, wire, client, devices: std::sync::atomic::AtomicUsize::new(0) };
        set(&scene.client, "n", json!(10));
        in_step(&scene.client);
        set(&scene.client, "n", json!(11));
        *scene.wire.road.lock().expect("lock") = Some(Arc::clone(&store) as _);
        Self { store, scene, said: Arc::default() }
    }

    /// An operation, by a process of its own unless it is `… here`.
    fn task(&self, what: &'static str) -> Task {
        let client = if what.ends_with("here") { self.scene.client.clone() } else { process(&self.scene) };
        let (said, server) = (Arc::clone(&self.said), self.scene.server.clone());
        Box::pin(async move {
            let result = match what {
                "edit" | "edit here" => {
                    let add = client.edit(|document| {
                        let path = "n".parse()?;
                        let n: i64 = document.get(&path)?.unwrap_or(0);
                        document.set(&path, &(n + 100))
                    });
                    add.await.map(|()| None)
                }
                "sync" | "sync here" => client.sync().await.map(Some),
                "logout" | "logout here" => client.logout().await.map(|_| None),
                "tell" => client.tell_logouts().await.map(|_| None),
                "serve" => {
                    server.edit("ada", |document| document.set(&"s".parse()?, &1)).await.map(|()| None)
                }
                _ => unreachable!("no operation `{what}`"),
            };
            said.lock().expect("lock").push((what, result));
        })
    }

    fn world(self, operations: &[&'static str], check: impl FnOnce(&Self) + 'static) -> World {
        let tasks = operations.iter().map(|operation| self.task(operation)).collect();
        World { store: Arc::clone(&self.store), tasks, check: Box::new(move || check(&self)) }
    }

    /// What the operations of this name came to.
    fn of(&self, what: &str) -> Vec<Result<Option<Synced>, ErrorKind>> {
        let said = self.said.lock().expect("lock");
        let of = said.iter().filter(|(name, _)| name.trim_end_matches(" here") == what);
        of.map(|(_, result)| result.as_ref().copied().map_err(Error::kind)).collect()
    }

    /// Everything edited is at both ends, once, after one more sync of a process that starts now.
    fn all_there(&self, edits: i64) {
        let fresh = process(&self.scene);
        in_step(&fresh);
        in_step(&fresh);
        assert_eq!(here(&fresh)["n"], json!(11 + 100 * edits));
        assert_eq!(self.scene.at_server(), here(&fresh));
        assert!(pending(&fresh).is_empty());
    }

    /// The session is over here, and once the server was told, there too.
    fn over(&self) {
        assert!(self.of("logout").iter().all(Result::is_ok));
        let fresh = process(&self.scene);
        assert!(block_on(fresh.document()).expect("read").is_none(), "an answer brought the session back");
        assert_eq!(block_on(fresh.sync()).expect("sync"), Synced::NoSession);
        assert_eq!(block_on(fresh.tell_logouts()).expect("tell").left, 0);
        assert_eq!(self.scene.at_server(), json!({}), "a late request began the document anew");
        assert_eq!(self.scene.wire.logouts().len(), 1);
    }
}

fn meet(operations: &'static [&'static str], check: fn(&Meeting)) -> usize {
    every_distinct_schedule(|| Meeting::new().world(operations, check))
}

#[test]
fn edits_while_a_sync_is_under_way_are_kept_and_sent_with_the_next() {
    let count = meet(&["edit", "sync"], |end| {
        assert_eq!(end.of("sync"), [Ok(Some(Synced::InStep))]);
        assert_eq!(end.of("edit"), [Ok(None)]);
        end.all_there(1);
    });
    assert!(count >= 4, "{count} schedules");
    let drawn =
        sampled_schedules(20, 80, || Meeting::new().world(&["edit", "sync", "edit"], |end| end.all_there(2)));
    assert!(drawn >= 50, "{drawn} schedules");
}

#[test]
fn two_processes_that_sync_send_nothing_twice() {
    let count = meet(&["sync", "sync"], |end| {
        assert_eq!(end.of("sync"), [Ok(Some(Synced::InStep)), Ok(Some(Synced::InStep))]);
        end.all_there(0);
    });
    assert!(count >= 20, "{count} schedules");
    let drawn =
        sampled_schedules(21, 80, || Meeting::new().world(&["sync", "edit", "sync"], |end| end.all_there(1)));
    assert!(drawn >= 50, "{drawn} schedules");
}

#[test]
fn a_change_at_the_server_meanwhile_is_merged_and_not_overwritten() {
    let count = meet(&["sync", "serve"], |end| {
        end.all_there(0);
        assert_eq!(end.scene.at_server()["s"], json!(1));
    });
    assert!(count >= 6, "{count} schedules");
    let drawn = sampled_schedules(22, 80, || {
        Meeting::new().world(&["sync", "serve", "edit"], |end| {
            end.all_there(1);
            assert_eq!(end.scene.at_server()["s"], json!(1));
        })
    });
    assert!(drawn >= 25, "{drawn} schedules");
}

#[test]
fn no_answer_brings_back_a_session_that_was_logged_out() {
    let count = meet(&["sync", "logout"], |end| {
        assert!(matches!(end.of("sync")[..], [Ok(Some(Synced::InStep | Synced::NoSession))]));
        end.over();
    });
    assert!(count >= 5, "{count} schedules");
}

#[test]
fn no_edit_brings_back_a_session_that_was_logged_out() {
    let count = meet(&["edit", "logout"], |end| {
        assert!(matches!(end.of("edit")[..], [Ok(None) | Err(ErrorKind::Gone)]));
        end.over();
    });
    assert!(count >= 3, "{count} schedules");
}

/// Edit, sync and logout at once, in one process and in three, while the server is told.
#[test]
fn edit_sync_and_logout_at_once() {
    fn over(end: &Meeting) {
        assert!(matches!(end.of("edit")[..], [Ok(None) | Err(ErrorKind::Gone)]));
        assert!(matches!(end.of("sync")[..], [Ok(Some(Synced::InStep | Synced::NoSession | Synced::Ended))]));
        end.over();
    }
    let count = meet(&["edit", "sync", "logout"], over);
    assert!(count >= 30, "{count} schedules");
    let drawn =
        sampled_schedules(23, 80, || Meeting::new().world(&["edit here", "sync here", "logout here"], over));
    assert!(drawn >= 25, "{drawn} schedules");
}

#[test]
fn a_logout_told_while_a_sync_is_under_way_begins_no_document_anew() {
    let drawn = sampled_schedules(24, 80, || {
        let meeting = Meeting::new();
        block_on(async {
            // It was logged out just before; the sync of a sibling is on its way.
            meeting.scene.client.logout().await.expect("logout");
            meeting.scene.client.begin(None).await.expect("begin");
        });
        meeting.world(&["sync", "logout", "tell"], |end| {
            let fresh = process(&end.scene);
            assert!(block_on(fresh.document()).expect("read").is_none());
            block_on(fresh.tell_logouts()).expect("tell");
            assert_eq!(end.scene.at_server(), json!({}));
        })
    });
    assert!(drawn >= 25, "{drawn} schedules");
}

/// However many of one process ask, there is one request under way, in any order.
#[test]
fn one_process_has_one_request_under_way() {
    let drawn = sampled_schedules(25, 80, || {
        Meeting::new().world(&["sync here", "sync here"], |end| {
            assert_eq!(end.scene.wire.most.load(std::sync::atomic::Ordering::SeqCst), 1);
            end.all_there(0);
        })
    });
    assert!(drawn >= 15, "{drawn} schedules");
}

/// One call of a store fails, before or after it took effect, here or at the server. What was acknowledged is there; a sum is right.
#[test]
fn one_failure_anywhere_loses_and_doubles_nothing() {
    let mut struck = 0;
    for (fault, nth) in Fault::ALL.into_iter().flat_map(|fault| (1..=14).map(move |nth| (fault, nth))) {
        let meeting = Meeting::new();
        let faulty = &meeting.scene.home.faulty;
        faulty.arm(nth, fault);
        let edited = block_on(meeting.task_result("edit"));
        let synced = block_on(meeting.task_result("sync"));
        struck += usize::from(edited.is_err() || !matches!(synced, Ok(Some(Synced::InStep))));
        faulty.disarm();
        let fresh = process(&meeting.scene);
        in_step(&fresh);
        in_step(&fresh);
        let n = here(&fresh)["n"].as_i64().expect("a number");
        assert_eq!(meeting.scene.at_server(), here(&fresh));
        assert!(
            n == 111 || (n == 11 && edited.is_err()),
            "{fault:?} at {nth}: {n} after {edited:?}, {synced:?}"
        );
    }
    assert!(struck >= 10, "{struck} calls failed");
}

/// A logout that was acknowledged stands whatever fails; one that was not can be repeated.
#[test]
fn one_failure_anywhere_brings_nothing_back() {
    for (fault, nth) in Fault::ALL.into_iter().flat_map(|fault| (1..=10).map(move |nth| (fault, nth))) {
        let meeting = Meeting::new();
        meeting.scene.home.faulty.arm(nth, fault);
        let first = block_on(meeting.task_result("logout"));
        let _ = block_on(meeting.task_result("tell"));
        meeting.scene.home.faulty.disarm();
        let fresh = process(&meeting.scene);
        let is_over = block_on(fresh.document()).expect("read").is_none();
        assert!(first.is_err() || is_over, "{fault:?} at {nth}");
        block_on(fresh.logout()).expect("logout");
        meeting.scene.home.clock.advance(crate::MINUTE);
        assert_eq!(block_on(fresh.tell_logouts()).expect("tell").left, 0);
        assert_eq!(meeting.scene.at_server(), Value::Object(serde_json::Map::new()));
    }
}

impl Meeting {
    /// What an operation comes to by itself.
    async fn task_result(&self, what: &'static str) -> Result<Option<Synced>, ErrorKind> {
        self.task(what).await;
        self.of(what).pop().expect("it has said something")
    }
}

/// The answer to a request that a sibling has long settled, and gone on from, counts for nothing.
#[test]
fn a_late_answer_to_a_request_that_is_over_changes_nothing() {
    let scene = super::scene();
    let slow = Wire::to(&scene.server);
    let sums = || Policies::default().at("n", Policy::Sum).expect("policies");
    let of = |wire| builder(&scene.home.db, wire).policies(sums()).build().expect("a client");
    let (one, two) = (of(&scene.wire), of(&slow));
    set(&one, "n", json!(10));
    in_step(&one);
    set(&one, "n", json!(11));
    let road = super::stepped_road(&slow);
    let mut late = Box::pin(two.sync());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    for _ in 0..2 {
        assert!(late.as_mut().poll(&mut context).is_pending(), "its answer is on the way");
    }
    for n in [12, 13] {
        in_step(&one);
        set(&one, "n", json!(n));
        in_step(&one);
    }
    road.pause(false);
    assert_eq!(block_on(late).expect("sync"), Synced::InStep);
    in_step(&one);
    assert_eq!((here(&one), scene.at_server()), (json!({"n": 13}), json!({"n": 13})));
}
