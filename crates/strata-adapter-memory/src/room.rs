//! The bounds: how much there is ([`Room`]), how much a write adds ([`Growth`]), and how room is made for it.

use std::iter::Sum;
use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use strata_core::{Existing, Keep, Key, Op, Tags, Timestamp, Write};

use crate::config::{MemoryConfig, WhenFull};
use crate::index::Bucket;
use crate::name::Name;
use crate::state::State;
use crate::store::MemoryStore;

/// How many records are looked at in one step of making room.
const STEP: usize = 64;

/// What is held under the bounds. Nothing is counted when there are none, to keep a write from touching what all share.
pub(crate) struct Room {
    bounds: Option<Bounds>,
    held: Mutex<Size>,
    pub(crate) reclaimed: AtomicU64,
    pub(crate) evicted: AtomicU64,
}

struct Bounds {
    records: u64,
    bytes: u64,
}

/// Records and the bytes they are counted as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

/// What a change takes and gives back.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Growth {
    takes: Size,
    gives: Size,
}

impl Room {
    pub(crate) fn new(config: &MemoryConfig) -> Self {
        let bounded = config.max_records.is_some() || config.max_bytes.is_some();
        let bounds = bounded.then(|| Bounds {
            records: config.max_records.unwrap_or(u64::MAX),
            bytes: config.max_bytes.unwrap_or(u64::MAX),
        });
        Self { bounds, held: Mutex::default(), reclaimed: AtomicU64::new(0), evicted: AtomicU64::new(0) }
    }

    /// Whether anything is counted.
    #[inline]
    pub(crate) fn is_bounded(&self) -> bool {
        self.bounds.is_some()
    }

    /// What is held, if it is counted.
    pub(crate) fn held(&self) -> Option<Size> {
        self.is_bounded().then(|| *self.held.lock())
    }

    /// Counts a change, if it fits. What does not grow always fits.
    pub(crate) fn take(&self, growth: Growth) -> bool {
        let Some(bounds) = &self.bounds else { return true };
        let mut held = self.held.lock();
        let after = growth.applied_to(*held);
        let fits = |after: u64, before: u64, bound: u64| after <= bound || after <= before;
        let fit =
            fits(after.records, held.records, bounds.records) && fits(after.bytes, held.bytes, bounds.bytes);
        if fit {
            *held = after;
        }
        fit
    }
}

impl Growth {
    /// What `op` would add to a store that has `existing` in its place.
    pub(crate) fn of(op: &Op, existing: Option<Existing<'_>>, now: Timestamp) -> Self {
        let gives = existing.map_or_else(Size::default, |record| {
            Size::of(op.key.as_bytes().len(), record.payload.len(), record.tags)
        });
        match &op.write {
            Write::Put { payload, tags, .. } => {
                let kept = existing.filter(|record| !record.expiry.is_dead(now)).map(|record| record.tags);
                let tags = match tags {
                    Keep::Set(tags) => tags,
                    Keep::Keep => kept.unwrap_or(const { &Tags::none() }),
                };
                Self { takes: Size::of(op.key.as_bytes().len(), payload.len(), tags), gives }
            }
            Write::Remove => Self { takes: Size::default(), gives },
            Write::Slide(_) | Write::Expire(_) | Write::Check => Self::default(),
        }
    }

    fn applied_to(self, held: Size) -> Size {
        Size {
            records: (held.records + self.takes.records).saturating_sub(self.gives.records),
            bytes: (held.bytes + self.takes.bytes).saturating_sub(self.gives.bytes),
        }
    }
}

impl AddAssign for Growth {
    fn add_assign(&mut self, other: Self) {
        self.takes = [self.takes, other.takes].into_iter().sum();
        self.gives = [self.gives, other.gives].into_iter().sum();
    }
}

impl Size {
    /// What one record counts.
    pub(crate) fn of(key: usize, payload: usize, tags: &Tags) -> Self {
        let tags: u64 = tags.iter().map(|tag| tag.as_str().len() as u64 + MemoryConfig::TAG_BYTES).sum();
        Self { records: 1, bytes: key as u64 + payload as u64 + tags + MemoryConfig::RECORD_BYTES }
    }
}

impl Sum for Size {
    fn sum<I: Iterator<Item = Self>>(sizes: I) -> Self {
        sizes.fold(Self::default(), |sum, size| Self {
            records: sum.records + size.records,
            bytes: sum.bytes + size.bytes,
        })
    }
}

impl MemoryStore {
    /// Drops a few records to make room, none of those `spared` (in order) and none of the store's own. Dead ones go first,
    /// then, if the policy says so, the one nearest its deadline. Says whether trying again makes sense.
    #[cold]
    pub(crate) fn make_room(&self, growth: Growth, now: Timestamp, spared: &[&[u8]]) -> bool {
        if !self.can_ever_hold(growth) {
            return false;
        }
        let droppable = |name: &Name| {
            let bytes = name.as_bytes();
            !bytes.starts_with(Key::SYSTEM_PREFIX.as_bytes()) && spared.binary_search(&bytes).is_err()
        };
        loop {
            let names = self.indexes.due.nearest(droppable, STEP);
            let reclaimed =
                names.iter().filter(|name| self.drop_if(name, |state| state.expiry().is_dead(now))).count();
            if reclaimed > 0 {
                self.room.reclaimed.fetch_add(reclaimed as u64, Ordering::Relaxed);
                return true;
            }
            if names.is_empty() {
                return false;
            }
            // Records that were active since they were filed are not the nearest; with them out of the way, look again.
            let late: Vec<&Name> = names.iter().filter(|name| self.file_anew(name, now)).collect();
            if late.is_empty() {
                return self.config.when_full == WhenFull::EvictNearestDeadline && self.evict(&names);
            }
        }
    }

    /// Whether the change would fit if everything else were gone.
    fn can_ever_hold(&self, growth: Growth) -> bool {
        let Size { records, bytes } = growth.takes;
        self.room.bounds.as_ref().is_some_and(|bounds| records <= bounds.records && bytes <= bounds.bytes)
    }

    /// Drops the first of `names` that is still there.
    fn evict(&self, names: &[Name]) -> bool {
        let evicted = names.iter().any(|name| self.drop_if(name, |_| true));
        self.room.evicted.fetch_add(u64::from(evicted), Ordering::Relaxed);
        // Where all of them are gone already, somebody else has made room.
        true
    }

    /// Removes a record that is as it should be to be dropped.
    fn drop_if(&self, name: &Name, should: impl Fn(&State) -> bool) -> bool {
        let removed = self.map.remove_if(name.as_bytes(), |name, state| {
            let drop = should(state);
            if drop {
                self.indexes.end(name, state);
            }
            drop
        });
        if let Some((name, state)) = &removed {
            let gives = Size::of(name.as_bytes().len(), state.payload_len(), state.tags());
            self.room.take(Growth { takes: Size::default(), gives });
        }
        removed.is_some()
    }

    /// Files a record by its deadline if that has become later than its filing says; says whether it has.
    pub(crate) fn file_anew(&self, name: &Name, now: Timestamp) -> bool {
        let Some(mut entry) = self.map.get_mut(name.as_bytes()) else { return false };
        let (name, state) = entry.pair_mut();
        let late = state.bucket() < Bucket::of(state.expiry(), now);
        if late {
            self.indexes.file(name, state, now);
        }
        late
    }
}
