//! The manager of basic sessions: [`Sessions`], its settings [`SessionsBuilder`], and the walk over all [`Ids`].

use std::fmt;
use std::time::Duration;

use strata_core::{Atomicity, Before, Error, ErrorKind, Handle, Info, Keys, Lifetime, Needs, Result};

use super::kind::SessionKind;
use super::loaded::LoadedSession;
use super::record::SessionRecord;
use super::session::Session;
use crate::bearer::{Bearer, Bound as _, Reading};
use crate::draft::{Draft, Edit};
use crate::id::SessionId;
use crate::limits::Limits;
use crate::secret::Digest;
use crate::token::SessionToken;
use crate::values::Values;

/// How many revocations go into one commit; a store that takes a lock for it holds that under a millisecond.
const REVOKED_TOGETHER: usize = 64;

/// Sessions in one namespace of a handle. Cheap to clone.
///
/// A session is only ever created under an id that is not there, and only changed in the version that was verified: nothing
/// adopts a token that was not issued here, and nothing brings an ended session back.
#[derive(Clone)]
pub struct Sessions {
    handle: Handle,
    life: Lifetime,
    limits: Limits,
}

impl Sessions {
    /// Sessions in the namespace `session` that end after 30 minutes of idleness, and after 12 hours at the latest.
    pub fn new(handle: &Handle) -> Result<Self> {
        Self::builder(handle).build()
    }

    /// Sessions with other settings.
    pub fn builder(handle: &Handle) -> SessionsBuilder<'_> {
        SessionsBuilder {
            handle,
            namespace: "session".to_owned(),
            life: Lifetime::idle(Duration::from_mins(30)).at_most(Duration::from_hours(12)),
            limits: Limits::default(),
            kind: None,
        }
    }

    /// Starts an empty session under a new id with a new secret, both from the handle's source of randomness. The token is for
    /// the client, the session for the program.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] on a handle without randomness; what the store reports. Then no session exists that
    /// anybody could open.
    pub async fn create(&self) -> Result<(SessionToken, Session)> {
        self.create_holding(Values::default()).await
    }

    /// The session that `token` opens, if it is alive and the secret is its own. Counts as activity only then: whoever knows no
    /// more than the public id can neither open a session nor keep it alive. Nothing is created for an unknown token.
    ///
    /// # Errors
    /// A store that cannot be reached is [`ErrorKind::Unavailable`], not an ended session.
    pub async fn open(&self, token: &SessionToken) -> Result<Option<Session>> {
        let check = token.digest();
        let verify = |record: SessionRecord, _| {
            if record.check().matches(&check) { Ok(()) } else { Err(Stop::Refused) }
        };
        match self.handle.examine(&token.id().to_string(), verify).await {
            Ok(Some(())) => Ok(Some(self.session(token.id(), check))),
            Ok(None) | Err(Stop::Refused) => Ok(None),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// Starts a session that holds values from its first moment, in the same commit. What `edit` refuses is returned, and nothing is
    /// stored.
    ///
    /// # Errors
    /// As [`Sessions::create`].
    pub async fn create_with(
        &self,
        edit: impl FnOnce(&mut Edit<'_>) -> Result<()>,
    ) -> Result<(SessionToken, Session)> {
        let mut values = Values::default();
        edit(&mut Edit::of(&mut values, &self.limits))?;
        self.create_holding(values).await
    }

    /// Values of a session that does not exist yet; nothing is stored.
    pub fn draft(&self) -> Draft {
        Draft::new(Values::default(), self.limits)
    }

    /// Starts a session with the values of `draft`, in one commit.
    ///
    /// # Errors
    /// As [`Sessions::create`].
    pub async fn create_from(&self, draft: &mut Draft) -> Result<(SessionToken, Session)> {
        let created = self.create_holding(draft.values().clone()).await?;
        draft.settle();
        Ok(created)
    }

    async fn create_holding(&self, values: Values) -> Result<(SessionToken, Session)> {
        let token = SessionToken::mint(&**self.handle.random())?;
        let mut record = SessionRecord::new(token.digest());
        *record.values_mut() = values;
        self.handle.set(&token.id().to_string(), &record).lifetime(self.life).if_absent().await?;
        let session = self.session(token.id(), token.digest());
        Ok((token, session))
    }

    /// The session that `token` opens together with its values, in one read; as [`Sessions::open`] in all else.
    ///
    /// # Errors
    /// A store that cannot be reached is [`ErrorKind::Unavailable`], not an ended session.
    pub async fn load(&self, token: &SessionToken) -> Result<Option<LoadedSession>> {
        let (name, check) = (token.id().to_string(), token.digest());
        let verify = |record: SessionRecord, version, expiry| {
            if record.check().matches(&check) { Ok((record, version, expiry)) } else { Err(Stop::Refused) }
        };
        match self.handle.examine_expiring(&name, verify).await {
            Ok(Some((record, version, expiry))) => {
                let session = self.session(token.id(), check);
                Ok(Some(LoadedSession::new(session, record, version, expiry)))
            }
            Ok(None) | Err(Stop::Refused) => Ok(None),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// As [`Sessions::load`], but no activity: for polls in the background, which must not keep a session alive.
    pub async fn load_quietly(&self, token: &SessionToken) -> Result<Option<LoadedSession>> {
        let check = token.digest();
        let found = self.handle.inspect::<SessionRecord>(&token.id().to_string()).await?;
        let own = found.filter(|(record, _)| record.check().matches(&check));
        Ok(own.map(|(record, info)| {
            let session = self.session(token.id(), check);
            LoadedSession::new(session, record, info.version, info.expiry)
        }))
    }

    /// The ids of all living sessions, in order, for operators. A session present throughout the walk is seen exactly once.
    pub fn ids(&self) -> Ids<'_> {
        Ids(self.handle.keys("*"))
    }

    /// When a living session was created, last changed, and will end. No activity; its values stay unread.
    pub async fn info(&self, id: SessionId) -> Result<Option<Info>> {
        self.handle.info(&id.to_string()).await
    }

    /// Ends a session by its public id, for operators. Says whether a living one was there. Its token opens nothing from then
    /// on, in any process.
    pub async fn revoke(&self, id: SessionId) -> Result<bool> {
        self.handle.remove(&id.to_string()).await
    }

    /// Ends every session that was alive when this was called, whatever its client does meanwhile, and says how many this call
    /// ended. Page by page: one created after that may be left, so stop the program's logins first if none may be. What else
    /// lies in the namespace is removed, too.
    ///
    /// # Errors
    /// What the store reports. Sessions met before that have ended; call it again for the others. At a damaged record that is
    /// [`ErrorKind::Corrupt`] each time, and those behind it live on: repair the store, or [`revoke`](Self::revoke) them by id.
    pub async fn revoke_all(&self) -> Result<u64> {
        let capabilities = self.handle.capabilities();
        let together = capabilities.atomicity == Atomicity::Batch;
        let size = if together { REVOKED_TOGETHER.min(capabilities.max_batch).max(1) } else { 1 };
        let mut names = self.handle.keys("*");
        let mut revoked = 0;
        loop {
            let mut doomed = Vec::with_capacity(size);
            while doomed.len() < size
                && let Some(name) = names.next().await
            {
                doomed.push(name?);
            }
            if doomed.is_empty() {
                return Ok(revoked);
            }
            revoked += self.remove_together(&doomed).await?;
        }
    }

    /// Removes records in whatever version they are: activity is no way out. Says how many were alive.
    async fn remove_together(&self, names: &[String]) -> Result<u64> {
        let writes = self.handle.writes();
        let writes = names.iter().fold(writes, |writes, name| writes.stage(self.handle.removal(name)));
        let outcomes = writes.commit().await?;
        Ok(outcomes.iter().filter(|outcome| matches!(outcome.before, Before::Live(_))).count() as u64)
    }

    /// The handle of the sessions' namespace. Its `subscribe` tells of sessions created, changed, ended and expired, by id.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    fn session(&self, id: SessionId, check: Digest) -> Session {
        let bearer = Bearer::new(self.handle.clone(), self.limits, Reading::IsActivity, id, check);
        Session::new(self.clone(), bearer)
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("handle", &self.handle)
            .field("life", &self.life)
            .field("limits", &self.limits)
            .finish()
    }
}

/// Why a token opened nothing.
enum Stop {
    Refused,
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// The settings of [`Sessions`].
#[must_use = "a builder does nothing until `build`"]
#[derive(Debug)]
pub struct SessionsBuilder<'h> {
    handle: &'h Handle,
    namespace: String,
    life: Lifetime,
    limits: Limits,
    kind: Option<SessionKind>,
}

impl SessionsBuilder<'_> {
    /// Where they lie; managers of different namespaces do not see each other's sessions.
    pub fn namespace(mut self, name: &str) -> Self {
        name.clone_into(&mut self.namespace);
        self
    }

    /// How long they live: a [`Lifetime`], or a policy that becomes one. It has to end.
    pub fn lifetime(mut self, life: impl Into<Lifetime>) -> Self {
        self.life = life.into();
        self
    }

    /// How much each may hold.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Refuses a handle that does not suit this kind.
    pub fn kind(mut self, kind: SessionKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// The manager.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a lifetime without end or one that [`Lifetime::starting`] refuses, or a bad namespace;
    /// [`ErrorKind::Unsupported`] or [`ErrorKind::Downgrade`] for a handle that does not suit.
    pub fn build(self) -> Result<Sessions> {
        self.handle.require(&Needs::LEAST)?;
        self.kind.map_or(Ok(()), |kind| kind.check(self.handle))?;
        if self.life.starting(self.handle.clock().now())?.deadline().is_none() {
            return Err(Error::new(
                ErrorKind::Invalid,
                "build sessions",
                "these sessions would never end; give them an idle time, a cap, or both",
            ));
        }
        Ok(Sessions { handle: self.handle.namespace(&self.namespace)?, life: self.life, limits: self.limits })
    }
}

/// The ids of sessions, one by one.
#[must_use = "a walk does nothing until it is read"]
#[derive(Debug)]
pub struct Ids<'s>(Keys<'s>);

impl Ids<'_> {
    /// The next id; an error for a record that is not a session, after which the walk goes on.
    pub async fn next(&mut self) -> Option<Result<SessionId>> {
        let name = self.0.next().await?;
        Some(name.and_then(|name| SessionId::parse(&name).map_err(|_| foreign())))
    }

    /// All that are left, up to the first error.
    pub async fn collect(mut self) -> Result<Vec<SessionId>> {
        let mut ids = Vec::new();
        while let Some(id) = self.next().await {
            ids.push(id?);
        }
        Ok(ids)
    }
}

#[cold]
fn foreign() -> Error {
    Error::new(
        ErrorKind::Foreign,
        "list sessions",
        "something else than a session lies in the namespace of the sessions; give them one of their own",
    )
}
