//! How long sessions live, as a written rule: [`Policy`], the [`Profile`]s of NIST SP 800-63B-4 it starts from, and its
//! [`Description`].

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use strata_core::{Error, ErrorKind, Lifetime, Result, Touch};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// An authenticator assurance level and the longest session NIST SP 800-63B-4 (section 2) gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// One factor: 30 days, no idle time prescribed.
    Aal1,
    /// Two factors: 24 hours, one hour of idleness.
    Aal2,
    /// Two factors, one of them hardware: 12 hours, 15 minutes of idleness.
    Aal3,
}

impl Profile {
    /// The longest time without activity; `None` where the level prescribes none.
    pub const fn idle(self) -> Option<Duration> {
        match self {
            Self::Aal1 => None,
            Self::Aal2 => Some(HOUR),
            Self::Aal3 => Some(MINUTE.saturating_mul(15)),
        }
    }

    /// The longest life, whatever the activity.
    pub const fn cap(self) -> Duration {
        match self {
            Self::Aal1 => DAY.saturating_mul(30),
            Self::Aal2 => DAY,
            Self::Aal3 => HOUR.saturating_mul(12),
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aal1 => "AAL1",
            Self::Aal2 => "AAL2",
            Self::Aal3 => "AAL3",
        })
    }
}

/// How long a session lives without activity, and at all; never longer than its profile, unless a reason is written down
/// (ASVS 7.1.1). Becomes a [`Lifetime`] for the handle and a [`Touch`] for its builder.
///
/// ```
/// use std::time::Duration;
/// use strata_ttl::Policy;
///
/// let policy = Policy::aal2().idle(Duration::from_mins(30))?;
/// assert!(Policy::aal3().idle(Duration::from_hours(1)).is_err());
/// println!("{}", policy.describe());
/// # Ok::<(), strata_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    profile: Profile,
    idle: Option<Duration>,
    cap: Duration,
    touch: Touch,
    reason: Option<String>,
}

impl Policy {
    /// What a profile allows at most, with the default touch interval.
    pub fn of(profile: Profile) -> Self {
        Self { profile, idle: profile.idle(), cap: profile.cap(), touch: Touch::default(), reason: None }
    }

    /// At most 30 days.
    pub fn aal1() -> Self {
        Self::of(Profile::Aal1)
    }

    /// At most 24 hours, at most one hour of idleness.
    pub fn aal2() -> Self {
        Self::of(Profile::Aal2)
    }

    /// At most 12 hours, at most 15 minutes of idleness.
    pub fn aal3() -> Self {
        Self::of(Profile::Aal3)
    }

    /// A shorter idle time, or a first one. Longer than the profile's, or under a millisecond, is
    /// [`ErrorKind::Invalid`].
    pub fn idle(mut self, idle: Duration) -> Result<Self> {
        check_time("idle time", idle)?;
        if self.idle_limit().is_some_and(|limit| idle > limit) {
            return Err(self.too_loose("idle time", idle));
        }
        self.idle = Some(idle);
        self.check_touch()?;
        Ok(self)
    }

    /// A shorter cap. Longer than the profile's, or under a millisecond, is [`ErrorKind::Invalid`].
    pub fn at_most(mut self, cap: Duration) -> Result<Self> {
        check_time("cap", cap)?;
        if cap > self.cap_limit() {
            return Err(self.too_loose("cap", cap));
        }
        self.cap = cap;
        Ok(self)
    }

    /// Other bounds than the profile's, for a reason that stays with the policy and is printed with it. `None` is no idle
    /// time. The profile's bounds no longer hold; these can still be tightened.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a reason without a letter, or times under a millisecond.
    pub fn loosened(mut self, reason: &str, idle: Option<Duration>, cap: Duration) -> Result<Self> {
        let reason = reason.trim();
        if !reason.chars().any(char::is_alphabetic) {
            return Err(invalid(
                "a policy looser than its profile needs a written reason; say why and who decided it"
                    .to_owned(),
            ));
        }
        idle.map_or(Ok(()), |idle| check_time("idle time", idle))?;
        check_time("cap", cap)?;
        self.idle = idle;
        self.cap = cap;
        self.reason = Some(reason.to_owned());
        self.check_touch()?;
        Ok(self)
    }

    /// How much later a deadline has to become before activity is written down. An interval as long as the idle time would
    /// let an active session die: it is [`ErrorKind::Invalid`].
    pub fn touch(mut self, touch: Touch) -> Result<Self> {
        self.touch = touch;
        self.check_touch()?;
        Ok(self)
    }

    /// The profile it started from.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// How long a session lives without activity, if activity counts.
    pub fn idle_time(&self) -> Option<Duration> {
        self.idle
    }

    /// How long a session lives at most.
    pub fn cap(&self) -> Duration {
        self.cap
    }

    /// The touch interval, for [`strata_core::HandleBuilder::touch`].
    pub fn touch_interval(&self) -> Touch {
        self.touch
    }

    /// The life of a session under this policy, from its start.
    pub fn lifetime(&self) -> Lifetime {
        let life = Lifetime::FOREVER.at_most(self.cap);
        self.idle.map_or(life, |idle| life.with_idle(idle))
    }

    /// The effective policy as a document, to print or to store with an audit (ASVS 7.1.1).
    pub fn describe(&self) -> Description {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Description {
            profile: self.profile,
            source: "NIST SP 800-63B-4",
            idle_ms: self.idle.map(millis),
            cap_ms: millis(self.cap),
            profile_idle_ms: self.profile.idle().map(millis),
            profile_cap_ms: millis(self.profile.cap()),
            touch_ms: self.idle.map(|idle| millis(interval(self.touch, idle))),
            looser_because: self.reason.clone(),
        }
    }

    /// The longest idle time that needs no new reason: the profile's, or what a reason was given for.
    fn idle_limit(&self) -> Option<Duration> {
        if self.reason.is_some() { self.idle } else { self.profile.idle() }
    }

    fn cap_limit(&self) -> Duration {
        if self.reason.is_some() { self.cap } else { self.profile.cap() }
    }

    fn check_touch(&self) -> Result<()> {
        let fits = self.idle.is_none_or(|idle| interval(self.touch, idle) < idle);
        fits.then_some(()).ok_or_else(|| {
            invalid(
                "the touch interval is as long as the idle time, so active sessions would die; give a shorter one, \
                 such as a tenth"
                    .to_owned(),
            )
        })
    }

    #[cold]
    fn too_loose(&self, what: &str, asked: Duration) -> Error {
        invalid(format!(
            "the {what} of {} is longer than {} allows; give a shorter one, or the reason for it to `Policy::loosened`",
            Span(asked),
            self.profile
        ))
    }
}

impl From<Policy> for Lifetime {
    fn from(policy: Policy) -> Self {
        policy.lifetime()
    }
}

impl From<&Policy> for Lifetime {
    fn from(policy: &Policy) -> Self {
        policy.lifetime()
    }
}

/// A policy as it takes effect. Prints as a few lines of text; serializes for machines. Times are milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Description {
    /// The profile it started from.
    pub profile: Profile,
    /// Where the profile's bounds are written.
    pub source: &'static str,
    /// The idle time in force; none if activity does not count.
    pub idle_ms: Option<u64>,
    /// The cap in force.
    pub cap_ms: u64,
    /// The longest idle time of the profile, if it prescribes one.
    pub profile_idle_ms: Option<u64>,
    /// The longest life of the profile.
    pub profile_cap_ms: u64,
    /// How late activity may be written down, if it counts.
    pub touch_ms: Option<u64>,
    /// Why it is looser than the profile, if it is.
    pub looser_because: Option<String>,
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = |millis| Span(Duration::from_millis(millis));
        writeln!(f, "profile: {} ({})", self.profile, self.source)?;
        match self.idle_ms {
            Some(idle) => write!(f, "ends after idleness of: {}", span(idle))?,
            None => write!(f, "ends after idleness of: no limit")?,
        }
        match self.profile_idle_ms {
            Some(idle) => writeln!(f, " (profile: {})", span(idle))?,
            None => writeln!(f, " (profile: no limit)")?,
        }
        writeln!(
            f,
            "ends at the latest after: {} (profile: {})",
            span(self.cap_ms),
            span(self.profile_cap_ms)
        )?;
        if let Some(touch) = self.touch_ms {
            writeln!(f, "activity is written down at most every: {}", span(touch))?;
        }
        match &self.looser_because {
            Some(reason) => writeln!(f, "looser than its profile because: {reason}"),
            None => writeln!(f, "within its profile"),
        }
    }
}

/// A duration in the largest units that divide it, such as `1 d 12 h`.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000), ("ms", 1)];
        let mut left = self.0.as_millis();
        let mut separator = "";
        for (unit, length) in units {
            if left >= length {
                write!(f, "{separator}{} {unit}", left / length)?;
                left %= length;
                separator = " ";
            }
        }
        if separator.is_empty() { f.write_str("0 ms") } else { Ok(()) }
    }
}

/// What a touch interval comes to for an idle time.
fn interval(touch: Touch, idle: Duration) -> Duration {
    match touch {
        Touch::Fraction(parts) => idle / parts.max(1),
        Touch::Every(interval) => interval,
    }
}

fn check_time(what: &str, time: Duration) -> Result<()> {
    if time.as_millis() == 0 {
        return Err(invalid(format!("the {what} is zero; give at least a millisecond")));
    }
    Ok(())
}

#[cold]
fn invalid(message: String) -> Error {
    Error::new(ErrorKind::Invalid, "set policy", message)
}

#[cfg(test)]
mod tests {
    use strata_core::Timestamp;

    use super::*;

    #[test]
    fn s10_profiles_have_the_bounds_of_their_source() {
        let bounds = |policy: Policy| (policy.idle_time(), policy.cap());
        assert_eq!(bounds(Policy::aal1()), (None, 30 * DAY));
        assert_eq!(bounds(Policy::aal2()), (Some(HOUR), 24 * HOUR));
        assert_eq!(bounds(Policy::aal3()), (Some(15 * MINUTE), 12 * HOUR));
        let now = Timestamp::from_millis(1_000_000);
        let expiry = Lifetime::from(Policy::aal3()).starting(now).expect("a life");
        assert_eq!(expiry.idle_time(), Some(15 * MINUTE));
        assert_eq!(expiry.not_after(), Some(now.saturating_add(12 * HOUR)));
        let expiry = Lifetime::from(&Policy::aal1()).starting(now).expect("a life");
        assert_eq!((expiry.idle_time(), expiry.deadline()), (None, Some(now.saturating_add(30 * DAY))));
    }

    #[test]
    fn s11_tightening_is_free_and_loosening_needs_a_reason() {
        let tight =
            Policy::aal2().idle(10 * MINUTE).and_then(|policy| policy.at_most(8 * HOUR)).expect("tighter");
        assert_eq!((tight.idle_time(), tight.cap()), (Some(10 * MINUTE), 8 * HOUR));
        for refused in [
            Policy::aal2().idle(HOUR + Duration::from_millis(1)),
            Policy::aal3().at_most(13 * HOUR),
            Policy::aal1().at_most(31 * DAY),
        ] {
            let error = refused.expect_err("looser");
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.message().contains("Policy::loosened"), "{error}");
        }
        for empty in ["", "  \n", "-", "..."] {
            let error = Policy::aal3().loosened(empty, None, DAY).expect_err("no reason");
            assert!(error.message().contains("written reason"), "{error}");
        }
        let loose =
            Policy::aal3().loosened("ward displays, decided 3 May", Some(HOUR), DAY).expect("a reason");
        assert_eq!((loose.idle_time(), loose.cap()), (Some(HOUR), DAY));
        assert!(loose.clone().idle(2 * HOUR).is_err(), "the reason covers what it was given for");
        assert!(loose.idle(20 * MINUTE).is_ok());
    }

    #[test]
    fn s11_the_effective_policy_prints_as_a_document() {
        let text = Policy::aal2().idle(90 * MINUTE / 2).expect("tighter").describe().to_string();
        assert_eq!(
            text,
            "profile: AAL2 (NIST SP 800-63B-4)\n\
             ends after idleness of: 45 min (profile: 1 h)\n\
             ends at the latest after: 1 d (profile: 1 d)\n\
             activity is written down at most every: 4 min 30 s\n\
             within its profile\n"
        );
        let loose = Policy::aal1().loosened("kiosk", None, 60 * DAY + HOUR).expect("a reason").describe();
        assert_eq!((loose.idle_ms, loose.cap_ms, loose.touch_ms), (None, 5_187_600_000, None));
        let text = loose.to_string();
        assert!(text.contains("60 d 1 h (profile: 30 d)") && text.ends_with("because: kiosk\n"), "{text}");
    }

    #[test]
    fn a_touch_interval_that_starves_the_idle_time_is_refused() {
        let every = |interval| Policy::aal3().touch(Touch::Every(interval));
        assert!(every(MINUTE).is_ok());
        assert!(every(15 * MINUTE).is_err());
        assert!(Policy::aal3().touch(Touch::Fraction(1)).is_err());
        assert!(every(10 * MINUTE).and_then(|policy| policy.idle(5 * MINUTE)).is_err());
        assert!(Policy::aal3().idle(Duration::ZERO).is_err());
        assert!(Policy::aal3().at_most(Duration::from_micros(9)).is_err());
        assert!(Policy::aal3().loosened("why", Some(Duration::ZERO), DAY).is_err());
    }
}
