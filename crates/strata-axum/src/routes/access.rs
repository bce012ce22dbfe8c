//! Access tokens for those who have a refresh token: the hook [`AccessTokens`], and [`AccessSessions`], which makes each of them a
//! session.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use strata_core::{Error, ErrorKind, Handle, Result, Timestamp, Value};
use strata_session::auth::{AuthSessions, Device, User};
use strata_session::refresh::Family;
use strata_session::{FamilyId, SessionId, SessionToken};
use zeroize::Zeroizing;

use super::links::Links;

/// How many a family has: the newest, and the one that requests on their way carry.
const AT_A_TIME: usize = 2;
/// How often a change is tried before the conflict is given to the caller.
const ATTEMPTS: usize = 64;

/// Makes the access tokens that the routes hand out, and ends them.
#[async_trait]
pub trait AccessTokens: fmt::Debug + Send + Sync + 'static {
    /// A new access token for the user of this family, or nothing for one who must not go on, such as a user who was locked out: the
    /// family then ends.
    async fn mint(&self, family: &Family) -> Result<Option<Access>>;

    /// Ends what was made for a family, which has ended (RFC 7009, section 2.1). It may be called again, and for families that have
    /// nothing.
    async fn end_family(&self, family: FamilyId) -> Result<()>;

    /// Ends one access token, if it is one.
    async fn end(&self, token: &str) -> Result<()>;

    /// The family that the token of this session was made for, if any.
    async fn family_of(&self, session: SessionId) -> Result<Option<FamilyId>>;
}

/// An access token for a client.
pub struct Access {
    pub(super) token: Zeroizing<String>,
    pub(super) expires_in: Duration,
    pub(super) user: Option<serde_json::Value>,
}

impl Access {
    /// A token that lives this long.
    pub fn new(token: Zeroizing<String>, expires_in: Duration) -> Self {
        Self { token, expires_in, user: None }
    }

    /// With what the client may know of the user, for whoever restores a session from the answer: `id`, and if there are any `name`,
    /// `email`, `roles`, `permissions` and `claims`.
    #[must_use]
    pub fn user(mut self, user: serde_json::Value) -> Self {
        self.user = Some(user);
        self
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

/// Where users are looked up when a client refreshes: roles that were taken away since are not handed out again.
#[async_trait]
pub trait Users<C>: fmt::Debug + Send + Sync + 'static {
    /// The user as of now; nothing for one who does not exist any more or is locked out.
    async fn user(&self, id: &str) -> Result<Option<User<C>>>;
}

/// Access tokens that are sessions: `Authorization: Bearer` opens them, lists show them, and revoking one is effective on the next
/// request. A family has two at a time, the newest and the one before, which requests on their way still carry.
///
/// Their life is the policy's of the sessions that are given. It need not be short: an access token that was revoked opens nothing,
/// whatever its life.
pub struct AccessSessions<C> {
    sessions: AuthSessions<C>,
    users: Arc<dyn Users<C>>,
    links: Links,
    claims: PhantomData<fn() -> C>,
}

impl<C: Value> AccessSessions<C> {
    /// Sessions of this manager, for users as they are found there. Which session is of which family stands in the namespace
    /// `access` of the handle.
    pub fn new(handle: &Handle, sessions: &AuthSessions<C>, users: Arc<dyn Users<C>>) -> Result<Self> {
        Ok(Self { sessions: sessions.clone(), users, links: Links::new(handle)?, claims: PhantomData })
    }
}

impl<C: Value> AccessSessions<C> {
    /// Ties a session to its family until this instant. What it takes the place of ends before it leaves the list, so that whoever is
    /// interrupted leaves none that nobody finds.
    async fn tie(&self, family: FamilyId, session: SessionId, until: Timestamp) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let tied = self.links.of(family).await?;
            let keep = tied.sessions.len().min(AT_A_TIME - 1);
            let (over, kept) = tied.sessions.split_at(tied.sessions.len() - keep);
            for old in over {
                self.sessions.revoke(*old).await?;
            }
            let now = [kept, &[session]].concat();
            if self.links.put(family, &tied, &now, until).await? {
                return Ok(());
            }
        }
        Err(contended())
    }
}

#[cold]
fn contended() -> Error {
    let message = "the family's access tokens were changed by others each time this was tried; retry";
    Error::new(ErrorKind::Conflict, "tie access token", message)
}

#[async_trait]
impl<C: Value + Send + Sync> AccessTokens for AccessSessions<C> {
    async fn mint(&self, family: &Family) -> Result<Option<Access>> {
        let Some(user) = self.users.user(&family.user).await?.filter(|user| user.id == family.user) else {
            return Ok(None);
        };
        let label = if family.client.is_empty() { "program" } else { &family.client };
        let (token, session) = self.sessions.login(&user).device(Device::new().label(label)).await?;
        let tied = async {
            let info = session.info().await?;
            self.tie(family.id, token.id(), info.latest).await.map(|()| info.expires)
        };
        let expires = match tied.await {
            Ok(expires) => expires,
            Err(error) => {
                // Nobody is given its token; if this fails, too, it ends by its lifetime.
                let _ = self.sessions.revoke(token.id()).await;
                return Err(error);
            }
        };
        let now = self.sessions.handle().clock().now();
        let access = Access::new(token.expose(), expires.since(now));
        Ok(Some(access.user(described(&user))))
    }

    async fn end_family(&self, family: FamilyId) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let tied = self.links.of(family).await?;
            for session in &tied.sessions {
                self.sessions.revoke(*session).await?;
            }
            // Not if another was tied meanwhile: whoever did that looks for the family next, and has to find it in the list.
            if self.links.forget(family, &tied).await? {
                return Ok(());
            }
        }
        Err(contended())
    }

    async fn end(&self, token: &str) -> Result<()> {
        let Ok(token) = SessionToken::parse(token) else { return Ok(()) };
        match self.sessions.open(&token).await? {
            Some(session) => session.logout().await.map(drop),
            None => Ok(()),
        }
    }

    async fn family_of(&self, session: SessionId) -> Result<Option<FamilyId>> {
        self.links.family_of(session).await
    }
}

impl<C> fmt::Debug for AccessSessions<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessSessions")
            .field("sessions", &self.sessions)
            .field("users", &self.users)
            .finish_non_exhaustive()
    }
}

/// What the client is told of its user.
#[derive(Serialize)]
struct Described<'u, C> {
    id: &'u str,
    name: Option<&'u str>,
    email: Option<&'u str>,
    roles: &'u std::collections::BTreeSet<String>,
    permissions: &'u std::collections::BTreeSet<String>,
    claims: &'u C,
}

fn described<C: Value>(user: &User<C>) -> serde_json::Value {
    let User { id, name, email, roles, permissions, claims, .. } = user;
    let (name, email) = (name.as_deref(), email.as_deref());
    // Claims that JSON cannot hold are left out: the client then asks for a sign-in, which says why.
    serde_json::to_value(Described { id, name, email, roles, permissions, claims }).unwrap_or_default()
}
