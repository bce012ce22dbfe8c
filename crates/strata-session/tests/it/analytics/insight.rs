//! Insight: each number of a period, the edges of periods, and what asking costs.

use std::time::Duration;

use strata_core::conformance::block_on;
use strata_core::{ErrorKind, Timestamp};
use strata_session::analytics::{Consent, Device, Insights, Period, Report, VisitStart};

use super::{DAY, HOUR, MINUTE, Scene, end, event, scene, view};
use crate::kind_of;

fn over(scene: &Scene, from: Timestamp, to: Timestamp, step: Duration) -> strata_session::analytics::Insight {
    let insights = Insights::in_namespace(&scene.world.db, "server").expect("insights");
    let period = Period::between(from, to).expect("a period").steps_of(step).expect("steps");
    block_on(insights.over(period)).expect("insight")
}

#[test]
fn nothing_is_zero() {
    let insight = scene().insight();
    assert_eq!((insight.visits, insight.users.count, insight.views, insight.duration.p95), (0, 0, 0, 0));
    assert!(insight.bounce_rate.abs() < f64::EPSILON && insight.pages.top.is_empty());
    assert_eq!(insight.active.len(), 24);
}

#[test]
fn every_number_is_what_it_says() {
    let scene = scene();
    let began = scene.now();
    // Four visits: bounce; one event; ten minutes over two pages; the same user on another device.
    let visit = |visitor: &str, start: VisitStart| {
        block_on(scene.recorder.visit(visitor, Consent::Given, start)).expect("visit").expect("recorded")
    };
    let bounce = visit("a", VisitStart::new("/home").width(320).referrer("https://x.example/1"));
    let one = visit("b", VisitStart::new("/home").width(900).referrer("https://x.example/2?q"));
    let _ = event(&one, "buy");
    end(&bounce);
    end(&one);
    let long = visit("c", VisitStart::new("/home").width(2000).user("ada"));
    scene.wait(10 * MINUTE);
    let _ = view(&long, "/tea");
    end(&long);
    scene.wait(HOUR);
    let other = visit("d", VisitStart::new("/tea").user("ada"));
    scene.wait(20 * MINUTE);
    let _ = event(&other, "buy");
    let _ = event(&other, "leave");
    end(&other);
    scene.deliver();

    let insight = over(&scene, began, began.saturating_add(2 * HOUR), 30 * MINUTE);
    assert_eq!((insight.visits, insight.users.count, insight.views, insight.events), (4, 3, 5, 3));
    assert!((insight.bounce_rate - 0.25).abs() < 1e-9);
    assert_eq!((insight.duration.median, insight.duration.p95), (0, 20 * 60_000));
    let ranked = |ranking: &strata_session::analytics::Ranking| -> Vec<(String, u64)> {
        ranking.top.iter().map(|ranked| (ranked.name.clone(), ranked.count)).collect()
    };
    let of = |pairs: &[(&str, u64)]| {
        pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect::<Vec<_>>()
    };
    assert_eq!(ranked(&insight.pages), of(&[("/home", 3), ("/tea", 2)]));
    assert_eq!(insight.pages.top[0].millis, 600_000);
    assert_eq!(ranked(&insight.entries), of(&[("/home", 3), ("/tea", 1)]));
    assert_eq!(ranked(&insight.names), of(&[("buy", 2), ("leave", 1)]));
    assert_eq!(ranked(&insight.referrers), of(&[("(direct)", 2), ("x.example", 2)]));
    let devices: Vec<_> = insight.devices.iter().map(|count| (count.device, count.visits)).collect();
    assert_eq!(
        devices,
        [(Device::Mobile, 1), (Device::Tablet, 1), (Device::Desktop, 1), (Device::Unknown, 1)]
    );
    let active: Vec<u64> = insight.active.iter().map(|step| step.visits).collect();
    assert_eq!(active, [3, 0, 1, 1], "the last one from minute 70 to 90");
    assert_eq!(insight.active[1].from, began.saturating_add(30 * MINUTE).as_millis());
}

#[test]
fn periods_include_their_first_instant_and_not_their_last() {
    let scene = scene();
    // Before midnight UTC, over it, to the next day.
    scene.world.clock.set(scene.now().saturating_add(23 * HOUR + 50 * MINUTE));
    let began = scene.now();
    let visit = scene.visit("v", "/a");
    scene.wait(20 * MINUTE);
    end(&visit);
    scene.deliver();
    let one = Duration::from_millis(1);
    let count = |from: Timestamp, to: Timestamp| over(&scene, from, to, DAY).visits;
    assert_eq!(count(began, began.saturating_add(one)), 1);
    assert_eq!(count(began.saturating_sub(one), began), 0);
    assert_eq!(count(began.saturating_add(one), began.saturating_add(HOUR)), 0);
    let midnight = began.saturating_add(10 * MINUTE);
    let after = over(&scene, midnight, midnight.saturating_add(HOUR), 10 * MINUTE);
    assert_eq!(after.visits, 0, "it began the day before");
    let active: Vec<u64> = after.active.iter().map(|step| step.visits).collect();
    assert_eq!(active, [1, 1, 0, 0, 0, 0], "and was still open, up to and with its last instant");
    let ever = over(&scene, Timestamp::EPOCH, Timestamp::MAX, 3652 * DAY);
    assert_eq!(ever.visits, 1, "any period");
}

/// The work is in proportion to the number of visits: twice as many cost twice the pages.
#[test]
fn insight_is_linear_in_the_visits() {
    let scene = scene();
    let template = {
        end(&scene.visit("v", "/a"));
        scene.deliver();
        scene.server.came()[0][0].clone()
    };
    let ids = |count: u64| -> Vec<Report> {
        let report = |number: u64| {
            let mut report = template.clone();
            report.visit = format!("{number:032x}").parse().expect("an id");
            report
        };
        (1..=count).map(report).collect()
    };
    let period = Period::last(DAY, &*scene.world.clock).expect("a period");
    let mut cost = Vec::new();
    for count in [4096, 8192, 16384] {
        let namespace = format!("n{count}");
        let ingest =
            strata_session::analytics::Ingest::builder(&scene.world.db).namespace(&namespace).build();
        block_on(ingest.expect("an ingest").ingest_all(&ids(count))).expect("ingest");
        let insights = Insights::in_namespace(&scene.world.db, &namespace).expect("insights");
        let before = scene.world.faulty.calls();
        assert_eq!(block_on(insights.over(period)).expect("insight").visits, count);
        cost.push(scene.world.faulty.calls() - before);
    }
    let (first, second) = (cost[1] - cost[0], cost[2] - cost[1]);
    assert_eq!((first, second), (16, 32), "a page of 256 each: {cost:?}");
}

#[test]
fn a_damaged_visit_is_an_error_and_no_smaller_number() {
    let scene = scene();
    end(&scene.visit("v", "/a"));
    scene.deliver();
    let name = scene.names("server:day:").remove(0);
    block_on(async { scene.world.db.set(&name, &7_u8).await }).expect("set");
    let insights = Insights::in_namespace(&scene.world.db, "server").expect("insights");
    let period = Period::last(DAY, &*scene.world.clock).expect("a period");
    assert_eq!(kind_of(block_on(insights.over(period))), ErrorKind::Mismatch);
}
