//! One open session: [`Session`]. Each access reads the store and verifies the secret there, each change on every retry.

use std::fmt;

use strata_core::{Codec, Error, ErrorKind, Info, Result, Value, Version};

use super::id::SessionId;
use super::manager::Sessions;
use super::record::{SessionRecord, Stored};
use super::token::{Digest, SessionToken};

/// How often destroying is tried while others change the session. Each failure means that somebody else's change succeeded.
const ATTEMPTS: usize = 256;

/// A session that a token has opened. It holds no values and no secret, only the secret's hash: every access asks the store, so
/// a session ended or rotated elsewhere is noticed at once.
///
/// Values have names and any type, each its own; reading one as a type of another shape is
/// [`ErrorKind::Mismatch`]. Changes are durable as the handle says when they resolve.
///
/// # Errors
/// On a session that has ended, or whose token was replaced by [`Session::rotate`], every method but
/// [`Session::destroy`] gives [`ErrorKind::Gone`], and nothing is written or kept alive. A store that cannot be reached is
/// [`ErrorKind::Unavailable`], never an ended session.
#[derive(Clone)]
pub struct Session {
    sessions: Sessions,
    id: SessionId,
    check: Digest,
}

impl Session {
    pub(super) fn new(sessions: Sessions, id: SessionId, check: Digest) -> Self {
        Self { sessions, id, check }
    }

    /// Its public id.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// The value under `name`. Counts as activity, as every access does.
    pub async fn get<T: Value>(&self, name: &str) -> Result<Option<T>> {
        self.read(|record| record.value(name)).await
    }

    /// Stores a value under `name`, in place of one that may be there. Others keep theirs, also those changed meanwhile.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] over a limit, [`ErrorKind::Invalid`] for a name that is empty or has control characters.
    pub async fn set<T: Value>(&self, name: &str, value: &T) -> Result<()> {
        self.set_as(Codec::default(), name, value).await
    }

    /// Stores a value encoded by `codec`, as [`Session::set`]. Reading finds the codec by itself.
    pub async fn set_as<T: Value>(&self, codec: Codec, name: &str, value: &T) -> Result<()> {
        let limits = *self.sessions.limits();
        limits.check_name(name)?;
        let stored = Stored::encode(codec, value, &limits)?;
        self.change(|record| record.put(name, stored.clone(), &limits)).await
    }

    /// Makes what `change` returns of the value under `name`: from nothing it creates, `None` removes. Atomic: `change` runs
    /// again on the fresh value as long as somebody else was faster.
    pub async fn update<T: Value>(
        &self,
        name: &str,
        mut change: impl FnMut(Option<T>) -> Option<T>,
    ) -> Result<()> {
        let limits = *self.sessions.limits();
        limits.check_name(name)?;
        self.change(|record| {
            let codec = record.codec_of(name)?.unwrap_or_default();
            let Some(value) = change(record.value(name)?) else {
                record.remove(name);
                return Ok(());
            };
            record.put(name, Stored::encode(codec, &value, &limits)?, &limits)
        })
        .await
    }

    /// Removes the value under `name`, and says whether there was one.
    pub async fn remove(&self, name: &str) -> Result<bool> {
        self.change(|record| Ok(record.remove(name))).await
    }

    /// The names of all values, in order.
    pub async fn list(&self) -> Result<Vec<String>> {
        self.read(|record| Ok(record.names())).await
    }

    /// Removes all values in one commit, and says how many there were. The session goes on.
    pub async fn clear(&self) -> Result<usize> {
        self.change(|record| Ok(record.clear())).await
    }

    /// Gives the session a new secret in one guarded write and returns the token to hand to the client; the old token opens
    /// nothing from then on, in any process. Due at every authentication and change of privilege (ASVS 7.2.4). Values and
    /// expiry stay; this `Session` goes on, clones of it do not.
    ///
    /// # Giving up on it
    /// Await it to its end, in a task of its own where the caller may be cancelled. If its future is dropped while the store
    /// is at work, the change may have been made: then the old token is dead and the new one, which nobody has seen, is lost. The
    /// user signs in again; the session is in reach of [`Sessions::revoke`] by its id only, else it dies by its idle time.
    ///
    /// # Errors
    /// After [`ErrorKind::Unavailable`] it is not known whether the old token still opens the session. If it does not, the
    /// session is out of reach and dies by its idle time; [`Sessions::revoke`] ends it at once.
    pub async fn rotate(&mut self) -> Result<SessionToken> {
        let token = SessionToken::renew(self.id, &**self.sessions.handle().random())?;
        let fresh = token.digest();
        let written = self.change(|record| {
            record.replace_check(fresh.clone());
            Ok(())
        });
        if let Err(error) = written.await
            && !(error.kind() == ErrorKind::Unavailable && self.is_opened_by(&fresh).await)
        {
            return Err(error);
        }
        self.check = fresh;
        Ok(token)
    }

    /// Ends the session, its values and its token, at once and everywhere. Says whether this call did; one that has ended
    /// already is not an error. Nothing that is in flight brings it back.
    ///
    /// # Errors
    /// [`ErrorKind::Gone`] if the session lives on under a new token: a replaced token ends nothing.
    pub async fn destroy(&self) -> Result<bool> {
        for _ in 0..ATTEMPTS {
            let Some(version) = self.verified_version().await? else { return Ok(false) };
            match self.sessions.handle().remove_if(&self.name(), version).await {
                Ok(()) => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Gone => return Ok(false),
                // Somebody's change was faster: verify again, it may have been a rotation.
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        let message = "the session was changed by others each time it was to be ended; retry";
        Err(Error::new(ErrorKind::Conflict, "destroy session", message))
    }

    /// When it was created, last changed, and will end. No activity.
    pub async fn info(&self) -> Result<Info> {
        self.sessions.info(self.id).await?.ok_or_else(ended)
    }

    fn name(&self) -> String {
        self.id.to_string()
    }

    async fn verified_version(&self) -> Result<Option<Version>> {
        let verify = |record: SessionRecord, version| self.verify(&record).map(|()| version);
        self.sessions.handle().examine(&self.name(), verify).await
    }

    async fn read<R>(&self, look: impl FnOnce(&SessionRecord) -> Result<R>) -> Result<R> {
        let look = |record: SessionRecord, _| {
            self.verify(&record)?;
            look(&record)
        };
        self.sessions.handle().examine(&self.name(), look).await?.ok_or_else(ended)
    }

    /// The one way to change a session: on the version that was read and verified, and verified again on every retry.
    async fn change<R>(&self, mut act: impl FnMut(&mut SessionRecord) -> Result<R>) -> Result<R> {
        let act = |record: &mut SessionRecord| {
            self.verify(record)?;
            act(record)
        };
        self.sessions.handle().try_modify(&self.name(), act).await
    }

    fn verify(&self, record: &SessionRecord) -> Result<()> {
        if record.opens_to(&self.check) { Ok(()) } else { Err(replaced()) }
    }

    /// Whether a rotation whose answer was lost has happened.
    async fn is_opened_by(&self, check: &Digest) -> bool {
        let found = self.sessions.handle().peek::<SessionRecord>(&self.name()).await;
        matches!(found, Ok(Some(record)) if record.opens_to(check))
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cold]
fn ended() -> Error {
    Error::new(ErrorKind::Gone, "use session", "the session has ended; create a new one")
}

#[cold]
fn replaced() -> Error {
    Error::new(ErrorKind::Gone, "use session", "the token was replaced by a rotation; use the new one")
}
