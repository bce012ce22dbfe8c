//! The life of a visit: how it begins, is joined, goes on and ends; what is recorded of it; what is refused.

use std::sync::Arc;

use strata_core::ErrorKind;
use strata_core::conformance::block_on;
use strata_session::analytics::{
    Bounds, Consent, Device, Event, PageTime, Properties, Recorded, Recorder, Scrub, VisitEnd, VisitStart,
};

use super::{DAY, HOUR, MINUTE, Scene, end, event, scene, view};
use crate::single::Single;
use crate::{grounds, kind_of, world, world_over};

#[test]
fn a_visit_is_recorded_delivered_and_counted() {
    grounds::each(|world| {
        let scene = Scene::over(world);
        let start = VisitStart::new("/home?utm=1")
            .referrer("https://search.example/find?q=tea")
            .width(800)
            .user("ada");
        let visit =
            block_on(scene.recorder.visit("v1", Consent::Given, start)).expect("visit").expect("recorded");
        scene.wait(2 * MINUTE);
        assert_eq!(view(&visit, "/tea#top"), Recorded::Kept(1));
        scene.wait(MINUTE);
        assert_eq!(event(&visit, "buy"), Recorded::Kept(2));
        scene.wait(MINUTE);
        assert!(end(&visit));
        assert!(!end(&visit), "it ends once");
        let delivered = scene.deliver();
        assert_eq!((delivered.reports, delivered.sendings, delivered.wait), (1, 1, None));
        assert!(
            scene.names("analytics:").iter().all(|name| name == "analytics:queue"),
            "nothing is left but the ledger"
        );

        let summary = scene.summary();
        assert_eq!((summary.entry.as_str(), summary.exit.path.as_str()), ("/home", "/tea"));
        assert_eq!(summary.exit.millis, 2 * 60_000, "the last page has a duration");
        assert_eq!((summary.views, summary.events, summary.end), (2, 1, VisitEnd::Left));
        assert_eq!(summary.ended - summary.started, 4 * 60_000);
        assert_eq!((summary.device, summary.user.as_deref()), (Device::Tablet, Some("ada")));
        assert_eq!(summary.referrer.as_deref(), Some("https://search.example/find"));

        let insight = scene.insight();
        assert_eq!((insight.visits, insight.users.count, insight.views, insight.events), (1, 1, 2, 1));
        assert_eq!(insight.duration.median, 4 * 60_000);
        let pages: Vec<_> =
            insight.pages.top.iter().map(|page| (page.name.as_str(), page.count, page.millis)).collect();
        assert_eq!(pages, [("/home", 1, 120_000), ("/tea", 1, 120_000)]);
    });
}

#[test]
fn an_open_visit_is_joined_from_any_tab_and_process() {
    let scene = scene();
    let first = scene.visit("v", "/a");
    // Another process: its own recorder over the same store.
    let other = Recorder::new(&scene.world.db).expect("a recorder");
    let start = VisitStart::new("/b").width(300).user("ada");
    let second = block_on(other.visit("v", Consent::Given, start)).expect("visit").expect("recorded");
    assert_eq!(first.id(), second.id());
    assert_eq!(event(&first, "x"), Recorded::Kept(2));
    let stranger = scene.visit("w", "/a");
    assert_ne!(first.id(), stranger.id());
    assert!(end(&second) && !end(&first));
    assert_eq!(kind_of(block_on(first.page_view("/c"))), ErrorKind::Gone);
    let next = scene.visit("v", "/c");
    assert_ne!(next.id(), first.id(), "a new visit after the end");
    assert!(!end(&first), "an old tab does not end the new visit");
    assert_eq!(kind_of(block_on(first.event("x", Properties::new()))), ErrorKind::Gone);
    scene.deliver();
    let summary = scene.summary();
    assert_eq!((summary.views, summary.user.as_deref(), summary.device), (2, Some("ada"), Device::Mobile));
}

#[test]
fn idleness_ends_a_visit_at_its_last_activity() {
    let scene = scene();
    let visit = scene.visit("v", "/a");
    for _ in 0..3 {
        scene.wait(29 * MINUTE);
        let _ = event(&visit, "still here");
    }
    let last = scene.now().as_millis();
    scene.wait(30 * MINUTE);
    assert_eq!(kind_of(block_on(visit.page_view("/b"))), ErrorKind::Gone);
    assert_eq!(kind_of(block_on(visit.active())), ErrorKind::Gone);
    scene.wait(5 * HOUR);
    assert_eq!(scene.close_due(), 1);
    assert_eq!(scene.close_due(), 0);
    scene.deliver();
    let summary = scene.summary();
    assert_eq!((summary.end, summary.ended), (VisitEnd::Idle, last));
    assert_eq!(summary.exit, PageTime { path: "/a".to_owned(), millis: 87 * 60_000 });
}

#[test]
fn a_new_visit_after_idleness_reports_the_old_one() {
    let scene = scene();
    let old = scene.visit("v", "/a");
    scene.wait(31 * MINUTE);
    let new = scene.visit("v", "/b");
    assert_ne!(old.id(), new.id());
    assert_eq!(scene.queue().waiting, 1);
    scene.wait(31 * MINUTE);
    assert!(end(&new), "an end that comes late still ends it");
    scene.deliver();
    assert_eq!(scene.summaries()[1].end, VisitEnd::Idle, "when it became idle");
}

#[test]
fn constant_activity_ends_after_a_day() {
    let scene = scene();
    let visit = scene.visit("v", "/a");
    for _ in 0..71 {
        scene.wait(20 * MINUTE);
        block_on(visit.active()).expect("active");
    }
    scene.wait(20 * MINUTE);
    assert_eq!(kind_of(block_on(visit.active())), ErrorKind::Gone, "24 hours");
    assert_eq!(scene.close_due(), 1);
    scene.deliver();
    let summary = scene.summary();
    assert_eq!(summary.end, VisitEnd::TooLong);
    assert_eq!(summary.ended - summary.started, 71 * 20 * 60_000);
}

#[test]
fn activity_is_written_down_when_it_says_something_new() {
    let scene = scene();
    let visit = scene.visit("v", "/a");
    let before = scene.world.faulty.calls();
    block_on(visit.active()).expect("active");
    assert_eq!(scene.world.faulty.calls() - before, 1, "a read");
    scene.wait(MINUTE);
    block_on(visit.active()).expect("active");
    assert_eq!(scene.world.faulty.calls() - before, 3, "a read and a write");
    scene.wait(31 * MINUTE);
    scene.close_due();
    scene.deliver();
    assert_eq!(scene.summary().exit.millis, 60_000);
}

#[test]
fn s38_bounds_drop_and_count() {
    let world = world();
    let bounds = Bounds::default().events(4).text_bytes(20).properties(1).event_bytes(40);
    let recorder = Recorder::builder(&world.db).bounds(bounds).build().expect("a recorder");
    let scene = Scene::with(world, recorder);
    let visit = scene.visit("v", "/a");
    let long = "/a-page-with-a-very-long-path";
    assert_eq!(view(&visit, long), Recorded::Dropped);
    let custom = |name: &str, properties| block_on(visit.event(name, properties)).expect("event");
    assert_eq!(
        custom("x", Properties::new().text("a", "").text("b", "")),
        Recorded::Dropped,
        "two properties"
    );
    assert_eq!(custom("x", Properties::new().text("a", "y".repeat(39))), Recorded::Dropped, "41 bytes");
    assert_eq!(custom("x", Properties::new().text("a", "y".repeat(38))), Recorded::Kept(1), "40 bytes");
    assert_eq!(view(&visit, "/b"), Recorded::Kept(2));
    scene.visit("v", long);
    assert_eq!(event(&visit, "third"), Recorded::Kept(3));
    for _ in 0..5 {
        assert_eq!(event(&visit, "more"), Recorded::Dropped);
    }
    scene.wait(MINUTE);
    let too_long = block_on(scene.recorder.visit("w", Consent::Given, VisitStart::new(long)));
    assert_eq!(kind_of(too_long), ErrorKind::TooLarge, "no visit begins with it");
    assert!(end(&visit));
    scene.deliver();
    let summary = scene.summary();
    assert_eq!((summary.views, summary.events), (2, 2));
    assert_eq!((summary.dropped.too_many, summary.dropped.too_large, summary.dropped.scrubbed), (5, 4, 0));
    assert_eq!(scene.insight().dropped, 9);
}

#[test]
fn what_is_scrubbed_is_never_stored() {
    let world = world();
    let recorder = Recorder::builder(&world.db)
        .scrub(|event| match event {
            Event::View { path, .. } if path.starts_with("/admin") => Scrub::Drop,
            Event::View { path, referrer } => {
                if path.starts_with("/user/") {
                    "/user/:id".clone_into(path);
                }
                *referrer = None;
                Scrub::Keep
            }
            Event::Custom { properties, .. } => {
                properties.remove("email");
                Scrub::Keep
            }
            _ => Scrub::Drop,
        })
        .build()
        .expect("a recorder");
    let scene = Scene::with(world, recorder);
    let admin = scene.recorder.visit("v", Consent::Given, VisitStart::new("/admin"));
    assert!(block_on(admin).expect("visit").is_none());
    assert!(scene.names("").is_empty(), "nothing is stored");
    let start = VisitStart::new("/user/ada").referrer("https://secret.example/");
    let visit = block_on(scene.recorder.visit("v", Consent::Given, start)).expect("visit").expect("recorded");
    assert_eq!(view(&visit, "/admin/users"), Recorded::Dropped);
    let properties = Properties::new().text("email", "ada@example.org").flag("newsletter", true);
    let _ = block_on(visit.event("sign up", properties)).expect("event");
    end(&visit);
    for record in block_on(crate::raw(&*scene.world.faulty)) {
        let bytes = String::from_utf8_lossy(record.payload.as_bytes()).into_owned();
        for secret in ["ada", "secret", "admin"] {
            assert!(!bytes.contains(secret), "{secret} is in the store");
        }
    }
    scene.deliver();
    let summary = scene.summary();
    assert_eq!((summary.entry.as_str(), summary.referrer, summary.dropped.scrubbed), ("/user/:id", None, 1));
}

#[test]
fn bad_input_is_refused_before_anything_is_stored() {
    let scene = scene();
    let visit = scene.visit("v", "/a");
    let before = scene.world.faulty.calls();
    for (visitor, start) in [
        ("", VisitStart::new("/a")),
        (&*"x".repeat(257), VisitStart::new("/a")),
        ("v", VisitStart::new("")),
        ("v", VisitStart::new("?only=query")),
        ("v", VisitStart::new("/a\n")),
        ("v", VisitStart::new("/a").user("")),
        ("v", VisitStart::new("/a").referrer("https://x.example/\u{0}")),
    ] {
        assert_eq!(
            kind_of(block_on(scene.recorder.visit(visitor, Consent::Given, start))),
            ErrorKind::Invalid
        );
    }
    for (name, properties) in [
        ("", Properties::new()),
        ("a\u{1b}[0m", Properties::new()),
        ("x", Properties::new().number("n", f64::NAN)),
        ("x", Properties::new().text("", "y")),
    ] {
        assert_eq!(kind_of(block_on(visit.event(name, properties))), ErrorKind::Invalid);
    }
    assert_eq!(kind_of(block_on(visit.page_view(""))), ErrorKind::Invalid);
    assert_eq!(scene.world.faulty.calls(), before, "no store call");
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let world = world();
    let zero = std::time::Duration::ZERO;
    let build = |change: fn(
        strata_session::analytics::RecorderBuilder<'_>,
    ) -> strata_session::analytics::RecorderBuilder<'_>| {
        change(Recorder::builder(&world.db)).build()
    };
    assert_eq!(kind_of(build(|builder| builder.idle(std::time::Duration::ZERO))), ErrorKind::Invalid);
    assert_eq!(kind_of(build(|builder| builder.idle(25 * HOUR))), ErrorKind::Invalid);
    assert_eq!(kind_of(build(|builder| builder.longest(31 * DAY))), ErrorKind::Invalid);
    assert_eq!(kind_of(Recorder::builder(&world.db).kept(zero).build()), ErrorKind::Invalid);
    assert_eq!(kind_of(build(|builder| builder.namespace("a:b"))), ErrorKind::Invalid);
    let single = world_over(Arc::new(Single(Arc::new(strata_core::ReferenceStore::new()))));
    assert_eq!(kind_of(Recorder::new(&single.db)), ErrorKind::Unsupported, "two keys in one commit");
}

/// Forward or back in the middle of a visit: it ends where it stood, nothing is negative, nothing stays open for as long as the clock was
/// wrong. Forward past the backstop of a week, as every record with a deadline it is dead.
#[test]
fn s12_a_clock_that_jumps_ends_the_visit_and_freezes_nothing() {
    let decade = 3652 * DAY;
    for (forward, jump) in [(true, 5 * DAY), (true, decade), (false, 5 * DAY), (false, decade)] {
        let scene = scene();
        let visit = scene.visit("v", "/a");
        scene.wait(MINUTE);
        let _ = view(&visit, "/b");
        scene.wait(MINUTE);
        block_on(visit.active()).expect("active");
        let (began, last) = (scene.now(), scene.now().as_millis());
        let jumped = if forward { began.saturating_add(jump) } else { began.saturating_sub(jump) };
        scene.world.clock.set(jumped);
        assert_eq!(kind_of(block_on(visit.page_view("/c"))), ErrorKind::Gone);
        let is_dead = forward && jump == decade;
        assert_eq!(scene.close_due(), u64::from(!is_dead), "it does not stay open");
        scene.deliver();
        if !is_dead {
            let summary = scene.summary();
            assert_eq!(
                (summary.ended, summary.ended - summary.started, summary.exit.millis),
                (last, 120_000, 60_000)
            );
        }
        let there = scene.visit("v", "/there");
        scene.world.clock.set(began);
        let back = scene.visit("v", "/back");
        assert_ne!(there.id(), back.id(), "a visit of another time is not joined");
        scene.wait(MINUTE);
        assert!(end(&back) && !end(&there));
        block_on(scene.delivery.deliver_now()).expect("deliver");
        let summaries = scene.summaries();
        assert!(summaries.iter().all(|summary| summary.ended >= summary.started));
        assert!(summaries.iter().any(|summary| summary.entry == "/back" && summary.exit.millis == 60_000));
    }
}

/// A step back by less than the idle time: time stands still within the visit.
#[test]
fn s12_small_steps_back_are_no_time() {
    let scene = scene();
    let visit = scene.visit("v", "/a");
    scene.wait(10 * MINUTE);
    let _ = view(&visit, "/b");
    scene.world.clock.set(scene.now().saturating_sub(5 * MINUTE));
    let _ = view(&visit, "/c");
    end(&visit);
    scene.deliver();
    let summary = scene.summary();
    assert_eq!((summary.ended - summary.started, summary.exit.millis), (600_000, 0));
    let times: Vec<u64> = scene.server.came()[0][0].events.iter().map(|event| event.at).collect();
    assert!(times.is_sorted(), "{times:?}");
}
