//! How long sessions live and how many a user may have: [`AtLimit`], the effective [`AuthPolicy`] as a document, and the rules a
//! manager keeps.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use strata_core::{Lifetime, Result, Timestamp, Touch};
use strata_ttl::{Description, Policy};

/// What happens when a user who has as many sessions as the limit allows signs in once more (ASVS 7.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AtLimit {
    /// The sign-in is refused with [`ErrorKind::Full`](strata_core::ErrorKind::Full).
    Refuse,
    /// The session that began first ends.
    EndOldest,
    /// The session that was active the longest time ago ends.
    EndLeastActive,
}

impl fmt::Display for AtLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refuse => "the sign-in is refused",
            Self::EndOldest => "the oldest ends",
            Self::EndLeastActive => "the least active ends",
        })
    }
}

/// What a manager goes by.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) ordinary: Policy,
    pub(super) remembered: Policy,
    pub(super) limit: usize,
    pub(super) at_limit: AtLimit,
}

impl Rules {
    /// The policy of a session.
    pub(super) fn of(&self, remembered: bool) -> &Policy {
        if remembered { &self.remembered } else { &self.ordinary }
    }

    /// The life of a session that begins at `now`, and when it ends at the latest. The instant is named in both, so that the
    /// roster and the record agree to the millisecond.
    pub(super) fn life(&self, remembered: bool, now: Timestamp) -> Result<(Lifetime, Timestamp)> {
        let policy = self.of(remembered);
        let cap = now.after(policy.cap())?;
        Ok((policy.lifetime().with_until(cap), cap))
    }

    /// How often activity is written down at most. Without an idle time it prolongs nothing, and is known to the hour unless the
    /// policy says otherwise.
    pub(super) fn touch_interval(&self, remembered: bool, idle: Option<Duration>) -> Duration {
        match (self.of(remembered).touch_interval(), idle) {
            (touch, Some(idle)) => touch.interval(idle),
            (Touch::Every(interval), None) => interval,
            (Touch::Fraction(_), None) => Duration::from_hours(1),
        }
    }

    pub(super) fn describe(&self) -> AuthPolicy {
        AuthPolicy {
            ordinary: self.ordinary.describe(),
            remembered: self.remembered.describe(),
            parallel_limit: self.limit,
            at_limit: self.at_limit,
        }
    }
}

/// The effective policy as a document, to print or to store with an audit (ASVS 7.1.1, 7.1.2). Serializes for machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuthPolicy {
    /// How long sessions live.
    pub ordinary: Description,
    /// How long sessions live that the user asked to be remembered in.
    pub remembered: Description,
    /// How many sessions a user may have at a time; also the most entries of a roster.
    pub parallel_limit: usize,
    /// What a sign-in does beyond that.
    pub at_limit: AtLimit,
}

impl fmt::Display for AuthPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ordinary sessions\n{}", Indented(&self.ordinary))?;
        write!(f, "remembered sessions\n{}", Indented(&self.remembered))?;
        writeln!(f, "parallel sessions of a user: {}, then {}", self.parallel_limit, self.at_limit)
    }
}

/// Lines set off by two spaces.
struct Indented<'d>(&'d Description);

impl fmt::Display for Indented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.to_string().lines().try_for_each(|line| writeln!(f, "  {line}"))
    }
}
