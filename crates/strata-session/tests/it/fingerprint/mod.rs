//! Fingerprints: what they bind, what they compare, what they leave alone, and every order in which their calls can meet.

mod binding;
mod calibration;
mod faults;
mod input;
mod not_again;
mod orders;
mod scores;
mod signed_in;

use strata_core::conformance::block_on;
use strata_session::SessionValues;
use strata_session::fingerprint::{Features, FeaturesBuilder, Fingerprints, Score, Verdict};

use crate::World;

/// Chrome on Windows.
fn chrome(major: u32) -> String {
    format!(
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{major}.0.0.0 Safari/537.36"
    )
}

/// How one feature is put into a set.
type Put<'a> = Box<dyn FnOnce(FeaturesBuilder) -> FeaturesBuilder + 'a>;

/// All that Strata knows of a laptop.
fn laptop_parts(agent: &str) -> Vec<(&'static str, Put<'_>)> {
    vec![
        ("agent", Box::new(move |it| it.agent(agent))),
        ("language", Box::new(|it| it.language("de-AT,de;q=0.9,en;q=0.8"))),
        ("platform", Box::new(|it| it.platform("Windows"))),
        ("screen", Box::new(|it| it.screen(1920, 1080))),
        ("zone", Box::new(|it| it.zone("Europe/Vienna"))),
        ("colour_depth", Box::new(|it| it.colour_depth(24))),
        ("memory", Box::new(|it| it.memory(8192))),
        ("cores", Box::new(|it| it.cores(8))),
        ("address", Box::new(|it| it.address("192.0.2.7".parse().expect("an address")))),
    ]
}

/// The laptop's features that `keep` names, and what `but` adds.
fn laptop_with(
    keep: impl Fn(&str) -> bool,
    but: impl FnOnce(FeaturesBuilder) -> FeaturesBuilder,
) -> Features {
    let agent = chrome(126);
    let parts = laptop_parts(&agent).into_iter().filter(|(name, _)| keep(name));
    but(parts.fold(Features::builder(), |builder, (_, put)| put(builder))).build().expect("features")
}

/// The laptop with one feature exchanged.
fn laptop_but(name: &str, but: impl FnOnce(FeaturesBuilder) -> FeaturesBuilder) -> Features {
    laptop_with(|other| other != name, but)
}

fn laptop() -> Features {
    laptop_but("", |builder| builder)
}

/// Another browser on another machine elsewhere.
fn stranger() -> Features {
    Features::builder()
        .agent("Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0")
        .platform("Linux x86_64")
        .language("fr")
        .zone("America/Lima")
        .screen(2560, 1440)
        .colour_depth(16)
        .memory(32_768)
        .cores(16)
        .address("198.51.100.9".parse().expect("an address"))
        .build()
        .expect("features")
}

/// The laptop after its browser was updated.
fn updated() -> Features {
    let agent = chrome(127);
    laptop_but("agent", |builder| builder.agent(&agent))
}

fn prints(world: &World) -> Fingerprints {
    Fingerprints::builder(&world.db).allow_plaintext().build().expect("a manager")
}

fn checked(prints: &Fingerprints, session: &impl SessionValues, features: &Features) -> Verdict {
    block_on(prints.check(session, features)).expect("check")
}

/// The score of a verdict: a match is 1000.
fn score(verdict: &Verdict) -> u16 {
    match verdict {
        Verdict::Match => 1000,
        Verdict::Similar { score, .. } | Verdict::Mismatch { score, .. } => Score::permille(*score),
        Verdict::Unknown(why) => panic!("unknown: {why}"),
    }
}

fn is_mismatch(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Mismatch { .. })
}
