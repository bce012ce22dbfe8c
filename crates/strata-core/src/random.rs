//! Where randomness comes from: [`Random`]. Injected, because core knows no generator of its own.

use std::fmt;

use crate::bounds::{MaybeSend, MaybeSync};
use crate::error::{Error, ErrorKind, Result};

/// A source of bytes that nobody can predict: the system's generator in programs, a seeded one in tests.
pub trait Random: fmt::Debug + MaybeSend + MaybeSync + 'static {
    /// Fills `bytes`. A failure is [`ErrorKind::Unavailable`]; nobody may go on with what was not filled.
    fn fill(&self, bytes: &mut [u8]) -> Result<()>;
}

/// The source of a handle that was given none: it fails with the way out.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoRandom;

impl Random for NoRandom {
    fn fill(&self, _bytes: &mut [u8]) -> Result<()> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "draw random bytes",
            "this handle has no source of randomness; give its builder one, such as `strata_crypto::SystemRandom`",
        ))
    }
}
