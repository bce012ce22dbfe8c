//! Expiry of one record: `ttl`, `expire`, `persist`, `touch`, `extend`.

use std::time::Duration;

use super::Handle;
use super::modify::{ATTEMPTS, contended, gone, yield_now};
use super::pipe::Scratch;
use super::read::decode;
use crate::batch::{Batch, Durability, Guard, Keep, Op, Write};
use crate::codec::Value;
use crate::envelope::Header;
use crate::error::{Error, ErrorKind, Result};
use crate::expiry::Expiry;
use crate::lifetime::Lifetime;
use crate::time::Timestamp;

/// How long a record still lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// It is not there.
    Missing,
    /// It never dies.
    Never,
    /// This long, unless activity moves it.
    Left(Duration),
}

impl Handle {
    /// How long the record under `name` still lives, its sealed cap taken into account. No activity.
    pub async fn ttl(&self, name: &str) -> Result<Ttl> {
        let now = self.pipe.now();
        Ok(match self.info(name).await? {
            None => Ttl::Missing,
            Some(info) => info.expiry.remaining(now).map_or(Ttl::Never, Ttl::Left),
        })
    }

    /// Gives a living record another life, counted from now, in place of its expiry. Says whether one was there. A real
    /// change: it gets a version and is announced. When the cap changes, the value is sealed anew under it.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] as [`Lifetime::starting`] says; [`ErrorKind::Conflict`] after many lost races.
    pub async fn expire(&self, name: &str, life: Lifetime) -> Result<bool> {
        let key = self.key(name)?;
        for _ in 0..ATTEMPTS {
            let now = self.pipe.now();
            let expiry = life.starting(now)?;
            let Some(record) = self.pipe.live(&key, now).await? else { return Ok(false) };
            let (write, guard) = {
                let header = Header::read(&key, record.payload.as_bytes())?;
                if header.effective(record.expiry).is_dead(now) {
                    return Ok(false);
                }
                if header.not_after == expiry.not_after() {
                    (Write::Expire(expiry), Guard::Version(record.version))
                } else {
                    let mut scratch = Scratch::take();
                    let Some(opened) = self.pipe.open(&key, &record, now, &mut scratch)? else {
                        return Ok(false);
                    };
                    let draft = self.pipe.draft_encoded(header.codec, header.shape, opened.body)?;
                    let payload = self.pipe.seal(None, &key, draft, expiry.not_after())?;
                    let put = Write::Put { payload, expiry: Keep::Set(expiry), tags: Keep::Keep };
                    (put, Guard::Version(record.version))
                }
            };
            let op = Op { key: key.clone(), guard, write };
            match self.pipe.commit(Batch::one(now, self.pipe.durability, op)).await {
                Ok(_) => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Gone => return Ok(false),
                // Somebody else's change succeeded; look again.
                Err(error) if error.kind() == ErrorKind::Conflict => yield_now().await,
                Err(error) => return Err(error),
            }
        }
        Err(contended("expire", &key))
    }

    /// Drops the expiry of a living record: it never dies. Says whether one was there.
    pub async fn persist(&self, name: &str) -> Result<bool> {
        self.expire(name, Lifetime::FOREVER).await
    }

    /// Records activity now, whatever the touch interval: the deadline of a record with an idle time moves, never past its
    /// cap. Says whether it is alive. Unlike the slide of a read, a failure is reported.
    pub async fn touch(&self, name: &str) -> Result<bool> {
        let key = self.key(name)?;
        for _ in 0..ATTEMPTS {
            let now = self.pipe.now();
            let Some(info) = self.info(name).await? else { return Ok(false) };
            let Some(target) = info.expiry.slide_due(now, Duration::ZERO) else { return Ok(true) };
            let durability = Durability::Relaxed.min(self.pipe.capabilities.durability);
            // The version that was read: activity in one life or under one expiry does not prolong another.
            let op =
                Op { key: key.clone(), guard: Guard::Version(info.version), write: Write::Slide(target) };
            match self.pipe.commit(Batch::one(now, durability, op)).await {
                Ok(_) => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Gone => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Conflict => yield_now().await,
                Err(error) => return Err(error),
            }
        }
        Err(contended("touch", &key))
    }

    /// Moves the deadline of a living record with an idle time to the instant that `judge` makes of its value, its expiry and
    /// now: later only, and never past its cap. `None` leaves it. Resolves to the expiry that stands then. Same version, no event;
    /// `judge` runs again as long as somebody else's change was faster, so what it refuses is never prolonged.
    ///
    /// # Errors
    /// What `judge` refuses with; [`ErrorKind::Gone`] when no living value is there, also when it ends meanwhile;
    /// [`ErrorKind::Conflict`] after many lost races.
    pub async fn extend<T: Value, E: From<Error>>(
        &self,
        name: &str,
        durability: Durability,
        mut judge: impl FnMut(T, Expiry, Timestamp) -> Result<Option<Timestamp>, E>,
    ) -> Result<Expiry, E> {
        let key = self.key(name)?;
        let durability = durability.min(self.pipe.capabilities.durability);
        for _ in 0..ATTEMPTS {
            let now = self.pipe.now();
            let record = self.pipe.live(&key, now).await?.ok_or_else(|| gone("extend", &key))?;
            let (mut expiry, target) = {
                let mut scratch = Scratch::take();
                let opened = self.pipe.open(&key, &record, now, &mut scratch)?;
                let opened = opened.ok_or_else(|| gone("extend", &key))?;
                let expiry = opened.header.effective(record.expiry);
                (expiry, judge(decode(&opened)?, expiry, now)?)
            };
            let Some(deadline) =
                target.filter(|target| expiry.slide_to(*target)).and_then(|_| expiry.deadline())
            else {
                return Ok(expiry);
            };
            let op =
                Op { key: key.clone(), guard: Guard::Version(record.version), write: Write::Slide(deadline) };
            match self.pipe.commit(Batch::one(now, durability, op)).await {
                Ok(_) => return Ok(expiry),
                Err(error) if error.kind() == ErrorKind::Conflict => yield_now().await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(contended("extend", &key).into())
    }
}
