//! Bad input: what cannot be a feature, a set, a weight, a threshold or a key is refused, with the way out, and nothing is stored.

use strata_core::ErrorKind;
use strata_session::fingerprint::{Feature, Features, FeaturesBuilder, Fingerprints};

use crate::{kind_of, world};

fn refused(expected: ErrorKind, collect: impl FnOnce(FeaturesBuilder) -> FeaturesBuilder) {
    let error = collect(Features::builder()).build().expect_err("refused");
    assert_eq!(error.kind(), expected, "{error}");
}

#[test]
fn text_that_is_no_feature() {
    for bad in ["", "   ", "a\0b", "a\nb", "\u{7f}x"] {
        refused(ErrorKind::Invalid, |it| it.agent(bad));
        refused(ErrorKind::Invalid, |it| it.platform(bad));
        refused(ErrorKind::Invalid, |it| it.language(bad));
        refused(ErrorKind::Invalid, |it| it.zone(bad));
        refused(ErrorKind::Invalid, |it| it.custom("canvas", bad));
    }
    refused(ErrorKind::Invalid, |it| it.zone("Europe/Wien; drop"));
    refused(ErrorKind::Invalid, |it| it.language("de;q=9"));
}

#[test]
fn s38_text_over_its_bound() {
    let long = |bytes| "x".repeat(bytes);
    refused(ErrorKind::TooLarge, |it| it.agent(&long(2049)));
    refused(ErrorKind::TooLarge, |it| it.platform(&long(2049)));
    refused(ErrorKind::TooLarge, |it| it.language(&long(513)));
    refused(ErrorKind::TooLarge, |it| it.zone(&long(65)));
    refused(ErrorKind::TooLarge, |it| it.custom("canvas", &long(257)));
    let most = Features::builder().agent(&long(2048)).zone(&long(64)).custom("canvas", &long(256)).build();
    assert!(most.is_ok(), "bounds are inclusive");
}

#[test]
fn s38_too_many_features() {
    let names: Vec<_> = (0..=Features::MOST).map(|number| format!("f{number}")).collect();
    let collect = |count: usize| {
        names[..count].iter().fold(Features::builder(), |builder, name| builder.custom(name, "1")).build()
    };
    assert_eq!(collect(Features::MOST).expect("the most").names().count(), Features::MOST);
    assert_eq!(kind_of(collect(Features::MOST + 1)), ErrorKind::TooLarge);
}

#[test]
fn sets_that_say_nothing_or_two_things() {
    refused(ErrorKind::Invalid, |it| it);
    refused(ErrorKind::Invalid, |it| it.version(7));
    refused(ErrorKind::Invalid, |it| it.cores(8).cores(8));
    refused(ErrorKind::Invalid, |it| it.custom("canvas", "1").custom("canvas", "2"));
    refused(ErrorKind::Invalid, |it| it.custom("agent", "mine"));
    refused(ErrorKind::Invalid, |it| it.custom("Not a name", "1"));
}

#[test]
fn the_first_refusal_is_told() {
    let error = Features::builder().cores(0).zone("").custom("", "").build().expect_err("refused");
    assert!(error.to_string().contains("cores"), "{error}");
}

#[test]
fn numbers_out_of_bounds() {
    refused(ErrorKind::Invalid, |it| it.screen(0, 1080));
    refused(ErrorKind::Invalid, |it| it.screen(1920, u32::MAX));
    refused(ErrorKind::Invalid, |it| it.colour_depth(0));
    refused(ErrorKind::Invalid, |it| it.memory(u32::MAX));
    refused(ErrorKind::Invalid, |it| it.cores(u32::MAX));
}

#[test]
fn settings_out_of_bounds() {
    let world = world();
    let builder = || Fingerprints::builder(&world.db).allow_plaintext();
    for bad in [
        builder().weight(Feature::AGENT, 1001),
        builder().similar_from(0),
        builder().similar_from(1001),
        builder().key(&[7; 31]),
        builder().namespace("a:b"),
    ] {
        assert_eq!(kind_of(bad.build()), ErrorKind::Invalid);
    }
    assert!(builder().weight(Feature::AGENT, 1000).similar_from(1000).key(&[7; 32]).build().is_ok());
}

/// Whatever a client sends as its header, collecting it gives a feature or a refusal.
mod any_text {
    use proptest::prelude::*;
    use strata_session::fingerprint::{Feature, Features};

    proptest! {
        #[test]
        fn is_a_short_feature_or_refused(text in "\\PC{0,80}", tail in "[A-Za-z/0-9 .;()]{0,120}") {
            for text in [text.clone(), format!("{text}{tail}"), format!("Mozilla/5.0 ({text}) {tail}")] {
                for collected in [
                    Features::builder().agent(&text),
                    Features::builder().platform(&text),
                    Features::builder().language(&text),
                    Features::builder().zone(&text),
                ] {
                    if let Ok(features) = collected.build() {
                        let name = features.names().next().expect("one").clone();
                        let value = features.get(&name).expect("its value");
                        prop_assert!(!value.is_empty() && value.len() <= 512, "{}", value.len());
                        prop_assert!(name != Feature::AGENT || value.split(' ').count() == 3);
                    }
                }
            }
        }
    }
}
