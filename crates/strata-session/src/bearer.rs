//! One record that one secret opens: [`Bearer`], what every kind of session does with its record. The secret is verified on each
//! access and on every retry of a change, so that a session ended or rotated elsewhere is noticed at once.

use std::fmt;
use std::marker::PhantomData;

use strata_core::{Codec, Error, ErrorKind, Guard, Handle, Lifetime, Result, Staged, Value, Version};

use crate::draft::Edit;
use crate::id::SessionId;
use crate::limits::Limits;
use crate::secret::Digest;
use crate::token::SessionToken;
use crate::values::{OWN, Stored, Values};

/// How often ending is tried while others change the session. Each failure means that somebody else's change succeeded.
pub(crate) const ATTEMPTS: usize = 256;

/// A record that a secret opens and that has values.
pub(crate) trait Bound: Value {
    /// The hash of its secret.
    fn check(&self) -> &Digest;
    /// Binds it to another secret.
    fn replace_check(&mut self, check: Digest);
    /// Its values.
    fn values(&self) -> &Values;
    /// Its values, to be changed.
    fn values_mut(&mut self) -> &mut Values;
}

/// Whether a reading counts as activity. A change always does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// It does, at most once per touch interval.
    IsActivity,
    /// It does not; activity is recorded by a call of its own.
    IsNone,
}

/// A record that was opened by its secret. Holds the secret's hash, and nothing of the record.
pub(crate) struct Bearer<R> {
    handle: Handle,
    limits: Limits,
    reading: Reading,
    id: SessionId,
    check: Digest,
    record: PhantomData<fn() -> R>,
}

impl<R: Bound> Bearer<R> {
    pub(crate) fn new(
        handle: Handle,
        limits: Limits,
        reading: Reading,
        id: SessionId,
        check: Digest,
    ) -> Self {
        Self { handle, limits, reading, id, check, record: PhantomData }
    }

    pub(crate) fn id(&self) -> SessionId {
        self.id
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// How much the session may hold.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// The hash of the secret it was opened by.
    pub(crate) fn digest(&self) -> &Digest {
        &self.check
    }

    /// The name of the record.
    pub(crate) fn name(&self) -> String {
        self.id.to_string()
    }

    /// An application's value: of Strata's own, whatever type is asked for, it sees none.
    pub(crate) async fn get<T: Value>(&self, name: &str) -> Result<Option<T>> {
        self.read(|record| if name.starts_with(OWN) { Ok(None) } else { record.values().value(name) }).await
    }

    pub(crate) async fn set_as<T: Value>(&self, codec: Codec, name: &str, value: &T) -> Result<()> {
        self.limits.check_name(name)?;
        let stored = Stored::encode(codec, value, &self.limits)?;
        self.change(|record| record.values_mut().put(name, stored.clone(), &self.limits)).await
    }

    /// A value of Strata's own. No activity: whoever only judges a session does not keep it alive.
    pub(crate) async fn look<T: Value>(&self, name: &str) -> Result<Option<T>> {
        let (record, _) = self.verified().await?.ok_or_else(ended)?;
        record.values().value(name)
    }

    /// Makes what `act` returns of a value of Strata's own. Atomic; what `act` refuses is not written.
    pub(crate) async fn make<T: Value>(
        &self,
        name: &str,
        mut act: impl FnMut(Option<T>) -> Result<T>,
    ) -> Result<()> {
        self.change(|record| {
            let values = record.values_mut();
            let value = act(values.value(name)?)?;
            values.put(name, Stored::encode(Codec::default(), &value, &self.limits)?, &self.limits)
        })
        .await
    }

    pub(crate) async fn update<T: Value>(
        &self,
        name: &str,
        mut change: impl FnMut(Option<T>) -> Option<T>,
    ) -> Result<()> {
        self.limits.check_name(name)?;
        self.edit(|edit| edit.update(name, &mut change)).await
    }

    /// Several values in one commit; what `act` refuses is not written.
    pub(crate) async fn edit<T>(&self, mut act: impl FnMut(&mut Edit<'_>) -> Result<T>) -> Result<T> {
        self.change(|record| act(&mut Edit::of(record.values_mut(), &self.limits))).await
    }

    pub(crate) async fn remove(&self, name: &str) -> Result<bool> {
        self.change(|record| Ok(!name.starts_with(OWN) && record.values_mut().remove(name))).await
    }

    pub(crate) async fn list(&self) -> Result<Vec<String>> {
        self.read(|record| Ok(record.values().names())).await
    }

    pub(crate) async fn clear(&self) -> Result<usize> {
        self.change(|record| Ok(record.values_mut().clear())).await
    }

    /// Binds the record to a new secret in one guarded write, together with what `act` does to it. A lost answer is found out
    /// where that is possible.
    pub(crate) async fn rotate(&mut self, mut act: impl FnMut(&mut R) -> Result<()>) -> Result<SessionToken> {
        let token = SessionToken::renew(self.id, &**self.handle.random())?;
        let fresh = token.digest();
        let written = self.change(|record| {
            record.replace_check(fresh.clone());
            act(record)
        });
        if let Err(error) = written.await
            && !(error.kind() == ErrorKind::Unavailable && self.is_opened_by(&fresh).await)
        {
            return Err(error);
        }
        self.check = fresh;
        Ok(token)
    }

    /// A rotation to be committed with other changes, of the version that was verified; [`Bearer::adopt`] is due once it is. A lost answer
    /// is the caller's to find out.
    pub(crate) async fn stage_rotation(&self) -> Result<(SessionToken, Staged<'_>)> {
        let name = self.name();
        let lifted = self.handle.lift(&name).await?.ok_or_else(ended)?;
        let mut record = lifted.decode::<R>()?;
        self.verify(&record)?;
        let token = SessionToken::renew(self.id, &**self.handle.random())?;
        record.replace_check(token.digest());
        let life = Lifetime::continuing(lifted.expiry(), self.handle.clock().now());
        let set = self.handle.set_as(lifted.codec(), &name, &record).lifetime(life);
        Ok((token, set.if_version(lifted.version()).into()))
    }

    /// The record's end, to be committed with other changes, in the version that was verified.
    pub(crate) async fn stage_end(&self) -> Result<Staged<'_>> {
        let (_, version) = self.verified().await?.ok_or_else(ended)?;
        Ok(self.handle.guarded_removal(&self.name(), Guard::Version(version)))
    }

    /// The record is bound to `token` by now.
    pub(crate) fn adopt(&mut self, token: &SessionToken) {
        self.check = token.digest();
    }

    /// Removes the record in the version that was verified. Says whether this call ended it.
    pub(crate) async fn destroy(&self) -> Result<bool> {
        for _ in 0..ATTEMPTS {
            let Some((_, version)) = self.verified().await? else {
                if bury(&self.handle, &self.name()).await? {
                    return Ok(false);
                }
                continue;
            };
            match self.handle.remove_if(&self.name(), version).await {
                Ok(()) => return Ok(true),
                // Somebody's change was faster, or its end: verify again, it may have been a rotation.
                Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Gone) => {}
                Err(error) => return Err(error),
            }
        }
        Err(contended())
    }

    /// The record and its version, if it is alive; [`ErrorKind::Gone`] if another secret opens it. No activity.
    pub(crate) async fn verified(&self) -> Result<Option<(R, Version)>> {
        match self.handle.peek_versioned::<R>(&self.name()).await? {
            Some((record, version)) => self.verify(&record).map(|()| Some((record, version))),
            None => Ok(None),
        }
    }

    /// Whether the record is alive and the secret its own; a store that cannot be asked is an error, no end. No activity.
    pub(crate) async fn is_alive(&self) -> Result<bool> {
        match self.verified().await {
            Ok(found) => Ok(found.is_some()),
            Err(error) if error.kind() == ErrorKind::Gone => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn read<T>(&self, look: impl FnOnce(&R) -> Result<T>) -> Result<T> {
        match self.reading {
            Reading::IsActivity => self.examine(look).await,
            Reading::IsNone => {
                let (record, _) = self.verified().await?.ok_or_else(ended)?;
                look(&record)
            }
        }
    }

    /// Looks at the record, and counts that as activity.
    pub(crate) async fn examine<T>(&self, look: impl FnOnce(&R) -> Result<T>) -> Result<T> {
        let look = |record: R, _| {
            self.verify(&record)?;
            look(&record)
        };
        self.handle.examine(&self.name(), look).await?.ok_or_else(ended)
    }

    /// The one way to change a session: on the version that was read and verified, and verified again on every retry.
    pub(crate) async fn change<T>(&self, mut act: impl FnMut(&mut R) -> Result<T>) -> Result<T> {
        let act = |record: &mut R| {
            self.verify(record)?;
            act(record)
        };
        self.handle.try_modify(&self.name(), act).await
    }

    /// [`ErrorKind::Gone`] if another secret opens the record.
    pub(crate) fn verify(&self, record: &R) -> Result<()> {
        if record.check().matches(&self.check) { Ok(()) } else { Err(replaced()) }
    }

    /// Whether a rotation whose answer was lost has happened.
    pub(crate) async fn is_opened_by(&self, check: &Digest) -> bool {
        let found = self.handle.peek::<R>(&self.name()).await;
        matches!(found, Ok(Some(record)) if record.check().matches(check))
    }
}

impl<R> Clone for Bearer<R> {
    fn clone(&self) -> Self {
        let Self { handle, limits, reading, id, check, record } = self;
        Self {
            handle: handle.clone(),
            limits: *limits,
            reading: *reading,
            id: *id,
            check: check.clone(),
            record: *record,
        }
    }
}

impl<R> fmt::Debug for Bearer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bearer").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Removes what is left of a record that was found dead, and says whether it is: activity that began before it died, and reaches the
/// store only now, would else bring back what somebody believes to have ended.
pub(crate) async fn bury(handle: &Handle, name: &str) -> Result<bool> {
    match handle.writes().stage(handle.guarded_removal(name, Guard::Absent)).commit().await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::Conflict => Ok(false),
        Err(error) => Err(error),
    }
}

#[cold]
pub(crate) fn ended() -> Error {
    Error::new(ErrorKind::Gone, "use session", "the session has ended; create a new one")
}

#[cold]
fn replaced() -> Error {
    Error::new(ErrorKind::Gone, "use session", "the token was replaced by a rotation; use the new one")
}

#[cold]
pub(crate) fn contended() -> Error {
    let message = "the session was changed by others each time this was tried; retry";
    Error::new(ErrorKind::Conflict, "change session", message)
}
