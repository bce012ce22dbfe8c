//! What is known of sessions without their tokens: [`SessionInfo`], for a user's own list and for operators.

use strata_core::{Error, ErrorKind, Info, Keys, Result, Timestamp};

use super::device::Device;
use super::record::AuthRecord;
use super::registry::Registry;
use super::user::User;
use crate::id::SessionId;
use crate::roster::user_tag;

/// A living session, as a list shows it. It opens nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// Its public id, to revoke it by.
    pub id: SessionId,
    /// Whose it is, without the application's claims.
    pub user: User,
    /// What it was begun on.
    pub device: Device,
    /// When it began.
    pub created: Timestamp,
    /// When the user last authenticated in it.
    pub authenticated: Timestamp,
    /// When it was last active, up to the touch interval, or to the hour where it has no idle time; in the last idle time before
    /// its end, no earlier than this.
    pub last_active: Timestamp,
    /// When it ends if nothing happens in it.
    pub expires: Timestamp,
    /// When it ends at the latest.
    pub latest: Timestamp,
    /// Whether the user asked to be remembered.
    pub remembered: bool,
    /// Whether it is the session the list was asked from.
    pub current: bool,
}

/// When a session was last active: activity sets its deadline to the idle time from then.
pub(super) fn last_active(info: &Info) -> Timestamp {
    let slid = info.expiry.deadline().zip(info.expiry.idle_time());
    slid.map_or(info.updated, |(deadline, idle)| deadline.saturating_sub(idle).max(info.updated))
}

impl SessionInfo {
    pub(super) fn of(id: SessionId, record: &AuthRecord, info: &Info) -> Self {
        let expires = info.expiry.deadline().unwrap_or(Timestamp::MAX);
        Self {
            id,
            user: record.user.public(),
            device: record.device.clone(),
            created: record.created(),
            authenticated: record.authenticated(),
            last_active: last_active(info),
            expires,
            latest: info.expiry.not_after().unwrap_or(expires),
            remembered: record.remembered,
            current: false,
        }
    }
}

impl Registry {
    /// A user's living sessions by the tag they carry: flat in the number of everybody's.
    pub(super) async fn list(&self, user: &str) -> Result<Vec<SessionInfo>> {
        let found = self.handle.select().tag(&user_tag(user)).inspect::<AuthRecord>(usize::MAX).await?;
        let mut sessions = found
            .iter()
            .map(|(name, record, info)| Ok(SessionInfo::of(id_of(name)?, record, info)))
            .collect::<Result<Vec<_>>>()?;
        sessions.sort_by_key(|session| (session.created, session.id));
        Ok(sessions)
    }

    pub(super) async fn info(&self, id: SessionId) -> Result<Option<SessionInfo>> {
        let found = self.handle.inspect::<AuthRecord>(&id.to_string()).await?;
        Ok(found.map(|(record, info)| SessionInfo::of(id, &record, &info)))
    }
}

/// Everybody's living sessions, one by one, for operators. One present throughout the walk is seen exactly once.
#[must_use = "a walk does nothing until it is read"]
#[derive(Debug)]
pub struct SessionInfos<'m> {
    registry: &'m Registry,
    names: Keys<'m>,
}

impl<'m> SessionInfos<'m> {
    pub(super) fn new(registry: &'m Registry) -> Self {
        Self { registry, names: registry.handle.keys("*") }
    }

    /// The next session; an error for a record that cannot be read or is not a session, after which the walk goes on.
    pub async fn next(&mut self) -> Option<Result<SessionInfo>> {
        loop {
            let id = match self.names.next().await? {
                Ok(name) => id_of(&name),
                Err(error) => Err(error),
            };
            let found = match id {
                Ok(id) => self.registry.info(id).await.transpose(),
                Err(error) => Some(Err(error)),
            };
            // One that has ended since it was met is passed over.
            if found.is_some() {
                return found;
            }
        }
    }

    /// All that are left, up to the first error.
    pub async fn collect(mut self) -> Result<Vec<SessionInfo>> {
        let mut infos = Vec::new();
        while let Some(info) = self.next().await {
            infos.push(info?);
        }
        Ok(infos)
    }
}

/// The id of a session from the name of its record.
pub(super) fn id_of(name: &str) -> Result<SessionId> {
    SessionId::parse(name).map_err(|_| {
        Error::new(
            ErrorKind::Foreign,
            "list sessions",
            "something else than a session lies in the namespace of the sessions; give them one of their own",
        )
    })
}
