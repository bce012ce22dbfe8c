//! Versions of the store beside those of the reference: equal in the same places, whatever their numbers.

use std::collections::HashMap;

use crate::batch::{Before, Outcome};
use crate::record::Version;

use super::steps::KEYS;

/// What has to hold, else the sequence is a counterexample.
pub(super) type Held<T = ()> = std::result::Result<T, String>;

/// Which version of the store is which of the reference: for one key each stands for exactly one other; over all keys
/// one of the store belongs to one commit.
#[derive(Default)]
pub(super) struct Versions {
    pairs: Vec<(usize, (Version, Version))>,
    commit_of: HashMap<Version, Version>,
}

impl Versions {
    pub(super) fn meet(&mut self, key: usize, pair: (Version, Version)) -> Held {
        let (known, given) = pair;
        if *self.commit_of.entry(given).or_insert(known) != known {
            return Err(format!("version {given} was given to two changes, in one place to `{}`", KEYS[key]));
        }
        match self.pairs.iter().find(|(other, (seen, _))| *other == key && *seen == known) {
            None => self.pairs.push((key, pair)),
            Some((_, (_, same))) if *same == given => {}
            Some((_, (_, other))) => {
                return Err(format!(
                    "`{}` has version {given} where it had {other}, without a change",
                    KEYS[key]
                ));
            }
        }
        Ok(())
    }

    pub(super) fn of(&self, key: usize) -> Vec<(Version, Version)> {
        self.pairs.iter().filter(|(other, _)| *other == key).map(|(_, pair)| *pair).collect()
    }
}

/// The versions that correspond in two outcomes, unless the outcomes differ otherwise.
pub(super) fn pairs(wanted: &Outcome, found: &Outcome) -> Option<Vec<(Version, Version)>> {
    let before = match (wanted.before, found.before) {
        (Before::Absent, Before::Absent) => None,
        (Before::Live(wanted), Before::Live(found)) | (Before::Dead(wanted), Before::Dead(found)) => {
            Some((wanted, found))
        }
        _ => return None,
    };
    let after = match (wanted.after, found.after) {
        (None, None) => None,
        (Some(wanted), Some(found)) => Some((wanted, found)),
        _ => return None,
    };
    Some(before.into_iter().chain(after).collect())
}
