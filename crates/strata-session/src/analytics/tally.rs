//! The most frequent of many texts in bounded memory: [`Tally`].

use std::cmp::Ordering;
use std::collections::HashMap;

/// How many different texts are counted exactly, and kept when there are more.
const KEPT: usize = 4096;

/// Counts of texts. Exact up to 8192 different ones; then those below the 4096 most frequent (of equals, the first by name) are counted
/// together, each time that many have come, so that a text which only becomes frequent later is counted from then on.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: HashMap<String, Count>,
    others: u64,
    approximate: bool,
}

/// What is counted of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) count: u64,
    pub(super) millis: u64,
}

impl Tally {
    /// Counts a text.
    pub(super) fn add(&mut self, text: &str, count: u64, millis: u64) {
        if let Some(known) = self.counts.get_mut(text) {
            known.count = known.count.saturating_add(count);
            known.millis = known.millis.saturating_add(millis);
            return;
        }
        if self.counts.len() >= 2 * KEPT {
            self.forget_rare();
        }
        self.counts.insert(text.to_owned(), Count { count, millis });
    }

    /// Counts what has no name.
    pub(super) fn add_others(&mut self, count: u64) {
        self.others = self.others.saturating_add(count);
    }

    /// The most frequent ones, at most `most`, by number and then by name; the number of all the rest; whether all this is
    /// approximate.
    pub(super) fn top(self, most: usize) -> (Vec<(String, Count)>, u64, bool) {
        let mut counts: Vec<_> = self.counts.into_iter().collect();
        counts.sort_unstable_by(more_frequent);
        let rest =
            counts.iter().skip(most).fold(self.others, |sum, (_, count)| sum.saturating_add(count.count));
        counts.truncate(most);
        (counts, rest, self.approximate)
    }

    fn forget_rare(&mut self) {
        let mut counts: Vec<_> = self.counts.drain().collect();
        // There are twice as many, so the place exists.
        counts.select_nth_unstable_by(KEPT, more_frequent);
        let rare = counts.drain(KEPT..).fold(0_u64, |sum, (_, count)| sum.saturating_add(count.count));
        self.counts.extend(counts);
        self.add_others(rare);
        self.approximate = true;
    }
}

/// The more frequent one first; of equals, the first by name, so that the same texts always come to the same.
fn more_frequent((one, a): &(String, Count), (other, b): &(String, Count)) -> Ordering {
    b.count.cmp(&a.count).then_with(|| one.cmp(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_exact_and_in_order() {
        let mut tally = Tally::default();
        for (text, count) in [("b", 2), ("a", 2), ("c", 5), ("a", 1), ("d", 1)] {
            tally.add(text, count, count * 10);
        }
        tally.add_others(7);
        let (top, rest, approximate) = tally.top(2);
        assert_eq!(
            top,
            [
                ("c".to_owned(), Count { count: 5, millis: 50 }),
                ("a".to_owned(), Count { count: 3, millis: 30 })
            ]
        );
        assert_eq!((rest, approximate), (7 + 2 + 1, false));
    }

    #[test]
    fn many_are_bounded_and_none_is_lost_from_the_sum() {
        let mut tally = Tally::default();
        let mut sum = 0;
        for number in 0..100_000_u64 {
            let often = number % 3 == 0;
            tally.add(&if often { "often".to_owned() } else { format!("rare {number}") }, 1, 0);
            sum += 1;
            assert!(tally.counts.len() <= 2 * KEPT);
        }
        let (top, rest, approximate) = tally.top(1);
        assert_eq!((top[0].0.as_str(), top[0].1.count), ("often", 33_334));
        assert_eq!(rest + top[0].1.count, sum);
        assert!(approximate);
    }

    /// All of them equally frequent: half of them stay, and not none.
    #[test]
    fn equals_do_not_forget_each_other() {
        let mut tally = Tally::default();
        for number in 0..=2 * KEPT {
            tally.add(&format!("{number:05}"), 100, 0);
        }
        assert_eq!(tally.counts.len(), KEPT + 1);
        let (top, rest, _) = tally.top(3);
        let names: Vec<&str> = top.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["00000", "00001", "00002"], "and always the same ones");
        assert_eq!(rest, (2 * KEPT as u64 + 1 - 3) * 100);
    }
}
