//! Writing one value: [`Set`], a builder that is awaited, and `remove`.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::Handle;
use super::pipe::{Draft, News};
use crate::batch::{Batch, Before, Committed, Durability, Guard, Keep, Op, Write};
use crate::bounds::BoxFuture;
use crate::change::Origin;
use crate::codec::{Codec, Value};
use crate::error::{Error, Result};
use crate::expiry::Expiry;
use crate::key::{Key, Tag, Tags};
use crate::lifetime::Lifetime;
use crate::record::Version;
use crate::time::Timestamp;

/// A value on its way into the store: encoded already, sealed and committed when awaited. What is not mentioned stays as
/// it is in the living record: its expiry, its tags. Resolves to the new [`Version`].
///
/// Bad input given to any of its methods is reported when it is awaited, before anything is written.
///
/// A future written by hand, so that a save is one boxed future, the store's, and no copy of the rest.
#[must_use = "nothing is written until this is awaited"]
pub struct Set<'h> {
    pub(super) handle: &'h Handle,
    /// What was gathered, or what was wrong with it until that is reported. It stays here while the commit is under way: a
    /// key moved from place to place costs more than one copied.
    parts: Result<Parts, Option<Error>>,
    /// The commit under way.
    commit: Option<BoxFuture<'h, Result<Committed>>>,
}

/// What a [`Set`] has gathered.
struct Parts {
    key: Key,
    /// Taken when it is sealed.
    draft: Option<Draft>,
    guard: Guard,
    life: Option<Lifetime>,
    tags: Keep<Vec<Tag>>,
    durability: Durability,
}

impl Handle {
    /// Stores `value` under `name`, whether or not something is there: a documented upsert. The value is encoded now; the
    /// rest happens when the returned builder is awaited.
    ///
    /// When it resolves, the value is as durable as the handle's [`Durability`] says.
    pub fn set<'h, T: Value>(&'h self, name: &str, value: &T) -> Set<'h> {
        self.set_as(Codec::default(), name, value)
    }

    /// Stores `value` encoded by `codec`, as [`Handle::set`]. Reading finds the codec by itself.
    pub fn set_as<'h, T: Value>(&'h self, codec: Codec, name: &str, value: &T) -> Set<'h> {
        let draft = codec.shape_of::<T>().and_then(|shape| self.pipe.draft(codec, shape, value));
        Set::of_draft(self, name, draft)
    }

    /// Removes what is under `name`, and says whether a living value was there.
    pub async fn remove(&self, name: &str) -> Result<bool> {
        self.remove_guarded(name, Guard::Any).await
    }

    /// Removes what is under `name` if it is alive in this version; [`Conflict`](crate::ErrorKind::Conflict) or
    /// [`Gone`](crate::ErrorKind::Gone) if not.
    pub async fn remove_if(&self, name: &str, version: Version) -> Result<()> {
        self.remove_guarded(name, Guard::Version(version)).await.map(drop)
    }

    async fn remove_guarded(&self, name: &str, guard: Guard) -> Result<bool> {
        let op = Op { key: self.key(name)?, guard, write: Write::Remove };
        let committed = self.pipe.commit(Batch::one(self.pipe.now(), self.pipe.durability, op)).await?;
        // The first is the removal's; what a journal added follows it.
        Ok(committed.outcomes.first().is_some_and(|outcome| matches!(outcome.before, Before::Live(_))))
    }
}

impl<'h> Set<'h> {
    /// A set of what is encoded already.
    #[inline]
    pub(super) fn of_draft(handle: &'h Handle, name: &str, draft: Result<Draft>) -> Self {
        let parts = handle.key(name).and_then(|key| {
            Ok(Parts {
                key,
                draft: Some(draft?),
                guard: Guard::Any,
                life: None,
                tags: Keep::Keep,
                durability: handle.pipe.durability,
            })
        });
        Self { handle, parts: parts.map_err(Some), commit: None }
    }

    /// Dies this long after it is stored, whatever happens.
    pub fn ttl(self, ttl: Duration) -> Self {
        self.life(|life| life.with_ttl(ttl))
    }

    /// Dies at this instant; together with an idle time, at the latest then.
    pub fn expires_at(self, instant: Timestamp) -> Self {
        self.life(|life| life.with_until(instant))
    }

    /// Dies this long after the last activity.
    pub fn idle(self, idle: Duration) -> Self {
        self.life(|life| life.with_idle(idle))
    }

    /// Dies this long after it is stored at the latest; no activity passes it, and it is sealed into the value.
    pub fn at_most(self, cap: Duration) -> Self {
        self.life(|life| life.at_most(cap))
    }

    /// Lives as `life` says, in place of anything said before.
    pub fn lifetime(self, life: Lifetime) -> Self {
        self.life(|_| life)
    }

    /// Never dies: drops the expiry a living record has. Without a word about expiry it stays.
    pub fn forever(self) -> Self {
        self.lifetime(Lifetime::FOREVER)
    }

    /// Adds a tag. Naming one replaces all that a living record has; naming none keeps them.
    pub fn tag(mut self, tag: &str) -> Self {
        self.change(|parts| {
            let tag = Tag::new(tag)?;
            match &mut parts.tags {
                Keep::Set(tags) => tags.push(tag),
                keep @ Keep::Keep => *keep = Keep::Set(vec![tag]),
            }
            Ok(())
        });
        self
    }

    /// Drops all tags a living record has.
    pub fn untagged(mut self) -> Self {
        self.change(|parts| {
            parts.tags = Keep::Set(Vec::new());
            Ok(())
        });
        self
    }

    /// Only if nothing living is there; [`Conflict`](crate::ErrorKind::Conflict) if it is.
    pub fn if_absent(self) -> Self {
        self.guard(Guard::Absent)
    }

    /// Only if something living is there; [`Gone`](crate::ErrorKind::Gone) if not.
    pub fn if_present(self) -> Self {
        self.guard(Guard::Present)
    }

    /// Only if it lives in exactly this version; [`Conflict`](crate::ErrorKind::Conflict) or
    /// [`Gone`](crate::ErrorKind::Gone) if not.
    pub fn if_version(self, version: Version) -> Self {
        self.guard(Guard::Version(version))
    }

    /// With this durability in place of the handle's.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.change(|parts| {
            parts.durability = durability;
            Ok(())
        });
        self
    }

    /// Reports now what would be reported when it is awaited: bad input, a value over the handle's limit. Nothing is written.
    pub fn checked(mut self) -> Result<Self> {
        match &mut self.parts {
            Ok(_) => Ok(self),
            Err(error) => Err(error.take().expect("an error is reported once")),
        }
    }

    fn guard(mut self, guard: Guard) -> Self {
        self.change(|parts| {
            parts.guard = guard;
            Ok(())
        });
        self
    }

    fn life(mut self, change: impl FnOnce(Lifetime) -> Lifetime) -> Self {
        self.change(|parts| {
            parts.life = Some(change(parts.life.unwrap_or_default()));
            Ok(())
        });
        self
    }

    #[inline]
    fn change(&mut self, change: impl FnOnce(&mut Parts) -> Result<()>) {
        if let Ok(parts) = &mut self.parts
            && let Err(error) = change(parts)
        {
            self.parts = Err(Some(error));
        }
    }

    /// Stamps and seals: the operation and the durability it wants.
    pub(super) fn take_op(&mut self, now: Timestamp) -> Result<(Op, Durability)> {
        const ONCE: &str = "a set is awaited or committed once";
        let parts = self.parts.as_mut().map_err(|error| error.take().expect(ONCE))?;
        let draft = parts.draft.take().expect(ONCE);
        let expiry = parts.life.map(|life| life.starting(now)).transpose()?;
        let cap = expiry.and_then(|expiry| expiry.not_after());
        let payload = self.handle.pipe.seal(None, &parts.key, draft, cap)?;
        let tags = match std::mem::replace(&mut parts.tags, Keep::Keep) {
            Keep::Set(tags) => Keep::Set(Tags::new(tags)?),
            Keep::Keep => Keep::Keep,
        };
        let expiry = expiry.map_or(Keep::Keep, |expiry: Expiry| Keep::Set(expiry));
        let write = Write::Put { payload, expiry, tags };
        Ok((Op { key: parts.key.clone(), guard: parts.guard, write }, parts.durability))
    }

    /// Seals and hands the batch to the store.
    fn start(&mut self) -> Result<BoxFuture<'h, Result<Committed>>> {
        let pipe = &self.handle.pipe;
        let now = pipe.now();
        let (op, durability) = self.take_op(now)?;
        let mut batch = Batch::one(now, durability, op);
        if let Some(journal) = &pipe.journal {
            journal.record(&mut batch)?;
        }
        Ok(pipe.engine().commit(batch))
    }
}

impl fmt::Debug for Set<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.parts.as_ref().ok();
        f.debug_struct("Set").field("key", &parts.map(|parts| &parts.key)).finish_non_exhaustive()
    }
}

impl Drop for Set<'_> {
    /// Whoever gives up on a commit under way leaves it to the store to finish; its event is lost, and subscribers hear so.
    fn drop(&mut self) {
        if self.commit.is_some() {
            self.handle.pipe.lose();
        }
    }
}

impl Future for Set<'_> {
    type Output = Result<Version>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let set = &mut *self;
        let commit = match &mut set.commit {
            Some(started) => started,
            None => match set.start() {
                Ok(started) => set.commit.insert(started),
                Err(error) => return Poll::Ready(Err(error)),
            },
        };
        let committed = std::task::ready!(commit.as_mut().poll(context));
        set.commit = None;
        set.handle.pipe.in_flight().settle(&committed);
        Poll::Ready(committed.map(|committed| {
            // A put leaves an outcome with a version; what a journal added follows it.
            let outcome = committed.outcomes[0];
            if let Ok(parts) = &set.parts {
                set.handle.pipe.announce(&parts.key, News::Put, outcome, Origin::Local);
            }
            outcome.after.expect("a put has a version")
        }))
    }
}
