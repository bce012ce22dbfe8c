//! What a full look over a store found: [`Check`].

use std::fmt;

/// The result of [`Strata::check`](crate::Strata::check).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// Records of the store, dead ones and its own included, as its indexes were compared with them. Zero where the store
    /// offers no comparison.
    pub records: u64,
    /// Pairs of a record and a tag in the tag index.
    pub tag_entries: u64,
    /// Entries of the deadline index.
    pub due_entries: u64,
    /// Living values that were opened.
    pub opened: u64,
    /// What is wrong, one sentence each, up to [`Check::MAX_PROBLEMS`]. Keys are named, values never shown.
    pub problems: Vec<String>,
    /// How many problems there are, those left out of `problems` included.
    pub count: u64,
}

impl Check {
    /// The most problems that are described.
    pub const MAX_PROBLEMS: usize = 1000;

    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn add(&mut self, problem: impl fmt::Display) {
        self.count += 1;
        if self.problems.len() < Self::MAX_PROBLEMS {
            self.problems.push(problem.to_string());
        }
    }
}

#[cfg(feature = "sled")]
impl From<&strata_adapter_sled::Check> for Check {
    fn from(check: &strata_adapter_sled::Check) -> Self {
        let describe =
            |problem: &strata_adapter_sled::Problem| format!("{:?}: `{}`", problem.kind, problem.key);
        Self {
            records: check.records,
            tag_entries: check.tag_entries,
            due_entries: check.due_entries,
            opened: 0,
            problems: check.problems.iter().take(Self::MAX_PROBLEMS).map(describe).collect(),
            count: check.counts.values().sum(),
        }
    }
}

#[cfg(feature = "memory")]
impl From<&strata_adapter_memory::Check> for Check {
    fn from(check: &strata_adapter_memory::Check) -> Self {
        let describe = |problem: &strata_adapter_memory::Problem| format!("{problem:?}");
        Self {
            records: check.records as u64,
            tag_entries: check.tag_entries as u64,
            due_entries: check.due_entries as u64,
            opened: 0,
            problems: check.problems.iter().take(Self::MAX_PROBLEMS).map(describe).collect(),
            count: check.problems.len() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_counted_beyond_those_described() {
        let mut check = Check::default();
        assert!(check.is_clean());
        for number in 0..Check::MAX_PROBLEMS + 5 {
            check.add(number);
        }
        assert_eq!((check.problems.len(), check.count), (Check::MAX_PROBLEMS, 1005));
        assert!(!check.is_clean());
    }
}
