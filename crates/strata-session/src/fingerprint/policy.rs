//! What follows from a verdict: [`FingerprintPolicy`] and its [`Action`].

use super::verdict::Verdict;

/// What a program is advised to do. Nothing is done by Strata: stepping up and ending are the caller's acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Go on. This lets nobody in: the session's token has to be good all the same.
    Allow,
    /// Ask the user to authenticate again, then [`adopt`](super::Fingerprints::adopt) what is found now.
    StepUp,
    /// End the session.
    End,
}

/// Maps verdicts to actions.
///
/// | verdict | unless told otherwise | [`FingerprintPolicy::strict`] |
/// |---|---|---|
/// | `Match` | allow | allow |
/// | `Similar` | allow | step up |
/// | `Mismatch` | step up | end |
/// | `Unknown` | step up | step up |
///
/// A mismatch ends nothing unless told so: stepping up stops a thief, who cannot authenticate, while ending would lock out a user
/// whose device changed, and let whoever has a stolen token throw its owner out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a policy does nothing until it is given to a builder"]
pub struct FingerprintPolicy {
    similar: Action,
    mismatch: Action,
    unknown: Action,
}

impl FingerprintPolicy {
    /// For what is worth more than the user's patience.
    pub fn strict() -> Self {
        Self { similar: Action::StepUp, mismatch: Action::End, unknown: Action::StepUp }
    }

    /// What follows from [`Verdict::Similar`].
    pub fn similar(mut self, action: Action) -> Self {
        self.similar = action;
        self
    }

    /// What follows from [`Verdict::Mismatch`].
    pub fn mismatch(mut self, action: Action) -> Self {
        self.mismatch = action;
        self
    }

    /// What follows from [`Verdict::Unknown`].
    pub fn unknown(mut self, action: Action) -> Self {
        self.unknown = action;
        self
    }

    /// What follows from this verdict. A match is always allowed.
    pub fn action(&self, verdict: &Verdict) -> Action {
        match verdict {
            Verdict::Match => Action::Allow,
            Verdict::Similar { .. } => self.similar,
            Verdict::Mismatch { .. } => self.mismatch,
            Verdict::Unknown(_) => self.unknown,
        }
    }
}

impl Default for FingerprintPolicy {
    fn default() -> Self {
        Self { similar: Action::Allow, mismatch: Action::StepUp, unknown: Action::StepUp }
    }
}
