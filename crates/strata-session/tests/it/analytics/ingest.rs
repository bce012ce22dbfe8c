//! Ingest: what counts once, what is refused, how long it is kept.

use strata_core::conformance::block_on;
use strata_core::{Codec, ErrorKind};
use strata_session::analytics::{
    Act, Bounds, Happened, Ingest, Ingested, PageTime, Properties, Property, Report, Summary,
};

use super::{DAY, HOUR, Scene, end, event, scene, view};
use crate::{grounds, kind_of, world};

/// A report of a visit with a view and two events, as it came to the server.
fn report(scene: &Scene) -> Report {
    let visit = scene.visit("v", "/a");
    let properties = Properties::new().text("what", "tea").number("price", 2.5).flag("gift", false);
    let _ = block_on(visit.event("buy", properties)).expect("event");
    let _ = view(&visit, "/b");
    end(&visit);
    scene.deliver();
    scene.server.came()[0][0].clone()
}

fn changed(report: &Report, change: impl FnOnce(&mut Report)) -> Report {
    let mut changed = report.clone();
    change(&mut changed);
    changed
}

#[test]
fn parts_in_any_cut_and_number_count_once() {
    grounds::each(|world| {
        let scene = Scene::over(world);
        let whole = report(&scene);
        let ingest = Ingest::builder(&scene.world.db).namespace("other").build().expect("an ingest");
        let part = |events: std::ops::Range<usize>, has_summary: bool| {
            changed(&whole, |report| {
                report.events = whole.events[events].to_vec();
                if !has_summary {
                    report.summary = None;
                }
            })
        };
        let take = |report: &Report| block_on(ingest.ingest(report)).expect("ingest");
        assert_eq!(take(&part(1..2, false)), Ingested::Unknown, "before its visit");
        assert_eq!(take(&part(0..0, true)), Ingested::Counted(0));
        assert_eq!(take(&part(0..2, true)), Ingested::Counted(2), "a retry with more than the first try had");
        assert_eq!(take(&part(0..2, true)), Ingested::Duplicate);
        assert_eq!(take(&part(1..3, false)), Ingested::Counted(1), "what overlaps counts once");
        assert_eq!(take(&whole), Ingested::Duplicate);
    });
}

#[test]
fn reports_and_insights_go_through_json() {
    let scene = scene();
    let report = report(&scene);
    let mut json = Vec::new();
    Codec::Json.encode(&report, &mut json, 64 * 1024).expect("encode");
    let text = String::from_utf8(json.clone()).expect("text");
    assert!(text.starts_with(&format!("{{\"version\":1,\"visit\":\"{}\"", report.visit)), "{text}");
    for part in
        ["\"what\":{\"text\":\"tea\"}", "\"price\":{\"number\":2.5}", "\"end\":\"left\"", "\"sequence\":1"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(Codec::Json.decode::<Report>(&json).expect("decode"), report);
    let Act::Custom { properties, .. } = &report.events[1].act else { panic!("the event") };
    assert!(matches!(properties.get("what"), Some(Property::Text(text)) if text == "tea"));
    let mut json = Vec::new();
    Codec::Json.encode(&scene.insight(), &mut json, 64 * 1024).expect("encode");
    let back: strata_session::analytics::Insight = Codec::Json.decode(&json).expect("decode");
    assert_eq!(back, scene.insight());
}

#[test]
fn s38_what_is_against_reason_is_refused_and_counts_nothing() {
    let scene = scene();
    let whole = report(&scene);
    let ingest = Ingest::builder(&scene.world.db).namespace("other").build().expect("an ingest");
    let summary = |change: fn(&mut Summary)| {
        changed(&whole, |report| report.summary.as_mut().map(change).expect("a summary"))
    };
    let event = |change: fn(&mut Happened)| changed(&whole, |report| change(&mut report.events[1]));
    let bad = [
        (changed(&whole, |report| report.version = 2), ErrorKind::Newer),
        (changed(&whole, |report| report.started += 1), ErrorKind::Invalid),
        (changed(&whole, |report| report.events.reverse()), ErrorKind::Invalid),
        (changed(&whole, |report| report.events = vec![report.events[0].clone(); 501]), ErrorKind::TooLarge),
        (event(|event| event.sequence = 0), ErrorKind::Invalid),
        (event(|event| event.at = 0), ErrorKind::Invalid),
        (event(|event| event.at = u64::MAX), ErrorKind::Invalid),
        (changed(&whole, |report| report.events[2].sequence = 1000), ErrorKind::TooLarge),
        (event(|event| event.act = Act::View { path: String::new(), left: None }), ErrorKind::Invalid),
        (event(|event| event.act = Act::View { path: "x".repeat(513), left: None }), ErrorKind::TooLarge),
        (
            event(|event| {
                let left = Some(PageTime { path: "/a".to_owned(), millis: u64::MAX });
                event.act = Act::View { path: "/b".to_owned(), left };
            }),
            ErrorKind::Invalid,
        ),
        (
            event(|event| {
                let properties = Properties::new().text("x", "y".repeat(4096));
                event.act = Act::Custom { name: "x".to_owned(), properties };
            }),
            ErrorKind::TooLarge,
        ),
        (summary(|summary| summary.ended = summary.started - 1), ErrorKind::Invalid),
        (summary(|summary| summary.ended = summary.started + 40 * 86_400_000), ErrorKind::Invalid),
        (summary(|summary| summary.visitor = "ada".to_owned()), ErrorKind::Invalid),
        (summary(|summary| summary.visitor = "\n".repeat(43)), ErrorKind::Invalid),
        (summary(|summary| summary.user = Some("x".repeat(257))), ErrorKind::TooLarge),
        (summary(|summary| summary.referrer = Some("x".repeat(513))), ErrorKind::TooLarge),
        (summary(|summary| summary.entry = String::new()), ErrorKind::Invalid),
        (summary(|summary| summary.exit.path = "\u{0}".to_owned()), ErrorKind::Invalid),
        (summary(|summary| summary.views = u32::MAX), ErrorKind::TooLarge),
    ];
    for (number, (report, kind)) in bad.iter().enumerate() {
        assert_eq!(kind_of(block_on(ingest.ingest(report))), *kind, "case {number}");
    }
    assert!(scene.names("other:").is_empty());
    assert_eq!(
        block_on(ingest.ingest(&whole)).expect("ingest"),
        Ingested::Counted(3),
        "the unchanged one is fine"
    );
}

#[test]
fn times_that_cannot_be_are_refused_whatever_the_clock() {
    let scene = scene();
    let whole = report(&scene);
    let ingest = &scene.server.ingest;
    let began = scene.now();
    for now in
        [began.saturating_sub(DAY + HOUR), began.saturating_add(400 * DAY), began.saturating_add(3650 * DAY)]
    {
        scene.world.clock.set(now);
        assert_eq!(kind_of(block_on(ingest.ingest(&whole))), ErrorKind::Invalid);
    }
    scene.world.clock.set(began.saturating_sub(23 * HOUR));
    assert_eq!(
        block_on(ingest.ingest(&whole)).expect("a client whose clock is a little ahead"),
        Ingested::Duplicate
    );
}

#[test]
fn a_visit_is_kept_for_the_retention_and_is_not_counted_again_after() {
    let world = world();
    let scene = Scene::over(world);
    let whole = report(&scene);
    let ingest =
        Ingest::builder(&scene.world.db).namespace("short").retention(3 * DAY).build().expect("an ingest");
    block_on(ingest.ingest(&whole)).expect("ingest");
    scene.wait(71 * HOUR);
    assert_eq!(scene.names("short:day:").len(), 1);
    scene.wait(HOUR);
    assert!(scene.names("short:day:").is_empty());
    assert_eq!(kind_of(block_on(ingest.ingest(&whole))), ErrorKind::Invalid, "a late duplicate");
    let short = Ingest::builder(&scene.world.db).retention(DAY);
    assert_eq!(kind_of(short.build()), ErrorKind::Invalid);
}

#[test]
fn a_server_with_lower_bounds_refuses_for_good() {
    let scene = scene();
    let visit = scene.visit("v", "/a");
    for _ in 0..9 {
        let _ = event(&visit, "x");
    }
    end(&visit);
    scene.deliver();
    let whole = scene.server.came()[0][0].clone();
    let few = Bounds::default().events(9);
    let ingest = Ingest::builder(&scene.world.db).namespace("few").bounds(few).build().expect("an ingest");
    assert_eq!(kind_of(block_on(ingest.ingest(&whole))), ErrorKind::TooLarge);
    let enough = Bounds::default().events(10);
    let ingest =
        Ingest::builder(&scene.world.db).namespace("enough").bounds(enough).build().expect("an ingest");
    assert_eq!(block_on(ingest.ingest(&whole)).expect("ingest"), Ingested::Counted(10));
}

/// Long texts make no record that the store refuses: fewer are told apart.
#[test]
fn s38_a_counted_visit_stays_small_whatever_its_texts() {
    let world = world();
    let bounds = Bounds::default().text_bytes(8000).event_bytes(9000);
    let recorder = strata_session::analytics::Recorder::builder(&world.db).bounds(bounds).build();
    let scene = Scene::with(world, recorder.expect("a recorder"));
    let visit = scene.visit("v", "/a");
    for number in 0..60 {
        let _ = view(&visit, &format!("/{number}{}", "x".repeat(7000)));
        let _ = event(&visit, &format!("{number}{}", "x".repeat(7000)));
    }
    end(&visit);
    let own = Ingest::builder(&scene.world.db).namespace("own").bounds(bounds).build().expect("an ingest");
    let delivery = strata_session::analytics::Delivery::new(
        &scene.recorder,
        std::sync::Arc::new(own),
        std::sync::Arc::new(super::Never),
    )
    .events(20);
    let delivered = block_on(delivery.deliver()).expect("deliver");
    assert_eq!((delivered.reports, delivered.dropped), (1, 0));
    let size = block_on(scene.world.db.select().prefix("own:day").size()).expect("size");
    assert!(size < 128 * 1024, "{size} bytes");
}

/// A server that is older than its clients loses nothing of theirs: their reports wait until it is upgraded.
#[test]
fn a_newer_report_waits_for_the_upgrade() {
    use strata_session::analytics::{AnalyticsTransport as _, SendFailure};
    let scene = scene();
    let newer = changed(&report(&scene), |report| report.version = 2);
    assert_eq!(block_on(scene.server.ingest.send(&[newer])), Err(SendFailure::Unavailable));
}
