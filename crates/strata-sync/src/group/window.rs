//! Which numbers of a sender were seen: [`Window`]. As of RFC 4303, section 3.4.3, with a window of 64.

/// Numbers count from one. What is older than the window counts as seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// The greatest number seen.
    greatest: u64,
    /// Bit `n`: whether `greatest - n` was seen.
    seen: u64,
}

/// What a number came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// New. So many before it have not come, and were not told of yet.
    Fresh { missed: u64 },
    /// It came before.
    Replayed,
    /// So old that nobody knows.
    TooOld,
}

impl Window {
    /// A window that begins after `greatest`: what is up to there counts as seen.
    pub(crate) const fn after(greatest: u64) -> Self {
        Self { greatest, seen: u64::MAX }
    }

    /// Judges a number, and remembers it if it is new.
    pub(crate) fn admit(&mut self, number: u64) -> Verdict {
        if let Some(ahead) = number.checked_sub(self.greatest).filter(|ahead| *ahead > 0) {
            // A shift by 64 or more forgets all.
            self.seen =
                u32::try_from(ahead).ok().and_then(|ahead| self.seen.checked_shl(ahead)).unwrap_or(0) | 1;
            self.greatest = number;
            return Verdict::Fresh { missed: ahead - 1 };
        }
        match 1_u64.checked_shl(u32::try_from(self.greatest - number).unwrap_or(u32::MAX)) {
            None => Verdict::TooOld,
            Some(bit) if self.seen & bit != 0 => Verdict::Replayed,
            Some(bit) => {
                self.seen |= bit;
                Verdict::Fresh { missed: 0 }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn gaps_are_told_once_and_nothing_is_seen_twice() {
        let mut window = Window::after(4);
        assert_eq!(window.admit(4), Verdict::Replayed);
        assert_eq!(window.admit(5), Verdict::Fresh { missed: 0 });
        assert_eq!(window.admit(5), Verdict::Replayed);
        assert_eq!(window.admit(8), Verdict::Fresh { missed: 2 });
        assert_eq!(window.admit(7), Verdict::Fresh { missed: 0 }, "late, not too late");
        assert_eq!(window.admit(7), Verdict::Replayed);
        assert_eq!(window.admit(u64::MAX), Verdict::Fresh { missed: u64::MAX - 9 });
        assert_eq!(window.admit(8), Verdict::TooOld);
        assert_eq!(window.admit(u64::MAX), Verdict::Replayed);
        assert_eq!(window.admit(u64::MAX - 63), Verdict::Fresh { missed: 0 });
        assert_eq!(window.admit(u64::MAX - 64), Verdict::TooOld);
    }

    proptest! {
        /// Against a set of all numbers: what is fresh was never seen, and everything ahead of the window is fresh.
        #[test]
        fn it_agrees_with_a_set_of_all_numbers(start in 0_u64..200, numbers in prop::collection::vec(1_u64..400, 0..200)) {
            let mut window = Window::after(start);
            let mut seen = BTreeSet::new();
            let mut greatest = start;
            for number in numbers {
                let verdict = window.admit(number);
                let known = number <= start || seen.contains(&number);
                match verdict {
                    Verdict::Fresh { missed } => {
                        prop_assert!(!known);
                        prop_assert_eq!(missed, number.saturating_sub(greatest).saturating_sub(1));
                    }
                    Verdict::Replayed => prop_assert!(known),
                    Verdict::TooOld => prop_assert!(greatest - number >= 64),
                }
                seen.insert(number);
                greatest = greatest.max(number);
            }
        }
    }
}
