//! The key that members of a group share, and what is derived from it: [`GroupKey`]. HKDF-SHA256 (RFC 5869).

use std::fmt;

use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use ring::hkdf;
use strata_core::{Error, ErrorKind, Random, Result};
use zeroize::Zeroizing;

/// Separates the ciphers of instances from every other use of the key.
const CIPHER: &[&[u8]] = &[b"strata group aes-256-gcm v1"];
/// Separates the key's public name.
const NAME: &[&[u8]] = &[b"strata group key name v1"];

/// How many bytes name a key in public.
pub(crate) const NAME_LEN: usize = 8;

/// The secret of a group: whoever holds it is a member, can read every message, and can speak as any other member. 32 bytes that cannot
/// be printed and are wiped when dropped.
#[derive(Clone)]
pub struct GroupKey(Zeroizing<[u8; 32]>);

impl GroupKey {
    /// How long a key is, in bytes.
    pub const LEN: usize = 32;

    /// A new key. Give it to every member by a road of your own: a file that only the user reads, a keyring, a secret of the deployment.
    pub fn generate(random: &dyn Random) -> Result<Self> {
        let mut key = Zeroizing::new([0; Self::LEN]);
        random.fill(&mut *key)?;
        Ok(Self(key))
    }

    /// The key of these bytes, which must come from a generator: a passphrase is not one.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] unless they are 32 and not all alike.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let key: [u8; Self::LEN] = bytes.try_into().map_err(|_| refused("has another length"))?;
        if key.iter().all(|byte| *byte == key[0]) {
            return Err(refused("is one byte repeated"));
        }
        Ok(Self(Zeroizing::new(key)))
    }

    /// The bytes, to be kept where secrets are kept.
    pub fn expose(&self) -> Zeroizing<[u8; 32]> {
        self.0.clone()
    }

    /// The cipher of the sender that drew `salt`.
    pub(crate) fn cipher(&self, salt: &[u8; 32]) -> LessSafeKey {
        // RFC 5869 allows 255 hashes of output; a cipher takes one.
        let key =
            UnboundKey::from(self.extract(salt).expand(CIPHER, &AES_256_GCM).expect("32 bytes are few"));
        LessSafeKey::new(key)
    }

    /// What tells this key from another in public, and tells nothing about either.
    pub(crate) fn name(&self) -> [u8; NAME_LEN] {
        let mut name = [0; NAME_LEN];
        // As above: less than one hash of output.
        self.extract(&[]).expand(NAME, Short).and_then(|okm| okm.fill(&mut name)).expect("8 bytes are few");
        name
    }

    fn extract(&self, salt: &[u8]) -> hkdf::Prk {
        hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(&*self.0)
    }
}

impl fmt::Debug for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GroupKey(..)")
    }
}

/// As many bytes as a name has.
struct Short;

impl hkdf::KeyType for Short {
    fn len(&self) -> usize {
        NAME_LEN
    }
}

#[cold]
fn refused(why: &str) -> Error {
    Error::new(
        ErrorKind::Invalid,
        "read group key",
        format!("a group key is 32 bytes from a generator; this one {why}. `GroupKey::generate` makes one"),
    )
}
