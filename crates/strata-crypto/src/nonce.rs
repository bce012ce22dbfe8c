//! No key and nonce pair twice: [`Nonces`], [`Epoch`]. (ASVS 11.3.4, SP 800-38D)
//!
//! Every open draws a fresh 16-byte epoch and derives its own cipher from it. So processes, crashes, restored backups and copies
//! of stopped machines never share one, and within an epoch a counter is enough. A forked child sees that it is one and draws an epoch
//! too; and an epoch ends before 2^32 messages.
//!
//! What is left with [`Nonces::Counter`]: a *running* machine is snapshotted, and two copies go on from the same memory. Both then
//! count on in the same epoch, and two different values can meet under one nonce. Where that happens, choose [`Nonces::Synthetic`].

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use ring::hmac;
use strata_core::{Random, Result};

use crate::cipher::EpochCipher;
use crate::derive::nonce_key;
use crate::fork::{Detector, Mark};
use crate::keyset::Entry;
use crate::random::draw;
use crate::room::Scheme;

/// How nonces are chosen.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nonces {
    /// A counter within an epoch of this process: 25 bytes a record, no cost. Safe across processes, crashes, forks and copies of
    /// stopped machines. Not safe when the memory of a running program is cloned and both clones go on writing.
    #[default]
    Counter,
    /// A keyed hash of epoch, counter, key and value: 33 bytes a record, and a hash over the value:
    /// sealing half a kilobyte takes three to four times as long, opening no longer. Safe also when a
    /// running machine is cloned: two clones meet in a nonce only where they seal the same bytes in the same place.
    Synthetic,
}

impl Nonces {
    pub(crate) const fn scheme(self) -> Scheme {
        match self {
            Self::Counter => Scheme::Counter,
            Self::Synthetic => Scheme::Synthetic,
        }
    }
}

/// What is needed to draw an epoch, and how long one lasts.
#[derive(Clone, Debug)]
pub(crate) struct Drawing {
    pub(crate) nonces: Nonces,
    pub(crate) detector: Detector,
    /// How many messages an epoch seals; at least one.
    pub(crate) limit: u64,
}

impl Drawing {
    /// Under 2^32 messages: what a 32-bit counter can tell apart, and SP 800-38D's bound for nonces from a generator.
    pub(crate) const LIMIT: u64 = u32::MAX as u64;

    pub(crate) fn new(nonces: Nonces) -> Self {
        Self { nonces, detector: Detector::default(), limit: Self::LIMIT }
    }
}

/// A derived key that this process seals under, and the counter of its messages.
pub(crate) struct Epoch {
    pub(crate) cipher: EpochCipher,
    mac: Option<hmac::Key>,
    used: AtomicU64,
    limit: u64,
    mark: Mark,
}

impl Epoch {
    /// A fresh epoch of `entry`'s key.
    pub(crate) fn draw(drawing: &Drawing, entry: &Entry, random: &dyn Random) -> Result<Self> {
        // Marked first: a fork between the two lines is noticed.
        let mark = drawing.detector.mark()?;
        let epoch = draw(random)?;
        let mac = (drawing.nonces == Nonces::Synthetic).then(|| nonce_key(&entry.master, &epoch));
        let cipher = EpochCipher::derive(entry.id, &entry.master, epoch);
        Ok(Self { cipher, mac, used: AtomicU64::new(0), limit: drawing.limit.min(Drawing::LIMIT), mark })
    }

    /// The next number, given out once. `None`: the epoch is used up, or this process is a child that inherited it.
    #[inline]
    pub(crate) fn next(&self) -> Option<u32> {
        if !self.mark.is_here() {
            return None;
        }
        // Only uniqueness matters, not order. 64 bits do not wrap.
        let number = self.used.fetch_add(1, Ordering::Relaxed);
        // The limit is under 2^32.
        (number < self.limit).then(|| u32::try_from(number).ok()).flatten()
    }

    /// The synthetic nonce of a message, if this epoch has such: HMAC-SHA256 of epoch ‖ counter ‖ length of what is bound ‖ what is
    /// bound ‖ body, its first 12 bytes. `prefix` is header and room up to the nonce.
    pub(crate) fn synthetic(
        &self,
        counter: u32,
        prefix: &[u8],
        name: &[u8],
        body: &[u8],
    ) -> Option<[u8; 12]> {
        let mut mac = hmac::Context::with_key(self.mac.as_ref()?);
        mac.update(&self.cipher.epoch);
        mac.update(&counter.to_le_bytes());
        mac.update(&((prefix.len() + name.len()) as u64).to_le_bytes());
        for part in [prefix, name, body] {
            mac.update(part);
        }
        mac.sign().as_ref().first_chunk().copied()
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Epoch").field("used", &self.used).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    use strata_core::Timestamp;

    use super::*;
    use crate::{Keyset, SystemRandom};

    fn epoch(drawing: &Drawing) -> Epoch {
        let random = SystemRandom::new();
        let keyset = Keyset::generate(&random, Timestamp::EPOCH).expect("keyset");
        Epoch::draw(drawing, &keyset.entries()[0], &random).expect("epoch")
    }

    #[test]
    fn s27_an_epoch_ends_at_its_limit_and_stays_ended() {
        let drawing = Drawing { limit: 3, ..Drawing::new(Nonces::Counter) };
        let epoch = epoch(&drawing);
        assert_eq!(std::array::from_fn(|_| epoch.next()), [Some(0), Some(1), Some(2), None, None]);
    }

    #[test]
    fn s27_no_limit_reaches_two_to_the_32() {
        let epoch = epoch(&Drawing { limit: u64::MAX, ..Drawing::new(Nonces::Counter) });
        epoch.used.store(u64::from(u32::MAX) - 1, Ordering::SeqCst);
        assert_eq!(epoch.next(), Some(u32::MAX - 1));
        assert_eq!(epoch.next(), None, "2^32 - 1 messages were sealed");
    }

    #[test]
    fn s27_a_child_draws_nothing_from_its_parents_epoch() {
        let forks = Arc::new(AtomicUsize::new(0));
        let detector = Detector::Injected(Arc::clone(&forks));
        let epoch = epoch(&Drawing { detector, ..Drawing::new(Nonces::Counter) });
        assert_eq!(epoch.next(), Some(0));
        forks.fetch_add(1, Ordering::SeqCst);
        assert_eq!([epoch.next(), epoch.next()], [None, None], "asked twice, told twice");
    }

    #[test]
    fn s27_synthetic_nonces_differ_with_everything_that_is_sealed() {
        let epoch = epoch(&Drawing::new(Nonces::Synthetic));
        let nonces = [
            epoch.synthetic(0, b"header", b"key", b"value"),
            epoch.synthetic(1, b"header", b"key", b"value"),
            epoch.synthetic(0, b"heaser", b"key", b"value"),
            epoch.synthetic(0, b"header", b"kez", b"value"),
            epoch.synthetic(0, b"header", b"key", b"valuf"),
            epoch.synthetic(0, b"header", b"ke", b"yvalue"),
        ];
        for (index, nonce) in nonces.iter().enumerate() {
            assert!(nonce.is_some() && !nonces[index + 1..].contains(nonce), "{index}");
        }
        assert_eq!(
            nonces[0],
            epoch.synthetic(0, b"header", b"key", b"value"),
            "the same bytes in the same place"
        );
    }
}
