//! What prolongs or renews an [`AuthSession`]: activity, extension, new tokens, a new authentication, a change of privilege.

use std::time::Duration;

use strata_core::{Durability, Error, ErrorKind, Expiry, Result, Timestamp, Value};

use super::record::AuthRecord;
use super::registry::{Registry, is_lost, is_unknown};
use super::session::AuthSession;
use super::user::{StoredUser, User};
use crate::bearer::{ATTEMPTS, Bound as _, contended, ended};
use crate::roster::Entry;
use crate::security::SecurityEventKind;
use crate::token::SessionToken;

/// Its life.
impl<C: Value> AuthSession<C> {
    /// Records activity: the idle time starts anew, never past the cap. Written down only when that gains the policy's touch
    /// interval, and relaxed: a crash may take the last of it. In a session without an idle time it prolongs nothing, and is
    /// written down, for lists, once an hour.
    pub async fn touch(&self) -> Result<()> {
        let rules = &self.registry.rules;
        let mut seen = None;
        let target = |record: &AuthRecord, expiry: Expiry, now: Timestamp| {
            let interval = rules.touch_interval(record.remembered, expiry.idle_time());
            let unseen = expiry.idle_time().is_none() && now.since(record.seen()) >= interval;
            seen = unseen.then_some(now);
            expiry.slide_due(now, interval)
        };
        self.slide(Durability::Relaxed, target).await?;
        let Some(now) = seen else { return Ok(()) };
        self.bearer
            .change(|record| {
                record.see(now);
                Ok(())
            })
            .await
    }

    /// Lets the session live `by` longer from now without activity, at most the policy's idle time, never past the cap, and never
    /// shorter than it would. An explicit act, such as a user's answer to "are you still there?". Returns when the session
    /// now ends without activity. One without an idle time ends when it did before.
    pub async fn extend(&self, by: Duration) -> Result<Timestamp> {
        let mut found = None;
        let target = |record: &AuthRecord, expiry: Expiry, now: Timestamp| {
            found = Some((record.user.id().to_owned(), expiry));
            Some(now.saturating_add(by.min(expiry.idle_time()?)))
        };
        let expiry = self.slide(self.registry.handle.durability(), target).await?;
        if let Some((user, before)) = found
            && before != expiry
        {
            self.registry.tell(SecurityEventKind::SessionExtended, self.id(), &user);
        }
        Ok(expiry.deadline().unwrap_or(Timestamp::MAX))
    }

    async fn slide(
        &self,
        durability: Durability,
        mut target: impl FnMut(&AuthRecord, Expiry, Timestamp) -> Option<Timestamp>,
    ) -> Result<Expiry> {
        let judge = |record: AuthRecord, expiry: Expiry, now: Timestamp| {
            self.bearer.verify(&record)?;
            Ok::<_, Error>(target(&record, expiry, now))
        };
        self.registry.handle.extend(&self.bearer.name(), durability, judge).await
    }

    /// Gives the session a new secret in one guarded write and returns the token to hand to the client; the old token opens
    /// nothing from then on, in any process. Counts as activity; the cap stays. This `AuthSession` goes on, clones of it do not.
    ///
    /// # Giving up on it
    /// Await it to its end, in a task of its own where the caller may be cancelled. If its future is dropped while the store
    /// is at work, the change may have been made: then the old token is dead and the new one, which nobody has seen, is lost. The
    /// same holds for [`AuthSession::reauthenticate`] and [`AuthSession::change_user`]. The user signs in again.
    ///
    /// # Errors
    /// After [`ErrorKind::Unavailable`] it is not known whether the old token still opens the session.
    pub async fn rotate(&mut self) -> Result<SessionToken> {
        let mut user = String::new();
        let token = self
            .bearer
            .rotate(|record| {
                record.user.id().clone_into(&mut user);
                Ok(())
            })
            .await?;
        self.registry.tell(SecurityEventKind::SessionRotated, self.id(), &user);
        Ok(token)
    }

    /// The user, whom the application has authenticated just now, goes on in this session: idle time and cap start anew (NIST SP
    /// 800-63B-4, section 5.2), freshness too, and the token is a new one (ASVS 7.2.4), all in one commit with the roster.
    ///
    /// # Errors
    /// As [`AuthSession::rotate`].
    pub async fn reauthenticate(&mut self) -> Result<SessionToken> {
        let token = SessionToken::renew(self.id(), &**self.registry.handle.random())?;
        for _ in 0..ATTEMPTS {
            // Nothing if a change or a login was faster: verify again.
            if let Some(user) = self.try_reauthenticate(&token).await? {
                self.bearer.adopt(&token);
                self.registry.tell(SecurityEventKind::Reauthenticated, self.id(), &user);
                return Ok(token);
            }
        }
        Err(contended())
    }

    async fn try_reauthenticate(&self, token: &SessionToken) -> Result<Option<String>> {
        let Registry { handle, roster, rules, .. } = &*self.registry;
        let (mut record, version) = self.bearer.verified().await?.ok_or_else(ended)?;
        let (now, user) = (self.registry.now(), record.user.id().to_owned());
        let (life, cap) = rules.life(record.remembered, now)?;
        let mut roll = roster.load::<()>(&user, now).await?;
        let (id, until) = (self.id().to_bytes(), cap.as_millis());
        match roll.entries_mut().iter_mut().find(|entry| entry.id == id) {
            Some(entry) => entry.until = until,
            None => roll.entries_mut().push(Entry { id, until, about: () }),
        }
        record.replace_check(token.digest());
        record.authenticate(now);
        let set = handle.set(&self.bearer.name(), &record).lifetime(life).if_version(version);
        let writes = handle.writes().stage(set);
        let writes = roster.stage(&roll).into_iter().fold(writes, strata_core::Writes::stage);
        match writes.commit().await {
            Ok(_) => Ok(Some(user)),
            Err(error) if is_lost(&error) => Ok(None),
            // The answer was lost: the session has the new secret if the commit was made.
            Err(error) if is_unknown(&error) && self.bearer.is_opened_by(&token.digest()).await => {
                Ok(Some(user))
            }
            Err(error) => Err(error),
        }
    }

    /// Changes who the user is to the application: name, roles, permissions, claims. Atomic: `change` runs again on the fresh user as
    /// long as somebody else was faster. The token is a new one, as at every change of privilege (ASVS 7.2.4); see
    /// [`AuthSession::rotate`] for what that means. Other sessions of the user are as they were: change or revoke them, too.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if `change` gives the user another id, or one out of bounds: a session never changes hands. Nothing
    /// is written then.
    pub async fn change_user(&mut self, mut change: impl FnMut(&mut User<C>)) -> Result<SessionToken> {
        let limits = self.registry.limits;
        let mut id = String::new();
        let token = self
            .bearer
            .rotate(|record| {
                let mut user = record.user.decode::<C>()?;
                change(&mut user);
                if user.id != record.user.id() {
                    return Err(other_user());
                }
                user.id.clone_into(&mut id);
                record.user = StoredUser::encode(record.user.codec()?, &user, &limits)?;
                Ok(())
            })
            .await?;
        self.registry.tell(SecurityEventKind::PrivilegesChanged, self.id(), &id);
        Ok(token)
    }
}

#[cold]
fn other_user() -> Error {
    Error::new(
        ErrorKind::Invalid,
        "change user",
        "the user was given another id; sign the other user in, with `instead_of` the token of this session",
    )
}
