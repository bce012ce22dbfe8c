//! How alike two sets are: [`Weights`], and the credit each kind of feature gives for a value that is near. Whole numbers only, so every
//! machine comes to the same score.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::agent::{Agent, NO_ENGINE};
use super::feature::Feature;
use super::features::Features;
use super::verdict::Score;

/// What a feature that is the same is worth, in permille of its weight.
const SAME: u64 = 1000;

/// The weight of an application's own feature unless it is given another.
const CUSTOM: u16 = 100;

/// How many major versions a browser runs ahead within a year or so.
const YEAR_OF_VERSIONS: u32 = 15;

/// How much each feature counts.
#[derive(Clone, Debug)]
pub(super) struct Weights(BTreeMap<Feature, u16>);

/// What came of a comparison.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Comparison {
    pub(super) score: Score,
    pub(super) changed: Vec<Feature>,
}

impl Weights {
    pub(super) fn set(&mut self, feature: Feature, weight: u16) {
        self.0.insert(feature, weight);
    }

    fn of(&self, feature: &Feature) -> u64 {
        self.0.get(feature).copied().unwrap_or(CUSTOM).into()
    }

    /// Whether anything in the set counts.
    pub(super) fn weigh(&self, features: &Features) -> bool {
        features.names().any(|feature| self.of(feature) > 0)
    }

    /// Compares what is found with the reference, over the features that either has; one that only one has gives no credit. So leaving
    /// features out or adding some never raises a score. `None` if none of them counts.
    pub(super) fn compare(&self, reference: &Features, found: &Features) -> Option<Comparison> {
        let (mut earned, mut total) = (0, 0);
        let mut changed = Vec::new();
        let features: BTreeSet<_> = reference.names().chain(found.names()).collect();
        for feature in features {
            let credit = match (reference.get(feature), found.get(feature)) {
                (Some(before), Some(now)) => credit(feature, before, now),
                _ => 0,
            };
            if credit < SAME {
                changed.push(feature.clone());
            }
            earned += self.of(feature) * credit;
            total += self.of(feature) * SAME;
        }
        // Rounded down: only what is the same in all that counts is 1000.
        let permille = (earned * 1000).checked_div(total)?;
        Some(Comparison { score: Score::of_permille(permille), changed })
    }
}

impl Default for Weights {
    fn default() -> Self {
        Self(BTreeMap::from([
            (Feature::AGENT, 320),
            (Feature::PLATFORM, 260),
            (Feature::LANGUAGE, 120),
            (Feature::ZONE, 70),
            (Feature::SCREEN, 60),
            (Feature::CORES, 60),
            (Feature::ADDRESS, 50),
            (Feature::MEMORY, 40),
            (Feature::COLOUR_DEPTH, 20),
        ]))
    }
}

/// What `now` is worth in place of `before`, in permille. Less than [`SAME`] unless they are equal.
fn credit(feature: &Feature, before: &str, now: &str) -> u64 {
    if before == now {
        return SAME;
    }
    if *feature == Feature::AGENT {
        Agent::of_canonical(before).zip(Agent::of_canonical(now)).map_or(0, |(b, n)| agent(&b, &n))
    } else if *feature == Feature::LANGUAGE {
        language(before, now)
    } else if *feature == Feature::SCREEN {
        if before.split_once('x').zip(now.split_once('x')).is_some_and(|((w, h), n)| (h, w) == n) {
            900
        } else {
            0
        }
    } else if *feature == Feature::ZONE {
        let area = |zone: &str| zone.split_once('/').map(|(area, _)| area.to_owned());
        if area(before).is_some() && area(before) == area(now) { 400 } else { 0 }
    } else if *feature == Feature::COLOUR_DEPTH {
        // Whether a screen shows more than 8 bits of each colour depends on which one is plugged in.
        let is_deep = |bits: &str| bits.parse::<u32>().is_ok_and(|bits| bits >= 24);
        if is_deep(before) && is_deep(now) { 500 } else { 0 }
    } else if *feature == Feature::ADDRESS {
        if is_neighbour(before, now) { 500 } else { 0 }
    } else {
        0
    }
}

/// Browsers go forward by themselves; going back, or becoming another one, takes somebody.
fn agent(before: &Agent, now: &Agent) -> u64 {
    if before.family != now.family {
        return if before.engine == now.engine && now.engine != NO_ENGINE { 200 } else { 0 };
    }
    match now.major.checked_sub(before.major) {
        _ if before.engine != now.engine => 300,
        Some(ahead) if ahead <= YEAR_OF_VERSIONS => 900,
        Some(_) => 700,
        None => 400,
    }
}

fn language(before: &str, now: &str) -> u64 {
    let first = |list: &str| list.split(',').next().unwrap_or_default().to_owned();
    let primary = |tag: &str| tag.split('-').next().unwrap_or_default().to_owned();
    let primaries = |list: &str| list.split(',').map(primary).collect::<BTreeSet<_>>();
    if first(before) == first(now) {
        800
    } else if primary(&first(before)) == primary(&first(now)) {
        600
    } else if primaries(before).is_disjoint(&primaries(now)) {
        0
    } else {
        300
    }
}

/// Whether two networks lie in one /16 of IPv4 or one /32 of IPv6, as those of one provider often do.
fn is_neighbour(before: &str, now: &str) -> bool {
    let network = |text: &str| text.split_once('/').and_then(|(address, _)| address.parse::<IpAddr>().ok());
    match (network(before), network(now)) {
        (Some(IpAddr::V4(before)), Some(IpAddr::V4(now))) => before.octets()[..2] == now.octets()[..2],
        (Some(IpAddr::V6(before)), Some(IpAddr::V6(now))) => before.segments()[..2] == now.segments()[..2],
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_feature_knows_what_is_near() {
        for (feature, before, now, expected) in [
            (Feature::AGENT, "chrome 126 blink", "chrome 126 blink", 1000),
            (Feature::AGENT, "chrome 126 blink", "chrome 127 blink", 900),
            (Feature::AGENT, "chrome 126 blink", "chrome 141 blink", 900),
            (Feature::AGENT, "chrome 126 blink", "chrome 142 blink", 700),
            (Feature::AGENT, "chrome 126 blink", "chrome 125 blink", 400),
            (Feature::AGENT, "chrome 126 blink", "chrome 126 webkit", 300),
            (Feature::AGENT, "chrome 126 blink", "edge 126 blink", 200),
            (Feature::AGENT, "chrome 126 blink", "firefox 126 gecko", 0),
            (Feature::AGENT, "curl 8 -", "wget 8 -", 0),
            (Feature::AGENT, "garbage", "curl 8 -", 0),
            (Feature::LANGUAGE, "de-at,de", "de-at,en", 800),
            (Feature::LANGUAGE, "de-at,de", "de-de,de", 600),
            (Feature::LANGUAGE, "de,en", "en,fr", 300),
            (Feature::LANGUAGE, "de,en", "fr", 0),
            (Feature::SCREEN, "1920x1080", "1080x1920", 900),
            (Feature::SCREEN, "1920x1080", "1920x1200", 0),
            (Feature::ZONE, "europe/vienna", "europe/paris", 400),
            (Feature::ZONE, "europe/vienna", "asia/tokyo", 0),
            (Feature::ZONE, "utc", "gmt", 0),
            (Feature::COLOUR_DEPTH, "24", "30", 500),
            (Feature::COLOUR_DEPTH, "24", "16", 0),
            (Feature::ADDRESS, "192.0.2.0/24", "192.0.3.0/24", 500),
            (Feature::ADDRESS, "192.0.2.0/24", "192.1.2.0/24", 0),
            (Feature::ADDRESS, "2001:db8:1::/48", "2001:db8:2::/48", 500),
            (Feature::ADDRESS, "2001:db8:1::/48", "2001:db9:1::/48", 0),
            (Feature::ADDRESS, "192.0.2.0/24", "2001:db8:1::/48", 0),
            (Feature::MEMORY, "8192", "4096", 0),
            (Feature::PLATFORM, "linux", "windows", 0),
        ] {
            assert_eq!(credit(&feature, before, now), expected, "{feature}: {before}, then {now}");
            if feature != Feature::AGENT {
                assert_eq!(credit(&feature, now, before), expected, "{feature}: {now}, then {before}");
            }
        }
    }

    #[test]
    fn the_weights_of_what_strata_knows_sum_to_a_thousand() {
        let weights = Weights::default();
        assert_eq!(Feature::KNOWN.iter().map(|feature| weights.of(feature)).sum::<u64>(), 1000);
        assert_eq!(weights.0.len(), Feature::KNOWN.len());
    }
}
