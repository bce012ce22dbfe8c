//! Every order in which the store calls of two and three operations can meet.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use strata_core::conformance::{Stepped, Task, block_on, every_schedule, sampled_schedules};
use strata_core::{ErrorKind, ReferenceStore, Store};
use strata_session::analytics::{Consent, Properties, Recorded, Visit, VisitStart};

use super::{MINUTE, Scene, event};
use crate::world_over;

/// A scene whose store calls are stepped, and what became of its operations.
struct Meeting {
    store: Arc<Stepped>,
    scene: Arc<Scene>,
    visit: Visit,
    /// Events that were acknowledged.
    kept: Arc<AtomicU32>,
    /// Ends that say they did it.
    ended: Arc<AtomicU32>,
    /// Visits that were begun or joined.
    visits: Arc<Mutex<Vec<Visit>>>,
}

impl Meeting {
    fn new() -> Self {
        let store = Stepped::over(Arc::new(ReferenceStore::new()));
        let scene = Scene::over(world_over(Arc::clone(&store) as Arc<dyn Store>));
        let visit = scene.visit("v", "/a");
        Self {
            store,
            scene: Arc::new(scene),
            visit,
            kept: Arc::default(),
            ended: Arc::default(),
            visits: Arc::default(),
        }
    }

    fn task(&self, what: &'static str) -> Task {
        let (scene, visit) = (Arc::clone(&self.scene), self.visit.clone());
        let (kept, ended, visits) =
            (Arc::clone(&self.kept), Arc::clone(&self.ended), Arc::clone(&self.visits));
        Box::pin(async move {
            match what {
                "event" => match visit.event("x", Properties::new()).await {
                    Ok(Recorded::Kept(_)) => drop(kept.fetch_add(1, Ordering::SeqCst)),
                    Ok(Recorded::Dropped) => panic!("dropped"),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Gone, "{error:?}"),
                },
                "end" => {
                    let done = visit.end().await.expect("end");
                    ended.fetch_add(u32::from(done), Ordering::SeqCst);
                }
                "close" => {
                    let closed = scene.recorder.close_due().await.expect("close");
                    ended.fetch_add(u32::try_from(closed).expect("few"), Ordering::SeqCst);
                }
                "visit" => {
                    let visit = scene.recorder.visit("v", Consent::Given, VisitStart::new("/b")).await;
                    visits.lock().expect("lock").push(visit.expect("visit").expect("recorded"));
                }
                "forget" => drop(scene.recorder.forget("v").await.expect("forget")),
                "deliver" => drop(scene.delivery.deliver().await.expect("deliver")),
                _ => unreachable!("no operation `{what}`"),
            }
        })
    }

    fn world(
        self,
        tasks: &[&'static str],
        check: impl FnOnce(&Self) + 'static,
    ) -> strata_core::conformance::World {
        let tasks = tasks.iter().map(|what| self.task(what)).collect();
        strata_core::conformance::World {
            store: Arc::clone(&self.store),
            tasks,
            check: Box::new(move || check(&self)),
        }
    }

    fn kept(&self) -> u32 {
        self.kept.load(Ordering::SeqCst)
    }

    fn ended(&self) -> u32 {
        self.ended.load(Ordering::SeqCst)
    }

    /// Ends what is open and delivers all; what the server counted: visits, views, events.
    fn counted(&self) -> (u64, u64, u64) {
        self.scene.wait(31 * MINUTE);
        self.scene.close_due();
        block_on(self.scene.delivery.deliver_now()).expect("deliver");
        assert_eq!(self.scene.queue().waiting, 0);
        assert!(self.scene.names("analytics:event").is_empty(), "no event is left over");
        let insight = self.scene.insight();
        (insight.visits, insight.views, insight.events)
    }
}

#[test]
fn events_of_two_tabs_are_all_kept() {
    let count = every_schedule(|| {
        Meeting::new().world(&["event", "event"], |end| {
            assert_eq!(end.kept(), 2);
            assert_eq!(end.counted(), (1, 1, 2));
        })
    });
    assert!(count >= 20, "{count} schedules");
    let count = every_schedule(|| {
        Meeting::new().world(&["event", "event", "event"], |end| {
            assert_eq!((end.kept(), end.counted()), (3, (1, 1, 3)));
        })
    });
    assert!(count >= 8000, "{count} schedules");
}

#[test]
fn two_tabs_begin_one_visit() {
    let begin = |over: bool| {
        every_schedule(move || {
            let meeting = Meeting::new();
            if over {
                meeting.scene.wait(31 * MINUTE);
            }
            meeting.world(&["visit", "visit"], move |end| {
                let visits = end.visits.lock().expect("lock");
                assert_eq!(visits[0].id(), visits[1].id());
                assert_eq!(visits[0].id() == end.visit.id(), !over);
                let expected = if over { (2, 3, 0) } else { (1, 3, 0) };
                assert_eq!(end.counted(), expected);
            })
        })
    };
    assert!(begin(false) >= 20);
    let count = begin(true);
    assert!(count >= 3900, "{count} schedules");
}

/// An event that is acknowledged is in the report; one that is refused is not.
#[test]
fn s13_an_event_beside_the_end_is_in_the_report_or_refused() {
    let count = every_schedule(|| {
        Meeting::new().world(&["event", "end"], |end| {
            assert_eq!(end.ended(), 1);
            assert_eq!(end.counted(), (1, 1, end.kept().into()));
        })
    });
    assert!(count >= 35, "{count} schedules");
    let count = sampled_schedules(3, 2000, || {
        Meeting::new().world(&["event", "end", "event"], |end| {
            assert_eq!((end.ended(), end.counted()), (1, (1, 1, end.kept().into())));
        })
    });
    assert!(count >= 1500, "{count} schedules");
}

#[test]
fn s13_an_event_beside_the_close_of_an_idle_visit_is_refused() {
    let count = every_schedule(|| {
        let meeting = Meeting::new();
        meeting.scene.wait(31 * MINUTE);
        meeting.world(&["event", "close"], |end| {
            assert_eq!((end.kept(), end.ended()), (0, 1));
            assert_eq!(end.counted(), (1, 1, 0));
        })
    });
    assert!(count >= 21, "{count} schedules");
    // One that is not idle is not closed, and goes on.
    let count = every_schedule(|| {
        Meeting::new().world(&["event", "close"], |end| {
            assert_eq!((end.kept(), end.ended()), (1, 0));
        })
    });
    assert!(count >= 10, "{count} schedules");
}

#[test]
fn a_visit_ends_once() {
    let count = every_schedule(|| {
        Meeting::new().world(&["end", "end"], |end| {
            assert_eq!(end.ended(), 1);
            assert_eq!(end.scene.queue().waiting, 1);
            assert_eq!(end.counted(), (1, 1, 0));
        })
    });
    assert!(count >= 70, "{count} schedules");
    let count = sampled_schedules(5, 2000, || {
        let meeting = Meeting::new();
        meeting.scene.wait(31 * MINUTE);
        meeting.world(&["close", "end", "visit"], |end| {
            assert!(end.ended() <= 1, "the returning visitor may have ended it");
            assert_eq!(end.counted(), (2, 2, 0));
        })
    });
    assert!(count >= 1800, "{count} schedules");
}

#[test]
fn two_deliveries_count_everything_once_and_leave_nothing() {
    let deliveries = || {
        let meeting = Meeting::new();
        let _ = event(&meeting.visit, "x");
        assert!(block_on(meeting.visit.end()).expect("end"));
        meeting.world(&["deliver", "deliver"], |end| {
            assert_eq!(end.counted(), (1, 1, 1));
            let came = end.scene.server.came().len();
            assert_eq!(came, 1, "the one that comes second sees that somebody is at it");
        })
    };
    let count = every_schedule(deliveries);
    assert!(count >= 1200, "{count} schedules");
}

#[test]
fn s13_what_is_recorded_while_the_visitor_is_forgotten_stays_forgotten() {
    for tasks in [["event", "forget"], ["end", "forget"]] {
        let count = every_schedule(|| {
            Meeting::new().world(Vec::leak(tasks.to_vec()), |end| {
                let left = end.scene.names("analytics:");
                assert!(left.iter().all(|name| name == "analytics:queue"), "{left:?}");
            })
        });
        assert!(count >= 90, "{tasks:?}: {count} schedules");
    }
    let count = sampled_schedules(7, 3000, || {
        let meeting = Meeting::new();
        assert!(block_on(meeting.visit.end()).expect("end"));
        meeting.world(&["deliver", "forget"], |end| {
            let left = end.scene.names("analytics:");
            assert!(left.iter().all(|name| name == "analytics:queue"), "{left:?}");
        })
    });
    assert!(count >= 1100, "{count} schedules");
}
