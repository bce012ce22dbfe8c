//! Master keys and their check values: [`MasterKey`], [`CheckValue`]. Wiped when dropped, never printed, compared in
//! constant time.

use std::fmt;

use ring::hmac;
use strata_core::{Error, ErrorKind, Random, Result};
use zeroize::{Zeroize as _, Zeroizing};

use crate::hex;

/// What a check value is the keyed hash of.
const CHECK: &[u8] = b"strata key check v1";

/// 32 secret bytes that ciphers are derived from. They seal nothing themselves.
///
/// The bytes are wiped when the key is dropped, also on the way out of a panic. What `ring` expands from them (round keys, inner
/// hash states) is not: it has no way to, so a memory dump of a live process shows keys whatever we do.
pub struct MasterKey(Box<Zeroizing<[u8; Self::LEN]>>);

impl MasterKey {
    /// The length of a key, in bytes.
    pub const LEN: usize = 32;

    /// A key from bytes that somebody else drew from a good generator. The caller wipes its copy. 32 equal bytes are
    /// [`ErrorKind::Invalid`]: that is a key that was never filled.
    pub fn new(bytes: &[u8; Self::LEN]) -> Result<Self> {
        if bytes.iter().all(|byte| *byte == bytes[0]) {
            return Err(Error::new(
                ErrorKind::Invalid,
                "read key",
                "the key is one byte 32 times; draw one, for example with `openssl rand -base64 32`",
            ));
        }
        Ok(Self::copied(bytes))
    }

    /// A fresh key.
    pub fn generate(random: &dyn Random) -> Result<Self> {
        let mut bytes = [0; Self::LEN];
        let key = random.fill(&mut bytes).and_then(|()| Self::new(&bytes));
        bytes.zeroize();
        key
    }

    /// The public value that tells this key from every other: the first half of HMAC-SHA256 of a constant. It reveals
    /// nothing of the key and is kept in store headers.
    pub fn check(&self) -> CheckValue {
        let tag = hmac::sign(&self.as_hmac(), CHECK);
        let mut check = [0; CheckValue::LEN];
        check.copy_from_slice(&tag.as_ref()[..CheckValue::LEN]);
        CheckValue(check)
    }

    pub(crate) fn bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    fn copied(bytes: &[u8; Self::LEN]) -> Self {
        // Filled where it lies on the heap: a move of the key copies a pointer, not the secret.
        let mut key = Box::new(Zeroizing::new([0; Self::LEN]));
        key.copy_from_slice(bytes);
        Self(key)
    }

    fn as_hmac(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.bytes())
    }
}

impl Clone for MasterKey {
    fn clone(&self) -> Self {
        Self::copied(self.bytes())
    }
}

impl PartialEq for MasterKey {
    /// In constant time: the keyed hashes are compared, by `ring`, not the bytes.
    fn eq(&self, other: &Self) -> bool {
        let tag = hmac::sign(&other.as_hmac(), CHECK);
        hmac::verify(&self.as_hmac(), CHECK, tag.as_ref()).is_ok()
    }
}

impl Eq for MasterKey {}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(secret)")
    }
}

/// What is known in public of a key: whether two are the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CheckValue([u8; Self::LEN]);

impl CheckValue {
    /// The length, in bytes.
    pub const LEN: usize = 16;

    /// Parses 32 lower-case hexadecimal digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        hex::decode(text).map(Self)
    }
}

impl fmt::Display for CheckValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for CheckValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CheckValue({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemRandom;

    #[test]
    fn s31_keys_are_unprintable_and_compared_as_a_whole() {
        let mut bytes = [7; 32];
        bytes[31] = 8;
        let key = MasterKey::new(&bytes).expect("key");
        assert_eq!(format!("{key:?}"), "MasterKey(secret)");
        assert_eq!(key, key.clone());
        for index in 0..32 {
            let mut other = bytes;
            other[index] ^= 0x10;
            let other = MasterKey::new(&other).expect("key");
            assert_ne!(key, other);
            assert_ne!(key.check(), other.check());
        }
    }

    #[test]
    fn the_check_value_is_the_documented_one() {
        // Computed apart, with another implementation of HMAC-SHA256.
        let bytes: [u8; 32] = std::array::from_fn(|index| u8::try_from(index).expect("small"));
        let check = MasterKey::new(&bytes).expect("key").check();
        assert_eq!(check.to_string(), "114c789c2c01e7b8a2ec94b76c57cd08");
        assert_eq!(CheckValue::parse(&check.to_string()), Some(check));
    }

    #[test]
    fn unfilled_keys_are_refused() {
        assert_eq!(MasterKey::new(&[0; 32]).expect_err("zero").kind(), ErrorKind::Invalid);
        let random = SystemRandom::new();
        let (first, second) = (MasterKey::generate(&random), MasterKey::generate(&random));
        assert_ne!(first.expect("key"), second.expect("key"));
    }
}
