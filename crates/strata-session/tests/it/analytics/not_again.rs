//! The faults of the pattern this replaces, one by one: each is shown not to be here.

use std::sync::Arc;

use strata_core::conformance::block_on;
use strata_core::{ErrorKind, Store};
use strata_session::analytics::{Ingested, Properties, SendFailure, VisitEnd};

use super::{Answer, HOUR, MINUTE, Scene, end, event, scene, view};
use crate::{kind_of, raw, world_over};

/// (a) One growing record, written anew for each click: events lost, bytes in proportion to the square.
#[test]
fn not_again_a_whole_visit_rewritten_per_click() {
    let scene = scene();
    let visit = scene.visit("v", "/a");
    let cost = || -> (usize, u64) {
        let before: Vec<_> =
            block_on(raw(&*scene.world.faulty)).iter().map(|record| record.version).collect();
        let calls = scene.world.faulty.calls();
        let properties = Properties::new().text("what", "button");
        let _ = block_on(visit.event("click", properties)).expect("event");
        let calls = scene.world.faulty.calls() - calls;
        let after = block_on(raw(&*scene.world.faulty));
        assert_eq!(after.len(), before.len() + 1, "one record more");
        let written: Vec<_> = after.iter().filter(|record| !before.contains(&record.version)).collect();
        assert_eq!(written.len(), 2, "two records written");
        (written.iter().map(|record| record.payload.len()).sum(), calls)
    };
    let (first_bytes, first_calls) = cost();
    for _ in 0..500 {
        let _ = event(&visit, "click");
    }
    let (late_bytes, late_calls) = cost();
    assert_eq!((first_calls, late_calls), (2, 2), "a read and a commit");
    assert!(late_bytes <= first_bytes + 8, "{first_bytes} bytes for the first, {late_bytes} for the 500th");
    end(&visit);
    scene.deliver();
    assert_eq!(scene.insight().events, 502, "none is lost");
}

/// (a) Arrays without bound.
#[test]
fn not_again_unbounded_arrays() {
    let scene = scene();
    let visit = scene.visit("v", "/a");
    for number in 0..1500 {
        let _ = view(&visit, &format!("/{number}"));
    }
    assert_eq!(scene.names("analytics:event").len(), 1000);
    end(&visit);
    scene.deliver();
    let summary = scene.summary();
    assert_eq!((summary.views, summary.dropped.too_many), (1000, 501));
    let largest = block_on(raw(&*scene.world.faulty)).iter().map(|record| record.payload.len()).max();
    assert!(largest.expect("records") < 8 * 1024, "{largest:?}: a counted visit tells 64 pages apart");
    assert_eq!(scene.insight().views, 1000, "and counts all");
    assert_eq!(scene.insight().pages.others, 1000 - 10);
}

/// (b) An update that drops the expiry: open visits would never be swept.
#[test]
fn not_again_updates_that_make_records_immortal() {
    let scene = scene();
    let visit = scene.visit("v", "/a");
    for _ in 0..3 {
        let _ = view(&visit, "/b");
        block_on(visit.active()).expect("active");
        scene.wait(MINUTE);
    }
    let records = block_on(raw(&*scene.world.faulty));
    assert!(records.iter().all(|record| record.expiry.deadline().is_some()));
    end(&visit);
    scene.deliver();
    for record in block_on(raw(&*scene.world.faulty)) {
        let is_ledger = record.tags.iter().count() == 0;
        assert!(is_ledger || record.expiry.deadline().is_some());
    }
}

/// (c) Storing and sending in an unload handler: the report is lost with the page. Here each event is stored when it happens, so a
/// program that just ends loses nothing.
#[test]
fn not_again_a_report_that_is_lost_when_the_program_ends() {
    let store: Arc<dyn Store> = Arc::new(strata_core::ReferenceStore::new());
    let before = Scene::over(world_over(Arc::clone(&store)));
    let visit = before.visit("v", "/a");
    let _ = view(&visit, "/b");
    let stopped = before.now();
    drop((visit, before));
    let after = Scene::over(world_over(store));
    after.world.clock.set(stopped.saturating_add(HOUR));
    assert_eq!(after.close_due(), 1);
    assert_eq!(after.deliver().reports, 1);
    assert_eq!(after.summary().views, 2);
}

/// (d) A server that answers 500 has taken nothing.
#[test]
fn not_again_http_500_treated_as_delivered() {
    let scene = scene();
    end(&scene.visit("v", "/a"));
    for status in [500, 502, 503, 504, 404, 400, 302] {
        let failure = SendFailure::of_status(status, None).expect_err("not delivered");
        scene.server.then(Answer::Fails(failure));
        assert_eq!(block_on(scene.delivery.deliver_now()).expect("deliver").reports, 0, "{status}");
        assert_eq!(scene.queue().waiting, 1, "{status}");
    }
    assert_eq!(scene.insight().visits, 0);
    assert_eq!(block_on(scene.delivery.deliver_now()).expect("deliver").reports, 1);
}

/// (e) A queue for retries that nothing drains.
#[test]
fn not_again_a_retry_queue_that_nothing_drains() {
    let scene = scene();
    end(&scene.visit("v", "/a"));
    scene.server.then(Answer::Fails(SendFailure::Unavailable));
    let pause = scene.deliver().wait.expect("a pause");
    scene.wait(pause);
    assert_eq!(scene.deliver().reports, 1, "the same pass sends what is new and what failed");
    assert_eq!(scene.queue().waiting, 0);
}

/// (e) No identity of a report at the server: what comes twice counts twice.
#[test]
fn not_again_no_idempotency() {
    let scene = scene();
    let visit = scene.visit("v", "/a");
    let _ = event(&visit, "buy");
    end(&visit);
    scene.server.then(Answer::TakenSilently);
    assert_eq!(scene.deliver().reports, 0, "the answer was lost");
    assert_eq!(block_on(scene.delivery.deliver_now()).expect("deliver").reports, 1);
    assert_eq!(scene.server.came().len(), 2);
    let insight = scene.insight();
    assert_eq!((insight.visits, insight.views, insight.events), (1, 1, 1));
    let again = scene.server.came()[0][0].clone();
    assert_eq!(block_on(scene.server.ingest.ingest(&again)).expect("ingest"), Ingested::Duplicate);
}

/// (f) A visit that ended by idleness is never reported.
#[test]
fn not_again_idle_visits_that_are_never_reported() {
    let scene = scene();
    for number in 0..300 {
        scene.visit(&number.to_string(), "/a");
    }
    scene.wait(31 * MINUTE);
    assert_eq!(scene.close_due(), 300, "over more than one page");
    assert_eq!(scene.deliver().reports, 300);
    assert!(scene.summaries().iter().all(|summary| summary.end == VisitEnd::Idle));
}

/// (g) One key for all tabs; a reload overwrites.
#[test]
fn not_again_one_key_for_all_tabs() {
    let scene = scene();
    let (ada, eve) = (scene.visit("ada", "/a"), scene.visit("eve", "/e"));
    let reload = scene.visit("ada", "/a");
    assert_eq!(ada.id(), reload.id(), "the same visit goes on");
    let _ = (event(&ada, "one"), event(&reload, "two"), event(&eve, "three"));
    assert!(end(&ada) && end(&eve));
    scene.deliver();
    let counts: Vec<_> = scene.summaries().iter().map(|summary| (summary.views, summary.events)).collect();
    assert_eq!(counts, [(2, 2), (1, 1)]);
}

/// (h) The entry page is missing; the last page keeps the duration 0.
#[test]
fn not_again_no_entry_page_and_a_last_page_of_no_duration() {
    let scene = scene();
    let visit = scene.visit("v", "/entry");
    scene.wait(MINUTE);
    let _ = view(&visit, "/last");
    scene.wait(3 * MINUTE);
    end(&visit);
    let idle = scene.visit("w", "/entry");
    scene.wait(MINUTE);
    let _ = event(&idle, "scroll");
    scene.wait(HOUR);
    scene.close_due();
    scene.deliver();
    let told: Vec<_> = scene
        .summaries()
        .into_iter()
        .map(|summary| (summary.entry, summary.exit.path, summary.exit.millis))
        .collect();
    let told: Vec<_> =
        told.iter().map(|(entry, exit, millis)| (entry.as_str(), exit.as_str(), *millis)).collect();
    assert_eq!(told, [("/entry", "/last", 180_000), ("/entry", "/entry", 60_000)]);
}

/// (i) Negative durations when the clock changes; ids from a weak generator; people counted unasked (see `forget`).
#[test]
fn not_again_negative_durations_and_guessable_ids() {
    let scene = scene();
    let visit = scene.visit("v", "/a");
    scene.wait(MINUTE);
    let _ = view(&visit, "/b");
    scene.world.clock.set(scene.now().saturating_sub(10 * MINUTE));
    let _ = view(&visit, "/c");
    end(&visit);
    scene.deliver();
    let summary = scene.summary();
    assert_eq!(summary.ended - summary.started, 60_000);
    // The clock stands: ids differ by the generator alone.
    let ids: std::collections::BTreeSet<_> =
        (0..200).map(|number| scene.visit(&format!("n{number}"), "/a").id()).collect();
    assert_eq!(ids.len(), 200);
    let given = scene.world.random.given.lock().expect("lock");
    let drawn: Vec<String> = given.iter().map(|bytes| crate::hex(bytes)).collect();
    assert!(ids.iter().all(|id| drawn.contains(&id.to_string())));
    // Without a generator no visit begins.
    let bare =
        strata_core::Handle::builder(Arc::clone(scene.world.db.store()), Arc::clone(scene.world.db.clock()));
    let recorder =
        strata_session::analytics::Recorder::new(&bare.build().expect("a handle")).expect("a recorder");
    let start = strata_session::analytics::VisitStart::new("/a");
    let begun = block_on(recorder.visit("x", strata_session::analytics::Consent::Given, start));
    assert_eq!(kind_of(begun), ErrorKind::Unsupported);
}
