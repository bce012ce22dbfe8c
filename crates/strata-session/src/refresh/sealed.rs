//! A successor that only its predecessor opens: [`SealedSuccessor`], which lets a retry have the same answer again while the store
//! holds nothing that opens anything.

use std::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use serde::{Deserialize, Serialize};
use strata_core::{Error, ErrorKind, Result};
use zeroize::Zeroizing;

use super::token::RefreshToken;
use crate::id::FamilyId;
use crate::secret::{Digest, Secret};

const SECRET_LEN: usize = 32;
const SEAL_TAG_LEN: usize = 16;

/// The secret of a successor under AES-256-GCM (SP 800-38D). The key is derived from the predecessor's secret, which the store
/// does not have.
#[derive(Serialize, Deserialize)]
pub(super) struct SealedSuccessor {
    secret: [u8; SECRET_LEN],
    tag: [u8; SEAL_TAG_LEN],
}

impl SealedSuccessor {
    /// Seals `successor` for the holder of `predecessor`.
    pub(super) fn seal(predecessor: &RefreshToken, successor: &RefreshToken) -> Self {
        let key = key_of(predecessor, &successor.digest());
        let mut secret = *successor.secret().bytes();
        let aad = place(predecessor.family(), predecessor.generation());
        // GCM seals anything shorter than 64 GiB.
        let sealed = key.seal_in_place_separate_tag(nonce(), Aad::from(aad), &mut secret);
        let mut tag = [0; SEAL_TAG_LEN];
        tag.copy_from_slice(sealed.expect("32 bytes are not too many").as_ref());
        Self { secret, tag }
    }

    /// The successor's secret, whose hash is `successor`.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for what does not open: the predecessor was verified before, so the record is damaged.
    pub(super) fn open(&self, predecessor: &RefreshToken, successor: &Digest) -> Result<Secret> {
        let key = key_of(predecessor, successor);
        let mut buffer = Zeroizing::new([0; SECRET_LEN + SEAL_TAG_LEN]);
        buffer[..SECRET_LEN].copy_from_slice(&self.secret);
        buffer[SECRET_LEN..].copy_from_slice(&self.tag);
        let aad = place(predecessor.family(), predecessor.generation());
        let opened = key.open_in_place(nonce(), Aad::from(aad), &mut *buffer).map_err(|_| damaged())?;
        let secret = Secret::from_slice(opened).ok_or_else(damaged)?;
        if secret.digest().matches(successor) { Ok(secret) } else { Err(damaged()) }
    }
}

/// HKDF-SHA-256 (RFC 5869) over the predecessor's secret, bound to its place and to the hash of the successor: another successor has
/// another key, so no key ever seals two messages.
fn key_of(predecessor: &RefreshToken, successor: &Digest) -> LessSafeKey {
    let place = place(predecessor.family(), predecessor.generation());
    let secret = Salt::new(HKDF_SHA256, b"strata refresh successor").extract(predecessor.secret().bytes());
    let info = [&place[..], successor.bytes()];
    let okm = secret.expand(&info, &AES_256_GCM).expect("one key is not too long for HKDF");
    LessSafeKey::new(UnboundKey::from(okm))
}

/// The nonce of the one message that a key seals.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

/// Where the predecessor stands: its family, and its generation in it.
fn place(family: FamilyId, generation: u32) -> [u8; 20] {
    let mut place = [0; 20];
    place[..16].copy_from_slice(&family.to_bytes());
    place[16..].copy_from_slice(&generation.to_be_bytes());
    place
}

#[cold]
fn damaged() -> Error {
    Error::new(
        ErrorKind::Corrupt,
        "retry rotation",
        "the family's record is damaged; run `check`, revoke the family, and let the user sign in again",
    )
}

impl fmt::Debug for SealedSuccessor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedSuccessor")
    }
}

#[cfg(test)]
mod tests {
    use super::super::token::MacKey;
    use super::*;

    fn token(family: u8, generation: u32, secret: u8) -> RefreshToken {
        let key = MacKey::mint(&Zeros).expect("a key");
        RefreshToken::of(FamilyId::from_bytes([family; 16]), generation, Secret::of(secret), &key)
    }

    #[derive(Debug)]
    struct Zeros;

    impl strata_core::Random for Zeros {
        fn fill(&self, bytes: &mut [u8]) -> Result<()> {
            bytes.fill(0);
            Ok(())
        }
    }

    #[test]
    fn s24_only_the_predecessor_opens_it() {
        let (predecessor, successor) = (token(1, 4, 2), token(1, 5, 3));
        let sealed = SealedSuccessor::seal(&predecessor, &successor);
        let opened = sealed.open(&predecessor, &successor.digest()).expect("opens");
        assert_eq!(opened.bytes(), successor.secret().bytes());
        for other in [token(1, 4, 9), token(2, 4, 2), token(1, 3, 2), successor] {
            let error = sealed.open(&other, &token(1, 5, 3).digest()).expect_err("another token");
            assert_eq!(error.kind(), ErrorKind::Corrupt);
        }
        let error = sealed.open(&predecessor, &predecessor.digest()).expect_err("another successor");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn s32_each_flipped_bit_is_noticed() {
        let (predecessor, successor) = (token(1, 4, 2), token(1, 5, 3));
        for bit in 0..(SECRET_LEN + SEAL_TAG_LEN) * 8 {
            let mut sealed = SealedSuccessor::seal(&predecessor, &successor);
            match bit / 8 {
                byte @ ..SECRET_LEN => sealed.secret[byte] ^= 1 << (bit % 8),
                byte => sealed.tag[byte - SECRET_LEN] ^= 1 << (bit % 8),
            }
            assert!(sealed.open(&predecessor, &successor.digest()).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn s27_another_successor_is_sealed_under_another_key() {
        let (predecessor, one, two) = (token(1, 4, 2), token(1, 5, 3), token(1, 5, 4));
        let (first, second) =
            (SealedSuccessor::seal(&predecessor, &one), SealedSuccessor::seal(&predecessor, &two));
        // Under one key and nonce the difference of the sealed would be that of the plain: 3 ^ 4 in every byte.
        let differences = first.secret.iter().zip(&second.secret).map(|(one, two)| one ^ two);
        assert!(differences.filter(|difference| *difference == 3 ^ 4).count() < 8);
    }
}
