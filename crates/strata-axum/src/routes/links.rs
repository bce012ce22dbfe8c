//! Which access sessions were made for which family of refresh tokens: [`Links`], two small records each, changed in one commit.

use strata_core::{ErrorKind, Guard, Handle, Lifetime, Result, Timestamp};
use strata_session::{FamilyId, SessionId};

/// How many a family has: the newest, and the one that requests on their way carry.
const AT_A_TIME: usize = 2;
/// How often a change is tried before the conflict is given to the caller.
const ATTEMPTS: usize = 64;

#[derive(Debug)]
pub(super) struct Links {
    /// By family: its sessions, oldest first.
    sessions: Handle,
    /// By session: its family.
    families: Handle,
}

impl Links {
    pub(super) fn new(handle: &Handle) -> Result<Self> {
        let home = handle.namespace("access")?;
        Ok(Self { sessions: home.namespace("family")?, families: home.namespace("session")? })
    }

    /// Ties a session to its family until this instant, and says which sessions are to end for it.
    pub(super) async fn add(
        &self,
        family: FamilyId,
        session: SessionId,
        until: Timestamp,
    ) -> Result<Vec<SessionId>> {
        let (name, life) = (family.to_string(), Lifetime::until(until));
        for _ in 0..ATTEMPTS {
            let found = self.sessions.peek_versioned::<Vec<SessionId>>(&name).await?;
            let (mut sessions, version) =
                found.map_or_else(Default::default, |(of, version)| (of, Some(version)));
            sessions.retain(|known| *known != session);
            sessions.push(session);
            let over: Vec<_> = sessions.drain(..sessions.len().saturating_sub(AT_A_TIME)).collect();
            let set = self.sessions.set(&name, &sessions).lifetime(life);
            let set = match version {
                Some(version) => set.if_version(version),
                None => set.if_absent(),
            };
            let back = self.families.set(&session.to_string(), &family).lifetime(life);
            let writes = over.iter().fold(self.sessions.writes().stage(set).stage(back), |writes, old| {
                writes.stage(self.families.guarded_removal(&old.to_string(), Guard::Any))
            });
            match writes.commit().await {
                Ok(_) => return Ok(over),
                Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Gone) => {}
                Err(error) => return Err(error),
            }
        }
        let message = "the family's access tokens were changed by others each time this was tried; retry";
        Err(strata_core::Error::new(ErrorKind::Conflict, "tie access token", message))
    }

    /// The sessions of a family.
    pub(super) async fn of(&self, family: FamilyId) -> Result<Vec<SessionId>> {
        Ok(self.sessions.peek(&family.to_string()).await?.unwrap_or_default())
    }

    pub(super) async fn family_of(&self, session: SessionId) -> Result<Option<FamilyId>> {
        self.families.peek(&session.to_string()).await
    }

    /// Forgets a family whose sessions have ended. Records of single sessions end by themselves.
    pub(super) async fn forget(&self, family: FamilyId) -> Result<()> {
        self.sessions.remove(&family.to_string()).await.map(drop)
    }
}
