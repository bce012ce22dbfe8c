//! One session of a user who has signed in: [`AuthSession`]. Each answer is read from the store and verified there.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use strata_core::{Codec, Error, ErrorKind, Result, Value};

use super::fresh::Fresh;
use super::listing::SessionInfo;
use super::record::AuthRecord;
use super::registry::Registry;
use super::user::{StoredUser, User};
use crate::bearer::{Bearer, ended};
use crate::draft::Edit;
use crate::id::SessionId;
use crate::security::EndReason;

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
    pub(super) registry: Arc<Registry>,
    pub(super) bearer: Bearer<AuthRecord>,
    claims: PhantomData<fn() -> C>,
}

crate::session_values::keeps_values!([C: strata_core::Value] AuthSession<C>);

/// Who it is.
impl<C: Value> AuthSession<C> {
    pub(super) fn new(registry: Arc<Registry>, bearer: Bearer<AuthRecord>) -> Self {
        Self { registry, bearer, claims: PhantomData }
    }

    /// Its public id.
    pub fn id(&self) -> SessionId {
        self.bearer.id()
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
        self.bearer.is_alive().await
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

    /// Several values in one commit: `act` sees them and changes them, and runs again on the fresh ones as long as somebody else was
    /// faster. What it refuses is returned, and nothing is written.
    pub async fn edit<T>(&self, act: impl FnMut(&mut Edit<'_>) -> Result<T>) -> Result<T> {
        self.bearer.edit(act).await
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
