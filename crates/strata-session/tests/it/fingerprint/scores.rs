//! What holds of every score: bounded, symmetric where it should be, independent of order, and never raised by one more difference.

use proptest::prelude::*;
use strata_session::fingerprint::{Feature, Features, FeaturesBuilder, Fingerprints, Verdict};

use super::{chrome, prints, score};
use crate::world;

/// A set as a choice among a few values of each feature, or none of it. The last two are the application's own.
type Choice = [Option<u8>; 11];

fn put(builder: FeaturesBuilder, feature: usize, choice: u8) -> FeaturesBuilder {
    let at = usize::from(choice);
    match feature {
        0 => match choice {
            0 => builder.agent(&chrome(126)),
            1 => builder.agent(&chrome(127)),
            2 => builder.agent(&format!("{} Edg/126.0", chrome(126))),
            _ => builder.agent("Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"),
        },
        1 => builder.language(["de-AT,de", "de-DE,de", "en,de", "fr"][at]),
        2 => builder.platform(["Windows", "Linux", "iOS", "Android"][at]),
        3 => builder.screen([1920, 1080, 800, 640][at], [1080, 1920, 600, 480][at]),
        4 => builder.zone(["Europe/Vienna", "Europe/Paris", "Asia/Tokyo", "UTC"][at]),
        5 => builder.colour_depth([24, 30, 16, 8][at]),
        6 => builder.memory([1024, 2048, 4096, 8192][at]),
        7 => builder.cores([2, 4, 8, 16][at]),
        8 => {
            let address = ["192.0.2.1", "192.0.3.1", "198.51.100.1", "2001:db8::1"][at];
            builder.address(address.parse().expect("an address"))
        }
        9 => builder.custom("canvas", ["a", "b", "c", "d"][at]),
        _ => builder.custom("unweighed", ["a", "b", "c", "d"][at]),
    }
}

fn collect(choice: &Choice, order: &[usize]) -> Features {
    let given = order.iter().filter_map(|&feature| Some((feature, choice[feature]?)));
    given
        .fold(Features::builder(), |builder, (feature, choice)| put(builder, feature, choice))
        .build()
        .expect("features")
}

fn set(choice: &Choice) -> Features {
    collect(choice, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
}

/// Any set with at least one feature that counts.
fn any_set() -> impl Strategy<Value = Choice> {
    prop::array::uniform11(prop::option::weighted(0.8, 0_u8..4))
        .prop_filter("something that counts", |choice| choice[..10].iter().any(Option::is_some))
}

fn any_order() -> impl Strategy<Value = Vec<usize>> {
    Just((0..11).collect::<Vec<_>>()).prop_shuffle()
}

fn subject() -> Fingerprints {
    let world = world();
    let unweighed = Feature::custom("unweighed").expect("a name");
    Fingerprints::builder(&world.db).allow_plaintext().weight(unweighed, 0).build().expect("built")
}

fn changed(verdict: &Verdict) -> Vec<Feature> {
    match verdict {
        Verdict::Similar { changed, .. } | Verdict::Mismatch { changed, .. } => changed.clone(),
        _ => Vec::new(),
    }
}

proptest! {
    #[test]
    fn a_score_is_bounded_and_names_what_differs(a in any_set(), b in any_set()) {
        let verdict = subject().compare(&set(&a), &set(&b));
        prop_assert!(score(&verdict) <= 1000);
        let differ = (0..11).filter(|&feature| a[feature] != b[feature]).count();
        prop_assert_eq!(changed(&verdict).len(), differ);
        prop_assert_eq!(verdict == Verdict::Match, differ == 0);
        let counts = (0..10).any(|feature| a[feature] != b[feature]);
        prop_assert_eq!(score(&verdict) < 1000, counts, "1000 is for no difference that counts");
        let similar = score(&verdict) >= 750;
        prop_assert_eq!(matches!(verdict, Verdict::Mismatch { .. }), !similar);
    }

    /// Only agents have a direction: browsers go forward by themselves.
    #[test]
    fn a_score_is_the_same_both_ways_but_for_the_agent(a in any_set(), b in any_set()) {
        let mut b = b;
        b[0] = a[0];
        if b[..10].iter().any(Option::is_some) {
            let subject = subject();
            prop_assert_eq!(subject.compare(&set(&a), &set(&b)), subject.compare(&set(&b), &set(&a)));
        }
    }

    #[test]
    fn order_is_of_no_account(a in any_set(), one in any_order(), two in any_order()) {
        prop_assert_eq!(collect(&a, &one), collect(&a, &two));
    }

    /// From anywhere: whatever was as in the reference becomes something else, goes away, or comes in addition.
    #[test]
    fn one_more_difference_never_raises_a_score(
        reference in any_set(),
        found in any_set(),
        feature in 0_usize..11,
        to in prop::option::of(0_u8..4),
    ) {
        let mut found = found;
        found[feature] = reference[feature];
        let mut further = found;
        further[feature] = to;
        let count = |choice: &Choice| choice[..10].iter().any(Option::is_some);
        if count(&found) && count(&further) {
            let subject = subject();
            let before = score(&subject.compare(&set(&reference), &set(&found)));
            let after = score(&subject.compare(&set(&reference), &set(&further)));
            prop_assert!(after <= before, "{before}, then {after}");
        }
    }

    /// A thief who withholds what would not fit, or adds what nobody asked for, is no better off.
    #[test]
    fn fewer_or_more_features_than_the_references_never_help(reference in any_set(), kept in any::<u16>(), own in 0_u8..20) {
        let names: Vec<_> = (0..own).map(|number| format!("own{number}")).collect();
        let given = (0..11).filter(|feature| kept & (1 << feature) != 0);
        let some = given.filter_map(|feature| Some((feature, reference[feature]?)));
        let builder = some.fold(Features::builder(), |builder, (feature, choice)| put(builder, feature, choice));
        let builder = names.iter().fold(builder, |builder, name| builder.custom(name, "1"));
        if let Ok(found) = builder.build() {
            let subject = subject();
            let verdict = subject.compare(&set(&reference), &found);
            let total = |choice: &Features| choice.names().filter(|name| name.name() != "unweighed").count();
            prop_assume!(total(&found) > 0);
            prop_assert_eq!(score(&verdict) == 1000, changed(&verdict).iter().all(|name| name.name() == "unweighed"));
        }
    }
}

#[test]
fn weights_and_threshold_decide() {
    let world = world();
    let linux = Features::builder().platform("linux").cores(8).build().expect("features");
    let windows = Features::builder().platform("windows").cores(8).build().expect("features");
    assert_eq!(score(&prints(&world).compare(&linux, &windows)), 60 * 1000 / 320);
    for (least, is_similar) in [(500, true), (501, false)] {
        let even = Fingerprints::builder(&world.db).allow_plaintext().similar_from(least);
        let even = even.weight(Feature::PLATFORM, 60).build().expect("built");
        let verdict = even.compare(&linux, &windows);
        assert_eq!(score(&verdict), 500);
        assert_eq!(matches!(verdict, Verdict::Similar { .. }), is_similar, "{least}");
    }
}
