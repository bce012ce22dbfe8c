//! How many different ones there are, in bounded memory: [`Distinct`].

use std::collections::HashSet;

use ring::digest::{SHA256, digest};

/// How many are counted exactly.
const EXACT: usize = 100_000;
/// 2^14 registers: a standard error of 0.8 percent.
const BITS: u32 = 14;

/// A set of texts of which only the size is asked. Exact up to 100,000; beyond that a `HyperLogLog` of 16 KiB.
#[derive(Debug)]
pub(super) enum Distinct {
    Exact(HashSet<u64>),
    Estimated(Box<[u8]>),
}

impl Default for Distinct {
    fn default() -> Self {
        Self::Exact(HashSet::new())
    }
}

impl Distinct {
    /// Adds a text. `kind` tells texts of different meaning apart.
    pub(super) fn add(&mut self, kind: u8, text: &str) {
        self.add_hash(hash(kind, text));
    }

    fn add_hash(&mut self, hash: u64) {
        match self {
            Self::Exact(hashes) => {
                hashes.insert(hash);
                if hashes.len() > EXACT {
                    let mut registers = vec![0; 1 << BITS].into_boxed_slice();
                    for hash in hashes.iter() {
                        register(&mut registers, *hash);
                    }
                    *self = Self::Estimated(registers);
                }
            }
            Self::Estimated(registers) => register(registers, hash),
        }
    }

    /// How many there are, and whether that is an estimate.
    pub(super) fn count(&self) -> (u64, bool) {
        match self {
            Self::Exact(hashes) => (hashes.len() as u64, false),
            Self::Estimated(registers) => (estimate(registers), true),
        }
    }
}

/// 64 bits of SHA-256: two of a million texts are taken for one with a chance of one in 37 million.
fn hash(kind: u8, text: &str) -> u64 {
    let mut bytes = vec![kind];
    bytes.extend_from_slice(text.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest(&SHA256, &bytes).as_ref()[..8]);
    u64::from_le_bytes(first)
}

/// The lower bits choose a register, which keeps the longest run of zeros that the upper ones begin with.
fn register(registers: &mut [u8], hash: u64) {
    // Below 2^14.
    let place = usize::try_from(hash & ((1 << BITS) - 1)).unwrap_or(0);
    let run = ((hash >> BITS) | 1 << (64 - BITS)).trailing_zeros() + 1;
    // At most 51.
    registers[place] = registers[place].max(u8::try_from(run).unwrap_or(u8::MAX));
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate"
)]
fn estimate(registers: &[u8]) -> u64 {
    let size = registers.len() as f64;
    let sum: f64 = registers.iter().map(|run| (-f64::from(*run)).exp2()).sum();
    // Beyond 100,000 the corrections for small and large numbers do not apply: 2.5 registers' worth, and 64 bits.
    (0.7213 / (1.0 + 1.079 / size) * size * size / sum).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(numbers: u64) -> (u64, bool) {
        let mut distinct = Distinct::default();
        for number in 0..numbers {
            distinct.add(0, &number.to_string());
            distinct.add(0, &(number / 2).to_string());
        }
        distinct.count()
    }

    #[test]
    fn exact_up_to_the_bound_then_within_three_percent() {
        assert_eq!(counted(0), (0, false));
        assert_eq!(counted(1000), (1000, false));
        assert_eq!(counted(100_000), (100_000, false));
        for many in [100_001, 250_000] {
            let (count, estimated) = counted(many);
            assert!(estimated && count.abs_diff(many) < many * 3 / 100, "{count} for {many}");
        }
    }

    #[test]
    fn kinds_are_told_apart() {
        let mut distinct = Distinct::default();
        distinct.add(0, "ada");
        distinct.add(1, "ada");
        assert_eq!(distinct.count(), (2, false));
    }
}
