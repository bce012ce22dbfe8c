//! Every store call of every operation fails once, in each way, and from each call on for good: as when the program is killed there.

use std::sync::Arc;

use strata_core::conformance::{Fault, block_on};
use strata_core::{ErrorKind, ReferenceStore, Result, Store};
use strata_session::analytics::{Consent, Insights, Period, Properties, Recorded, Visit, VisitStart};

use super::{DAY, HOUR, MINUTE, Scene, end, event};
use crate::world_over;

/// What is failed.
type Act = fn(&Scene, &Visit) -> Result<()>;

/// Each operation, with the visits, views and events that it leads to in the end if it is done, repeated where it failed.
const ACTS: [(&str, Act, (u64, u64, u64)); 6] = [
    ("end", |_, visit| block_on(visit.end()).map(drop), (1, 1, 3)),
    ("active", |_, visit| block_on(visit.active()), (1, 1, 3)),
    ("close", |scene, _| block_on(scene.recorder.close_due()).map(drop), (1, 1, 3)),
    ("deliver", |scene, _| block_on(scene.delivery.deliver_now()).map(drop), (1, 1, 3)),
    ("forget", |scene, _| block_on(scene.recorder.forget("v")).map(drop), (0, 0, 0)),
    ("queue", |scene, _| block_on(scene.recorder.queue()).map(drop), (1, 1, 3)),
];

/// A visit with three events, prepared for an operation.
fn prepared(what: &str, store: &Arc<dyn Store>) -> (Scene, Visit) {
    let mut scene = Scene::over(world_over(Arc::clone(store)));
    // In parts, so that a delivery takes several sendings.
    scene.delivery = scene.delivery.clone().events(2);
    let visit = scene.visit("v", "/a");
    for _ in 0..3 {
        let _ = event(&visit, "x");
    }
    match what {
        "close" => scene.wait(31 * MINUTE),
        "active" => scene.wait(MINUTE),
        "deliver" | "queue" => assert!(end(&visit)),
        _ => {}
    }
    (scene, visit)
}

/// What was counted when all that is open has been ended and all that waits delivered.
fn counted(scene: &Scene) -> (u64, u64, u64) {
    scene.wait(HOUR);
    scene.close_due();
    while scene.queue().waiting > 0 {
        block_on(scene.delivery.deliver_now()).expect("deliver");
    }
    assert!(scene.names("analytics:").iter().all(|name| name == "analytics:queue"), "nothing is left over");
    let insight = scene.insight();
    (insight.visits, insight.views, insight.events)
}

fn is_expected(error: &strata_core::Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Conflict)
}

#[test]
fn s35_each_call_fails_once_and_a_repetition_comes_to_the_same() {
    for (what, act, expected) in ACTS {
        for fault in Fault::ALL {
            let mut failed = 0;
            for nth in 1.. {
                let store: Arc<dyn Store> = Arc::new(ReferenceStore::new());
                let (scene, visit) = prepared(what, &store);
                scene.world.faulty.arm(nth, fault);
                let result = act(&scene, &visit);
                let fired = scene.world.faulty.disarm();
                if let Err(error) = &result {
                    assert!(fired == 1 && is_expected(error), "{what}: {error:?}");
                    act(&scene, &visit).unwrap_or_else(|error| panic!("{what} repeated: {error:?}"));
                }
                assert_eq!(counted(&scene), expected, "{what}: {fault:?} at call {nth}");
                if fired == 0 {
                    break;
                }
                failed += 1;
            }
            assert!(
                failed >= 2 - u64::from(what == "queue") + u64::from(what == "deliver") * 8,
                "{what}: {failed} calls"
            );
        }
    }
}

/// As when the program is killed before a call, or after one whose answer it does not see: another one goes on with what is in the store.
#[test]
fn s33_a_kill_between_any_two_calls_loses_and_doubles_nothing() {
    for (what, act, expected) in ACTS {
        for fault in [Fault::Unavailable, Fault::LostAnswer] {
            for nth in 1.. {
                let store: Arc<dyn Store> = Arc::new(ReferenceStore::new());
                let (scene, visit) = prepared(what, &store);
                scene.world.faulty.arm_from(nth, fault);
                let result = act(&scene, &visit);
                let (fired, stopped) = (scene.world.faulty.disarm(), scene.now());
                drop((visit, scene));
                let after = Scene::over(world_over(store));
                after.world.clock.set(stopped);
                let forgotten = what == "forget" && result.is_err();
                if forgotten {
                    block_on(after.recorder.forget("v")).expect("forget");
                }
                // The new one draws the same ids, so none may begin: it only ends and delivers.
                assert_eq!(counted(&after), expected, "{what}: {fault:?} from call {nth}");
                if fired == 0 {
                    break;
                }
            }
        }
    }
}

/// A view or event: kept once, or not at all; after a lost answer it is not known which.
#[test]
fn s35_an_event_is_kept_whole_or_not_at_all() {
    let acts: [fn(&Scene, &Visit) -> Result<()>; 3] = [
        |_, visit| {
            block_on(visit.event("x", Properties::new())).map(|kept| assert_eq!(kept, Recorded::Kept(4)))
        },
        |_, visit| block_on(visit.page_view("/b")).map(|kept| assert_eq!(kept, Recorded::Kept(4))),
        |scene, _| block_on(scene.recorder.visit("v", Consent::Given, VisitStart::new("/b"))).map(drop),
    ];
    for act in acts {
        for fault in Fault::ALL {
            for nth in 1..=4 {
                let store: Arc<dyn Store> = Arc::new(ReferenceStore::new());
                let (scene, visit) = prepared("event", &store);
                scene.world.faulty.arm(nth, fault);
                let result = act(&scene, &visit);
                scene.world.faulty.disarm();
                let events = scene.names("analytics:event").len();
                match result {
                    Ok(()) => assert_eq!(events, 5),
                    Err(error) => {
                        assert!(is_expected(&error), "{error:?}");
                        assert!(events == 4 || (events == 5 && fault == Fault::LostAnswer));
                    }
                }
                let (visits, views, others) = counted(&scene);
                assert_eq!((visits, views + others), (1, events as u64), "the head says what lies there");
            }
        }
    }
}

#[test]
fn s35_a_visit_that_fails_to_begin_is_whole_or_not_there() {
    for fault in Fault::ALL {
        for nth in 1..=3 {
            let scene = super::scene();
            scene.world.faulty.arm(nth, fault);
            let begun = block_on(scene.recorder.visit("v", Consent::Given, VisitStart::new("/a")));
            let fired = scene.world.faulty.disarm();
            let there = scene.names("analytics:").len();
            assert!(there == 0 || there == 2, "head and first event");
            match begun {
                Ok(visit) => assert!(visit.is_some() && there == 2),
                Err(error) => {
                    assert!(is_expected(&error) && fired == 1);
                    let again = block_on(scene.recorder.visit("v", Consent::Given, VisitStart::new("/a")));
                    assert!(again.expect("visit").is_some());
                }
            }
            assert_eq!(counted(&scene).0, 1);
        }
    }
}

#[test]
fn s35_ingest_and_insight_fail_whole() {
    let template = {
        let scene = super::scene();
        let visit = scene.visit("v", "/a");
        let _ = event(&visit, "x");
        end(&visit);
        scene.deliver();
        scene.server.came()[0][0].clone()
    };
    for fault in Fault::ALL {
        for nth in 1..=3 {
            let scene = super::scene();
            scene.world.faulty.arm(nth, fault);
            let result = block_on(scene.server.ingest.ingest(&template));
            scene.world.faulty.disarm();
            if let Err(error) = result {
                assert!(is_expected(&error));
                block_on(scene.server.ingest.ingest(&template)).expect("ingest");
            }
            let insight = scene.insight();
            assert_eq!((insight.visits, insight.views, insight.events), (1, 1, 1));
            let insights = Insights::in_namespace(&scene.world.db, "server").expect("insights");
            let period = Period::last(DAY, &*scene.world.clock).expect("a period");
            scene.world.faulty.arm(u64::from(nth == 2) * 7 + 1, fault);
            assert!(is_expected(&block_on(insights.over(period)).expect_err("not a smaller number")));
            scene.world.faulty.disarm();
        }
    }
}
