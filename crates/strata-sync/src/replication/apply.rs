//! What a peer told of a key becomes part of this store: joined with what is known here, in one commit of record and state, under guards, so that
//! a local write that lands between is seen.

use std::time::Duration;

use strata_core::{ErrorKind, Expiry, Exported, FromPeer, Guard, Key, Record, Result, Timestamp};

use super::idle::no_later;
use super::message::{Item, ItemLife};
use super::peer::{ATTEMPTS, Peer, contended};
use super::record::{Stored, StoredLife};
use super::report::Refusal;
use super::settle::{Local, born_as, state_op, unmarked};
use super::stamp::Stamp;

/// What has to be done with the record.
enum Act<'i> {
    Nothing,
    Put(&'i Exported),
    Slide(Timestamp),
    Remove,
}

impl Peer {
    /// Joins what a peer told. Says whether anything changed here.
    pub(super) async fn apply(&mut self, item: &Item, base: Option<Stamp>) -> Result<bool> {
        let Some(key) = self.admit(item) else { return Ok(false) };
        for _ in 0..ATTEMPTS {
            let local = self.settle(&key).await?;
            if is_stale(&local, item, base) {
                self.refuse(Refusal::Stale);
                return Ok(false);
            }
            match self.join(&key, &local, item).await {
                Ok(changed) => return Ok(changed),
                Err(error) => match error.kind() {
                    ErrorKind::Conflict | ErrorKind::Gone => {}
                    ErrorKind::Invalid | ErrorKind::Newer | ErrorKind::Unsupported => {
                        self.refuse(Refusal::Invalid);
                        return Ok(false);
                    }
                    ErrorKind::TooLarge => {
                        self.refuse(Refusal::TooLarge);
                        return Ok(false);
                    }
                    _ => return Err(error),
                },
            }
        }
        Err(contended(&key))
    }

    /// The key of an item that can be, is ours to take, and is not of a clock that is wrong.
    fn admit(&mut self, item: &Item) -> Option<Key> {
        let refusal = match Key::new(&item.name) {
            Err(_) => Refusal::Invalid,
            Ok(key) if !self.recorder.scope.covers(&key) => Refusal::OutOfScope,
            Ok(_) if item.state().stamps().any(|stamp| self.is_ahead(stamp)) => Refusal::Ahead,
            Ok(_) if !is_sound(item) => Refusal::Invalid,
            Ok(key) => {
                item.state().stamps().for_each(|stamp| self.recorder.clock.witness(stamp));
                return Some(key);
            }
        };
        self.refuse(refusal);
        None
    }

    pub(super) fn is_ahead(&self, stamp: Stamp) -> bool {
        self.recorder.clock.is_ahead(stamp, self.config.max_ahead)
    }

    async fn join(&mut self, key: &Key, local: &Local, item: &Item) -> Result<bool> {
        let handle = self.handle.clone();
        let mut commit = handle.from_peer();
        let now = commit.now();
        let removed = local.stored.removed.max(item.removed);
        let (mut act, mut life) = judge(local, item, self.config.max_ahead);
        if let Act::Put(record) = act {
            if commit.put(record, data_guard(local.alive()))? {
                life = life.map(|life| StoredLife { created: created(local.alive(), now), ..life });
            } else {
                // It has died on the way, by this clock.
                act = Act::Remove;
                life = Stored { life, ..local.stored.clone() }.ended().life;
            }
        }
        let next = Stored { removed, life, ..local.stored.clone() };
        let acted = stage(&mut commit, key, local, &act)?;
        if !acted && next == local.stored {
            return Ok(false);
        }
        for op in unmarked(key)? {
            commit.beside(op)?;
        }
        commit.beside(state_op(key, &next, local.state_guard())?)?;
        commit.commit().await?;
        self.index.put(key, &next);
        Ok(true)
    }

    /// Ends what is held of a key, with a tombstone: others have ended it so long ago that they no longer know.
    pub(super) async fn bury(&mut self, key: &Key) -> Result<()> {
        let removed = self.recorder.clock.stamp(self.identity.origin);
        let item = Item { name: key.as_str().to_owned(), removed: Some(removed), life: None };
        self.apply(&item, None).await.map(drop)
    }
}

/// Whether an item is one that a peer can have meant.
fn is_sound(item: &Item) -> bool {
    let Some(told) = &item.life else { return true };
    let record = told.record.as_ref();
    told.life.birth <= told.life.change
        && Some(told.life.birth) > item.removed
        && record.is_none_or(|record| {
            record.key == item.name
                && matches!(record.body, strata_core::Body::Plain { .. })
                && Expiry::from_foreign(record.expiry).is_ok()
        })
}

/// A life from before a long absence, which is not here: it has ended meanwhile.
fn is_stale(local: &Local, item: &Item, base: Option<Stamp>) -> bool {
    let known = local.stored.life.map(|life| life.life.birth);
    match (base, &item.life) {
        (Some(base), Some(told)) => told.life.birth <= base && known != Some(told.life.birth),
        _ => false,
    }
}

/// What the record and its life become.
fn judge<'i>(local: &Local, item: &'i Item, ahead: Duration) -> (Act<'i>, Option<StoredLife>) {
    let mine = local.stored.state();
    let theirs = item.state();
    let joined = mine.join(theirs);
    match &item.life {
        Some(told) if joined.life == Some(told.life) => {
            if mine.life == theirs.life {
                same(local, told, ahead)
            } else {
                newer(local, told)
            }
        }
        _ if joined.life.is_none() && mine.life.is_some() => (Act::Remove, None),
        _ => (Act::Nothing, local.stored.life),
    }
}

/// Both know this version: the one whose record lives longer tells the other.
fn same<'i>(local: &Local, told: &'i ItemLife, ahead: Duration) -> (Act<'i>, Option<StoredLife>) {
    let life = local.stored.life;
    let Some(record) = &told.record else { return (Act::Nothing, life) };
    let Some(alive) = local.alive() else {
        return (Act::Put(record), life.map(|life| StoredLife { held: true, ..life }));
    };
    let theirs = Expiry::from_words(record.expiry).deadline();
    let theirs = theirs.map(|theirs| no_later(alive.expiry, theirs, local.now, ahead));
    let mut mine = alive.expiry;
    match theirs {
        Some(deadline) if mine.slide_to(deadline) => (Act::Slide(deadline), life),
        _ => (Act::Nothing, life),
    }
}

/// They know a later version or life.
fn newer<'i>(local: &Local, told: &'i ItemLife) -> (Act<'i>, Option<StoredLife>) {
    let before = local.stored.life.filter(|life| life.life.birth == told.life.birth);
    let latest = told.latest.max(before.map_or(0, |life| life.latest));
    if let Some(record) = &told.record {
        let life = born_as(told.life, Timestamp::EPOCH, Expiry::from_words(record.expiry));
        (Act::Put(record), Some(StoredLife { latest: latest.max(life.latest), ..life }))
    } else {
        let life = StoredLife { life: told.life, created: 0, current: 0, latest, held: false };
        (Act::Remove, Some(life))
    }
}

fn stage(commit: &mut FromPeer<'_>, key: &Key, local: &Local, act: &Act<'_>) -> Result<bool> {
    match (act, local.alive()) {
        (Act::Put(_), _) => Ok(true),
        (Act::Slide(to), Some(alive)) => commit.slide(key, Guard::Version(alive.version), *to).map(|()| true),
        (Act::Remove, Some(alive)) => commit.remove(key, Guard::Version(alive.version)).map(|()| true),
        _ => Ok(false),
    }
}

fn data_guard(alive: Option<&Record>) -> Guard {
    alive.map_or(Guard::Absent, |record| Guard::Version(record.version))
}

/// When the store will say that a record put now was created.
fn created(alive: Option<&Record>, now: Timestamp) -> u64 {
    alive.map_or(now, |record| record.created).as_millis()
}
