//! What ends families: a logout, a revocation, a misuse. Each removes the family and its entry in the roster in one commit.

use strata_core::{Before, Outcome, Result};

use super::manager::{RefreshTokens, contended, is_race, staged};
use super::record::{FamilyRecord, Standing};
use super::token::RefreshToken;
use super::verdict::Verdict;
use crate::bearer::ATTEMPTS;
use crate::id::FamilyId;
use crate::roster::{Roll, is_unreadable, user_name, user_tag};
use crate::security::{EndReason, SecurityEventKind};

/// How many revocations go into one commit; a store that takes a lock for it holds that under a millisecond.
const REVOKED_TOGETHER: usize = 64;

impl RefreshTokens {
    /// Ends the family of a presented token, as at a logout (RFC 7009), and says whether this call did. Any token of the family's own
    /// ends it, for whoever holds an old one must not keep it; one that must not be used any more is also announced as misuse. What was not
    /// made here ends nothing.
    pub async fn end(&self, token: &RefreshToken) -> Result<bool> {
        let id = token.family();
        let Some(record) = self.families.peek::<FamilyRecord>(&id.to_string()).await? else {
            return Ok(false);
        };
        match record.standing(token, self.now()) {
            Standing::Current | Standing::Retry(_) => self.remove(id, record.user(), EndReason::Logout).await,
            Standing::Misused(verdict) => self.end_misused(id, record.user(), verdict).await,
        }
    }

    /// Ends a family by its public id, and says whether a living one was there. Whatever is in flight with its tokens is refused.
    pub async fn revoke(&self, family: FamilyId) -> Result<bool> {
        match self.families.peek::<FamilyRecord>(&family.to_string()).await {
            Ok(Some(record)) => self.remove(family, record.user(), EndReason::Revoked).await,
            Ok(None) => Ok(false),
            // Whose it is cannot be read; the roster will find it ended.
            Err(error) if is_unreadable(&error) => {
                let outcomes = self.remove_all(&[family], None).await?;
                Ok(self.note_ended(&[family], &outcomes, EndReason::Revoked, None) == 1)
            }
            Err(error) => Err(error),
        }
    }

    /// Ends all of a user's families in one commit, and says how many there were. A family that begins at the same time is ended, or
    /// begins afterwards. Families that the user's roster does not list (stores in step by replication keep the later of two rosters)
    /// end before that, by their tag.
    pub async fn revoke_user(&self, user: &str) -> Result<u64> {
        let mut ended = 0;
        for _ in 0..ATTEMPTS {
            // Before the roster is read: so what begins between the two is in it.
            let mut unlisted = self.tagged(user).await?;
            let mut roll = match self.roster.load::<()>(user, self.now()).await {
                Ok(roll) => roll,
                Err(error) if is_unreadable(&error) => {
                    return self.revoke_unlisted(user).await.map(|more| ended + more);
                }
                Err(error) => return Err(error),
            };
            let ids: Vec<_> = roll.entries().iter().map(|entry| FamilyId::from_bytes(entry.id)).collect();
            unlisted.retain(|id| !ids.contains(id));
            ended += self.revoke_pages(&unlisted, user).await?;
            if !roll.is_stored() {
                return Ok(ended);
            }
            roll.entries_mut().clear();
            match self.remove_all(&ids, Some(&roll)).await {
                Ok(outcomes) => {
                    return Ok(ended + self.note_ended(&ids, &outcomes, EndReason::UserRevoked, Some(user)));
                }
                Err(error) if is_race(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Err(contended())
    }

    /// Ends a user's families by the tag they carry, and then the roster that cannot be read: until it is removed no family of the user
    /// begins, so none is missed; after that it is made anew.
    async fn revoke_unlisted(&self, user: &str) -> Result<u64> {
        let ids = self.tagged(user).await?;
        let revoked = self.revoke_pages(&ids, user).await?;
        self.roster.handle().remove(&user_name(user)).await?;
        Ok(revoked)
    }

    /// A user's living families by the tag they carry.
    async fn tagged(&self, user: &str) -> Result<Vec<FamilyId>> {
        let names = self.families.select().tag(&user_tag(user)).keys().collect().await?;
        Ok(names.iter().filter_map(|name| FamilyId::parse(name).ok()).collect())
    }

    async fn revoke_pages(&self, ids: &[FamilyId], user: &str) -> Result<u64> {
        let mut revoked = 0;
        for page in ids.chunks(self.at_once()) {
            let outcomes = self.remove_all(page, None).await?;
            revoked += self.note_ended(page, &outcomes, EndReason::UserRevoked, Some(user));
        }
        Ok(revoked)
    }

    /// How many families one step of a walk ends.
    fn at_once(&self) -> usize {
        REVOKED_TOGETHER.min(self.families.capabilities().max_batch).max(1)
    }

    /// Ends every family that was alive when this was called, whatever its client does meanwhile, and says how many this call
    /// ended. Page by page: one begun after that may be left, so stop the program's logins first if none may be. What else lies in the
    /// namespace is left.
    ///
    /// # Errors
    /// What the store reports. Families met before that have ended; call it again for the others.
    pub async fn revoke_all(&self) -> Result<u64> {
        let size = self.at_once();
        let mut names = self.families.keys("*");
        let mut revoked = 0;
        loop {
            let mut doomed = Vec::with_capacity(size);
            while doomed.len() < size
                && let Some(name) = names.next().await
            {
                doomed.extend(FamilyId::parse(&name?));
            }
            if doomed.is_empty() {
                break;
            }
            let outcomes = self.remove_all(&doomed, None).await?;
            revoked += self.note_ended(&doomed, &outcomes, EndReason::AllRevoked, None);
        }
        self.tidy_rosters().await.map(|()| revoked)
    }

    /// Announces a misuse and, if it has to, ends the family, whatever it has come to meanwhile: what must not be used now must never
    /// be again. Says whether this call ended it.
    pub(super) async fn end_misused(&self, id: FamilyId, user: &str, verdict: Verdict) -> Result<bool> {
        self.note(SecurityEventKind::InvalidUse(verdict.misuse()), id, Some(user));
        if verdict.ends_family() { self.remove(id, user, EndReason::Reuse).await } else { Ok(false) }
    }

    /// Removes one family, in whatever version it is, and its entry. Says whether it was alive.
    async fn remove(&self, id: FamilyId, user: &str, why: EndReason) -> Result<bool> {
        for _ in 0..ATTEMPTS {
            let roll = match self.roster.load::<()>(user, self.now()).await {
                Ok(mut roll) => {
                    roll.entries_mut().retain(|entry| entry.id != id.to_bytes());
                    Some(roll)
                }
                // A roster that cannot be read keeps no family alive.
                Err(error) if is_unreadable(&error) => None,
                Err(error) => return Err(error),
            };
            match self.remove_all(&[id], roll.as_ref()).await {
                Ok(outcomes) => return Ok(self.note_ended(&[id], &outcomes, why, Some(user)) == 1),
                Err(error) if is_race(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Err(contended())
    }

    /// One commit: these families, and the roster as it is to be. What became of the families comes first in the outcomes.
    async fn remove_all(&self, ids: &[FamilyId], roll: Option<&Roll<()>>) -> Result<Vec<Outcome>> {
        let writes = self.families.writes();
        let writes =
            ids.iter().fold(writes, |writes, id| writes.stage(self.families.removal(&id.to_string())));
        staged(writes, roll.and_then(|roll| self.roster.stage(roll))).commit().await
    }

    /// Announces those that were alive, and counts them.
    fn note_ended(&self, ids: &[FamilyId], outcomes: &[Outcome], why: EndReason, user: Option<&str>) -> u64 {
        let mut ended = 0;
        for (id, _) in
            ids.iter().zip(outcomes).filter(|(_, outcome)| matches!(outcome.before, Before::Live(_)))
        {
            self.note(SecurityEventKind::FamilyEnded(why), *id, user);
            ended += 1;
        }
        ended
    }

    /// Takes families that have ended off all rosters.
    async fn tidy_rosters(&self) -> Result<()> {
        let mut names = self.roster.handle().keys("*");
        while let Some(name) = names.next().await {
            self.tidy_roster(&name?).await?;
        }
        Ok(())
    }

    async fn tidy_roster(&self, name: &str) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let mut roll = match self.roster.load_named::<()>(name, self.now()).await {
                Ok(roll) => roll,
                // Whom it listed has ended, and it would keep the user from getting tokens.
                Err(error) if is_unreadable(&error) => {
                    return self.roster.handle().remove(name).await.map(drop);
                }
                Err(error) => return Err(error),
            };
            let dead = self.drop_dead(&mut roll).await?;
            if dead.is_empty() {
                return Ok(());
            }
            match self.remove_all(&dead, Some(&roll)).await {
                Err(error) if is_race(&error) => {}
                done => return done.map(drop),
            }
        }
        Err(contended())
    }
}
