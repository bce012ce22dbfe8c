//! What peers agree on for one key: [`State`], a join-semilattice, so that messages in any order, lost, late or twice lead to one end.
//!
//! A *life* is born when a record is created where none lives. A removal ends every life born before it, whatever later changes that
//! life gets: a change that races a logout never revives. Of two lives the one born later stands; of two changes of one life the later.

use serde::{Deserialize, Serialize};

use super::stamp::Stamp;

/// One life of a key: when it was born and when it last changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Life {
    /// When it was created.
    pub(super) birth: Stamp,
    /// When its value, tags or expiry last changed; its birth, if never. Activity does not count.
    pub(super) change: Stamp,
}

/// The last removal of a key and the life that stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct State {
    /// When it was last removed: its tombstone.
    pub(super) removed: Option<Stamp>,
    /// The life born after that, if there is one.
    pub(super) life: Option<Life>,
}

impl State {
    /// A state in which no life older than the removal stands.
    pub(super) fn new(removed: Option<Stamp>, life: Option<Life>) -> Self {
        Self { removed, life: life.filter(|life| Some(life.birth) > removed) }
    }

    /// What two peers know together: commutative, associative, idempotent.
    #[must_use]
    pub(super) fn join(self, other: Self) -> Self {
        Self::new(self.removed.max(other.removed), self.life.max(other.life))
    }

    /// Whether nothing is known.
    pub(super) fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// Its stamps.
    pub(super) fn stamps(self) -> impl Iterator<Item = Stamp> {
        let life = self.life.map(|life| [life.birth, life.change]);
        self.removed.into_iter().chain(life.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stamps() -> impl Strategy<Value = Stamp> {
        (0..6_u64, 0..2_u32, 0..2_u64).prop_map(|(millis, count, origin)| Stamp::new(millis, count, origin))
    }

    fn states() -> impl Strategy<Value = State> {
        let life = (stamps(), stamps()).prop_map(|(birth, change)| Life { birth, change: change.max(birth) });
        (prop::option::of(stamps()), prop::option::of(life))
            .prop_map(|(removed, life)| State::new(removed, life))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn joining_is_commutative_associative_and_idempotent(a in states(), b in states(), c in states()) {
            prop_assert_eq!(a.join(b), b.join(a));
            prop_assert_eq!(a.join(b).join(c), a.join(b.join(c)));
            prop_assert_eq!(a.join(a), a);
            prop_assert_eq!(a.join(b).join(b), a.join(b));
            prop_assert_eq!(a.join(State::default()), a);
        }

        #[test]
        fn no_life_born_before_a_removal_survives_any_join(a in states(), b in states()) {
            let joined = a.join(b);
            for removed in [a.removed, b.removed].into_iter().flatten() {
                prop_assert!(joined.removed >= Some(removed));
                prop_assert!(joined.life.is_none_or(|life| life.birth > removed));
            }
        }
    }

    #[test]
    fn a_late_change_does_not_undo_a_removal_and_a_new_life_does() {
        let at = |millis| Stamp::new(millis, 0, 1);
        let living = |birth, change| State::new(None, Some(Life { birth: at(birth), change: at(change) }));
        let removed = State::new(Some(at(10)), None);
        assert_eq!(living(5, 99).join(removed), removed);
        assert_eq!(living(11, 11).join(removed).life, living(11, 11).life);
        assert_eq!(living(5, 6).join(living(5, 7)), living(5, 7));
        assert_eq!(living(5, 99).join(living(6, 6)), living(6, 6), "of two lives the later born");
    }
}
