//! All states in memory, in the order of their names' hashes: [`Index`], and the digests over it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::fmt;

use ring::digest::{Context, SHA256, digest};
use serde::{Deserialize, Serialize};
use strata_core::Key;

use super::record::Stored;
use super::state::State;

/// The first half of the SHA-256 of a key's name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct NameHash([u8; 16]);

impl NameHash {
    pub(super) const FIRST: Self = Self([0; 16]);
    pub(super) const LAST: Self = Self([255; 16]);

    pub(super) fn of(key: &Key) -> Self {
        let mut half = [0; 16];
        half.copy_from_slice(&digest(&SHA256, key.as_bytes()).as_ref()[..16]);
        Self(half)
    }

    /// The first and last hash that begin with `prefix`.
    pub(super) fn range(prefix: &[u8]) -> (Self, Self) {
        let (mut first, mut last) = (Self::FIRST, Self::LAST);
        first.0[..prefix.len()].copy_from_slice(prefix);
        last.0[..prefix.len()].copy_from_slice(prefix);
        (first, last)
    }

    /// The next one, if there is one.
    pub(super) fn next(self) -> Option<Self> {
        u128::from_be_bytes(self.0).checked_add(1).map(|next| Self(next.to_be_bytes()))
    }
}

impl fmt::Debug for NameHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What is known of one key.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) state: State,
    /// Whether the record of its life is here.
    pub(super) held: bool,
    /// Until when a life that is not here is remembered.
    pub(super) until: u64,
}

impl Entry {
    /// What peers are told in digests: a life that is only remembered is not part of it.
    pub(super) fn told(&self) -> State {
        State { removed: self.state.removed, life: self.state.life.filter(|_| self.held) }
    }
}

/// The states of all keys of one store.
#[derive(Debug)]
pub(super) struct Index {
    entries: BTreeMap<NameHash, Entry>,
    /// For each first byte, the hashes of its entries combined: kept, so that a digest that agrees costs nothing.
    roots: Vec<u64>,
    tombstones: usize,
}

/// How many parts a digest has.
pub(super) const FANOUT: usize = 256;

impl Index {
    pub(super) fn new() -> Self {
        Self { entries: BTreeMap::new(), roots: vec![0; FANOUT], tombstones: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn tombstones(&self) -> usize {
        self.tombstones
    }

    pub(super) fn get(&self, hash: NameHash) -> Option<&Entry> {
        self.entries.get(&hash)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (NameHash, &Entry)> {
        self.entries.iter().map(|(hash, entry)| (*hash, entry))
    }

    pub(super) fn range(&self, first: NameHash, last: NameHash) -> impl Iterator<Item = (NameHash, &Entry)> {
        // Asked for the other way round, a map would panic.
        let last = last.max(first);
        self.entries.range(first..=last).map(|(hash, entry)| (*hash, entry))
    }

    /// Takes up what the store now says of a key.
    pub(super) fn put(&mut self, key: &Key, stored: &Stored) {
        let hash = NameHash::of(key);
        let entry = Entry {
            key: key.clone(),
            state: stored.state(),
            held: stored.life.is_some_and(|life| life.held),
            until: stored.life.map_or(0, |life| life.latest),
        };
        let before = match self.entries.entry(hash) {
            Slot::Occupied(slot) if stored.is_nothing() => Some(slot.remove()),
            Slot::Occupied(mut slot) => Some(slot.insert(entry)),
            Slot::Vacant(_) if stored.is_nothing() => None,
            Slot::Vacant(slot) => {
                slot.insert(entry);
                None
            }
        };
        let told = self.entries.get(&hash).map(Entry::told).unwrap_or_default();
        let was = before.map(|entry| entry.told()).unwrap_or_default();
        self.roots[usize::from(hash.0[0])] ^= fingerprint(hash, was) ^ fingerprint(hash, told);
        self.tombstones -= usize::from(was.removed.is_some());
        self.tombstones += usize::from(told.removed.is_some());
    }

    /// One number for each of the 256 parts below `prefix`, of at most two bytes.
    pub(super) fn digest(&self, prefix: &[u8]) -> Vec<u64> {
        if prefix.is_empty() {
            return self.roots.clone();
        }
        let mut parts = vec![0; FANOUT];
        let (first, last) = NameHash::range(prefix);
        for (hash, entry) in self.range(first, last) {
            parts[usize::from(hash.0[prefix.len()])] ^= fingerprint(hash, entry.told());
        }
        parts
    }

    /// One number for all of it.
    pub(super) fn root(&self) -> u64 {
        let mut context = Context::new(&SHA256);
        self.roots.iter().for_each(|part| context.update(&part.to_be_bytes()));
        first_word(context.finish().as_ref())
    }
}

/// A number for one entry; zero for one that peers are not told of.
fn fingerprint(hash: NameHash, state: State) -> u64 {
    if state.is_empty() {
        return 0;
    }
    let mut context = Context::new(&SHA256);
    context.update(&hash.0);
    context.update(&[u8::from(state.removed.is_some()), u8::from(state.life.is_some())]);
    for stamp in state.stamps() {
        let (millis, count, origin) = stamp.parts();
        context.update(&millis.to_be_bytes());
        context.update(&count.to_be_bytes());
        context.update(&origin.to_be_bytes());
    }
    first_word(context.finish().as_ref())
}

fn first_word(hash: &[u8]) -> u64 {
    hash.iter().take(8).fold(0, |word, byte| word << 8 | u64::from(*byte))
}
