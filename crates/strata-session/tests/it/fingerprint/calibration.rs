//! The tables of the guide are what the code gives under the default weights: this file works them out and compares.

use strata_session::fingerprint::{Action, Feature, Features, Fingerprints, Verdict};

use super::{chrome, laptop_but as one, laptop_with, prints, score, stranger, updated};
use crate::world;

const GUIDE: &str = include_str!("../../../../../docs/fingerprints.md");

const FIREFOX: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0";

/// What can happen to the laptop, and what it looks like then.
fn whole() -> Vec<(&'static str, Features)> {
    let edge = format!("{} Edg/126.0.0.0", chrome(126));
    let address = |text: &str| text.parse().expect("an address");
    vec![
        ("nothing", super::laptop()),
        ("another address in the same /24", one("address", |it| it.address(address("192.0.2.99")))),
        ("the browser's next major version", updated()),
        ("a browser two years newer", one("agent", |it| it.agent(&chrome(156)))),
        ("an older version of the browser", one("agent", |it| it.agent(&chrome(120)))),
        ("the screen turned", one("screen", |it| it.screen(1080, 1920))),
        ("another monitor", one("screen", |it| it.screen(3840, 2160))),
        ("a monitor with more colours", one("colour_depth", |it| it.colour_depth(30))),
        (
            "another network of the same provider (/16)",
            one("address", |it| it.address(address("192.0.77.1"))),
        ),
        ("another network", one("address", |it| it.address(address("203.0.113.5")))),
        ("IPv6 in place of IPv4", one("address", |it| it.address(address("2001:db8::1")))),
        ("another zone of the same continent", one("zone", |it| it.zone("Europe/Lisbon"))),
        ("another continent", one("zone", |it| it.zone("Asia/Tokyo"))),
        ("another order of languages", one("language", |it| it.language("en,de-AT;q=0.9"))),
        ("the same language of another country", one("language", |it| it.language("de-DE,de,en"))),
        ("another language", one("language", |it| it.language("fr"))),
        ("more memory", one("memory", |it| it.memory(16_384))),
        ("memory and cores withheld", without(&["memory", "cores"])),
        ("a journey: network and continent", journey(&chrome(126))),
        ("a journey and the next major version", journey(&chrome(127))),
        ("another browser of the same engine", one("agent", |it| it.agent(&edge))),
        ("another browser", one("agent", |it| it.agent(FIREFOX))),
        ("another operating system", one("platform", |it| it.platform("Linux"))),
        ("a thief who copied the headers only", thief()),
        ("another machine altogether", stranger()),
    ]
}

/// The laptop seen by a server alone: what its headers and its address tell.
fn headers() -> Vec<(&'static str, Features)> {
    let of = |agent: &str, platform: &str, language: &str, address: &str| {
        let builder = Features::builder().agent(agent).platform(platform).language(language);
        builder.address(address.parse().expect("an address")).build().expect("features")
    };
    let (chrome, next, german) = (chrome(126), chrome(127), "de-AT,de;q=0.9,en;q=0.8");
    vec![
        ("nothing", of(&chrome, "Windows", german, "192.0.2.7")),
        ("the browser's next major version", of(&next, "Windows", german, "192.0.2.7")),
        ("another network", of(&chrome, "Windows", german, "203.0.113.5")),
        ("another network and the next major version", of(&next, "Windows", german, "203.0.113.5")),
        ("a thief elsewhere who copied the headers", of(&chrome, "Windows", german, "198.51.100.1")),
        ("another language", of(&chrome, "Windows", "fr", "192.0.2.7")),
        ("another browser", of(FIREFOX, "Windows", german, "192.0.2.7")),
        ("another operating system", of(&chrome, "Linux", german, "192.0.2.7")),
    ]
}

/// The laptop's features but these.
fn without(names: &[&str]) -> Features {
    laptop_with(|name| !names.contains(&name), |builder| builder)
}

fn journey(agent: &str) -> Features {
    laptop_with(
        |name| !matches!(name, "address" | "zone" | "agent"),
        |builder| builder.agent(agent).address("203.0.113.5".parse().expect("an address")).zone("Asia/Tokyo"),
    )
}

fn thief() -> Features {
    laptop_with(
        |name| matches!(name, "agent" | "platform" | "language"),
        |builder| {
            let builder = builder.address("198.51.100.1".parse().expect("an address"));
            builder.screen(2560, 1440).zone("America/Lima").colour_depth(24).memory(32_768).cores(16)
        },
    )
}

fn row(prints: &Fingerprints, what: &str, reference: &Features, found: &Features) -> String {
    let verdict = prints.compare(reference, found);
    let word = match verdict {
        Verdict::Match => "match",
        Verdict::Similar { .. } => "similar",
        Verdict::Mismatch { .. } => "mismatch",
        Verdict::Unknown(_) => "unknown",
    };
    let advice = match prints.policy().action(&verdict) {
        Action::Allow => "allow",
        Action::StepUp => "step up",
        Action::End => "end",
    };
    format!("| {what} | {} | {word} | {advice} |\n", score(&verdict))
}

fn table(prints: &Fingerprints, rows: &[(&str, Features)]) -> String {
    let reference = &rows[0].1;
    let rows = rows.iter().map(|(what, found)| row(prints, what, reference, found));
    format!("| what changed | score | verdict | advice |\n|---|---|---|---|\n{}", rows.collect::<String>())
}

#[test]
fn the_tables_of_the_guide_are_what_the_code_gives() {
    let world = world();
    let prints = prints(&world);
    for (heading, rows) in [("## All features", whole()), ("## Headers alone", headers())] {
        let table = table(&prints, &rows);
        let (_, rest) = GUIDE.split_once(heading).unwrap_or_else(|| panic!("the guide has no `{heading}`"));
        let written: String = rest
            .lines()
            .skip_while(|line| !line.starts_with('|'))
            .take_while(|line| line.starts_with('|'))
            .fold(String::new(), |written, line| written + line + "\n");
        assert!(
            written == table,
            "the table under `{heading}` of docs/fingerprints.md has to be:\n\n{table}"
        );
    }
}

/// Withholding one feature of the laptop costs its whole weight: the defaults sum to 1000.
#[test]
fn the_weights_of_the_guide_are_those_of_the_code() {
    let world = world();
    let prints = prints(&world);
    for feature in Feature::KNOWN {
        let withheld = laptop_with(|name| name != feature.name(), |builder| builder);
        let weight = 1000 - score(&prints.compare(&super::laptop(), &withheld));
        let begin = format!("| `{feature}` |");
        let row = GUIDE.lines().find(|line| line.starts_with(&begin)).expect("each feature has a row");
        assert!(row.ends_with(&format!("| {weight} |")), "`{feature}` weighs {weight}, not as in: {row}");
    }
}
