//! How long tokens live, when they are refreshed, and how long anybody waits: [`TokenPolicy`].

use std::time::Duration;

use strata_core::{Error, ErrorKind, Random, Result, Timestamp};

/// The times of a [`Tokens`](super::Tokens) manager.
///
/// The life of a token is what the answer's `expires_in` says; without that, up to the `exp` of a JWT; without either, the usual life
/// here. An `exp` beside an `expires_in` can only shorten it, and nothing is kept longer than the longest life here. A token whose `exp` has
/// passed, or whose `nbf` is later than the skew from now, is of no use, or the local clock is wrong: the answer to a sign-in is then
/// refused; of the answer to a refresh the rotated refresh token is kept, for the one before is spent.
///
/// | time | default | |
/// |---|---|---|
/// | `access`, `refresh`, `id` | 15 min, 30 d, 1 h | the usual life, where neither answer nor token says otherwise |
/// | `longest_access`, `longest_refresh`, `longest_id` | 24 h, 400 d, 24 h | the longest life, whatever they say |
/// | `early`, `jitter` | 60 s, 30 s | an access token is refreshed this long before its end, and up to so much earlier; never before half of its life |
/// | `skew` | 30 s | it is not handed out this long before its end, at most a quarter of its life |
/// | `timeout` | 4 s | the longest call to the server; a refresh that has no answer is tried a second time at once |
/// | `lease` | 8 s | how long a process that refreshes keeps siblings waiting, at least twice the timeout |
/// | `poll` | 250 ms | how often a waiting sibling looks |
///
/// A server that rotates may have done so when its answer is lost, and takes the old token for a retry only for a short time: 10 seconds in
/// [`RefreshTokens`](crate::refresh::RefreshTokens). So the second try, and that of a sibling after the lease, have to come within it.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct TokenPolicy {
    pub(super) access: Life,
    pub(super) refresh: Life,
    pub(super) id: Life,
    early: Duration,
    jitter: Duration,
    pub(super) skew: Duration,
    pub(super) timeout: Duration,
    pub(super) lease: Duration,
    pub(super) poll: Duration,
}

/// How long one kind of token lives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    pub(super) usual: Duration,
    pub(super) longest: Duration,
}

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

impl Default for TokenPolicy {
    fn default() -> Self {
        Self {
            access: Life { usual: 15 * MINUTE, longest: DAY },
            refresh: Life { usual: 30 * DAY, longest: 400 * DAY },
            id: Life { usual: HOUR, longest: DAY },
            early: MINUTE,
            jitter: Duration::from_secs(30),
            skew: Duration::from_secs(30),
            timeout: Duration::from_secs(4),
            lease: Duration::from_secs(8),
            poll: Duration::from_millis(250),
        }
    }
}

impl TokenPolicy {
    /// The usual and the longest life of access tokens.
    pub const fn access(mut self, usual: Duration, longest: Duration) -> Self {
        self.access = Life { usual, longest };
        self
    }

    /// The usual and the longest life of refresh tokens.
    pub const fn refresh(mut self, usual: Duration, longest: Duration) -> Self {
        self.refresh = Life { usual, longest };
        self
    }

    /// The usual and the longest life of id tokens.
    pub const fn id(mut self, usual: Duration, longest: Duration) -> Self {
        self.id = Life { usual, longest };
        self
    }

    /// How long before its end an access token is refreshed, and by how much earlier at random, so that clients do not all come at
    /// once.
    pub const fn early(mut self, early: Duration, jitter: Duration) -> Self {
        self.early = early;
        self.jitter = jitter;
        self
    }

    /// By how much clocks may differ.
    pub const fn skew(mut self, skew: Duration) -> Self {
        self.skew = skew;
        self
    }

    /// How long a call to the server may take.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long a process that refreshes keeps its siblings waiting, at least twice the timeout, and how often they look.
    pub const fn lease(mut self, lease: Duration, poll: Duration) -> Self {
        self.lease = lease;
        self.poll = poll;
        self
    }

    /// [`ErrorKind::Invalid`] for times that cannot work together.
    pub(super) fn check(&self) -> Result<()> {
        let lives = [self.access, self.refresh, self.id];
        let second = Duration::from_secs(1);
        let wrong = if lives.iter().any(|life| life.usual < second || life.usual > life.longest) {
            "a usual life is under a second or over the longest"
        } else if self.timeout.is_zero() || self.lease < self.timeout.saturating_mul(2) {
            "the timeout is zero, or the lease is shorter than twice that"
        } else if self.poll < Duration::from_millis(1) || self.poll > self.lease {
            "the poll interval is under a millisecond or over the lease"
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::Invalid, "build tokens", format!("{wrong}; correct the policy")))
    }

    /// Until when an access token that lives from `now` to `end` is handed out.
    pub(super) fn usable_until(&self, now: Timestamp, end: Timestamp) -> Timestamp {
        end.saturating_sub(self.skew.min(end.since(now) / 4))
    }

    /// When it is to be refreshed: never before half of its life, so that short lives end in no storm of refreshes.
    pub(super) fn refresh_at(
        &self,
        now: Timestamp,
        end: Timestamp,
        random: &dyn Random,
    ) -> Result<Timestamp> {
        let quarter = end.since(now) / 4;
        let mut drawn = [0; 4];
        random.fill(&mut drawn)?;
        let part = f64::from(u32::from_le_bytes(drawn)) / f64::from(u32::MAX);
        let jitter = self.jitter.min(quarter).mul_f64(part);
        let early = self.early.min(quarter) + jitter;
        Ok(end.saturating_sub(early).min(self.usable_until(now, end)))
    }
}
