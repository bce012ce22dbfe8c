//! `analytics report`: numbers for people and programs, empty stores, bad input.

use std::sync::Arc;

use strata::native::TokioTimer;
use strata::session::analytics::{Consent, Delivery, Ingest, Properties, VisitStart};

use crate::{Shell, library};

/// Two visits of one page and one of three with an event.
fn visited() -> Shell {
    let shell = Shell::new();
    library(&shell, async |db| {
        let recorder = db.analytics().expect("a recorder");
        for (visitor, width) in [("a", 300), ("b", 800), ("c", 1200)] {
            let start = VisitStart::new("/home").width(width).referrer("https://search.example/?q=tea");
            let visit =
                recorder.visit(visitor, Consent::Given, start).await.expect("visit").expect("recorded");
            if visitor == "c" {
                // Wide, and with an override that would turn the rest of the line.
                let long = format!("/\u{202e}{}", "語".repeat(100));
                let _ = visit.page_view("/tea").await.expect("view");
                let _ = visit.page_view(&long).await.expect("view");
                let _ = visit.event("buy", Properties::new()).await.expect("event");
            }
            visit.end().await.expect("end");
        }
        let ingest = Arc::new(Ingest::new(db).expect("an ingest"));
        let delivered =
            Delivery::new(&recorder, ingest, Arc::new(TokioTimer)).deliver().await.expect("deliver");
        assert_eq!(delivered.reports, 3);
        // One that has ended and was not delivered.
        let late = recorder.visit("d", Consent::Given, VisitStart::new("/late")).await.expect("visit");
        assert!(late.expect("recorded").end().await.expect("end"));
    });
    shell
}

#[test]
fn people_read_tables_and_bars() {
    let shell = visited();
    let text = shell.done(&["analytics", "report", "--since", "1d"]);
    let line = |begin: &str| {
        text.lines().find(|line| line.starts_with(begin)).unwrap_or_else(|| panic!("{begin}: {text}"))
    };
    assert!(
        line("visits").ends_with(" 3") && line("users").ends_with(" 3") && line("page views").ends_with(" 5")
    );
    assert!(line("bounce rate").ends_with("66.7 %"));
    assert!(line("/home").contains("  3  ") && line("/home").contains("  ###"), "{text}");
    assert!(
        line("buy").contains('1') && line("search.example").contains('3') && line("tablet").contains('1')
    );
    assert!(text.contains('…'), "long names are cut");
    assert!(text.lines().all(|line| console::measure_text_width(line) <= 80), "{text}");
    assert!(!text.contains('\u{202e}') && text.contains("/\u{fffd}語"), "{text}");
    assert!(line("reports waiting").ends_with(" 1") && line("reports lost").ends_with(" 0"), "{text}");
    assert!(line("mobile").contains("33 %"), "{text}");
    assert!(!text.contains('\u{1b}') && !text.contains('█'), "plain where it is no terminal");
}

#[test]
fn programs_read_one_object() {
    let shell = visited();
    let [insight] = shell.json(&["analytics", "report", "--top", "1"]).try_into().expect("one line");
    assert_eq!(
        (&insight["version"], &insight["visits"], &insight["views"]),
        (&1.into(), &3.into(), &5.into())
    );
    assert_eq!(insight["pages"]["top"].as_array().map(Vec::len), Some(1));
    assert_eq!(insight["pages"]["others"], 2);
    assert_eq!(insight["devices"][0]["device"], "mobile");
    assert_eq!((&insight["queue"]["waiting"], &insight["queue"]["lost"]["full"]), (&1.into(), &0.into()));
    assert_eq!(insight["active"].as_array().map(Vec::len), Some(24));
}

#[test]
fn nothing_recorded_is_zero() {
    let shell = Shell::with_value();
    let text = shell.done(&["analytics", "report"]);
    assert!(text.contains("visits           0") && !text.contains("PAGES"), "{text}");
    let other = shell.json(&["analytics", "report", "--namespace", "other"]).remove(0);
    assert_eq!(other["visits"], 0);
}

#[test]
fn bad_input_is_refused() {
    let shell = Shell::with_value();
    for words in [
        &["analytics", "report", "--since", "0s"][..],
        &["analytics", "report", "--since", "yesterday"],
        &["analytics", "report", "--top", "-1"],
        &["analytics", "report", "--namespace", "a:b"],
        &["analytics"],
    ] {
        assert_eq!(shell.run(words).code, 2, "{words:?}");
    }
    Shell::new().run(&["analytics", "report"]).fails(3, "there is no store");
}
