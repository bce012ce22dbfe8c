//! Changing a value atomically: `modify` and `update`. The closure is run again on the fresh value after a conflict.

use super::Handle;
use super::pipe::Scratch;
use crate::batch::{Batch, Guard, Keep, Op, Write};
use crate::codec::{Codec, Value};
use crate::envelope::Header;
use crate::error::{Error, ErrorKind, Result};
use crate::expiry::Expiry;
use crate::key::{Key, Tags};
use crate::lifetime::Lifetime;
use crate::record::{Record, Version};
use crate::time::Timestamp;

/// How often a change is tried before the conflict is given to the caller. Each failure means that somebody else's
/// change succeeded.
pub(super) const ATTEMPTS: usize = 256;

/// What one try found and what the closure made of it.
struct Draftable<T> {
    value: T,
    header: Header,
    /// The bytes the value was stored as, to drop a save that changes nothing before it is sealed.
    stored: Scratch,
}

impl Handle {
    /// Changes the living value under `name` and stores it in place of exactly the version that was read. Expiry and tags
    /// stay; an idle time starts anew, for a change is activity. A change that leaves the encoded value as it was writes
    /// nothing.
    ///
    /// `change` runs again, on the fresh value, as long as somebody else was faster; its last result is returned.
    ///
    /// # Errors
    /// [`ErrorKind::Gone`] when no living value is there, also when it ends meanwhile: a change never revives.
    /// [`ErrorKind::Conflict`] after 256 lost races.
    pub async fn modify<T: Value, R>(&self, name: &str, mut change: impl FnMut(&mut T) -> R) -> Result<R> {
        self.try_modify(name, |value| Ok::<_, Error>(change(value))).await
    }

    /// As [`Handle::modify`], with a closure that can refuse: its error is returned, nothing is written, and no activity is
    /// counted. What has to hold of the value is thus judged again on every retry.
    pub async fn try_modify<T: Value, R, E: From<Error>>(
        &self,
        name: &str,
        mut change: impl FnMut(&mut T) -> Result<R, E>,
    ) -> Result<R, E> {
        let key = self.key(name)?;
        for _ in 0..ATTEMPTS {
            let now = self.pipe.now();
            let record = self.pipe.live(&key, now).await?.ok_or_else(|| gone("modify", &key))?;
            let mut found = self.draftable::<T>(&key, &record, now)?.ok_or_else(|| gone("modify", &key))?;
            let outcome = change(&mut found.value)?;
            match self.replace(&key, &record, found, now).await {
                Ok(_) => return Ok(outcome),
                Err(error) if error.kind() == ErrorKind::Conflict => yield_now().await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(contended("modify", &key).into())
    }

    /// Makes what `change` returns of what is there: from nothing it creates, `None` removes. Resolves to the version left, if
    /// any. What it creates never dies unless [`Handle::update_within`] says so.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] after 256 lost races.
    pub async fn update<T: Value>(
        &self,
        name: &str,
        change: impl FnMut(Option<T>) -> Option<T>,
    ) -> Result<Option<Version>> {
        self.update_as(Codec::default(), name, Lifetime::FOREVER, change).await
    }

    /// As [`Handle::update`]; a value it creates lives as `life` says, one it changes keeps its expiry.
    pub async fn update_within<T: Value>(
        &self,
        name: &str,
        life: Lifetime,
        change: impl FnMut(Option<T>) -> Option<T>,
    ) -> Result<Option<Version>> {
        self.update_as(Codec::default(), name, life, change).await
    }

    /// As [`Handle::update_within`]; a value it creates is encoded by `codec`, one it changes keeps its codec.
    pub async fn update_as<T: Value>(
        &self,
        codec: Codec,
        name: &str,
        life: Lifetime,
        mut change: impl FnMut(Option<T>) -> Option<T>,
    ) -> Result<Option<Version>> {
        let key = self.key(name)?;
        for _ in 0..ATTEMPTS {
            match self.try_update(&key, (codec, life), &mut change).await {
                // Gone: it ended between the read and the write, so the next try finds nothing there.
                Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Gone) => {
                    yield_now().await;
                }
                done => return done,
            }
        }
        Err(contended("modify", &key))
    }

    async fn try_update<T: Value>(
        &self,
        key: &Key,
        new: (Codec, Lifetime),
        change: &mut impl FnMut(Option<T>) -> Option<T>,
    ) -> Result<Option<Version>> {
        let now = self.pipe.now();
        let record = self.pipe.live(key, now).await?;
        let found = match &record {
            Some(record) => self.draftable::<T>(key, record, now)?,
            None => None,
        };
        // A record past its sealed cap is dead, though the store takes it for a living one.
        let guard = record.as_ref().map_or(Guard::Absent, |record| Guard::Version(record.version));
        let Some((record, found)) = record.zip(found) else {
            return match change(None) {
                Some(value) => self.create(key, guard, &value, new, now).await.map(Some),
                None => Ok(None),
            };
        };
        let Draftable { value, header, stored } = found;
        if let Some(value) = change(Some(value)) {
            return self.replace(key, &record, Draftable { value, header, stored }, now).await.map(Some);
        }
        let op = Op { key: key.clone(), guard, write: Write::Remove };
        self.pipe.commit(Batch::one(now, self.pipe.durability, op)).await.map(|_| None)
    }

    fn draftable<T: Value>(
        &self,
        key: &Key,
        record: &Record,
        now: Timestamp,
    ) -> Result<Option<Draftable<T>>> {
        let mut scratch = Scratch::take();
        let Some(opened) = self.pipe.open(key, record, now, &mut scratch)? else { return Ok(None) };
        let mut stored = Scratch::take();
        stored.0.extend_from_slice(opened.body);
        Ok(Some(Draftable { value: super::read::decode(&opened)?, header: opened.header, stored }))
    }

    async fn create<T: Value>(
        &self,
        key: &Key,
        guard: Guard,
        value: &T,
        (codec, life): (Codec, Lifetime),
        now: Timestamp,
    ) -> Result<Version> {
        let draft = self.pipe.draft(codec, codec.shape_of::<T>()?, value)?;
        let expiry = life.starting(now)?;
        let payload = self.pipe.seal(None, key, draft, expiry.not_after())?;
        let write = Write::Put { payload, expiry: Keep::Set(expiry), tags: Keep::Set(Tags::none()) };
        self.put(key, guard, write, now).await
    }

    async fn replace<T: Value>(
        &self,
        key: &Key,
        record: &Record,
        found: Draftable<T>,
        now: Timestamp,
    ) -> Result<Version> {
        let Draftable { value, header, stored } = found;
        let draft = self.pipe.draft(header.codec, header.shape, &value)?;
        let effective = header.effective(record.expiry);
        if draft.body(&self.pipe) == stored.0.as_slice() {
            if let Some(target) = self.pipe.slide_due(&header, record.expiry, now) {
                self.pipe.slide(key.clone(), record.version, now, target).await;
            }
            return Ok(record.version);
        }
        let expiry = match effective.idle_time() {
            Some(idle) => {
                let mut expiry: Expiry = effective;
                expiry.slide_to(now.saturating_add(idle));
                expiry
            }
            None => effective,
        };
        let payload = self.pipe.seal(None, key, draft, expiry.not_after())?;
        let write = Write::Put { payload, expiry: Keep::Set(expiry), tags: Keep::Keep };
        self.put(key, Guard::Version(record.version), write, now).await
    }

    async fn put(&self, key: &Key, guard: Guard, write: Write, now: Timestamp) -> Result<Version> {
        let op = Op { key: key.clone(), guard, write };
        let committed = self.pipe.commit(Batch::one(now, self.pipe.durability, op)).await?;
        Ok(committed.outcomes[0].after.expect("a put has a version"))
    }
}

#[cold]
pub(super) fn gone(operation: &'static str, key: &Key) -> Error {
    Error::new(
        ErrorKind::Gone,
        operation,
        format!("`{key}` has ended or never was; create it anew if that is meant"),
    )
}

#[cold]
pub(super) fn contended(operation: &'static str, key: &Key) -> Error {
    Error::new(
        ErrorKind::Conflict,
        operation,
        format!("`{key}` was changed by others {ATTEMPTS} times in a row; retry, or split the value"),
    )
}

/// Lets other tasks run once, under any runtime.
pub(super) async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}
