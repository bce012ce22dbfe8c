//! The system's generator as Strata's source of randomness: [`SystemRandom`].

use std::fmt;

use ring::rand::SecureRandom as _;
use strata_core::{Error, ErrorKind, Random, Result};

/// The generator of the operating system (ASVS 11.5.1). About half a microsecond a call: for keys, epochs and tokens, not
/// for every record.
#[derive(Clone)]
pub struct SystemRandom(ring::rand::SystemRandom);

impl SystemRandom {
    /// The system's generator.
    pub fn new() -> Self {
        Self(ring::rand::SystemRandom::new())
    }
}

impl Default for SystemRandom {
    fn default() -> Self {
        Self::new()
    }
}

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        self.0.fill(bytes).map_err(|_| {
            Error::new(
                ErrorKind::Unavailable,
                "draw random bytes",
                "the system's generator gave nothing; retry, and check the sandbox's access to it",
            )
        })
    }
}

impl fmt::Debug for SystemRandom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SystemRandom")
    }
}

/// `N` bytes that nobody can predict.
pub(crate) fn draw<const N: usize>(random: &dyn Random) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    random.fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ() {
        let random = SystemRandom::new();
        let first: [u8; 32] = draw(&random).expect("random");
        assert_ne!(first, draw::<32>(&random).expect("random"));
        assert_ne!(first, [0; 32]);
    }
}
