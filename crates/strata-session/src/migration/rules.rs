//! What becomes of each value of a guest: [`Rules`], the first whose glob matches a name wins.

use std::fmt;
use std::sync::Arc;

use strata_core::{
    Error, ErrorKind, Handle, Key, Lifetime, Lifted, MaybeSend, MaybeSync, Pattern, Result, Set, Tag, Value,
};

use super::cart::Cart;
use super::preferences::Preferences;
use super::report::Fate;
use super::root::MARK;

/// Rules by name. Globs are as in [`Pattern`]: `*` is any text, `?` one character.
///
/// | rule | the user has none | both have one |
/// |---|---|---|
/// | [`merge`](Rules::merge) | moved | what the closure makes of both |
/// | [`keep_user`](Rules::keep_user), and no rule at all | moved | the user's stays, the guest's goes |
/// | [`keep_guest`](Rules::keep_guest) | moved | the guest's takes the place of the user's |
/// | [`drop`](Rules::drop) | dropped | the user's stays, the guest's goes |
///
/// What is moved keeps its codec, tags and life. What is merged lies in the user's record and keeps that
/// one's. Nothing is taken away from a user without a rule that says so: that is why the user's stays where
/// no rule matches.
#[derive(Clone, Default)]
#[must_use = "rules do nothing until they are given to a migration"]
pub struct Rules(Vec<Rule>);

#[derive(Clone)]
struct Rule {
    /// What was wrong with the glob is reported when the migration runs.
    pattern: Result<Pattern, Arc<Error>>,
    act: Act,
}

#[derive(Clone)]
enum Act {
    Merge(Arc<dyn Merge>),
    KeepUser,
    KeepGuest,
    Drop,
}

impl Rules {
    /// No rules: what the user has not is moved, what both have stays the user's.
    pub fn new() -> Self {
        Self::default()
    }

    /// [`Cart`]s under `cart` and [`Preferences`] under `preferences` are merged. What a migration without
    /// rules of its own uses.
    pub fn standard() -> Self {
        Self::new()
            .merge("cart", |user: Cart, guest: Cart| user.merge(guest))
            .merge("preferences", |user: Preferences, guest: Preferences| user.merge(guest))
    }

    /// Names that match `glob` hold a `T` for both; where both have one, the user gets what `merge` makes of
    /// them, the user's given first. Where only the guest has one it is read as a `T`, too, and moved: what
    /// cannot be read as one is not handed on.
    ///
    /// `merge` may run several times, on fresh values, and also when nothing comes of it. An error of it
    /// refuses the whole migration, before anything has changed.
    pub fn merge<T: Value>(
        self,
        glob: &str,
        merge: impl Fn(T, T) -> Result<T> + MaybeSend + MaybeSync + 'static,
    ) -> Self {
        self.rule(glob, Act::Merge(Arc::new(Typed { merge, value: std::marker::PhantomData })))
    }

    /// Where both have one, the user's stays.
    pub fn keep_user(self, glob: &str) -> Self {
        self.rule(glob, Act::KeepUser)
    }

    /// Where both have one, the guest's takes the place of the user's, with its codec, tags and life.
    pub fn keep_guest(self, glob: &str) -> Self {
        self.rule(glob, Act::KeepGuest)
    }

    /// The guest's is dropped, also where the user has none.
    pub fn drop(self, glob: &str) -> Self {
        self.rule(glob, Act::Drop)
    }

    fn rule(mut self, glob: &str, act: Act) -> Self {
        self.0.push(Rule { pattern: Pattern::new(glob).map_err(Arc::new), act });
        self
    }

    /// Refuses rules whose globs cannot be read.
    pub(super) fn check(&self) -> Result<()> {
        match self.0.iter().find_map(|rule| rule.pattern.as_ref().err()) {
            Some(bad) => Err(Error::new(bad.kind(), "migrate guest", bad.message())),
            None => Ok(()),
        }
    }

    fn act(&self, name: &str) -> Result<&Act> {
        let key = Key::new(name)?;
        let matching = self.0.iter().find(|rule| rule.pattern.as_ref().is_ok_and(|glob| glob.matches(&key)));
        Ok(matching.map_or(&Act::KeepUser, |rule| &rule.act))
    }

    /// What becomes of the guest's value under `name`, and the change of the user's record that makes it so,
    /// without its guard.
    pub(super) fn decide<'h>(
        &self,
        users: &'h Handle,
        name: &str,
        guest: &Lifted,
        user: Option<&Lifted>,
    ) -> Result<(Fate, Option<Set<'h>>)> {
        Ok(match (self.act(name)?, user) {
            (Act::Drop, _) => (Fate::Dropped, None),
            (Act::KeepUser, Some(_)) => (Fate::Kept, None),
            (Act::Merge(merge), None) => {
                merge.check(guest).map_err(|error| refused(name, error))?;
                (Fate::Moved, Some(relay(users, name, guest)))
            }
            (_, None) => (Fate::Moved, Some(relay(users, name, guest))),
            (Act::KeepGuest, Some(_)) => (Fate::Replaced, Some(relay(users, name, guest))),
            (Act::Merge(merge), Some(user)) => {
                let merged = merge.merge(users, name, user, guest).map_err(|error| refused(name, error))?;
                (Fate::Merged, Some(merged))
            }
        })
    }
}

/// Lays a value down without the marks it may carry of a plan.
pub(super) fn relay<'h>(handle: &'h Handle, name: &str, lifted: &Lifted) -> Set<'h> {
    let tags = lifted.tags().iter().map(Tag::as_str).filter(|tag| !tag.starts_with(MARK));
    tags.fold(handle.lay(name, lifted).untagged(), Set::tag)
}

/// A merge whose type only its rule knows.
trait Merge: MaybeSend + MaybeSync {
    /// Refuses what the rule's type cannot be read from.
    fn check(&self, guest: &Lifted) -> Result<()>;
    /// The user's record with both in it: its codec and life.
    fn merge<'h>(&self, users: &'h Handle, name: &str, user: &Lifted, guest: &Lifted) -> Result<Set<'h>>;
}

struct Typed<T, F> {
    merge: F,
    value: std::marker::PhantomData<fn() -> T>,
}

impl<T: Value, F: Fn(T, T) -> Result<T> + MaybeSend + MaybeSync> Merge for Typed<T, F> {
    fn check(&self, guest: &Lifted) -> Result<()> {
        guest.decode::<T>().map(drop)
    }

    fn merge<'h>(&self, users: &'h Handle, name: &str, user: &Lifted, guest: &Lifted) -> Result<Set<'h>> {
        let merged = (self.merge)(user.decode()?, guest.decode()?)?;
        let life = Lifetime::continuing(user.expiry(), users.clock().now());
        Ok(users.set_as(user.codec(), name, &merged).lifetime(life))
    }
}

/// The error of a rule, with the name it met it at. Kinds that would be taken for the store's, to be tried
/// again, are not a rule's to give.
#[cold]
fn refused(name: &str, error: Error) -> Error {
    let kind = match error.kind() {
        ErrorKind::Conflict | ErrorKind::Gone | ErrorKind::Unavailable => ErrorKind::Other,
        kind => kind,
    };
    let message = format!(
        "`{name}` cannot be merged: {}; correct one of the two, or migrate with a rule that keeps or drops it",
        error.message()
    );
    Error::new(kind, "migrate guest", message).because(error)
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |rule: &Rule| {
            let glob = rule.pattern.as_ref().map_or_else(|_| "?".to_owned(), ToString::to_string);
            let act = match rule.act {
                Act::Merge(_) => "merge",
                Act::KeepUser => "keep user",
                Act::KeepGuest => "keep guest",
                Act::Drop => "drop",
            };
            (glob, act)
        };
        f.debug_map().entries(self.0.iter().map(told)).finish()
    }
}
