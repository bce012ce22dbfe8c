//! Derived keys of other epochs that were read under: [`CipherCache`]. Bounded; read without a lock.

use std::sync::Arc;

use arc_swap::ArcSwap;
use strata_core::KeyId;

use crate::cipher::EpochCipher;
use crate::derive::EpochId;

/// Epochs are random, so their first byte spreads them evenly.
const SHELVES: usize = 64;
/// How many epochs share a shelf.
const SLOTS: usize = 16;

/// At most 1024 ciphers (about 0.6 MB). When a shelf is full its oldest goes; it is derived again when needed.
pub(crate) struct CipherCache([ArcSwap<Shelf>; SHELVES]);

type Shelf = Vec<Arc<EpochCipher>>;

impl CipherCache {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| ArcSwap::default()))
    }

    /// The cipher of this key and epoch, if it is here.
    #[inline]
    pub(crate) fn find(&self, key: KeyId, epoch: &EpochId) -> Option<Arc<EpochCipher>> {
        self.shelf(epoch).load().iter().find(|cipher| cipher.is(key, epoch)).map(Arc::clone)
    }

    /// Keeps a cipher. Only those that have opened something are kept, so made-up epochs push nothing out.
    pub(crate) fn keep(&self, cipher: &Arc<EpochCipher>) {
        self.shelf(&cipher.epoch).rcu(|shelf| {
            let mut next: Shelf = Vec::with_capacity(SLOTS);
            next.extend(shelf.iter().filter(|kept| !kept.is(cipher.key, &cipher.epoch)).map(Arc::clone));
            if next.len() == SLOTS {
                next.remove(0);
            }
            next.push(Arc::clone(cipher));
            next
        });
    }

    /// Drops every cipher of a key that was taken out of the keyset.
    pub(crate) fn forget(&self, gone: impl Fn(KeyId) -> bool) {
        for shelf in &self.0 {
            shelf.rcu(|shelf| {
                shelf.iter().filter(|cipher| !gone(cipher.key)).map(Arc::clone).collect::<Shelf>()
            });
        }
    }

    fn shelf(&self, epoch: &EpochId) -> &ArcSwap<Shelf> {
        &self.0[usize::from(epoch[0]) % SHELVES]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MasterKey, SystemRandom};

    #[test]
    fn the_cache_is_bounded_and_forgets_the_oldest() {
        let master = MasterKey::generate(&SystemRandom::new()).expect("key");
        let cache = CipherCache::new();
        let epoch = |number: u8| [7, number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let id = KeyId::new(1);
        for number in 0..20 {
            let cipher = Arc::new(EpochCipher::derive(id, &master, epoch(number)));
            cache.keep(&cipher);
            cache.keep(&cipher);
        }
        assert_eq!(cache.shelf(&epoch(0)).load().len(), SLOTS);
        assert!(cache.find(id, &epoch(3)).is_none() && cache.find(id, &epoch(4)).is_some());
        assert!(cache.find(KeyId::new(2), &epoch(19)).is_none());
        cache.forget(|key| key == id);
        assert!(cache.find(id, &epoch(19)).is_none());
    }
}
