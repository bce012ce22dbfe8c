//! Delivery: what each answer of a server leads to, what is counted, what is kept, in which order things go.

use std::sync::Arc;
use std::time::Duration;

use strata_core::ManualClock;
use strata_core::conformance::block_on;
use strata_session::analytics::{Bounds, Delivery, Properties, Recorder, SendFailure};

use super::{Answer, DAY, HOUR, Leap, MINUTE, Scene, Server, end, event, scene};
use crate::world;

/// So many visits, each with as many further events, that have ended.
fn visits(scene: &Scene, count: u32, events: u32) {
    for number in 0..count {
        let visit = scene.visit(&format!("visitor {number}"), &format!("/{number}"));
        for _ in 0..events {
            let _ = event(&visit, "click");
        }
        assert!(end(&visit));
    }
}

fn lengths(scene: &Scene) -> Vec<Vec<usize>> {
    let lengths = |batch: &Vec<_>| {
        batch.iter().map(|report: &strata_session::analytics::Report| report.events.len()).collect()
    };
    scene.server.came().iter().map(lengths).collect()
}

#[test]
fn long_visits_go_in_parts_and_many_in_batches() {
    let mut scene = scene();
    scene.delivery = scene.delivery.clone().batch(2).events(4);
    visits(&scene, 3, 9);
    let delivered = scene.deliver();
    assert_eq!((delivered.reports, delivered.dropped, delivered.failure), (3, 0, None));
    assert!(lengths(&scene).iter().all(|batch| batch.len() <= 2 && batch.iter().all(|events| *events <= 4)));
    let insight = scene.insight();
    assert_eq!((insight.visits, insight.views, insight.events), (3, 3, 27));
    assert_eq!(scene.queue().waiting, 0);
    assert!(scene.names("analytics:event").is_empty(), "what was taken is gone");
}

#[test]
fn an_outage_keeps_everything_and_pauses_longer_each_time() {
    let scene = scene();
    visits(&scene, 25, 0);
    let mut longest = Duration::ZERO;
    for failures in 1..=12_u32 {
        scene.server.then(Answer::Fails(SendFailure::Unavailable));
        let delivered = scene.deliver();
        assert_eq!((delivered.reports, delivered.sendings), (0, 1), "one try, and the rest waits");
        assert_eq!(delivered.failure, Some(SendFailure::Unavailable));
        let pause = delivered.wait.expect("a pause");
        assert!(pause <= Duration::from_secs(1 << (failures - 1)).min(15 * MINUTE), "{pause:?}");
        let early = scene.deliver();
        assert_eq!(
            (early.sendings, early.wait),
            (0, Some(pause)),
            "nothing is sent before, also after a restart"
        );
        longest = longest.max(pause);
        scene.wait(pause);
    }
    assert!(longest > MINUTE, "{longest:?}");
    assert_eq!(scene.queue().waiting, 25);
    let delivered = scene.deliver();
    assert_eq!((delivered.reports, delivered.sendings, delivered.wait), (25, 2, None));
    assert_eq!(scene.insight().visits, 25);
}

#[test]
fn retry_after_is_honoured() {
    let scene = scene();
    visits(&scene, 1, 0);
    scene.server.then(Answer::Fails(SendFailure::RetryAfter(HOUR)));
    assert_eq!(scene.deliver().wait, Some(HOUR));
    scene.wait(Duration::from_millis(3_599_999));
    assert_eq!(scene.deliver().sendings, 0);
    scene.wait(Duration::from_millis(1));
    scene.server.then(Answer::Fails(SendFailure::RetryAfter(Duration::MAX)));
    assert_eq!(scene.deliver().wait, Some(DAY), "cut to a day");
    assert_eq!(
        block_on(scene.delivery.deliver_now()).expect("deliver").reports,
        1,
        "unless it is told to go now"
    );
}

/// A pause that a wrong clock wrote down holds nobody up for years.
#[test]
fn s12_a_pause_from_another_decade_is_none() {
    let scene = scene();
    visits(&scene, 1, 0);
    let began = scene.now();
    scene.wait(6 * DAY);
    scene.server.then(Answer::Fails(SendFailure::RetryAfter(DAY)));
    assert_eq!(scene.deliver().wait, Some(DAY));
    scene.world.clock.set(began);
    assert_eq!(scene.deliver().reports, 1);
}

#[test]
fn what_is_too_large_is_split_down_to_one_event() {
    let scene = scene();
    visits(&scene, 5, 20);
    *scene.server.most.lock().expect("lock") = (3, 2);
    let delivered = scene.deliver();
    assert_eq!((delivered.reports, delivered.dropped, delivered.failure), (5, 0, None));
    let insight = scene.insight();
    assert_eq!((insight.visits, insight.views, insight.events), (5, 5, 100));
    assert_eq!(scene.queue().lost.too_large, 0);
}

#[test]
fn one_that_is_too_large_alone_is_dropped_and_counted() {
    let scene = scene();
    visits(&scene, 2, 3);
    // It takes summaries, and no event at all.
    *scene.server.most.lock().expect("lock") = (0, usize::MAX);
    let delivered = scene.deliver();
    assert_eq!(delivered.failure, None);
    assert_eq!(scene.queue().waiting, 0, "nothing blocks the queue");
    assert_eq!(scene.queue().lost.too_large, 8, "each event by itself");
    assert_eq!((delivered.dropped, scene.insight().visits), (8, 2));
    // It takes nothing.
    visits(&scene, 2, 3);
    *scene.server.most.lock().expect("lock") = (0, 0);
    assert_eq!(scene.deliver().dropped, 2);
    assert_eq!((scene.queue().waiting, scene.queue().lost.too_large), (0, 10));
    assert!(scene.names("analytics:event").is_empty());
}

#[test]
fn a_rejected_report_is_singled_out_overtaken_and_dropped_after_five_times() {
    let scene = scene();
    visits(&scene, 3, 1);
    scene.server.then(Answer::Fails(SendFailure::Rejected));
    scene.server.then(Answer::Fails(SendFailure::Rejected));
    let delivered = scene.deliver();
    assert_eq!(
        (delivered.reports, delivered.sendings, delivered.dropped),
        (2, 4, 0),
        "the batch, then one by one"
    );
    assert_eq!(scene.queue().waiting, 1);
    for rejections in 2..=5 {
        let pause = scene.deliver().wait.expect("it waits");
        scene.wait(pause);
        scene.server.then(Answer::Fails(SendFailure::Rejected));
        let delivered = scene.deliver();
        assert_eq!(delivered.dropped, u64::from(rejections == 5), "{rejections} rejections");
    }
    let queue = scene.queue();
    assert_eq!((queue.waiting, queue.lost.rejected), (0, 1));
    assert!(scene.names("analytics:event").is_empty(), "with its events");
}

#[test]
fn attempts_are_counted_before_the_sending() {
    let scene = scene();
    visits(&scene, 1, 0);
    scene.server.then(Answer::Hangs);
    // The program ends while the transport is at work.
    drop_amid(&scene.delivery);
    assert_eq!(scene.server.came().len(), 1);
    let other = Delivery::new(&scene.recorder, Arc::clone(&scene.server) as _, Arc::new(super::Never));
    let waits = block_on(other.deliver()).expect("deliver");
    assert_eq!((waits.sendings, waits.wait), (0, Some(Duration::from_secs(30))), "somebody may be at it");
    scene.wait(Duration::from_secs(30));
    scene.server.then(Answer::Fails(SendFailure::Unavailable));
    let pauses = Delivery::new(&scene.recorder, Arc::clone(&scene.server) as _, Arc::new(super::Never));
    let failed = block_on(pauses.deliver()).expect("deliver");
    assert_eq!(failed.sendings, 1);
    scene.wait(failed.wait.expect("a pause"));
    assert_eq!(block_on(other.deliver()).expect("deliver").reports, 1, "and it is delivered after all");
}

/// Polls a delivery until its transport is at work, and drops it.
fn drop_amid(delivery: &Delivery) {
    let mut amid = Box::pin(delivery.deliver());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(amid.as_mut().poll(&mut context).is_pending(), "the transport hangs");
}

#[test]
fn a_transport_that_hangs_is_given_up() {
    let world = world();
    let clock: Arc<ManualClock> = Arc::clone(&world.clock);
    let mut scene = Scene::over(world);
    scene.delivery = Delivery::new(&scene.recorder, Arc::clone(&scene.server) as _, Arc::new(Leap(clock)))
        .timeout(Duration::from_secs(5));
    visits(&scene, 1, 0);
    let began = scene.now();
    scene.server.then(Answer::Hangs);
    let delivered = scene.deliver();
    assert_eq!((delivered.failure, delivered.reports), (Some(SendFailure::Unavailable), 0));
    assert_eq!(scene.now().since(began), Duration::from_secs(5));
    scene.wait(delivered.wait.expect("a pause"));
    assert_eq!(scene.deliver().reports, 1);
}

#[test]
fn s38_a_full_queue_drops_the_oldest_and_counts() {
    let world = world();
    let recorder =
        Recorder::builder(&world.db).bounds(Bounds::default().reports(3)).build().expect("a recorder");
    let scene = Scene::with(world, recorder);
    visits(&scene, 7, 2);
    let queue = scene.queue();
    assert_eq!((queue.waiting, queue.lost.full), (3, 4));
    assert_eq!(scene.names("analytics:event").len(), 9, "only of those that wait");
    assert_eq!(scene.deliver().reports, 3);
    let entries: Vec<String> = scene.summaries().into_iter().map(|summary| summary.entry).collect();
    assert_eq!(entries, ["/4", "/5", "/6"], "the newest, in order");
    visits(&scene, 3, 0);
    assert_eq!(scene.queue().lost.full, 4, "there is room again");
}

/// An outage fills the queue; from then on each visit that ends drops the oldest report. That costs the same however long the queue is.
#[test]
fn an_end_beside_a_full_queue_does_not_walk_it() {
    let cost = |most: u32| {
        let world = world();
        let bounds = Bounds::default().reports(most.into());
        let recorder = Recorder::builder(&world.db).bounds(bounds).build().expect("a recorder");
        let scene = Scene::with(world, recorder);
        visits(&scene, most, 0);
        let visit = scene.visit("one more", "/a");
        let before = scene.world.faulty.calls();
        assert!(end(&visit));
        let calls = scene.world.faulty.calls() - before;
        assert_eq!((scene.queue().waiting, scene.queue().lost.full), (most.into(), 1));
        calls
    };
    assert_eq!(cost(300), cost(900));
}

#[test]
fn a_queue_whose_reports_died_has_room() {
    let world = world();
    let recorder =
        Recorder::builder(&world.db).bounds(Bounds::default().reports(3)).build().expect("a recorder");
    let scene = Scene::with(world, recorder);
    visits(&scene, 3, 1);
    scene.wait(9 * DAY);
    visits(&scene, 3, 1);
    let queue = scene.queue();
    assert_eq!((queue.waiting, queue.lost.full), (3, 0), "the dead do not count");
    // One that was rejected lies before those that overtook it: numbers with gaps, and all of them dead or delivered in the end.
    scene.server.then(Answer::Fails(SendFailure::Rejected));
    scene.server.then(Answer::Fails(SendFailure::Rejected));
    assert_eq!(scene.deliver().reports, 2);
    visits(&scene, 2, 1);
    assert_eq!((scene.queue().waiting, scene.queue().lost.full), (3, 0), "two left, two came");
    visits(&scene, 1, 1);
    assert_eq!((scene.queue().waiting, scene.queue().lost.full), (3, 1), "the rejected one was the oldest");
}

#[test]
fn reports_wait_for_seven_days() {
    let scene = scene();
    visits(&scene, 1, 1);
    scene.wait(Duration::from_millis(7 * 86_400_000 - 1));
    scene.server.then(Answer::Fails(SendFailure::Unavailable));
    assert_eq!(scene.deliver().sendings, 1, "still there");
    scene.wait(Duration::from_millis(1));
    let delivered = scene.deliver();
    assert_eq!((delivered.sendings, delivered.dropped), (0, 1));
    let queue = scene.queue();
    assert_eq!((queue.waiting, queue.lost.expired), (0, 1));
    assert!(scene.names("analytics:event").is_empty());
}

#[test]
fn order_is_that_of_the_ends_whatever_the_clock_does() {
    let scene = scene();
    let began = scene.now();
    for (number, jump) in [3, 0, 2, 1_u64].into_iter().enumerate() {
        scene.world.clock.set(began.saturating_add(HOUR * u32::try_from(jump).expect("few")));
        assert!(end(&scene.visit(&number.to_string(), &format!("/{number}"))));
    }
    scene.deliver();
    let entries: Vec<String> = scene.summaries().into_iter().map(|summary| summary.entry).collect();
    assert_eq!(entries, ["/0", "/1", "/2", "/3"]);
}

#[test]
fn a_server_of_its_own_needs_no_wire() {
    let scene = scene();
    let ingest = strata_session::analytics::Ingest::new(&scene.world.db).expect("an ingest");
    let visit = scene.visit("v", "/a");
    let _ = block_on(visit.event("x", Properties::new().number("n", 1.5))).expect("event");
    end(&visit);
    let own = Delivery::new(&scene.recorder, Arc::new(ingest), Arc::new(super::Never));
    assert_eq!(block_on(own.deliver()).expect("deliver").reports, 1);
    assert_eq!(scene.names("analytics:day:").len(), 1);
    let _: Arc<Server> = Arc::clone(&scene.server);
    assert!(scene.server.came().is_empty());
}

/// A record that cannot be read is told, and holds up nobody.
#[test]
fn damage_holds_up_nobody() {
    let scene = scene();
    visits(&scene, 3, 1);
    let damaged = scene.names("analytics:event").remove(0);
    block_on(async { scene.world.db.set(&damaged, &7_u8).await }).expect("set");
    let told = block_on(scene.delivery.deliver()).expect_err("told");
    assert_eq!(told.kind(), strata_core::ErrorKind::Mismatch);
    assert_eq!((scene.queue().waiting, scene.insight().visits), (1, 2), "the others went");
    end(&scene.visit("next", "/a"));
    assert!(block_on(scene.delivery.deliver()).is_err());
    assert_eq!((scene.queue().waiting, scene.insight().visits), (1, 3), "also in the next pass");
    let parcel = scene.names("analytics:outbox").remove(0);
    block_on(async { scene.world.db.set(&parcel, &7_u8).await }).expect("set");
    visits(&scene, 1, 0);
    assert!(block_on(scene.delivery.deliver()).is_err());
    assert_eq!(scene.insight().visits, 4);
    scene.visit("open", "/a");
    let head = scene.names("analytics:visit").remove(0);
    block_on(async { scene.world.db.set(&head, &7_u8).await }).expect("set");
    scene.visit("idle", "/a");
    scene.wait(HOUR);
    assert!(block_on(scene.recorder.close_due()).is_err());
    assert_eq!(scene.queue().waiting, 2, "the other open visit was ended");
}

/// Stores that commit few keys at once get smaller parts.
#[test]
fn parts_fit_into_a_commit_of_the_store() {
    let memory = |most| {
        let config = strata_adapter_memory::MemoryConfig::new().max_batch(most);
        crate::world_over(Arc::new(strata_adapter_memory::MemoryStore::with_config(config)))
    };
    let refused = Recorder::new(&memory(3).db).expect_err("a visit could not end");
    assert_eq!(refused.kind(), strata_core::ErrorKind::Unsupported);
    let scene = Scene::over(memory(4));
    visits(&scene, 6, 9);
    assert_eq!(scene.deliver().reports, 6);
    assert!(lengths(&scene).iter().all(|batch| batch.len() <= 4 && batch.iter().all(|events| *events <= 2)));
    assert_eq!(scene.insight().events, 54);
}

/// The work is in proportion to what waits: twice as many reports cost twice the store calls.
#[test]
fn delivery_is_linear_in_the_reports() {
    let cost = |count: u32| {
        let scene = scene();
        visits(&scene, count, 5);
        let before = scene.world.faulty.calls();
        assert_eq!(scene.deliver().reports, u64::from(count));
        scene.world.faulty.calls() - before
    };
    let (some, twice) = (cost(200), cost(400));
    assert!(twice <= 2 * some + 2, "{some} calls for 200, {twice} for 400");
}
