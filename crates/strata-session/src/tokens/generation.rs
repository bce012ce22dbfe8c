//! One generation of an account's tokens, made of one answer and kept, replaced and removed as a whole: [`Generation`].

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use strata_core::{Random, Timestamp};
use zeroize::Zeroizing;

use super::answer::TokenAnswer;
use super::failure::Failure;
use super::jwt::Hint;
use super::policy::{Life, TokenPolicy};
use super::text::Text;

/// The longest statement about a user, in bytes.
const MAX_USER: usize = 16 * 1024;
/// The longest subject, in bytes.
const MAX_SUBJECT: usize = 256;

/// Which generation: of which sign-in, and its number since then. The number is the fencing token: whoever refreshes number n may write
/// n + 1 in place of exactly n, and nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Mark {
    pub(super) sign_in: [u8; 16],
    pub(super) number: u64,
}

/// The tokens of one answer, each with its own deadline.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Generation {
    pub(super) mark: Mark,
    pub(super) access: Timed,
    pub(super) refresh: Option<Timed>,
    pub(super) id: Option<Timed>,
    /// When the access token is to be refreshed, in milliseconds since the epoch.
    refresh_at: u64,
    pub(super) subject: Option<String>,
    pub(super) user: Option<Vec<u8>>,
}

/// A token and until when it is used, in milliseconds since the epoch.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Timed {
    pub(super) text: Text,
    until: u64,
}

impl Timed {
    pub(super) fn until(&self) -> Timestamp {
        Timestamp::from_millis(self.until)
    }

    pub(super) fn is_alive(&self, now: Timestamp) -> bool {
        now < self.until()
    }
}

/// Why a token is of no use here and now.
pub(super) type Unfit = &'static str;

/// What a generation is made with.
pub(super) struct Making<'m> {
    pub(super) policy: &'m TokenPolicy,
    pub(super) random: &'m dyn Random,
    pub(super) now: Timestamp,
}

impl Generation {
    /// The first of a sign-in.
    pub(super) fn first(answer: TokenAnswer, making: &Making<'_>) -> Result<Self, Failure> {
        let mut sign_in = [0; 16];
        making.random.fill(&mut sign_in)?;
        match Self::make(Mark { sign_in, number: 1 }, answer, None, making)? {
            (first, None) => Ok(first),
            (_, Some(unfit)) => Err(Failure::Protocol(unfit)),
        }
    }

    /// The one that follows this one. Where its access token is of no use here and now, but its refresh token is one that the server has
    /// rotated to, it is one without an access token to hand out, and comes with the reason: to throw it away would be to present a spent
    /// token next time.
    ///
    /// # Errors
    /// [`Failure::OtherUser`] if the answer is about somebody else, [`Failure::Protocol`] if it has no use.
    pub(super) fn next(
        &self,
        answer: TokenAnswer,
        making: &Making<'_>,
    ) -> Result<(Self, Option<Unfit>), Failure> {
        if let (Some(known), Some(said)) = (&self.subject, &answer.subject)
            && known != said
        {
            return Err(Failure::OtherUser);
        }
        let mark = Mark { number: self.mark.number.saturating_add(1), ..self.mark };
        let rotated = answer.refresh.is_some();
        match Self::make(mark, answer, Some(self), making)? {
            (_, Some(unfit)) if !rotated => Err(Failure::Protocol(unfit)),
            made => Ok(made),
        }
    }

    fn make(
        mark: Mark,
        answer: TokenAnswer,
        before: Option<&Self>,
        making: &Making<'_>,
    ) -> Result<(Self, Option<Unfit>), Failure> {
        let Making { policy, random, now } = *making;
        let TokenAnswer { access, refresh, id, expires_in, refresh_expires_in, subject, user } = answer;
        if user.as_ref().is_some_and(|user| user.len() > MAX_USER)
            || subject.as_ref().is_some_and(|subject| subject.is_empty() || subject.len() > MAX_SUBJECT)
        {
            return Err(Failure::Protocol("the answer's subject or user is empty or too long"));
        }
        let (mut access, mut unfit) = making.timed(access, expires_in, policy.access)?;
        let id = id.map(|id| making.timed(id, None, policy.id)).transpose()?;
        if before.is_none() {
            unfit = unfit.or(id.as_ref().and_then(|(_, unfit)| *unfit));
        }
        let end = access.until();
        access.until = policy.usable_until(now, end).as_millis();
        let refresh_at = policy.refresh_at(now, end, random)?.as_millis();
        let kept = before.and_then(|before| before.refresh.as_ref());
        let made = Self {
            mark,
            access,
            refresh: making.refresh(refresh, refresh_expires_in, kept)?,
            id: id.and_then(|(id, unfit)| unfit.is_none().then_some(id)),
            refresh_at,
            subject: subject.or_else(|| before.and_then(|before| before.subject.clone())),
            user: user.or_else(|| before.and_then(|before| before.user.clone())),
        };
        Ok((made, unfit))
    }

    /// Whether the access token can be handed out.
    pub(super) fn is_usable(&self, now: Timestamp) -> bool {
        self.access.is_alive(now)
    }

    /// Whether it is time for a new one. What cannot be refreshed is used to its end.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let early = now.as_millis() >= self.refresh_at && self.renewal(now).is_some();
        early || !self.is_usable(now)
    }

    /// Until when anything can be done with it.
    pub(super) fn until(&self) -> Timestamp {
        self.refresh.as_ref().map_or(self.access.until(), |refresh| refresh.until().max(self.access.until()))
    }

    /// The refresh token, if it is alive.
    pub(super) fn renewal(&self, now: Timestamp) -> Option<&Timed> {
        self.refresh.as_ref().filter(|refresh| refresh.is_alive(now))
    }

    /// Whether it is surely about somebody else than `other`.
    pub(super) fn is_of_another_than(&self, other: &Self) -> bool {
        matches!((&self.subject, &other.subject), (Some(one), Some(two)) if one != two)
    }

    /// Whether both are the same write, and not two that happen to follow the same one.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.mark == other.mark && self.access.text == other.access.text
    }
}

impl Making<'_> {
    /// A token and its deadline, which has passed where it is of no use here and now, for the reason that comes with it.
    fn timed(
        &self,
        text: Zeroizing<String>,
        stated: Option<Duration>,
        life: Life,
    ) -> Result<(Timed, Option<Unfit>), Failure> {
        let text = Text::checked(text).map_err(Failure::Protocol)?;
        let hint = Hint::of(text.as_str());
        let until = self.deadline(stated, hint, life);
        let unfit = if hint.nbf.is_some_and(|nbf| nbf > self.now.saturating_add(self.policy.skew)) {
            Some("a token is not valid yet; is the clock of this machine right?")
        } else if until <= self.now {
            Some("a token has expired already; is the clock of this machine right?")
        } else {
            None
        };
        let until = if unfit.is_some() { self.now } else { until };
        Ok((Timed { text, until: until.as_millis() }, unfit))
    }

    /// The policy's rule, in one place.
    fn deadline(&self, stated: Option<Duration>, hint: Hint, life: Life) -> Timestamp {
        let stated = stated.map(|stated| self.now.saturating_add(stated));
        let usual = self.now.saturating_add(life.usual);
        let said = match (stated, hint.exp) {
            (Some(stated), Some(exp)) => stated.min(exp),
            (stated, exp) => stated.or(exp).unwrap_or(usual),
        };
        said.min(self.now.saturating_add(life.longest))
    }

    /// The rotated refresh token, or the old one with what the answer says of its life.
    fn refresh(
        &self,
        rotated: Option<Zeroizing<String>>,
        stated: Option<Duration>,
        kept: Option<&Timed>,
    ) -> Result<Option<Timed>, Failure> {
        let life = self.policy.refresh;
        match (rotated, kept) {
            (Some(text), _) => match self.timed(text, stated, life)? {
                (refresh, None) => Ok(Some(refresh)),
                (_, Some(unfit)) => Err(Failure::Protocol(unfit)),
            },
            (None, Some(kept)) => {
                let until = stated.map(|_| self.deadline(stated, Hint::of(kept.text.as_str()), life));
                let until = until.unwrap_or(kept.until()).as_millis();
                Ok(Some(Timed { text: kept.text.clone(), until }))
            }
            (None, None) => Ok(None),
        }
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generation").field("number", &self.mark.number).finish_non_exhaustive()
    }
}
