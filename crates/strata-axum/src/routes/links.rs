//! Which access sessions were made for which family of refresh tokens: [`Links`], two small records each, changed in one commit.

use strata_core::{Error, ErrorKind, Guard, Handle, Lifetime, Result, Timestamp, Version};
use strata_session::{FamilyId, SessionId};

#[derive(Debug)]
pub(super) struct Links {
    /// By family: its sessions, oldest first.
    sessions: Handle,
    /// By session: its family.
    families: Handle,
}

/// The sessions of a family, in the version that was read.
#[derive(Default)]
pub(super) struct Tied {
    pub(super) sessions: Vec<SessionId>,
    version: Option<Version>,
}

impl Links {
    pub(super) fn new(handle: &Handle) -> Result<Self> {
        let home = handle.namespace("access")?;
        Ok(Self { sessions: home.namespace("family")?, families: home.namespace("session")? })
    }

    /// The sessions of a family, oldest first.
    pub(super) async fn of(&self, family: FamilyId) -> Result<Tied> {
        let found = self.sessions.peek_versioned(&family.to_string()).await?;
        Ok(found.map_or_else(Tied::default, |(sessions, version)| Tied { sessions, version: Some(version) }))
    }

    /// Puts other sessions in place of those that were read, the last of which is new and lives up to this instant. `false` if somebody
    /// else was faster.
    pub(super) async fn put(
        &self,
        family: FamilyId,
        read: &Tied,
        now: &[SessionId],
        until: Timestamp,
    ) -> Result<bool> {
        let life = Lifetime::until(until);
        let set = self.sessions.set(&family.to_string(), &now.to_vec()).lifetime(life);
        let set = match read.version {
            Some(version) => set.if_version(version),
            None => set.if_absent(),
        };
        let gone = read.sessions.iter().filter(|old| !now.contains(old));
        let gone = gone.map(|old| self.families.guarded_removal(&old.to_string(), Guard::Any));
        let writes = gone.fold(self.sessions.writes().stage(set), strata_core::Writes::stage);
        let writes = now.iter().rev().take(1).fold(writes, |writes, new| {
            writes.stage(self.families.set(&new.to_string(), &family).lifetime(life))
        });
        was_first(writes.commit().await.map(drop))
    }

    pub(super) async fn family_of(&self, session: SessionId) -> Result<Option<FamilyId>> {
        self.families.peek(&session.to_string()).await
    }

    /// Forgets a family whose sessions have ended, in the version that was read. `false` if somebody else was faster. Records of single
    /// sessions end by themselves.
    pub(super) async fn forget(&self, family: FamilyId, read: &Tied) -> Result<bool> {
        match read.version {
            Some(version) => was_first(self.sessions.remove_if(&family.to_string(), version).await),
            None => Ok(true),
        }
    }
}

fn was_first(done: Result<(), Error>) -> Result<bool> {
    match done {
        Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Gone) => Ok(false),
        done => done.map(|()| true),
    }
}
