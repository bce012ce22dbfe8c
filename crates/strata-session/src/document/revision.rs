//! The state of a document at the server, as a name: [`Revision`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use strata_core::{Error, ErrorKind, Random, Result};

/// One state of one document at one server. Two are equal only if nothing has changed between them.
///
/// As text `epoch-count-stamp`. The epoch is drawn when a document begins, so that one that began anew is noticed; the stamp is drawn
/// for each change, so that a store brought back from a backup never meets a revision of the time that was lost.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Revision {
    epoch: u64,
    count: u64,
    stamp: u64,
}

impl Revision {
    /// That of a document to which nothing has happened yet.
    pub(super) fn first(random: &dyn Random) -> Result<Self> {
        Ok(Self { epoch: draw(random)?, count: 0, stamp: draw(random)? })
    }

    /// The one after this.
    pub(super) fn next(self, stamp: u64) -> Self {
        Self { count: self.count.saturating_add(1), stamp, ..self }
    }

    /// How many changes there were up to this one.
    pub fn count(self) -> u64 {
        self.count
    }

    /// Whether `earlier` may be from the same history, before this one or the same.
    pub(super) fn may_follow(self, earlier: Self) -> bool {
        self.epoch == earlier.epoch && (self == earlier || self.count > earlier.count)
    }
}

/// 64 random bits.
pub(super) fn draw(random: &dyn Random) -> Result<u64> {
    let mut bytes = [0; 8];
    random.fill(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

impl FromStr for Revision {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let mut parts = text.split('-');
            let (epoch, count, stamp) = (parts.next()?, parts.next()?, parts.next()?);
            let revision = Self {
                epoch: u64::from_str_radix(epoch, 16).ok()?,
                count: count.parse().ok()?,
                stamp: u64::from_str_radix(stamp, 16).ok()?,
            };
            (revision.to_string() == text).then_some(revision)
        };
        parse().ok_or_else(|| {
            let message = "this is no revision; send back what the server gave";
            Error::new(ErrorKind::Invalid, "parse revision", message)
        })
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epoch, count, stamp } = self;
        write!(f, "{epoch:016x}-{count}-{stamp:016x}")
    }
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Revision({self})")
    }
}

impl Serialize for Revision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Revision {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error: Error| de::Error::custom(error.message()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_has_one_text() {
        let revision = Revision { epoch: 7, count: 12, stamp: u64::MAX };
        let text = "0000000000000007-12-ffffffffffffffff";
        assert_eq!(revision.to_string(), text);
        assert_eq!(text.parse::<Revision>().expect("a revision"), revision);
        for bad in
            ["", "7-12-1", "+000000000000007-12-ffffffffffffffff", &text.to_uppercase(), &format!("{text}-1")]
        {
            assert_eq!(bad.parse::<Revision>().expect_err(bad).kind(), ErrorKind::Invalid);
        }
    }

    #[test]
    fn what_follows_what() {
        let one = Revision { epoch: 7, count: 1, stamp: 1 };
        let two = one.next(2);
        assert!(two.may_follow(one) && two.may_follow(two) && !one.may_follow(two));
        assert!(!two.may_follow(one.next(3)), "the same count of another line");
        assert!(!two.may_follow(Revision { epoch: 8, ..one }));
    }
}
