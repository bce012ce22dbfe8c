//! One session of a user who has signed in: [`AuthSession`]. Each answer is read from the store and verified there.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use strata_core::{Codec, Durability, Error, ErrorKind, Expiry, Result, Timestamp, Value};

use super::fresh::Fresh;
use super::listing::SessionInfo;
use super::record::AuthRecord;
use super::registry::{Registry, is_lost, is_unknown};
use super::user::{StoredUser, User};
use crate::bearer::{ATTEMPTS, Bearer, Bound as _, contended, ended};
use crate::id::SessionId;
use crate::roster::Entry;
use crate::security::{EndReason, SecurityEventKind};
use crate::token::SessionToken;

/// A session that a token has opened. It holds no claims, no values and no secret, only the secret's hash: every answer comes from
/// the store, so a session ended, rotated or changed elsewhere is noticed at once.
///
/// # Activity
/// Asking who the user is, what they may do, or for a value, neither writes nor prolongs: a page that polls in the background keeps
/// nothing alive. Activity is [`AuthSession::touch`], and every change.
///
/// # Errors
/// On a session that has ended, or whose token was replaced, every method but [`AuthSession::is_authenticated`] and
/// [`AuthSession::logout`] gives [`ErrorKind::Gone`], and nothing is granted, written or kept alive. A store that cannot be reached
/// is [`ErrorKind::Unavailable`], never an ended session.
pub struct AuthSession<C = ()> {
    registry: Arc<Registry>,
    bearer: Bearer<AuthRecord>,
    claims: PhantomData<fn() -> C>,
}

/// Who it is.
impl<C: Value> AuthSession<C> {
    pub(super) fn new(registry: Arc<Registry>, bearer: Bearer<AuthRecord>) -> Self {
        Self { registry, bearer, claims: PhantomData }
    }

    /// Its public id.
    pub fn id(&self) -> SessionId {
        self.bearer.id()
    }

    pub(super) fn bearer(&self) -> &Bearer<AuthRecord> {
        &self.bearer
    }

    /// Who has signed in, as it stands now.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`] for claims that were stored as another type.
    pub async fn user(&self) -> Result<User<C>> {
        self.bearer.read(|record| record.user.decode()).await
    }

    /// Whether the session is alive and the token is its own.
    pub async fn is_authenticated(&self) -> Result<bool> {
        match self.bearer.verified().await {
            Ok(found) => Ok(found.is_some()),
            Err(error) if error.kind() == ErrorKind::Gone => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether the user has this role.
    pub async fn has_role(&self, role: &str) -> Result<bool> {
        self.bearer.read(|record| Ok(record.user.has_role(role))).await
    }

    /// Whether the user has one of these roles at least; of none, no.
    pub async fn has_any_role(&self, roles: &[&str]) -> Result<bool> {
        self.bearer.read(|record| Ok(roles.iter().any(|role| record.user.has_role(role)))).await
    }

    /// Whether the user has each of these roles; of none, yes.
    pub async fn has_all_roles(&self, roles: &[&str]) -> Result<bool> {
        self.bearer.read(|record| Ok(roles.iter().all(|role| record.user.has_role(role)))).await
    }

    /// Whether the user has this permission.
    pub async fn has_permission(&self, permission: &str) -> Result<bool> {
        self.bearer.read(|record| Ok(record.user.has_permission(permission))).await
    }

    /// Whether the user has one of these permissions at least; of none, no.
    pub async fn has_any_permission(&self, permissions: &[&str]) -> Result<bool> {
        let has_any = |user: &StoredUser| permissions.iter().any(|name| user.has_permission(name));
        self.bearer.read(|record| Ok(has_any(&record.user))).await
    }

    /// Whether the user has each of these permissions; of none, yes.
    pub async fn has_all_permissions(&self, permissions: &[&str]) -> Result<bool> {
        let has_all = |user: &StoredUser| permissions.iter().all(|name| user.has_permission(name));
        self.bearer.read(|record| Ok(has_all(&record.user))).await
    }

    /// Nothing if the user has this permission, else [`ErrorKind::Denied`].
    pub async fn require_permission(&self, permission: &str) -> Result<()> {
        if self.has_permission(permission).await? {
            return Ok(());
        }
        let message = format!("the user lacks the permission `{permission}`; ask somebody who can grant it");
        Err(Error::new(ErrorKind::Denied, "require permission", message))
    }

    /// A proof that the user authenticated at most `age` ago (ASVS 7.5.1). Counted from the last login or
    /// [`AuthSession::reauthenticate`]; activity, extension and rotation do not count.
    ///
    /// # Errors
    /// [`ErrorKind::StepUp`] if it is longer ago: ask the user to authenticate, then call [`AuthSession::reauthenticate`].
    pub async fn require_fresh(&self, age: Duration) -> Result<Fresh> {
        let proof = self.bearer.read(|record| {
            let now = self.registry.now();
            Ok(Fresh::judge(self.id(), record.user.id(), record.authenticated(), now, age))
        });
        proof.await?.ok_or_else(|| {
            let message =
                "the last authentication is too long ago for this; ask the user to authenticate again";
            Error::new(ErrorKind::StepUp, "require fresh", message)
        })
    }

    /// What is known of this session. No activity.
    pub async fn info(&self) -> Result<SessionInfo> {
        let name = self.bearer.name();
        let found = self.registry.handle.inspect::<AuthRecord>(&name).await?;
        let (record, info) = found.ok_or_else(ended)?;
        self.bearer.verify(&record)?;
        Ok(SessionInfo { current: true, ..SessionInfo::of(self.id(), &record, &info) })
    }

    /// All living sessions of this user, oldest first, this one marked as current (ASVS 7.5.2). No activity.
    pub async fn siblings(&self) -> Result<Vec<SessionInfo>> {
        let user = self.bearer.read(|record| Ok(record.user.id().to_owned())).await?;
        let mut sessions = self.registry.list(&user).await?;
        for session in &mut sessions {
            session.current = session.id == self.id();
        }
        Ok(sessions)
    }
}

/// Its values: as those of a basic [`Session`](crate::Session), but that reading is no activity.
impl<C: Value> AuthSession<C> {
    /// The value under `name`. No activity.
    pub async fn get<T: Value>(&self, name: &str) -> Result<Option<T>> {
        self.bearer.get(name).await
    }

    /// Stores a value under `name`, in place of one that may be there. Others keep theirs, also those changed meanwhile.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] over a limit, [`ErrorKind::Invalid`] for a name that is empty or has control characters.
    pub async fn set<T: Value>(&self, name: &str, value: &T) -> Result<()> {
        self.set_as(Codec::default(), name, value).await
    }

    /// Stores a value encoded by `codec`, as [`AuthSession::set`]. Reading finds the codec by itself.
    pub async fn set_as<T: Value>(&self, codec: Codec, name: &str, value: &T) -> Result<()> {
        self.bearer.set_as(codec, name, value).await
    }

    /// Makes what `change` returns of the value under `name`: from nothing it creates, `None` removes. Atomic: `change` runs
    /// again on the fresh value as long as somebody else was faster.
    pub async fn update<T: Value>(
        &self,
        name: &str,
        change: impl FnMut(Option<T>) -> Option<T>,
    ) -> Result<()> {
        self.bearer.update(name, change).await
    }

    /// Removes the value under `name`, and says whether there was one.
    pub async fn remove(&self, name: &str) -> Result<bool> {
        self.bearer.remove(name).await
    }

    /// The names of all values, in order. No activity.
    pub async fn list(&self) -> Result<Vec<String>> {
        self.bearer.list().await
    }

    /// Removes all values in one commit, and says how many there were. The session goes on.
    pub async fn clear(&self) -> Result<usize> {
        self.bearer.clear().await
    }
}

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

/// Its end.
impl<C: Value> AuthSession<C> {
    /// Ends the session and its place in the roster in one commit, at once and everywhere (ASVS 7.4.1). Says whether this call
    /// did; one that has ended already is not an error. Nothing that is in flight brings it back.
    ///
    /// # Errors
    /// [`ErrorKind::Gone`] if the session lives on under a new token: a replaced token ends nothing. After
    /// [`ErrorKind::Unavailable`] call it again.
    pub async fn logout(&self) -> Result<bool> {
        self.registry.log_out(&self.bearer).await
    }

    /// Ends all other sessions of the user in one commit (ASVS 7.4.3), and says how many were alive. This one goes on.
    ///
    /// # Errors
    /// After [`ErrorKind::Unavailable`] call it again.
    pub async fn logout_others(&self) -> Result<u64> {
        self.registry.revoke_others(&self.bearer).await
    }

    /// Ends all sessions of the user in one commit, this one included, and says how many were alive.
    ///
    /// # Errors
    /// After [`ErrorKind::Unavailable`] call it again; [`ErrorKind::Gone`] then means that it is done.
    pub async fn logout_everywhere(&self) -> Result<u64> {
        let user = self.bearer.read(|record| Ok(record.user.id().to_owned())).await?;
        self.registry.revoke_user(&user, EndReason::LogoutElsewhere).await
    }
}

impl<C> Clone for AuthSession<C> {
    fn clone(&self) -> Self {
        Self { registry: Arc::clone(&self.registry), bearer: self.bearer.clone(), claims: PhantomData }
    }
}

impl<C> fmt::Debug for AuthSession<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthSession").field("id", &self.bearer.id()).finish_non_exhaustive()
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
