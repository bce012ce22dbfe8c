//! Choosing many records: [`Selection`] (filters combined with AND), its counts, and `clear`.

use std::fmt;
use std::time::Duration;

use super::pipe::Pipe;
use super::walk::{Entries, Inspections, Keys, Walk};
use super::{Handle, Info};
use crate::batch::{Batch, Before, Guard, Op, Ops, Write};
use crate::codec::Value;
use crate::error::{ErrorKind, Result};
use crate::key::{Key, KeyPrefix, Tag};
use crate::pattern::Pattern;
use crate::record::Record;
use crate::scan::Select;
use crate::store::Atomicity;
use crate::time::Timestamp;

/// How many removals go into one commit: few enough that a store which takes a lock for it holds that under a millisecond.
const BATCH: usize = 64;

/// Some of a namespace's records: all of them, narrowed by each filter named, also when one is named twice. Living ones only, unless
/// [`Selection::expired`] asks for dead ones.
///
/// The store answers a tag, a deadline or a prefix by its index, whichever was named first in that order; the other filters
/// are applied to what the index gives.
#[must_use = "a selection does nothing until it is walked, counted or cleared"]
#[derive(Clone)]
pub struct Selection<'h> {
    handle: &'h Handle,
    filter: Result<Filter, Reason>,
}

/// Why a selection cannot be made; kept until it is used, and cloneable.
pub(super) type Reason = std::sync::Arc<crate::error::Error>;

#[derive(Clone)]
pub(super) struct Filter {
    prefix: KeyPrefix,
    patterns: Vec<Pattern>,
    tags: Vec<Tag>,
    older_than: Option<Duration>,
    expiring: Option<Duration>,
    expired: bool,
    /// Two filters contradict each other.
    nothing: bool,
}

impl Handle {
    /// Every living record of this namespace, to be narrowed.
    pub fn select(&self) -> Selection<'_> {
        let filter = KeyPrefix::new(&self.prefix).map(|prefix| Filter {
            prefix,
            patterns: Vec::new(),
            tags: Vec::new(),
            older_than: None,
            expiring: None,
            expired: false,
            nothing: false,
        });
        Selection { handle: self, filter: filter.map_err(Reason::new) }
    }

    /// The names of living records that match `glob`, in order.
    pub fn keys(&self, glob: &str) -> Keys<'_> {
        self.select().glob(glob).keys()
    }

    /// Living records that match `glob`, in order, all read as one type. No activity.
    pub fn entries<T: Value>(&self, glob: &str) -> Entries<'_, T> {
        self.select().glob(glob).entries()
    }

    /// Removes every living record of this namespace, and says how many there were. Not one commit: others may write
    /// meanwhile. What has died already is left to the sweeper.
    pub async fn clear(&self) -> Result<u64> {
        self.select().clear().await
    }

    /// Living records that would die within `window` without activity.
    pub fn expiring(&self, window: Duration) -> Selection<'_> {
        self.select().expiring(window)
    }
}

impl<'h> Selection<'h> {
    /// Names that begin with `prefix`.
    pub fn prefix(self, prefix: &str) -> Self {
        let whole = format!("{}{prefix}", self.handle.prefix);
        self.narrow(|filter| {
            let prefix = KeyPrefix::new(&whole)?;
            if prefix.as_str().starts_with(filter.prefix.as_str()) {
                filter.prefix = prefix;
            } else if !filter.prefix.as_str().starts_with(prefix.as_str()) {
                filter.nothing = true;
            }
            Ok(())
        })
    }

    /// Names that match `glob`. Costs what its literal prefix selects.
    pub fn glob(self, glob: &str) -> Self {
        let pattern = self.handle.pattern(glob);
        self.narrow(|filter| {
            filter.patterns.push(pattern?);
            Ok(())
        })
    }

    /// Records that carry `tag`; named twice, records that carry both.
    pub fn tag(self, tag: &str) -> Self {
        self.narrow(|filter| {
            filter.tags.push(Tag::new(tag)?);
            Ok(())
        })
    }

    /// Records whose value, tags or expiry last changed at least `age` ago.
    pub fn older_than(self, age: Duration) -> Self {
        self.narrow(|filter| {
            filter.older_than = filter.older_than.max(Some(age));
            Ok(())
        })
    }

    /// Living records that would die within `window` without activity.
    pub fn expiring(self, window: Duration) -> Self {
        self.narrow(|filter| {
            filter.expiring = Some(filter.expiring.map_or(window, |other| other.min(window)));
            Ok(())
        })
    }

    /// Dead records that nobody has removed yet, in place of living ones. They can be counted and cleared, never read.
    pub fn expired(self) -> Self {
        self.narrow(|filter| {
            filter.expired = true;
            Ok(())
        })
    }

    fn narrow(mut self, change: impl FnOnce(&mut Filter) -> Result<()>) -> Self {
        if let Ok(filter) = &mut self.filter
            && let Err(error) = change(filter)
        {
            self.filter = Err(Reason::new(error));
        }
        self
    }

    /// The names, without the namespace.
    pub fn keys(self) -> Keys<'h> {
        Keys(self.walk())
    }

    /// Names and values, all read as one type. No activity. A record that cannot be read yields its error; the walk goes on.
    pub fn entries<T: Value>(self) -> Entries<'h, T> {
        Entries::new(self.walk())
    }

    /// How many there are. Walks the selection.
    pub async fn count(self) -> Result<u64> {
        let mut walk = self.walk();
        let mut count = 0;
        while let Some(found) = walk.next().await {
            found?;
            count += 1;
        }
        Ok(count)
    }

    /// How many bytes they take in the store, sealed, without what the store adds. Walks the selection.
    pub async fn size(self) -> Result<u64> {
        let mut walk = self.walk();
        let mut bytes = 0;
        while let Some(found) = walk.next().await {
            bytes += found?.1.payload.len() as u64;
        }
        Ok(bytes)
    }

    /// Names and what is known of each record, values unopened.
    pub async fn infos(self, limit: usize) -> Result<Vec<(String, Info)>> {
        let handle = self.handle;
        let mut walk = self.walk();
        let mut infos = Vec::new();
        while infos.len() < limit
            && let Some(found) = walk.next().await
        {
            let (key, record) = found?;
            if let Some(info) = handle.describe(&key, &record, walk.now)? {
                infos.push((handle.local(&key).to_owned(), info));
            }
        }
        Ok(infos)
    }

    /// The same one by one, without a limit, whole names: see [`Inspections`].
    pub fn inspections<T: Value>(self) -> Inspections<'h, T> {
        Inspections::new(self.walk())
    }

    /// Values, all read as one type, each with its name and what is known of its record. No activity.
    pub async fn inspect<T: Value>(self, limit: usize) -> Result<Vec<(String, T, Info)>> {
        let handle = self.handle;
        let mut walk = self.walk();
        let mut found = Vec::new();
        while found.len() < limit
            && let Some(next) = walk.next().await
        {
            let (key, record) = next?;
            if let Some((value, info)) = handle.inspected(&key, &record, walk.now)? {
                found.push((handle.local(&key).to_owned(), value, info));
            }
        }
        Ok(found)
    }

    /// Removes them and says how many. Each is removed only as it was found: one that somebody changes meanwhile stays.
    /// Not one commit.
    pub async fn clear(self) -> Result<u64> {
        let handle = self.handle;
        let mut walk = self.walk();
        let mut removed = 0;
        loop {
            let mut doomed = Vec::with_capacity(BATCH);
            while doomed.len() < BATCH
                && let Some(found) = walk.next().await
            {
                let (key, record) = found?;
                let guard =
                    if record.is_dead(walk.now) { Guard::Absent } else { Guard::Version(record.version) };
                doomed.push((key, guard));
            }
            if doomed.is_empty() {
                return Ok(removed);
            }
            remove_all(&handle.pipe, doomed, walk.now, &mut removed).await?;
        }
    }

    pub(super) fn handle(&self) -> &'h Handle {
        self.handle
    }

    pub(super) fn walk(self) -> Walk<'h> {
        Walk::new(self.handle, self.filter)
    }
}

impl Filter {
    pub(super) fn select(&self, now: Timestamp) -> Select {
        if let Some(tag) = self.tags.first() {
            return Select::Tag(tag.clone());
        }
        if self.expired {
            return Select::Due(now);
        }
        if let Some(window) = self.expiring {
            return Select::Due(now.saturating_add(window));
        }
        let literals = self.patterns.iter().map(Pattern::literal_prefix);
        let longest = literals.chain([&self.prefix]).max_by_key(|prefix| prefix.as_str().len());
        Select::Prefix(longest.unwrap_or(&self.prefix).clone())
    }

    pub(super) fn admits(&self, key: &Key, record: &Record, now: Timestamp) -> bool {
        let due =
            |window| record.expiry.deadline().is_some_and(|deadline| deadline <= now.saturating_add(window));
        !self.nothing
            && !key.is_system()
            && record.is_dead(now) == self.expired
            && self.prefix.matches(key)
            && self.patterns.iter().all(|pattern| pattern.matches(key))
            && self.tags.iter().all(|tag| record.tags.contains(tag))
            && self.older_than.is_none_or(|age| {
                record.updated <= now.saturating_sub(age) && now.since(record.updated) >= age
            })
            && self.expiring.is_none_or(due)
    }
}

/// Removes each record under its guard, in commits of up to 64 where the store can, and adds to `removed` how many were, also
/// when it fails halfway. A record whose guard no longer holds is left.
pub(super) async fn remove_all(
    pipe: &Pipe,
    doomed: Vec<(Key, Guard)>,
    now: Timestamp,
    removed: &mut u64,
) -> Result<()> {
    let together = pipe.capabilities.atomicity == Atomicity::Batch;
    let size = if together { BATCH.min(pipe.capabilities.max_batch) } else { 1 };
    for chunk in doomed.chunks(size.max(1)) {
        match remove_together(pipe, chunk, now).await {
            Err(error) if is_lost(&error) => remove_singly(pipe, chunk, now, removed).await?,
            done => *removed += done?,
        }
    }
    Ok(())
}

async fn remove_singly(pipe: &Pipe, chunk: &[(Key, Guard)], now: Timestamp, removed: &mut u64) -> Result<()> {
    for doomed in chunk {
        match remove_together(pipe, std::slice::from_ref(doomed), now).await {
            Err(error) if is_lost(&error) => {}
            done => *removed += done?,
        }
    }
    Ok(())
}

async fn remove_together(pipe: &Pipe, chunk: &[(Key, Guard)], now: Timestamp) -> Result<u64> {
    let ops: Ops = chunk
        .iter()
        .map(|(key, guard)| Op { key: key.clone(), guard: *guard, write: Write::Remove })
        .collect();
    let committed = pipe.commit(Batch { now, durability: pipe.durability, ops }).await?;
    let removed = committed.outcomes.iter().take(chunk.len());
    Ok(removed.filter(|outcome| outcome.before != Before::Absent).count() as u64)
}

fn is_lost(error: &crate::error::Error) -> bool {
    matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Gone)
}

impl fmt::Debug for Selection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selection").field("prefix", &self.handle.prefix).finish_non_exhaustive()
    }
}
