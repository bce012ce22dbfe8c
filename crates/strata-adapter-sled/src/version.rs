//! Version numbers that are never given out twice, also not after a crash: [`Versions`], a lease from the store.
//!
//! The store holds a number above all numbers in use, written out before any number under it is given out. An open starts
//! from there; numbers that a crash left unused are skipped.

use std::sync::atomic::{AtomicU64, Ordering};

use strata_core::{Result, Version};

use crate::engine::Engine;
use crate::error::damaged;
use crate::format::{frame, meta_name, unframe};

/// How many numbers one lease holds. At two million commits a second, 64 bits last for a hundred thousand years.
const LEASE: u64 = 1 << 20;

/// The numbers of one open store.
#[derive(Debug)]
pub(crate) struct Versions {
    next: AtomicU64,
    limit: AtomicU64,
}

impl Versions {
    /// Goes on from the stored lease; after a repair from `repaired`, if that is higher or the lease is damaged. No number
    /// is given out before [`Versions::extend`] and a flush.
    pub(crate) fn load(engine: &Engine, repaired: Option<u64>) -> Result<Self> {
        let limit = match (read_lease(engine), repaired) {
            (Ok(limit), repaired) => limit.max(repaired.unwrap_or(0)),
            (Err(_), Some(repaired)) => repaired,
            (Err(error), None) => return Err(error),
        };
        Ok(Self { next: AtomicU64::new(limit), limit: AtomicU64::new(limit) })
    }

    /// The next number, if the lease holds one.
    pub(crate) fn take(&self) -> Option<Version> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < self.limit.load(Ordering::Acquire)).then_some(Version::new(number))
    }

    /// Whether the lease is half used up.
    pub(crate) fn is_low(&self) -> bool {
        let next = self.next.load(Ordering::Relaxed);
        next.saturating_add(LEASE / 2) >= self.limit.load(Ordering::Acquire)
    }

    /// Writes a longer lease. It counts once it is flushed and [`Versions::grant`] is called with it.
    pub(crate) fn extend(&self, engine: &Engine) -> Result<u64> {
        let used = self.next.load(Ordering::Relaxed).max(self.limit.load(Ordering::Acquire));
        let limit = used.saturating_add(LEASE);
        let name = meta_name("lease");
        engine.insert(&name, frame(&name, &limit.to_le_bytes()))?;
        Ok(limit)
    }

    /// Makes numbers up to `limit` available.
    pub(crate) fn grant(&self, limit: u64) {
        self.limit.fetch_max(limit, Ordering::AcqRel);
    }
}

fn read_lease(engine: &Engine) -> Result<u64> {
    let name = meta_name("lease");
    let Some(framed) = engine.get(&name)? else { return Ok(1) };
    let bytes = unframe(&name, &framed, "the version lease")?;
    Ok(u64::from_le_bytes(bytes.try_into().map_err(|_| damaged("the version lease"))?))
}
