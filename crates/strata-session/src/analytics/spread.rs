//! Median and percentiles of durations in bounded memory: [`Spread`].

/// How many are kept as they are.
const EXACT: usize = 50_000;
/// Steps within each doubling: an error below one in 128.
const STEPS: u64 = 128;
/// One step for each of the first values, then as many for each doubling up to the last of 64 bits.
const PLACES: usize = 58 * 128;

/// Durations in milliseconds. Exact up to 50,000 of them; beyond that a histogram of 58 KiB, whose answers are less than 0.8 percent
/// too small.
#[derive(Debug)]
pub(super) enum Spread {
    Exact(Vec<u64>),
    Histogram(Box<[u64]>),
}

impl Default for Spread {
    fn default() -> Self {
        Self::Exact(Vec::new())
    }
}

impl Spread {
    pub(super) fn add(&mut self, millis: u64) {
        match self {
            Self::Exact(values) if values.len() < EXACT => values.push(millis),
            Self::Exact(values) => {
                let mut places = vec![0; PLACES].into_boxed_slice();
                for value in values.iter() {
                    places[place(*value)] += 1;
                }
                places[place(millis)] += 1;
                *self = Self::Histogram(places);
            }
            Self::Histogram(places) => places[place(millis)] += 1,
        }
    }

    /// Whether answers are approximate.
    pub(super) fn is_approximate(&self) -> bool {
        matches!(self, Self::Histogram(_))
    }

    /// The smallest value that `percent` of all are not above (the nearest rank). Zero if there are none.
    pub(super) fn percentile(&mut self, percent: u64) -> u64 {
        match self {
            Self::Exact(values) => {
                values.sort_unstable();
                let rank = rank(values.len() as u64, percent);
                usize::try_from(rank).ok().and_then(|rank| values.get(rank)).copied().unwrap_or(0)
            }
            Self::Histogram(places) => {
                let rank = rank(places.iter().sum(), percent);
                let mut seen = 0;
                let found = places.iter().position(|count| {
                    seen += count;
                    seen > rank
                });
                found.map_or(0, least)
            }
        }
    }
}

/// The place, from zero, of the value asked for.
fn rank(count: u64, percent: u64) -> u64 {
    count.saturating_mul(percent).div_ceil(100).saturating_sub(1)
}

/// The step a value falls into.
fn place(value: u64) -> usize {
    let doublings = (64 - value.leading_zeros()).saturating_sub(STEPS.ilog2() + 1);
    let step = value >> doublings;
    // Below 58 times 128.
    usize::try_from(u64::from(doublings) * STEPS + step).unwrap_or(0)
}

/// The smallest value of a step.
fn least(place: usize) -> u64 {
    let place = place as u64;
    let doublings = (place / STEPS).saturating_sub(1);
    (place - doublings * STEPS) << doublings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_narrow_and_without_gaps() {
        let mut last = 0;
        for value in (0..2000)
            .chain((1..64).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1]))
            .chain([u64::MAX])
        {
            let at = place(value);
            assert!(at < PLACES);
            assert!(least(at) <= value && value - least(at) <= value / STEPS, "{value}");
            assert_eq!(place(least(at)), at);
            last = last.max(at);
        }
        assert_eq!(last, PLACES - 1);
    }

    #[test]
    fn percentiles_are_the_nearest_rank() {
        let mut spread = Spread::default();
        assert_eq!(spread.percentile(50), 0);
        for value in [50, 10, 40, 20, 30] {
            spread.add(value);
        }
        assert_eq!((spread.percentile(50), spread.percentile(95), spread.percentile(20)), (30, 50, 10));
    }

    #[test]
    fn many_are_close() {
        let mut spread = Spread::default();
        for value in 0..200_000_u64 {
            spread.add(value * 7 % 200_000);
        }
        assert!(spread.is_approximate());
        for (percent, exact) in [(50, 99_999_u64), (95, 189_999), (100, 199_999)] {
            let found = spread.percentile(percent);
            assert!(found <= exact && exact - found <= exact / STEPS, "{found} for {exact}");
        }
    }
}
