//! When this store last agreed with whom: [`Contacts`], and what follows from having been out of touch for too long.

use std::collections::BTreeMap;
use std::time::Duration;

use strata_core::Timestamp;

use super::stamp::Stamp;

/// For each peer, the stamp of the last digest of its that agreed with ours: at that instant both held the same.
#[derive(Debug, Default)]
pub(super) struct Contacts {
    last: BTreeMap<u64, Contact>,
}

#[derive(Clone, Copy, Debug)]
struct Contact {
    stamp: Stamp,
    /// What the store remembers of it, and what was agreed on then.
    written: Option<(Stamp, u64)>,
}

impl Contacts {
    /// How many peers are remembered: those agreed with last.
    const KEPT: usize = 256;

    pub(super) fn restored(contacts: &[(u64, Stamp)]) -> Self {
        let last = contacts.iter().map(|(origin, stamp)| (*origin, Contact { stamp: *stamp, written: None }));
        Self { last: last.collect() }
    }

    /// Digests agreed on `root`. Says whether the store has to learn of it: not while both stay as they were, but every so often.
    pub(super) fn agree(&mut self, origin: u64, stamp: Stamp, root: u64, often: Duration) -> bool {
        let contact = self.last.entry(origin).or_insert(Contact { stamp, written: None });
        contact.stamp = contact.stamp.max(stamp);
        let due = contact.written.is_none_or(|(written, was)| {
            was != root || u128::from(stamp.millis().saturating_sub(written.millis())) >= often.as_millis()
        });
        while self.last.len() > Self::KEPT {
            let oldest = self.last.iter().min_by_key(|(_, contact)| contact.stamp).map(|(origin, _)| *origin);
            oldest.and_then(|origin| self.last.remove(&origin));
        }
        due
    }

    /// The store has learnt of all.
    pub(super) fn written(&mut self, root: u64) {
        for contact in self.last.values_mut() {
            contact.written = Some((contact.stamp, root));
        }
    }

    pub(super) fn to_stored(&self) -> Vec<(u64, Stamp)> {
        self.last.iter().map(|(origin, contact)| (*origin, contact.stamp)).collect()
    }

    pub(super) fn forget(&mut self) {
        self.last.clear();
    }

    /// The last agreement with anybody.
    pub(super) fn latest(&self) -> Option<Stamp> {
        self.last.values().map(|contact| contact.stamp).max()
    }

    /// Whether there ever was agreement with this peer.
    pub(super) fn knows(&self, origin: u64) -> bool {
        self.last.contains_key(&origin)
    }

    /// Whether there was agreement with anybody, but none for too long.
    pub(super) fn is_apart(&self, now: Timestamp, after: Duration) -> bool {
        self.latest().is_some_and(|stamp| is_old(stamp, now, after))
    }

    /// The last agreement with this very peer, if it is too long ago: what was born until then and is missing on one side has ended there.
    pub(super) fn stale_with(&self, origin: u64, now: Timestamp, after: Duration) -> Option<Stamp> {
        self.last.get(&origin).map(|contact| contact.stamp).filter(|stamp| is_old(*stamp, now, after))
    }

    /// The last agreement with a peer, or with anybody if it is unknown, if that is too long ago: what was born until then may have ended elsewhere.
    pub(super) fn stale(&self, origin: u64, now: Timestamp, after: Duration) -> Option<Stamp> {
        let last = self.last.get(&origin).map(|contact| contact.stamp).or_else(|| self.latest());
        last.filter(|stamp| is_old(*stamp, now, after))
    }
}

fn is_old(stamp: Stamp, now: Timestamp, after: Duration) -> bool {
    now.since(Timestamp::from_millis(stamp.millis())) > after
}
