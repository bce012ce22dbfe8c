//! Ending sessions: one, others, all of a user, all. Each ends together with its place in the roster.

use strata_core::{Before, Guard, Outcome, Result, Version};

use super::listing::id_of;
use super::login::remove;
use super::record::AuthRecord;
use super::registry::{Registry, is_lost, is_unknown};
use crate::bearer::{ATTEMPTS, Bearer, bury, contended};
use crate::id::SessionId;
use crate::roster::{Roll, check_user, is_unreadable, user_name, user_tag};
use crate::security::{EndReason, SecurityEventKind};

/// How many records one step of a walk over everybody's sessions removes; a store that takes a lock for it holds that under a
/// millisecond.
const PAGE: usize = 64;

/// Somebody's session that ends, or is spared, in one exact version.
#[derive(Clone, Copy)]
pub(super) struct Verified {
    pub(super) id: SessionId,
    pub(super) version: Version,
}

impl Registry {
    /// Ends the session of a bearer, verified on every try. Says whether this call did.
    pub(super) async fn log_out(&self, bearer: &Bearer<AuthRecord>) -> Result<bool> {
        for _ in 0..ATTEMPTS {
            let Some((record, version)) = bearer.verified().await? else {
                if bury(&self.handle, &bearer.name()).await? {
                    return Ok(false);
                }
                continue;
            };
            match self.end(bearer.id(), Guard::Version(version), &record, EndReason::Logout).await {
                // A change or a login was faster: verify again, it may have been a rotation.
                Err(error) if is_lost(&error) => {}
                done => return done,
            }
        }
        Err(contended())
    }

    /// Ends a session by its public id, in whatever version it is.
    pub(super) async fn revoke(&self, id: SessionId, reason: EndReason) -> Result<bool> {
        for _ in 0..ATTEMPTS {
            let record = match self.record(id).await {
                Ok(Some(record)) => record,
                Ok(None) if bury(&self.handle, &id.to_string()).await? => return Ok(false),
                Ok(None) => continue,
                // Whose it is cannot be read; the roster will find it dead.
                Err(error) if is_unreadable(&error) => return self.revoke_unread(id, reason).await,
                Err(error) => return Err(error),
            };
            match self.end(id, Guard::Any, &record, reason).await {
                Err(error) if is_lost(&error) => {}
                done => return done,
            }
        }
        Err(contended())
    }

    async fn revoke_unread(&self, id: SessionId, reason: EndReason) -> Result<bool> {
        let lived = self.handle.remove(&id.to_string()).await?;
        if lived {
            self.log.event(SecurityEventKind::SessionEnded(reason)).session(id).write();
        }
        Ok(lived)
    }

    /// Removes a session and its place in the roster in one commit. A roster that cannot be read keeps no session alive.
    async fn end(&self, id: SessionId, guard: Guard, record: &AuthRecord, why: EndReason) -> Result<bool> {
        let user = record.user.id();
        let mut writes = self.handle.writes().stage(self.handle.guarded_removal(&id.to_string(), guard));
        match self.roster.load::<()>(user, self.now()).await {
            Ok(mut roll) => {
                let before = roll.entries().len();
                remove(&mut roll, &[id]);
                if roll.entries().len() < before {
                    writes = self.roster.stage(&roll).into_iter().fold(writes, strata_core::Writes::stage);
                }
            }
            Err(error) if is_unreadable(&error) => {}
            Err(error) => return Err(error),
        }
        let lived = match writes.commit().await {
            Ok(outcomes) => outcomes.first().is_some_and(was_alive),
            // The answer was lost. It lived a moment ago; if it does not now, it has ended.
            Err(error) if is_unknown(&error) && matches!(self.record(id).await, Ok(None)) => true,
            Err(error) => return Err(error),
        };
        if lived {
            self.tell(SecurityEventKind::SessionEnded(why), id, user);
        }
        Ok(lived)
    }

    /// Ends all of a user's sessions. Says how many were alive.
    pub(super) async fn revoke_user(&self, user: &str, reason: EndReason) -> Result<u64> {
        check_user("revoke user", user)?;
        let mut ended = 0;
        for _ in 0..ATTEMPTS {
            match self.end_roll(user, None, reason, &mut ended).await {
                Err(error) if is_lost(&error) => {}
                Err(error) if is_unreadable(&error) => return self.revoke_unlisted(user, reason).await,
                Ok(false) => {}
                Ok(true) => return Ok(ended),
                Err(error) => return Err(error),
            }
        }
        Err(contended())
    }

    /// Ends a user's sessions by the tag they carry, and then the roster that cannot be read: until it is removed no login of the user
    /// succeeds, so none is missed; after that it is made anew.
    async fn revoke_unlisted(&self, user: &str, reason: EndReason) -> Result<u64> {
        let names = self.handle.select().tag(&user_tag(user)).keys().collect().await?;
        let mut revoked = 0;
        for page in names.chunks(self.at_once()) {
            revoked += self.revoke_page(page, reason, Some(user)).await?;
        }
        self.roster.handle().remove(&user_name(user)).await?;
        Ok(revoked)
    }

    /// Ends all sessions of a bearer's user but the bearer's own, verified on every try.
    pub(super) async fn revoke_others(&self, bearer: &Bearer<AuthRecord>) -> Result<u64> {
        let mut ended = 0;
        for _ in 0..ATTEMPTS {
            let (record, version) = bearer.verified().await?.ok_or_else(crate::bearer::ended)?;
            let spared = Verified { id: bearer.id(), version };
            let reason = EndReason::LogoutElsewhere;
            match self.end_roll(record.user.id(), Some(spared), reason, &mut ended).await {
                Err(error) if is_lost(&error) => {}
                Ok(false) => {}
                Ok(true) => return Ok(ended),
                Err(error) => return Err(error),
            }
        }
        Err(contended())
    }

    /// Ends what a user has, as much as one commit holds, and says whether that was all of it. That is the roster, and sessions
    /// with the user's tag that it does not list: stores in step by replication keep the later of two rosters.
    async fn end_roll(
        &self,
        user: &str,
        spared: Option<Verified>,
        reason: EndReason,
        ended: &mut u64,
    ) -> Result<bool> {
        // Before the roster is read: so whoever signs in between the two is in it.
        let tagged = self.tagged(user).await?;
        let mut roll = self.roster.load::<()>(user, self.now()).await?;
        let is_spared = |id| spared.is_some_and(|spared| spared.id == id);
        let unlisted = tagged.into_iter().filter(|tagged| !ids(&roll).any(|id| id == *tagged));
        let mut doomed: Vec<SessionId> = ids(&roll).chain(unlisted).filter(|id| !is_spared(*id)).collect();
        if doomed.is_empty() {
            return Ok(true);
        }
        let all = doomed.len() <= self.at_once();
        doomed.truncate(self.at_once());
        remove(&mut roll, &doomed);
        let mut writes = self.handle.writes();
        for id in &doomed {
            // In whatever version it is: activity is no way out.
            writes = writes.stage(self.handle.removal(&id.to_string()));
        }
        writes = self.roster.stage(&roll).into_iter().fold(writes, strata_core::Writes::stage);
        if let Some(Verified { id, version }) = spared {
            writes = writes.stage(self.handle.check(&id.to_string(), Guard::Version(version)));
        }
        let lived: Vec<bool> = match writes.commit().await {
            Ok(outcomes) => outcomes.iter().map(was_alive).collect(),
            // The answer was lost: they have ended if the user has none of them.
            Err(error) if is_unknown(&error) && self.has_none(user, &doomed).await => {
                vec![true; doomed.len()]
            }
            Err(error) => return Err(error),
        };
        for (id, _) in doomed.into_iter().zip(lived).filter(|(_, lived)| *lived) {
            *ended += 1;
            self.tell(SecurityEventKind::SessionEnded(reason), id, user);
        }
        Ok(all)
    }

    async fn has_none(&self, user: &str, doomed: &[SessionId]) -> bool {
        self.tagged(user).await.is_ok_and(|tagged| !tagged.iter().any(|id| doomed.contains(id)))
    }

    /// A user's living sessions by the tag they carry.
    async fn tagged(&self, user: &str) -> Result<Vec<SessionId>> {
        let names = self.handle.select().tag(&user_tag(user)).keys().collect().await?;
        // What is no session is no way to stay signed in.
        Ok(names.iter().filter_map(|name| id_of(name).ok()).collect())
    }

    /// Ends everybody's sessions page by page, then tidies the rosters. Says how many were alive. What is no session goes, too: it must
    /// not stand in the way.
    pub(super) async fn revoke_all(&self) -> Result<u64> {
        let mut names = self.handle.keys("*");
        let mut revoked = 0;
        loop {
            let mut doomed = Vec::new();
            while doomed.len() < PAGE.min(self.at_once())
                && let Some(name) = names.next().await
            {
                doomed.push(name?);
            }
            if doomed.is_empty() {
                break;
            }
            revoked += self.revoke_page(&doomed, EndReason::AllRevoked, None).await?;
        }
        self.tidy_rosters().await?;
        Ok(revoked)
    }

    async fn revoke_page(&self, doomed: &[String], reason: EndReason, user: Option<&str>) -> Result<u64> {
        let writes = self.handle.writes();
        let writes = doomed.iter().fold(writes, |writes, name| writes.stage(self.handle.removal(name)));
        let outcomes = writes.commit().await?;
        let mut revoked = 0;
        for (name, _) in doomed.iter().zip(&outcomes).filter(|(_, outcome)| was_alive(outcome)) {
            let Ok(id) = id_of(name) else { continue };
            revoked += 1;
            let entry = self.log.event(SecurityEventKind::SessionEnded(reason)).session(id);
            match user {
                Some(user) => entry.user(user).write(),
                None => entry.write(),
            }
        }
        Ok(revoked)
    }

    /// Drops from every roster what has ended or died.
    async fn tidy_rosters(&self) -> Result<()> {
        let mut names = self.roster.handle().keys("*");
        while let Some(name) = names.next().await {
            let name = name?;
            for _ in 0..ATTEMPTS {
                match self.tidy_roster(&name).await {
                    // A login was faster; look again.
                    Err(error) if is_lost(&error) => continue,
                    // Whom it listed has ended, and it would keep the user from signing in.
                    Err(error) if is_unreadable(&error) => _ = self.roster.handle().remove(&name).await?,
                    done => done?,
                }
                break;
            }
        }
        Ok(())
    }

    async fn tidy_roster(&self, name: &str) -> Result<()> {
        let mut roll = self.roster.load_named::<()>(name, self.now()).await?;
        let mut dead = Vec::new();
        for id in ids(&roll).take(self.at_once()) {
            if !self.handle.contains(&id.to_string()).await? {
                dead.push(id);
            }
        }
        remove(&mut roll, &dead);
        if dead.is_empty() && !roll.entries().is_empty() {
            return Ok(());
        }
        let mut writes = self.handle.writes();
        for id in &dead {
            // Activity that is on its way would else keep one alive, and nobody would find it.
            writes = writes.stage(self.handle.removal(&id.to_string()));
        }
        let writes = self.roster.stage(&roll).into_iter().fold(writes, strata_core::Writes::stage);
        writes.commit().await.map(drop)
    }
}

fn ids(roll: &Roll<()>) -> impl Iterator<Item = SessionId> {
    roll.entries().iter().map(|entry| SessionId::from_bytes(entry.id))
}

fn was_alive(outcome: &Outcome) -> bool {
    matches!(outcome.before, Before::Live(_))
}
