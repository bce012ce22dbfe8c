//! From marks to states: what local commits came to, in the order the store made them. Each step is one guarded commit, so it can be
//! interrupted anywhere and done again.

use strata_core::{
    Batch, ErrorKind, Expiry, Guard, Key, KeyPrefix, Op, Ops, Record, Result, Scan, Select, Timestamp,
    Version, Write,
};

use super::index::NameHash;
use super::journal;
use super::peer::{ATTEMPTS, Peer, contended};
use super::record::{Mark, PREFIX, Role, Stored, StoredLife, decode, encode, latest};
use super::stamp::Stamp;
use super::state::Life;

/// How many times the retention a removal is remembered that could not be told.
const UNTOLD: u32 = 12;

/// A key as the store has it, marks settled.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) stored: Stored,
    /// The version of the record that holds `stored`.
    pub(super) version: Option<Version>,
    pub(super) data: Option<Record>,
    pub(super) now: Timestamp,
}

impl Local {
    /// The record, if it lives.
    pub(super) fn alive(&self) -> Option<&Record> {
        self.data.as_ref().filter(|record| !record.is_dead(self.now))
    }

    pub(super) fn state_guard(&self) -> Guard {
        self.version.map_or(Guard::Absent, Guard::Version)
    }
}

/// A key as the store has it.
struct Found {
    local: Local,
    put: Option<(Stamp, Version)>,
    gone: Option<(Stamp, Version)>,
}

impl Peer {
    /// Settles what is marked of `key`, and says what the store then has.
    pub(super) async fn settle(&mut self, key: &Key) -> Result<Local> {
        for _ in 0..ATTEMPTS {
            let found = self.find(key).await?;
            let Some(next) = self.resolve(&found) else {
                // Also where an answer of the store's was lost and the index does not know yet.
                self.index.put(key, &found.local.stored);
                return Ok(found.local);
            };
            match self.commit_settled(key, &found, &next).await {
                Ok(version) => {
                    self.index.put(key, &next);
                    let Local { data, now, .. } = found.local;
                    return Ok(Local { stored: next, version, data, now });
                }
                Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Gone) => {}
                Err(error) => return Err(error),
            }
        }
        Err(contended(key))
    }

    async fn find(&self, key: &Key) -> Result<Found> {
        let [put_key, gone_key, state_key] =
            [Role::Put.key(key)?, Role::Gone.key(key)?, Role::State.key(key)?];
        let keys = vec![put_key.clone(), gone_key.clone(), state_key.clone(), key.clone()];
        let page = self.handle.store().scan(Scan::new(Select::Keys(keys), 4)).await?;
        let mut found = Found {
            local: Local {
                stored: Stored::nothing(key),
                version: None,
                data: None,
                now: self.handle.clock().now(),
            },
            put: None,
            gone: None,
        };
        for (name, record) in page.entries {
            if name == put_key {
                found.put = Some((self.stamp_of(&name, &record)?, record.version));
            } else if name == gone_key {
                found.gone = Some((self.stamp_of(&name, &record)?, record.version));
            } else if name == state_key {
                found.local.stored = decode(&name, &record)?;
                found.local.version = Some(record.version);
            } else {
                found.local.data = Some(record);
            }
        }
        Ok(found)
    }

    fn stamp_of(&self, name: &Key, record: &Record) -> Result<Stamp> {
        let mark: Mark = decode(name, record)?;
        self.recorder.clock.witness(mark.stamp);
        Ok(mark.stamp.by(self.identity.origin))
    }

    /// What marks and data come to, if that is anything new.
    fn resolve(&self, found: &Found) -> Option<Stored> {
        let Found { local, put, gone } = found;
        let stored = local.stored.clone();
        let put = put.map(|(stamp, _)| stamp);
        match (put, gone) {
            (None, None) => {
                let swept = local.data.is_none() && stored.life.is_some_and(|life| life.held);
                swept.then(|| stored.ended())
            }
            (put, Some((gone, _))) => Some(self.removed(stored, local.alive(), *gone, put)),
            (Some(put), None) => Some(match local.alive() {
                Some(record) => self.written(stored, record, put),
                None => stored.ended(),
            }),
        }
    }

    /// After a removal: every life known until then has ended, and a record that lives is a new one.
    fn removed(&self, stored: Stored, alive: Option<&Record>, gone: Stamp, put: Option<Stamp>) -> Stored {
        let known = stored.removed.max(stored.life.map(|life| life.life.birth));
        let removed = self.later(gone, known);
        let ended = Stored { removed: Some(removed), life: None, ..stored };
        match alive {
            Some(record) => self.born(ended, record, put.unwrap_or(gone)),
            None => ended,
        }
    }

    /// After a write without a removal: the life goes on if the store says so, else it is a new one.
    fn written(&self, stored: Stored, record: &Record, put: Stamp) -> Stored {
        let created = record.created.as_millis();
        match stored.life {
            Some(life) if life.held && life.created == created => {
                let current = latest(record.expiry);
                let change = self.later(put, Some(life.life.change));
                let life = StoredLife {
                    life: Life { change, ..life.life },
                    current,
                    latest: life.latest.max(current),
                    ..life
                };
                Stored { life: Some(life), ..stored }
            }
            _ => self.born(stored, record, put),
        }
    }

    fn born(&self, stored: Stored, record: &Record, put: Stamp) -> Stored {
        let known = stored.removed.max(stored.life.map(|life| life.life.birth));
        let birth = self.later(put, known);
        let life = born_as(Life { birth, change: birth }, record.created, record.expiry);
        Stored { life: Some(life), ..stored }
    }

    /// `stamp`, or a fresh one where something known is as late already: the store made this change after it.
    fn later(&self, stamp: Stamp, known: Option<Stamp>) -> Stamp {
        if Some(stamp) > known { stamp } else { self.recorder.clock.stamp(self.identity.origin) }
    }

    /// Replaces the marks by the state, as long as nothing has changed since they were read.
    async fn commit_settled(&self, key: &Key, found: &Found, next: &Stored) -> Result<Option<Version>> {
        let local = &found.local;
        let alive = local.alive().map_or(Guard::Absent, |record| Guard::Version(record.version));
        let mut ops = Ops::new();
        ops.push(Op { key: key.clone(), guard: alive, write: Write::Check });
        for (role, mark) in [(Role::Put, found.put), (Role::Gone, found.gone)] {
            ops.push(unmark(role.key(key)?, mark.map(|(_, version)| version)));
        }
        ops.push(state_op(key, next, local.state_guard())?);
        let committed = self
            .handle
            .store()
            .commit(Batch { now: local.now, durability: self.handle.durability(), ops })
            .await?;
        Ok(committed.outcomes.last().and_then(|outcome| outcome.after))
    }

    /// Settles every mark in the store, such as those of a crash. Gives the keys.
    pub(super) async fn settle_marks(&mut self) -> Result<Vec<Key>> {
        let mut keys = Vec::new();
        for prefix in ["put:", "gone:"] {
            let select = Select::Prefix(KeyPrefix::new(&format!("{PREFIX}{prefix}"))?);
            let mut scan = Scan::new(select, Scan::MAX_LIMIT);
            loop {
                let page = self.handle.store().scan(scan.clone()).await?;
                for (name, record) in &page.entries {
                    let mark: Mark = decode(name, record)?;
                    let key = Key::new(&mark.name)?;
                    self.settle(&key).await?;
                    keys.push(key);
                }
                match page.next {
                    Some(next) => scan.after = Some(next),
                    None => break,
                }
            }
        }
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }

    /// Forgets a removal, or a life that is only remembered, once nothing older can arrive.
    pub(super) async fn prune(&mut self) -> Result<()> {
        let now = self.handle.clock().now();
        if now.since(self.pruned) < self.config.retention / 256 {
            return Ok(());
        }
        self.pruned = now;
        let due: Vec<Key> = self
            .index
            .iter()
            .filter(|(_, entry)| {
                let tombstone = entry.state.removed.is_some_and(|removed| !self.is_retained(removed));
                let remembered = entry.state.life.filter(|_| !entry.held);
                tombstone
                    || remembered
                        .is_some_and(|life| entry.until <= now.as_millis() || !self.is_retained(life.change))
            })
            .map(|(_, entry)| entry.key.clone())
            .collect();
        for key in due {
            let local = self.settle(&key).await?;
            let Stored { name, removed, life } = local.stored.clone();
            let next = Stored {
                name,
                removed: removed.filter(|removed| self.is_retained(*removed)),
                life: life.filter(|life| {
                    life.held || (life.latest > now.as_millis() && self.is_retained(life.life.change))
                }),
            };
            self.replace(&key, &local, &next).await?;
        }
        Ok(())
    }

    /// Whether a removal is still to be remembered: for the retention, and one that nobody was in step with since, a good deal longer.
    pub(super) fn is_retained(&self, stamp: Stamp) -> bool {
        let age = self.handle.clock().now().since(Timestamp::from_millis(stamp.millis()));
        let untold = self.contacts.latest().is_some_and(|agreed| stamp > agreed);
        age <= self.config.retention || (untold && age <= self.config.retention * UNTOLD)
    }

    /// Puts another state in place of the one in `local`, data untouched. A conflict leaves it for the next time.
    pub(super) async fn replace(&mut self, key: &Key, local: &Local, next: &Stored) -> Result<()> {
        if *next == local.stored {
            return Ok(());
        }
        let op = state_op(key, next, local.state_guard())?;
        match self.handle.store().commit(Batch::one(local.now, self.handle.durability(), op)).await {
            Ok(_) => {
                self.index.put(key, next);
                Ok(())
            }
            Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Gone) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Gives every record in scope that has no state one, born when it was created: they were written before this store replicated.
    pub(super) async fn adopt(&mut self) -> Result<()> {
        let mut scan = Scan::new(Select::Prefix(KeyPrefix::all()), Scan::MAX_LIMIT);
        loop {
            let page = self.handle.store().scan(scan.clone()).await?;
            for (key, record) in &page.entries {
                let known = self.index.get(NameHash::of(key)).is_some_and(|entry| entry.state.life.is_some());
                if self.recorder.scope.covers(key) && !known && !record.is_dead(self.handle.clock().now()) {
                    self.adopt_one(key).await?;
                }
            }
            match page.next {
                Some(next) => scan.after = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn adopt_one(&mut self, key: &Key) -> Result<()> {
        let local = self.settle(key).await?;
        let Some(record) = local.alive().filter(|_| local.stored.life.is_none()) else { return Ok(()) };
        let at = |instant: Timestamp| Stamp::new(instant.as_millis(), 0, self.identity.origin);
        let birth = self.later(at(record.created), local.stored.removed);
        let life = Life { birth, change: birth.max(at(record.updated)) };
        let life = born_as(life, record.created, record.expiry);
        let next = Stored { life: Some(life), ..local.stored.clone() };
        self.replace(key, &local, &next).await
    }
}

/// A life as it is kept from its first version on.
pub(super) fn born_as(life: Life, created: Timestamp, expiry: Expiry) -> StoredLife {
    let current = latest(expiry);
    StoredLife { life, created: created.as_millis(), current, latest: current, held: true }
}

/// Removes a mark as it was read; without one, makes sure that there still is none.
fn unmark(key: Key, found: Option<Version>) -> Op {
    match found {
        Some(version) => Op { key, guard: Guard::Version(version), write: Write::Remove },
        None => Op { key, guard: Guard::Absent, write: Write::Check },
    }
}

/// Makes sure that a key has no marks: everything done to it so far is in its state.
pub(super) fn unmarked(key: &Key) -> Result<[Op; 2]> {
    Ok([unmark(Role::Put.key(key)?, None), unmark(Role::Gone.key(key)?, None)])
}

/// Writes or removes the record of a state.
pub(super) fn state_op(key: &Key, next: &Stored, guard: Guard) -> Result<Op> {
    let name = Role::State.key(key)?;
    if next.is_nothing() {
        return Ok(Op { key: name, guard, write: Write::Remove });
    }
    Ok(journal::put(name, guard, encode(next)?))
}
