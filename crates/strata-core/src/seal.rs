//! The sealing ingredient: [`Seal`], which turns an envelope's body unreadable and back. Ciphers live in `strata-crypto`.

use std::fmt;

use crate::bounds::{MaybeSend, MaybeSync};
use crate::error::Result;
use crate::key::Key;

/// How what is stored is protected from somebody who can read the storage. Ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protection {
    /// Not at all.
    Plaintext,
    /// Sealed under a key that the program, a file, the environment or a passphrase gave.
    Sealed,
    /// Sealed under a key that the operating system's keyring guards.
    OsKeyring,
}

/// The public name of a key in a keyset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u32);

impl KeyId {
    /// The id with this number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// Seals and opens envelopes in place.
///
/// An envelope is `header ‖ room ‖ body`: core writes the header and the body, the seal writes `room`
/// (its scheme, key id, epoch, nonce) and what it appends. Header, room and the record's key are authenticated; so a sealed
/// envelope can't be moved to another key, downgraded, or given a later cap than its header has.
pub trait Seal: fmt::Debug + MaybeSend + MaybeSync + 'static {
    /// How many bytes [`Seal::seal`] needs between header and body.
    fn room(&self) -> usize;

    /// Seals `envelope`, whose body starts at `header + self.room()`, under the primary key or under `with`.
    fn seal(&self, with: Option<KeyId>, key: &Key, envelope: &mut Vec<u8>, header: usize) -> Result<()>;

    /// Opens `envelope`, whose header ends at `header`, into `scratch` and gives back the body, which lies in it.
    /// Missing key, wrong key, corrupt data and an unknown scheme are different errors.
    fn open<'s>(
        &self,
        key: &Key,
        envelope: &[u8],
        header: usize,
        scratch: &'s mut Vec<u8>,
    ) -> Result<&'s [u8]>;

    /// The id of the key that `envelope` is sealed under, whether or not the keyset has it.
    fn sealed_under(&self, envelope: &[u8], header: usize) -> Result<KeyId>;

    /// The id of the key that new envelopes are sealed under.
    fn primary(&self) -> KeyId;

    /// What the keys themselves are guarded by.
    fn protection(&self) -> Protection;
}
