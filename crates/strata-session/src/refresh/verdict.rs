//! What becomes of a presented token: [`Rotation`], and why one is refused, [`Verdict`].

use std::fmt;

use super::family::Family;
use super::token::RefreshToken;
use crate::security::Misuse;

/// What a rotation came to. Both of the first carry a token for the client.
#[must_use = "the client needs the token, or to be told that it was refused"]
#[derive(Debug)]
pub enum Rotation {
    /// The presented token was the current one; it is used up, and this is its successor.
    Rotated {
        /// For the client.
        token: RefreshToken,
        /// Whose it is.
        family: Family,
    },
    /// The presented token had been rotated a moment ago, and the answer was lost, or two requests carried it at once: the same
    /// successor again. Nothing has changed in the store.
    Retried {
        /// For the client: the token of the first answer, byte for byte.
        token: RefreshToken,
        /// Whose it is.
        family: Family,
    },
    /// Nothing is handed out. Answer `invalid_grant` (RFC 6749, section 5.2), whatever the verdict: it is for you, not for the client.
    Refused(Verdict),
}

impl Rotation {
    /// The token for the client and whose it is, or the verdict.
    pub fn granted(self) -> Result<(RefreshToken, Family), Verdict> {
        match self {
            Self::Rotated { token, family } | Self::Retried { token, family } => Ok((token, family)),
            Self::Refused(verdict) => Err(verdict),
        }
    }
}

/// Why a token was refused. All but [`Verdict::Unknown`] have ended its family (RFC 9700, section 4.14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The predecessor of the current token, after the window for retries: a client that kept an old token, or a thief.
    RecentPrevious,
    /// A token that was made here and is not of the family's line: the store was set back to a backup, or its copy was misused.
    OrphanBranch,
    /// A token from further back: somebody has kept it.
    StaleLineage,
    /// Never made here, or its family has ended. Nothing has changed: the id of a family is public, so knowing it must not end it.
    Unknown,
}

impl Verdict {
    /// Whether a family was ended for it.
    pub fn ends_family(self) -> bool {
        self != Self::Unknown
    }

    /// As it is written to the security log.
    pub(super) fn misuse(self) -> Misuse {
        match self {
            Self::RecentPrevious => Misuse::RecentPrevious,
            Self::OrphanBranch => Misuse::OrphanBranch,
            Self::StaleLineage => Misuse::StaleLineage,
            Self::Unknown => Misuse::UnknownToken,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.misuse().fmt(f)
    }
}
