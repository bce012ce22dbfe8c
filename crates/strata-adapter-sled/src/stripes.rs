//! Who may touch which keys just now: 256 locks, each for the keys that hash to it, always taken in ascending order.

use std::fmt;

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use smallvec::SmallVec;

const COUNT: usize = 256;

/// The locks.
pub(crate) struct Stripes(Box<[RwLock<()>; COUNT]>);

/// Locks of a commit; dropping them lets others go on.
pub(crate) type Held<'a> = SmallVec<[RwLockWriteGuard<'a, ()>; 1]>;
/// Locks of a consistent read.
pub(crate) type Shared<'a> = SmallVec<[RwLockReadGuard<'a, ()>; 1]>;

impl Stripes {
    pub(crate) fn new() -> Self {
        Self(Box::new([const { RwLock::new(()) }; COUNT]))
    }

    /// Locks keys for a commit. No other commit and no consistent read touches them meanwhile.
    pub(crate) fn hold<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) -> Held<'_> {
        Set::of(keys).map(|stripe| self.0[stripe].write()).collect()
    }

    /// Locks keys for a read of a moment in which no commit is halfway.
    pub(crate) fn share<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) -> Shared<'_> {
        Set::of(keys).map(|stripe| self.0[stripe].read()).collect()
    }
}

impl fmt::Debug for Stripes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stripes")
    }
}

/// A set of stripes, given out in ascending order and each once: so no two commits can wait for each other.
struct Set([u64; COUNT / 64]);

impl Set {
    fn of<'k>(keys: impl Iterator<Item = &'k [u8]>) -> Self {
        let mut set = [0; COUNT / 64];
        for key in keys {
            let stripe = crc32c::crc32c(key) as usize % COUNT;
            set[stripe / 64] |= 1 << (stripe % 64);
        }
        Self(set)
    }
}

impl Iterator for Set {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let word = self.0.iter().position(|&word| word != 0)?;
        let bit = self.0[word].trailing_zeros() as usize;
        self.0[word] &= self.0[word] - 1;
        Some(word * 64 + bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripes_come_in_order_and_once() {
        let keys: Vec<String> = (0..1_000).map(|number| format!("key {number}")).collect();
        let twice = keys.iter().chain(&keys).map(String::as_bytes);
        let stripes: Vec<usize> = Set::of(twice).collect();
        assert!(stripes.is_sorted_by(|left, right| left < right));
        assert!(stripes.len() > 200, "keys spread over {} stripes", stripes.len());
    }

    #[test]
    fn held_keys_keep_others_out() {
        let stripes = Stripes::new();
        let held = stripes.hold([&b"a"[..], b"b"].into_iter());
        assert_eq!(held.len(), 2);
        let stripe = crc32c::crc32c(b"a") as usize % COUNT;
        assert!(stripes.0[stripe].try_read().is_none());
        drop(held);
        let shared = stripes.share([&b"a"[..]].into_iter());
        assert!(stripes.0[stripe].try_read().is_some());
        assert!(stripes.0[stripe].try_write().is_none());
        drop(shared);
    }
}
