//! One guest: [`Guest`], who reads and writes values of their own as long as they are no user.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use strata_core::{
    BoxFuture, Codec, Error, ErrorKind, Guard, Handle, Lifetime, Lifted, MaybeSync, Result, Set, Tag, Tags,
    Value,
};

use super::manager::Guests;
use super::root::Found;
use crate::bearer::ATTEMPTS;
use crate::id::SessionId;

/// A guest, known by the public id of the session that was opened for them. Cheap to clone.
///
/// Values have names and any type, each its own. Each lives until its own lifetime ends, by default that of
/// the manager. Changes are durable as the handle says when they resolve.
///
/// # Errors
/// Once a migration has begun every method gives [`ErrorKind::Gone`], and nothing is written: what a guest
/// was told is stored, the user has. After [`ErrorKind::Unavailable`] it is not known whether the change was
/// made.
#[derive(Clone)]
pub struct Guest {
    guests: Guests,
    id: SessionId,
    values: Handle,
}

/// What a change makes of a value.
pub(super) enum Change<'g> {
    /// Nothing.
    Leave,
    /// This, without its guard.
    Put(Box<Set<'g>>),
    /// Nothing is left of it.
    Remove,
}

impl Guest {
    pub(super) fn new(guests: Guests, id: SessionId) -> Result<Self> {
        let values = guests.values().namespace(&id.to_string())?;
        Ok(Self { guests, id, values })
    }

    /// The public id: that of the session.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// The value under `name`. Counts as activity.
    pub async fn get<T: Value>(&self, name: &str) -> Result<Option<T>> {
        let value = self.values.get(name).await?;
        // Afterwards: what was read was the guest's then.
        self.guests.roots().visit(self.id).await?.root.check()?;
        Ok(value)
    }

    /// The names of all values, in order.
    pub async fn names(&self) -> Result<Vec<String>> {
        let names = self.values.keys("*").collect().await?;
        self.guests.roots().visit(self.id).await?.root.check()?;
        Ok(names)
    }

    /// Stores a value under `name` when it is awaited, in place of one that may be there. What the builder
    /// does not mention stays as it is in that one: its life, its tags.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] over a limit of the manager, [`ErrorKind::Invalid`] for a name that is empty
    /// or has control characters.
    pub fn set<'g, T: Value>(&'g self, name: &'g str, value: &'g T) -> GuestSet<'g, T> {
        self.set_as(Codec::default(), name, value)
    }

    /// Stores a value encoded by `codec`, as [`Guest::set`]. Reading finds the codec by itself.
    pub fn set_as<'g, T: Value>(&'g self, codec: Codec, name: &'g str, value: &'g T) -> GuestSet<'g, T> {
        GuestSet { guest: self, name, value, codec, life: None, tags: None }
    }

    /// Makes what `change` returns of the value under `name`: from nothing it creates, `None` removes.
    /// Atomic: `change` runs again on the fresh value as long as somebody else was faster.
    pub async fn update<T: Value>(
        &self,
        name: &str,
        mut change: impl FnMut(Option<T>) -> Option<T>,
    ) -> Result<()> {
        self.check_name(name)?;
        self.change(name, |found| {
            let codec = found.map_or_else(Codec::default, Lifted::codec);
            Ok(match change(found.map(Lifted::decode).transpose()?) {
                Some(value) => {
                    self.check_size(codec, &value)?;
                    let set = self.values.set_as(codec, name, &value);
                    (Change::Put(Box::new(set.lifetime(self.life_after(found, None)))), ())
                }
                None if found.is_some() => (Change::Remove, ()),
                None => (Change::Leave, ()),
            })
        })
        .await
    }

    /// Removes the value under `name`, and says whether there was one.
    pub async fn remove(&self, name: &str) -> Result<bool> {
        self.change(name, |found| {
            Ok(if found.is_some() { (Change::Remove, true) } else { (Change::Leave, false) })
        })
        .await
    }

    /// The life of a value after a change: what was said, else that of the one in whose place it comes, else
    /// the manager's.
    fn life_after(&self, found: Option<&Lifted>, said: Option<Lifetime>) -> Lifetime {
        let goes_on = found.map(|found| Lifetime::continuing(found.expiry(), self.guests.roots().now()));
        said.or(goes_on).unwrap_or_else(|| self.guests.roots().life())
    }

    fn check_name(&self, name: &str) -> Result<()> {
        self.guests.limits().check_name(name)
    }

    fn check_size<T: Value>(&self, codec: Codec, value: &T) -> Result<()> {
        let mut bytes = zeroize::Zeroizing::new(Vec::new());
        codec.encode(value, &mut bytes, self.guests.limits().longest_value())
    }

    /// The one way to change a value: on the version that was read, as long as the root says that it is the
    /// guest's. The value is read before the root: so a version that is written over was there while the
    /// guest was still one.
    async fn change<'g, R>(
        &'g self,
        name: &str,
        mut act: impl FnMut(Option<&Lifted>) -> Result<(Change<'g>, R)>,
    ) -> Result<R> {
        for _ in 0..ATTEMPTS {
            let found = self.values.lift(name).await?;
            let root = self.guests.roots().visit(self.id).await?;
            root.root.check()?;
            let (change, outcome) = act(found.as_ref())?;
            match self.write(name, found.as_ref(), &root, change).await {
                Ok(()) => return Ok(outcome),
                // Somebody was faster, or the value or the guest ended meanwhile: the next look tells.
                Err(error) if is_lost(&error) => {}
                Err(error) if error.kind() == ErrorKind::Invalid && self.has_aged(found.as_ref()) => {}
                Err(error) => return Err(error),
            }
        }
        Err(contended())
    }

    /// Whether what was read has died since, so that its life cannot go on.
    fn has_aged(&self, found: Option<&Lifted>) -> bool {
        found.is_some_and(|found| found.expiry().is_dead(self.guests.roots().now()))
    }

    async fn write(
        &self,
        name: &str,
        found: Option<&Lifted>,
        root: &Found,
        change: Change<'_>,
    ) -> Result<()> {
        let creates = found.is_none();
        if creates && matches!(change, Change::Put(_)) {
            self.check_room(name).await?;
        }
        if self.guests.is_atomic() {
            self.write_at_once(name, found, root, change).await
        } else {
            self.write_in_steps(name, found, root, change).await
        }
    }

    /// Root and value in one commit. A new value makes a new version of the root: so a migration that has not
    /// seen it is refused.
    async fn write_at_once(
        &self,
        name: &str,
        found: Option<&Lifted>,
        root: &Found,
        change: Change<'_>,
    ) -> Result<()> {
        let roots = self.guests.roots();
        let hold = if found.is_none() {
            roots.put(self.id, root, &root.root).into()
        } else {
            roots.hold(self.id, root)
        };
        let change = match (change, found) {
            (Change::Put(set), Some(found)) => set.if_version(found.version()).into(),
            (Change::Put(set), None) => set.if_absent().into(),
            (Change::Remove, Some(found)) => {
                self.values.guarded_removal(name, Guard::Version(found.version()))
            }
            (Change::Remove, None) | (Change::Leave, _) => return Ok(()),
        };
        self.values.writes().stage(hold).stage(change).commit().await.map(drop)
    }

    /// Root, then value. A value that is written over was there while the root was active, so a migration
    /// sees it, in whichever version. A new one may come too late for that: then it is taken back.
    async fn write_in_steps(
        &self,
        name: &str,
        found: Option<&Lifted>,
        root: &Found,
        change: Change<'_>,
    ) -> Result<()> {
        let roots = self.guests.roots();
        if !root.is_stored() && !matches!(change, Change::Leave) {
            roots.put(self.id, root, &root.root).await?;
        }
        match (change, found) {
            (Change::Put(set), Some(found)) => set.if_version(found.version()).await.map(drop),
            (Change::Remove, Some(found)) => self.values.remove_if(name, found.version()).await,
            (Change::Put(set), None) => {
                let version = set.if_absent().await?;
                let Err(refusal) = roots.load(self.id).await?.root.check() else { return Ok(()) };
                match self.values.remove_if(name, version).await {
                    Ok(()) => Err(refusal),
                    // It was frozen, so it goes to the user; or it was changed by somebody who found the root
                    // active after it was there.
                    Err(error) if is_lost(&error) => Ok(()),
                    Err(error) => Err(error),
                }
            }
            (Change::Remove, None) | (Change::Leave, _) => Ok(()),
        }
    }

    /// Refuses one value more than a guest may have. Exact where the store commits several records at once.
    async fn check_room(&self, name: &str) -> Result<()> {
        let names = self.values.keys("*").collect().await?;
        let others = names.iter().filter(|other| *other != name).count();
        self.guests.limits().check_content(others + 1, 0).map_err(|error| {
            let message = "the guest has as many values as one may have; remove another first, or raise the limit of the manager";
            Error::new(error.kind(), "set guest value", message)
        })
    }
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guest").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A value on its way to a guest. Resolves when it is stored.
#[must_use = "nothing is written until this is awaited"]
pub struct GuestSet<'g, T> {
    guest: &'g Guest,
    name: &'g str,
    value: &'g T,
    codec: Codec,
    life: Option<Lifetime>,
    tags: Option<Vec<&'g str>>,
}

impl<'g, T: Value + MaybeSync> GuestSet<'g, T> {
    /// Dies this long after it is stored, whatever happens.
    pub fn ttl(self, ttl: Duration) -> Self {
        self.lifetime(Lifetime::ttl(ttl))
    }

    /// Lives as `life` says. It survives the migration.
    pub fn lifetime(mut self, life: impl Into<Lifetime>) -> Self {
        self.life = Some(life.into());
        self
    }

    /// Adds a tag. Naming one replaces all that a living value has; naming none keeps them. At most 30, for a
    /// migration needs room for its own; tags that begin with `~` are Strata's.
    pub fn tag(mut self, tag: &'g str) -> Self {
        self.tags.get_or_insert_default().push(tag);
        self
    }

    async fn store(self) -> Result<()> {
        let Self { guest, name, value, codec, life, tags } = self;
        guest.check_name(name)?;
        guest.check_size(codec, value)?;
        check_tags(tags.as_deref().unwrap_or_default())?;
        guest
            .change(name, |found| {
                let set = guest.values.set_as(codec, name, value).lifetime(guest.life_after(found, life));
                let set = tags.iter().flatten().fold(set, |set, tag| set.tag(tag));
                Ok((Change::Put(Box::new(set)), ()))
            })
            .await
    }
}

impl<'g, T: Value + MaybeSync> IntoFuture for GuestSet<'g, T> {
    type Output = Result<()>;
    type IntoFuture = BoxFuture<'g, Result<()>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.store()) as Pin<Box<_>>
    }
}

impl<T> fmt::Debug for GuestSet<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuestSet").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The most tags a guest's value can have.
const MAX_TAGS: usize = Tags::MAX_COUNT - 2;

fn check_tags(tags: &[&str]) -> Result<()> {
    if tags.iter().any(|tag| tag.starts_with('~')) {
        let message = "tags that begin with `~` are Strata's own; choose another";
        return Err(Error::new(ErrorKind::Invalid, "set guest value", message));
    }
    let tags = Tags::new(tags.iter().map(|tag| Tag::new(tag)).collect::<Result<Vec<_>>>()?)?;
    if tags.as_slice().len() > MAX_TAGS {
        let message = format!("{} tags on one value, at most {MAX_TAGS} are allowed", tags.as_slice().len());
        return Err(Error::new(ErrorKind::TooLarge, "set guest value", message));
    }
    Ok(())
}

/// Whether somebody else was faster, or what was to be changed has ended.
pub(super) fn is_lost(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Gone)
}

#[cold]
fn contended() -> Error {
    let message = "the value was changed by others each time this was tried; retry, or split it";
    Error::new(ErrorKind::Conflict, "change guest value", message)
}
