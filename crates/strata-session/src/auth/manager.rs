//! The manager of authentication sessions: [`AuthSessions`], and its settings [`AuthSessionsBuilder`].

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use strata_core::{Atomicity, Codec, Error, ErrorKind, Handle, Listing, Needs, Result, Value};
use strata_ttl::Policy;

use super::events::AuthEvents;
use super::listing::{SessionInfo, SessionInfos};
use super::loaded::LoadedAuthSession;
use super::login::Login;
use super::policy::{AtLimit, AuthPolicy, Rules};
use super::record::AuthRecord;
use super::registry::{RESERVED, Registry};
use super::session::AuthSession;
use super::user::{StoredUser, User};
use crate::bearer::Bound as _;
use crate::id::SessionId;
use crate::limits::Limits;
use crate::roster::{Roster, check_user};
use crate::secret::Digest;
use crate::security::{EndReason, Misuse, SecurityEventKind, SecurityLog};
use crate::token::SessionToken;

/// Sessions of users who have signed in, with claims of the application's own type `C`. Cheap to clone; clones share their log.
///
/// A session is only ever created under an id that is not there, and only changed in the version that was verified: nothing
/// brings an ended session back. Every answer about a session is read from the store when it is asked.
///
/// Listing and ending need no knowledge of `C`: an operator's tool takes `AuthSessions<()>`.
pub struct AuthSessions<C = ()> {
    registry: Arc<Registry>,
    claims: PhantomData<fn() -> C>,
}

impl<C: Value> AuthSessions<C> {
    /// Sessions in the namespace `auth`: 24 hours at the latest and one hour without activity (AAL2 of NIST SP 800-63B-4), or 30
    /// days for users who asked to be remembered (AAL1); at most 100 at a time for each user, then the oldest ends.
    pub fn new(handle: &Handle) -> Result<Self> {
        Self::builder(handle).build()
    }

    /// Sessions with other settings.
    pub fn builder(handle: &Handle) -> AuthSessionsBuilder<'_, C> {
        AuthSessionsBuilder {
            handle,
            namespace: "auth".to_owned(),
            rules: Rules {
                ordinary: Policy::aal2(),
                remembered: Policy::aal1(),
                limit: 100,
                at_limit: AtLimit::EndOldest,
            },
            limits: Limits::default(),
            log: None,
            codec: Codec::default(),
            claims: PhantomData,
        }
    }

    /// Starts a session for `user`, whom the application has authenticated just now. Await what it returns.
    pub fn login(&self, user: &User<C>) -> Login<'_, C> {
        Login::new(self, StoredUser::encode(self.registry.codec, user, &self.registry.limits))
    }

    /// The session that `token` opens, if it is alive and the secret is its own. Asks the store; writes nothing and is no
    /// activity. A token that opens nothing is a security event of its own kind.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`] for a session stored with claims of another type; a store that cannot be reached is
    /// [`ErrorKind::Unavailable`], not an ended session.
    pub async fn open(&self, token: &SessionToken) -> Result<Option<AuthSession<C>>> {
        let found = self.registry.record(token.id()).await?.map(|record| (record, ()));
        let own = self.owned(token, found)?;
        Ok(own.map(|_| self.session(token.id(), token.digest())))
    }

    /// As [`AuthSessions::open`], together with what that one read found: a request that asks who the user is, what they may do and
    /// for values then costs no other read.
    ///
    /// # Errors
    /// As [`AuthSessions::open`].
    pub async fn load(&self, token: &SessionToken) -> Result<Option<LoadedAuthSession<C>>> {
        let found = self.registry.handle.inspect::<AuthRecord>(&token.id().to_string()).await?;
        let own = self.owned(token, found)?;
        Ok(own.map(|(record, info)| {
            LoadedAuthSession::new(self.session(token.id(), token.digest()), record, info)
        }))
    }

    /// What was found under a token's id, if the secret is its own and the claims of our type; else it is told.
    fn owned<I>(
        &self,
        token: &SessionToken,
        found: Option<(AuthRecord, I)>,
    ) -> Result<Option<(AuthRecord, I)>> {
        let Some((record, info)) = found else {
            self.misused(Misuse::UnknownSession, token.id(), None);
            return Ok(None);
        };
        if !record.check().matches(&token.digest()) {
            self.misused(Misuse::WrongSecret, token.id(), Some(&record));
            return Ok(None);
        }
        record.user.check_type::<C>()?;
        Ok(Some((record, info)))
    }

    fn misused(&self, how: Misuse, id: SessionId, record: Option<&AuthRecord>) {
        let entry = self.registry.log.event(SecurityEventKind::InvalidUse(how)).session(id);
        match record {
            Some(record) => entry.user(record.user.id()).write(),
            None => entry.write(),
        }
    }

    pub(super) fn session(&self, id: SessionId, check: Digest) -> AuthSession<C> {
        AuthSession::new(Arc::clone(&self.registry), self.registry.bearer(id, check))
    }
}

impl<C> AuthSessions<C> {
    /// A user's living sessions, oldest first (ASVS 7.5.2). No activity. Costs what the user has, whatever others have.
    pub async fn list(&self, user: &str) -> Result<Vec<SessionInfo>> {
        check_user("list sessions", user)?;
        self.registry.list(user).await
    }

    /// Everybody's living sessions, in the order of their ids, for operators. No activity.
    pub fn infos(&self) -> SessionInfos<'_> {
        SessionInfos::new(&self.registry)
    }

    /// What is known of a living session. No activity.
    pub async fn info(&self, id: SessionId) -> Result<Option<SessionInfo>> {
        self.registry.info(id).await
    }

    /// Ends a session by its public id, for operators and for a user's own list (ASVS 7.5.2). Says whether a living one was
    /// there. Whatever is in flight in it is refused from then on, in any process.
    ///
    /// # Errors
    /// What the store reports. After [`ErrorKind::Unavailable`] call it again.
    pub async fn revoke(&self, id: SessionId) -> Result<bool> {
        self.registry.revoke(id, EndReason::Revoked).await
    }

    /// Ends all sessions of a user in one commit (ASVS 7.4.2, 7.4.5), and says how many were alive. A sign-in that lands meanwhile is
    /// before it, and ends, or after it, and is whole.
    ///
    /// # Errors
    /// What the store reports. After [`ErrorKind::Unavailable`] call it again.
    pub async fn revoke_user(&self, user: &str) -> Result<u64> {
        self.registry.revoke_user(user, EndReason::UserRevoked).await
    }

    /// Ends every session that was alive when this was called, page by page, and says how many this call ended. One begun after that
    /// may be left, so stop the program's logins first if none may be.
    ///
    /// # Errors
    /// What the store reports. Sessions met before that have ended; call it again for the others.
    pub async fn revoke_all(&self) -> Result<u64> {
        self.registry.revoke_all().await
    }

    /// The effective policy, as a document (ASVS 7.1.1).
    pub fn describe(&self) -> AuthPolicy {
        self.registry.rules.describe()
    }

    /// Security events from now on: those of the log, and the sessions that are found dead and swept away.
    pub fn events(&self) -> AuthEvents {
        AuthEvents::new(&self.registry)
    }

    /// The log that events are written to.
    pub fn log(&self) -> &SecurityLog {
        &self.registry.log
    }

    /// The handle of the sessions' namespace.
    pub fn handle(&self) -> &Handle {
        &self.registry.handle
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }
}

impl<C> Clone for AuthSessions<C> {
    fn clone(&self) -> Self {
        Self { registry: Arc::clone(&self.registry), claims: PhantomData }
    }
}

impl<C> fmt::Debug for AuthSessions<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Registry { handle, rules, limits, .. } = &*self.registry;
        f.debug_struct("AuthSessions")
            .field("handle", handle)
            .field("rules", rules)
            .field("limits", limits)
            .finish()
    }
}

/// The settings of [`AuthSessions`].
#[must_use = "a builder does nothing until `build`"]
pub struct AuthSessionsBuilder<'h, C = ()> {
    handle: &'h Handle,
    namespace: String,
    rules: Rules,
    limits: Limits,
    log: Option<SecurityLog>,
    codec: Codec,
    claims: PhantomData<fn() -> C>,
}

impl<C: Value> AuthSessionsBuilder<'_, C> {
    /// Where they lie: under `NAME:session:` and `NAME:roster:`. `auth` unless told otherwise.
    pub fn namespace(mut self, name: &str) -> Self {
        name.clone_into(&mut self.namespace);
        self
    }

    /// How long ordinary sessions live, and how often activity in them is written down.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.rules.ordinary = policy;
        self
    }

    /// How long sessions live that the user asked to be remembered in.
    pub fn remembered(mut self, policy: Policy) -> Self {
        self.rules.remembered = policy;
        self
    }

    /// How many sessions a user may have at a time, and what a sign-in does beyond that (ASVS 7.1.2). They end in one commit, so
    /// a limit near the store's largest batch is refused.
    pub fn parallel(mut self, limit: usize, at_limit: AtLimit) -> Self {
        self.rules.limit = limit;
        self.rules.at_limit = at_limit;
        self
    }

    /// How much each session may hold. Its bound on one value holds for the claims, too.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where events are written; a log of the manager's own unless told otherwise.
    pub fn log(mut self, log: SecurityLog) -> Self {
        self.log = Some(log);
        self
    }

    /// How claims are encoded: [`Codec::Json`] for a type that changes over time. Reading finds the codec by itself.
    pub fn codec(mut self, codec: Codec) -> Self {
        self.codec = codec;
        self
    }

    /// The manager.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a limit of zero or beyond what a commit holds, a policy past the year 9999, or a bad
    /// namespace; [`ErrorKind::Unsupported`] for a store without commits over several keys or without walks, and for claims that
    /// the codec can't give back.
    pub fn build(self) -> Result<AuthSessions<C>> {
        let Self { handle, namespace, rules, limits, log, codec, claims } = self;
        handle.require(&Needs { atomicity: Atomicity::Batch, listing: Listing::Indexed, ..Needs::LEAST })?;
        codec.shape_of::<C>()?;
        let most = handle.capabilities().max_batch.saturating_sub(RESERVED);
        if rules.limit == 0 || rules.limit > most {
            return Err(Error::new(
                ErrorKind::Invalid,
                "build auth sessions",
                format!(
                    "the parallel limit is {}, it has to be 1 to {most} over this store; give another",
                    rules.limit
                ),
            ));
        }
        for remembered in [false, true] {
            rules.life(remembered, handle.clock().now())?;
        }
        let home = handle.namespace(&namespace)?;
        let registry = Registry {
            handle: home.namespace("session")?,
            roster: Roster::new(home.namespace("roster")?),
            rules,
            limits,
            log: log.unwrap_or_else(|| SecurityLog::new(handle)),
            codec,
        };
        Ok(AuthSessions { registry: Arc::new(registry), claims })
    }
}

impl<C> fmt::Debug for AuthSessionsBuilder<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthSessionsBuilder")
            .field("namespace", &self.namespace)
            .field("rules", &self.rules)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
