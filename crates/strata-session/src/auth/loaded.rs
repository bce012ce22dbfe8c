//! A session of a user who has signed in, with what one read found: [`LoadedAuthSession`].

use std::fmt;
use std::time::Duration;

use strata_core::{Error, ErrorKind, Info, Result, Value};

use super::fresh::Fresh;
use super::listing::SessionInfo;
use super::record::AuthRecord;
use super::session::AuthSession;
use super::user::User;
use crate::bearer::ended;
use crate::draft::Draft;
use crate::id::SessionId;
use crate::loaded::Loaded;

/// A session together with what the read that opened it found: who the user is, what they may do, values. That read was the check of the
/// token, so these answers hold for the request it was made for, and no longer. Nothing here is activity but
/// [`LoadedAuthSession::commit`].
pub struct LoadedAuthSession<C = ()> {
    session: AuthSession<C>,
    loaded: Loaded<AuthRecord>,
    info: SessionInfo,
}

impl<C: Value> LoadedAuthSession<C> {
    pub(super) fn new(session: AuthSession<C>, record: AuthRecord, info: Info) -> Self {
        let known = SessionInfo { current: true, ..SessionInfo::of(session.id(), &record, &info) };
        let loaded = Loaded::new(&session.bearer, record, info.version, info.expiry);
        Self { session, loaded, info: known }
    }

    /// Its public id.
    pub fn id(&self) -> SessionId {
        self.session.id()
    }

    /// The session, each access to which asks the store.
    pub fn session(&self) -> &AuthSession<C> {
        &self.session
    }

    /// The session, to be changed; [`LoadedAuthSession::reload`] is due afterwards.
    pub fn session_mut(&mut self) -> &mut AuthSession<C> {
        &mut self.session
    }

    /// Who had signed in.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`] for claims that were stored as another type.
    pub fn user(&self) -> Result<User<C>> {
        self.loaded.record().user.decode()
    }

    /// The user's id.
    pub fn user_id(&self) -> &str {
        self.loaded.record().user.id()
    }

    /// Whether the user had this role.
    pub fn has_role(&self, role: &str) -> bool {
        self.loaded.record().user.has_role(role)
    }

    /// Whether the user had this permission.
    pub fn has_permission(&self, permission: &str) -> bool {
        self.loaded.record().user.has_permission(permission)
    }

    /// A proof that the user authenticated at most `age` ago; see [`AuthSession::require_fresh`].
    ///
    /// # Errors
    /// [`ErrorKind::StepUp`] if it is longer ago.
    pub fn require_fresh(&self, age: Duration) -> Result<Fresh> {
        let (record, now) = (self.loaded.record(), self.session.registry.now());
        let proof = Fresh::judge(self.id(), record.user.id(), record.authenticated(), now, age);
        proof.ok_or_else(|| {
            let message =
                "the last authentication is too long ago for this; ask the user to authenticate again";
            Error::new(ErrorKind::StepUp, "require fresh", message)
        })
    }

    /// What was known of the session.
    pub fn info(&self) -> &SessionInfo {
        &self.info
    }

    /// The values, with what was changed since the read.
    pub fn draft(&self) -> &Draft {
        &self.loaded.draft
    }

    /// The values, to be changed.
    pub fn draft_mut(&mut self) -> &mut Draft {
        &mut self.loaded.draft
    }

    /// Stores all changes of values in one commit; without any it costs nothing. Run again on the fresh values as long as somebody
    /// else was faster.
    pub async fn commit(&mut self) -> Result<()> {
        self.loaded.commit(&self.session.bearer).await
    }

    /// Whether activity of now would be written down by [`AuthSession::touch`]: asked of what was read, not of the store.
    pub fn is_touch_due(&self) -> bool {
        let (record, expiry) = (self.loaded.record(), self.loaded.expiry());
        let now = self.session.registry.now();
        let interval = self.session.registry.rules.touch_interval(record.remembered, expiry.idle_time());
        match expiry.idle_time() {
            Some(_) => expiry.slide_due(now, interval).is_some(),
            None => now.since(record.seen()) >= interval,
        }
    }

    /// Reads the session again, verified. What was changed in the values and not committed is made again on the fresh ones.
    ///
    /// # Errors
    /// [`ErrorKind::Gone`] if it has ended.
    pub async fn reload(&mut self) -> Result<()> {
        let AuthSession { registry, bearer, .. } = &self.session;
        let found = registry.handle.inspect::<AuthRecord>(&bearer.name()).await?;
        let (record, info) = found.ok_or_else(ended)?;
        bearer.verify(&record)?;
        self.info = SessionInfo { current: true, ..SessionInfo::of(self.session.id(), &record, &info) };
        self.loaded.refresh(record, info.version, info.expiry)
    }
}

impl<C> fmt::Debug for LoadedAuthSession<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadedAuthSession")
            .field("session", &self.session)
            .field("loaded", &self.loaded)
            .finish_non_exhaustive()
    }
}
