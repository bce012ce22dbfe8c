//! The copy itself: [`Held`], a sharded map of values with their deadlines. Only the follower writes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ahash::RandomState;
use dashmap::DashMap;
use strata_core::{Clock, Info, Timestamp, Version};

/// No deadline.
const NEVER: u64 = u64::MAX;

/// Values by their names in the collection.
pub(super) struct Held<T> {
    map: DashMap<Box<str>, Slot<T>, RandomState>,
    most: usize,
    /// Whether a name that is not here is nowhere.
    complete: AtomicBool,
}

struct Slot<T> {
    value: Arc<T>,
    /// In milliseconds.
    deadline: u64,
    /// Whether activity in the store may have moved the deadline unheard.
    slides: bool,
    version: Version,
    round: u64,
}

/// What is under a name.
pub(super) enum Found<T> {
    Alive(Arc<T>),
    /// Its end has come, and nothing moves it.
    Dead,
    /// Its end has come, as far as is known here.
    Overdue,
    Nothing,
}

/// What became of a value to be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    Same,
    Changed,
    /// There is no room.
    LeftOut,
}

impl<T> Held<T> {
    pub(super) fn new(most: usize) -> Self {
        Self { map: DashMap::default(), most, complete: AtomicBool::new(false) }
    }

    #[inline]
    pub(super) fn get(&self, name: &str, clock: &dyn Clock) -> Found<T> {
        let Some(slot) = self.map.get(name) else { return Found::Nothing };
        if slot.deadline == NEVER || clock.now().as_millis() < slot.deadline {
            return Found::Alive(Arc::clone(&slot.value));
        }
        if slot.slides { Found::Overdue } else { Found::Dead }
    }

    pub(super) fn entries(&self, now: Timestamp) -> Vec<(String, Arc<T>)> {
        let alive = self.map.iter().filter(|slot| now.as_millis() < slot.deadline);
        alive.map(|slot| (slot.key().to_string(), Arc::clone(&slot.value))).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.map.len()
    }

    /// Puts in what a read found, as part of this round.
    pub(super) fn put(&self, name: &str, value: T, info: &Info, round: u64) -> Put {
        let expiry = info.expiry;
        let slot = Slot {
            value: Arc::new(value),
            deadline: expiry.deadline().map_or(NEVER, Timestamp::as_millis),
            slides: expiry.idle_time().is_some() && expiry.deadline() != expiry.not_after(),
            version: info.version,
            round,
        };
        if let Some(mut old) = self.map.get_mut(name) {
            let same = old.version == slot.version;
            *old = slot;
            return if same { Put::Same } else { Put::Changed };
        }
        if self.map.len() >= self.most {
            self.complete.store(false, Ordering::Release);
            return Put::LeftOut;
        }
        self.map.insert(name.into(), slot);
        Put::Changed
    }

    /// Says whether it was there.
    pub(super) fn remove(&self, name: &str) -> bool {
        self.map.remove(name).is_some()
    }

    /// Drops what no read of this round found. Says how many.
    pub(super) fn keep_only(&self, round: u64) -> usize {
        let before = self.map.len();
        self.map.retain(|_, slot| slot.round == round);
        before - self.map.len()
    }

    /// Drops what is dead for certain, and names what slides and would end before `soon`.
    pub(super) fn check(&self, now: Timestamp, soon: Timestamp) -> Vec<Box<str>> {
        self.map.retain(|_, slot| slot.slides || now.as_millis() < slot.deadline);
        let due = self.map.iter().filter(|slot| slot.slides && slot.deadline <= soon.as_millis());
        due.map(|slot| slot.key().clone()).collect()
    }

    pub(super) fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    pub(super) fn set_complete(&self, complete: bool) {
        self.complete.store(complete, Ordering::Release);
    }
}
