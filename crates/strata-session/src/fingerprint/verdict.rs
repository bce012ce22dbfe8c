//! What came of a check: [`Verdict`], with its [`Score`].

use std::fmt;

use super::feature::Feature;

/// How alike two sets are, in permille: 0 for nothing in common, 1000 for no difference that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Score(u16);

impl Score {
    pub(super) fn of_permille(permille: u64) -> Self {
        // A score is never over 1000.
        Self(u16::try_from(permille.min(1000)).unwrap_or(1000))
    }

    /// In permille, 0 to 1000.
    pub fn permille(self) -> u16 {
        self.0
    }
}

/// As a percentage with one decimal.
impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} %", self.0 / 10, self.0 % 10)
    }
}

/// How much a device looks like the one of the reference. A risk signal: no verdict authenticates anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The same in every feature.
    Match,
    /// Different, and alike enough: a browser that was updated, a network that was left.
    Similar {
        /// How alike.
        score: Score,
        /// The features that differ, by name.
        changed: Vec<Feature>,
    },
    /// Too different to be taken for the same device.
    Mismatch {
        /// How alike.
        score: Score,
        /// The features that differ, by name.
        changed: Vec<Feature>,
    },
    /// There is nothing to compare with.
    Unknown(Unknown),
}

/// Why there was nothing to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unknown {
    /// The session has no reference: none was bound.
    NoReference,
    /// The reference is a set of another version, of the application's or of Strata's canonical forms.
    OtherVersion,
    /// The reference was not made for this session under this key: it was copied or altered, or the key was changed or lost.
    Unverified,
    /// None of the features has a weight.
    Weightless,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, score, changed) = match self {
            Self::Match => return f.write_str("match"),
            Self::Unknown(why) => return write!(f, "unknown ({why})"),
            Self::Similar { score, changed } => ("similar", score, changed),
            Self::Mismatch { score, changed } => ("mismatch", score, changed),
        };
        let names: Vec<_> = changed.iter().map(Feature::name).collect();
        write!(f, "{word}, {score}, changed: {}", names.join(", "))
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoReference => "no reference",
            Self::OtherVersion => "another version",
            Self::Unverified => "unverified reference",
            Self::Weightless => "no feature with a weight",
        })
    }
}
