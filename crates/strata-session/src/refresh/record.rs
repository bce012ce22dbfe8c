//! What the store holds of a family: [`FamilyRecord`], with hashes only, and where a presented token stands in it, [`Standing`].

use std::cmp::Ordering;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use strata_core::{Error, ErrorKind, Expiry, Random, Result, Timestamp};

use super::family::Family;
use super::sealed::SealedSuccessor;
use super::token::{MacKey, RefreshToken};
use super::verdict::Verdict;
use crate::id::FamilyId;
use crate::secret::Digest;

/// How far clocks of several machines, or one across a restart, may disagree: before a rotation by more, its window is closed.
const SKEW: Duration = Duration::from_mins(1);

/// One family: one record, one life, one current token.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FamilyRecord {
    user: String,
    client: String,
    key: MacKey,
    generation: u32,
    current: Digest,
    previous: Option<Previous>,
    created: u64,
    rotated: u64,
    idle: Option<u64>,
    /// When it ends at the latest.
    until: u64,
}

/// The predecessor of the current token.
#[derive(Debug, Serialize, Deserialize)]
struct Previous {
    digest: Digest,
    /// What a retry gets. Overwritten when the successor is first used.
    retry: Option<Retry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Retry {
    /// The end of the window, which it is not in.
    until: u64,
    successor: SealedSuccessor,
}

/// Where a presented token stands in its family.
#[derive(Debug)]
pub(super) enum Standing<'r> {
    /// It is the current one.
    Current,
    /// It is the predecessor, and the window is open: this is what it gets.
    Retry(&'r SealedSuccessor),
    /// It must not be used, or was not made here.
    Misused(Verdict),
}

impl FamilyRecord {
    /// A family that begins now, with its first token.
    pub(super) fn begin(
        family: FamilyId,
        (user, client): (&str, &str),
        (now, expiry): (Timestamp, Expiry),
        random: &dyn Random,
    ) -> Result<(Self, RefreshToken)> {
        let key = MacKey::mint(random)?;
        let token = RefreshToken::mint(family, 0, &key, random)?;
        let record = Self {
            user: user.to_owned(),
            client: client.to_owned(),
            generation: 0,
            current: token.digest(),
            previous: None,
            created: now.as_millis(),
            rotated: now.as_millis(),
            idle: expiry.idle_time().map(millis),
            until: last_instant(expiry).unwrap_or(Timestamp::MAX).as_millis(),
            key,
        };
        Ok((record, token))
    }

    /// The one place where a token is judged.
    pub(super) fn standing(&self, token: &RefreshToken, now: Timestamp) -> Standing<'_> {
        if !token.was_made_under(&self.key) {
            return Standing::Misused(Verdict::Unknown);
        }
        match token.generation().cmp(&self.generation) {
            Ordering::Equal if self.is_current(token) => Standing::Current,
            // Made here, and the line went elsewhere.
            Ordering::Equal | Ordering::Greater => Standing::Misused(Verdict::OrphanBranch),
            Ordering::Less if token.generation() + 1 == self.generation => self.standing_behind(token, now),
            Ordering::Less => Standing::Misused(Verdict::StaleLineage),
        }
    }

    /// Where a token of the generation before the current one stands.
    fn standing_behind(&self, token: &RefreshToken, now: Timestamp) -> Standing<'_> {
        let Some(previous) =
            self.previous.as_ref().filter(|previous| previous.digest.matches(&token.digest()))
        else {
            return Standing::Misused(Verdict::OrphanBranch);
        };
        let opens = Timestamp::from_millis(self.rotated).saturating_sub(SKEW);
        match &previous.retry {
            Some(retry) if now >= opens && now.as_millis() < retry.until => Standing::Retry(&retry.successor),
            _ => Standing::Misused(Verdict::RecentPrevious),
        }
    }

    pub(super) fn is_current(&self, token: &RefreshToken) -> bool {
        self.current.matches(&token.digest())
    }

    /// Moves on to a new current token, `presented` having been the current one. What was kept for retries of the rotation before is
    /// overwritten: its successor, `presented`, is used now.
    pub(super) fn advance(
        &mut self,
        presented: &RefreshToken,
        now: Timestamp,
        grace: Duration,
        random: &dyn Random,
    ) -> Result<RefreshToken> {
        let generation = self.generation.checked_add(1).ok_or_else(used_up)?;
        let successor = RefreshToken::mint(presented.family(), generation, &self.key, random)?;
        let retry = (!grace.is_zero()).then(|| Retry {
            until: now.saturating_add(grace).as_millis(),
            successor: SealedSuccessor::seal(presented, &successor),
        });
        let digest = std::mem::replace(&mut self.current, successor.digest());
        self.previous = Some(Previous { digest, retry });
        self.generation = generation;
        self.rotated = now.as_millis();
        Ok(successor)
    }

    /// The current token again, for the holder of its predecessor.
    pub(super) fn repeat(
        &self,
        sealed: &SealedSuccessor,
        predecessor: &RefreshToken,
    ) -> Result<RefreshToken> {
        let secret = sealed.open(predecessor, &self.current)?;
        Ok(RefreshToken::of(predecessor.family(), self.generation, secret, &self.key))
    }

    pub(super) fn user(&self) -> &str {
        &self.user
    }

    /// What is told of it.
    pub(super) fn describe(&self, id: FamilyId) -> Family {
        let rotated = Timestamp::from_millis(self.rotated);
        let until = Timestamp::from_millis(self.until);
        let idle = self.idle.map(|idle| rotated.saturating_add(Duration::from_millis(idle)));
        Family {
            id,
            user: self.user.clone(),
            client: self.client.clone(),
            generation: self.generation,
            created: Timestamp::from_millis(self.created),
            rotated,
            expires: idle.map_or(until, |idle| idle.min(until)),
        }
    }
}

/// When something with this expiry dies at the latest, whatever its activity. `None`: never.
pub(super) fn last_instant(expiry: Expiry) -> Option<Timestamp> {
    match expiry.idle_time() {
        Some(_) => expiry.not_after(),
        None => expiry.deadline(),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cold]
fn used_up() -> Error {
    let message = "the family was rotated 4,294,967,295 times; let the user sign in again";
    Error::new(ErrorKind::Full, "rotate refresh token", message)
}

#[cfg(test)]
mod tests {
    use strata_core::{Codec, Lifetime};

    use super::*;

    /// Gives other bytes at each call.
    #[derive(Debug, Default)]
    struct Counting(std::sync::atomic::AtomicU8);

    impl Random for Counting {
        fn fill(&self, bytes: &mut [u8]) -> Result<()> {
            bytes.fill(self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst));
            Ok(())
        }
    }

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);
    const GRACE: Duration = Duration::from_secs(10);

    fn begun(random: &Counting) -> (FamilyRecord, RefreshToken) {
        let expiry = Lifetime::ttl(Duration::from_hours(1)).starting(NOW).expect("a life");
        let family = FamilyId::mint(random).expect("an id");
        FamilyRecord::begin(family, ("ada", "phone"), (NOW, expiry), random).expect("begun")
    }

    fn bytes(record: &FamilyRecord) -> Vec<u8> {
        let mut bytes = Vec::new();
        Codec::Bincode.encode(record, &mut bytes, 4096).expect("encoded");
        bytes
    }

    /// What was kept for a retry is gone from the record when the successor has been used.
    #[test]
    fn s24_the_first_use_of_a_successor_erases_it() {
        let random = Counting::default();
        let (mut record, first) = begun(&random);
        let second = record.advance(&first, NOW, GRACE, &random).expect("advanced");
        let sealed = SealedSuccessor::seal(&first, &second);
        let mut needle = Vec::new();
        Codec::Bincode.encode(&sealed, &mut needle, 4096).expect("encoded");
        let holds = |record: &FamilyRecord| {
            bytes(record).windows(needle.len()).any(|window| window == needle.as_slice())
        };
        assert!(holds(&record), "it is kept");
        assert!(matches!(record.standing(&first, NOW), Standing::Retry(_)));
        record.advance(&second, NOW, GRACE, &random).expect("advanced");
        assert!(!holds(&record), "it is gone");
        assert!(matches!(record.standing(&first, NOW), Standing::Misused(Verdict::StaleLineage)));
    }

    #[test]
    fn a_line_has_an_end() {
        let random = Counting::default();
        let (mut record, first) = begun(&random);
        record.generation = u32::MAX;
        let error = record.advance(&first, NOW, GRACE, &random).expect_err("used up");
        assert_eq!(error.kind(), ErrorKind::Full);
    }

    #[test]
    fn s05_a_record_prints_no_secret() {
        let random = Counting(90.into());
        let (mut record, first) = begun(&random);
        record.advance(&first, NOW, GRACE, &random).expect("advanced");
        let printed = format!("{record:?}");
        for byte in 90..95 {
            assert!(!printed.contains(&format!("{byte}, {byte}")), "{printed}");
        }
    }
}
