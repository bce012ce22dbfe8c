//! Names by deadline: [`DueIndex`], coarse and lazy. A record is filed in a [`Bucket`] that begins no later than its
//! deadline; activity moves the deadline but not the filing, and a walk that meets such a record files it anew.
//!
//! Walks go through all due buckets at once, in key order. So a record's place in a walk does not depend on its bucket,
//! and filing it anew can't make another walk see it twice or never.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use parking_lot::RwLock;
use strata_core::{Expiry, Timestamp};

use super::{Names, seen};
use crate::name::Name;
use crate::sorted::Sorted;

/// A span of deadlines, by its first one, in units of 1.024 s since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Bucket(u32);

/// A bucket's breadth is about this part of the time a record has left when it is filed, so that there are few of them.
const PARTS: u32 = 64;

impl Bucket {
    /// Of records that never die.
    pub(crate) const NONE: Self = Self(u32::MAX);

    /// The bucket with this number.
    pub(crate) const fn from_stored(number: u32) -> Self {
        Self(number)
    }

    /// Its number.
    pub(crate) const fn to_stored(self) -> u32 {
        self.0
    }

    /// Where a record that dies so is filed at `now`.
    pub(crate) fn of(expiry: &Expiry, now: Timestamp) -> Self {
        let Some(deadline) = expiry.deadline() else { return Self::NONE };
        let due = Self::at(deadline).0;
        let left = due.saturating_sub(Self::at(now).0);
        let breadth = (left / PARTS + 1).next_power_of_two();
        Self(due & !(breadth - 1))
    }

    /// The last bucket that can hold something due at `instant`. Instants past the year 2109 share one bucket.
    pub(crate) fn at(instant: Timestamp) -> Self {
        Self(u32::try_from(instant.as_millis() >> 10).unwrap_or(u32::MAX).min(Self::NONE.0 - 1))
    }
}

/// Every name that has a deadline, once.
#[derive(Default)]
pub(crate) struct DueIndex(RwLock<BTreeMap<u32, Sorted<Name>>>);

impl DueIndex {
    /// Takes a name from one bucket to another; [`Bucket::NONE`] stands for nowhere.
    pub(crate) fn move_to(&self, name: &Name, from: Bucket, to: Bucket) {
        if from == to {
            return;
        }
        let mut buckets = self.0.write();
        if from != Bucket::NONE
            && let Some(names) = buckets.get_mut(&from.0)
        {
            names.remove(|other| other.cmp(name));
            if names.is_empty() {
                buckets.remove(&from.0);
            }
        }
        if to != Bucket::NONE {
            buckets.entry(to.0).or_default().insert(name.clone());
        }
    }

    /// The number of names.
    pub(crate) fn len(&self) -> usize {
        self.0.read().values().map(Sorted::len).sum()
    }

    /// Whether a name is filed in a bucket.
    pub(crate) fn contains(&self, bucket: Bucket, name: &Name) -> bool {
        self.0.read().get(&bucket.0).is_some_and(|names| names.contains(|other| other.cmp(name)))
    }

    /// Names behind `after`, in key order, that may be due at `instant`: their records have to be looked at.
    pub(crate) fn page(&self, instant: Timestamp, after: Option<&[u8]>, limit: usize) -> Names {
        let buckets = self.0.read();
        let mut walks: Vec<_> = buckets
            .range(..=Bucket::at(instant).0)
            .map(|(_, names)| names.from(|name| seen(name, after)))
            .collect();
        if let [walk] = &mut walks[..] {
            return Names::take(walk, limit);
        }
        let head =
            |(index, walk): (usize, &mut _)| Iterator::next(walk).map(|name: &Name| Reverse((name, index)));
        let mut heads: BinaryHeap<_> = walks.iter_mut().enumerate().filter_map(head).collect();
        let mut names = Vec::with_capacity(limit.min(64));
        while names.len() < limit
            && let Some(mut least) = heads.peek_mut()
        {
            let Reverse((name, index)) = *least;
            names.push(name.clone());
            match walks[index].next() {
                Some(next) => *least = Reverse((next, index)),
                None => drop(std::collections::binary_heap::PeekMut::pop(least)),
            }
        }
        Names { names, more: !heads.is_empty() }
    }

    /// The first names to be due, of those wanted, at most `limit`; in the order of their buckets.
    pub(crate) fn nearest(&self, wanted: impl Fn(&Name) -> bool, limit: usize) -> Vec<Name> {
        let buckets = self.0.read();
        let names = buckets.values().flat_map(|names| names.from(|_| false));
        names.filter(|name| wanted(name)).take(limit).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use strata_core::Key;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn a_bucket_begins_before_the_deadline_and_after_now() {
        let now = at(1_767_225_600);
        for left in [0, 1, 63, 64, 65, 1800, 86_400, 2_592_000, 4_000_000_000] {
            let deadline = now.saturating_add(Duration::from_secs(left));
            let bucket = Bucket::of(&Expiry::at(deadline), now);
            assert!(bucket <= Bucket::at(deadline) && bucket >= Bucket::at(now), "{left}");
            let early = Bucket::at(deadline).0 - bucket.0;
            assert!(u64::from(early) <= left / 32, "{left} s are filed {early} early");
        }
        assert_eq!(Bucket::of(&Expiry::NEVER, now), Bucket::NONE);
        assert!(Bucket::of(&Expiry::at(Timestamp::MAX), now) < Bucket::NONE);
    }

    #[test]
    fn pages_run_through_all_due_buckets_in_key_order() {
        let index = DueIndex::default();
        let name = |number: u32| Name::new(&Key::new(&format!("{number:04}")).expect("valid"));
        for number in 0..1000 {
            index.move_to(&name(number), Bucket::NONE, Bucket(number % 7));
        }
        let instant = Timestamp::from_millis(4 << 10);
        let (mut seen, mut after) = (Vec::new(), None::<Name>);
        loop {
            let page = index.page(instant, after.as_ref().map(Name::as_bytes), 64);
            // Filing a name anew within what is due must not show to a walk that has passed it.
            for name in &page.names {
                let number: u32 = name.key().expect("a key").as_str().parse().expect("a number");
                index.move_to(name, Bucket(number % 7), Bucket(4 - number % 7));
            }
            after = page.names.last().cloned();
            seen.extend(page.names);
            if !page.more {
                break;
            }
        }
        let wanted: Vec<Name> = (0..1000).filter(|number| number % 7 <= 4).map(name).collect();
        assert!(seen == wanted, "{} of {}", seen.len(), wanted.len());
        assert_eq!(index.len(), 1000);
    }
}
