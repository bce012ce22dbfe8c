//! Derivations, each named by its standard: HKDF-SHA256 (RFC 5869) for epochs, PBKDF2-HMAC-SHA256 (RFC 8018) for passphrases.

use std::num::NonZeroU32;

use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use ring::{hkdf, hmac, pbkdf2};
use zeroize::Zeroizing;

use crate::master::MasterKey;

/// The name of a derived key: drawn anew at every open, so that no two processes share one.
pub(crate) type EpochId = [u8; 16];

/// Separates the cipher from every other use of an epoch.
const CIPHER: &[&[u8]] = &[b"strata aes-256-gcm v1"];
/// Separates the key of synthetic nonces from the cipher's.
const NONCE: &[&[u8]] = &[b"strata synthetic nonce v1"];

/// The cipher of one epoch of `master`.
pub(crate) fn epoch_cipher(master: &MasterKey, epoch: &EpochId) -> LessSafeKey {
    let prk = extract(epoch, master.bytes());
    // RFC 5869 allows 255 hashes of output; a cipher takes one.
    LessSafeKey::new(UnboundKey::from(prk.expand(CIPHER, &AES_256_GCM).expect("32 bytes are few")))
}

/// The key that synthetic nonces of one epoch of `master` are computed with.
pub(crate) fn nonce_key(master: &MasterKey, epoch: &EpochId) -> hmac::Key {
    let prk = extract(epoch, master.bytes());
    // As above: one hash of output.
    hmac::Key::from(prk.expand(NONCE, hmac::HMAC_SHA256).expect("32 bytes are few"))
}

/// The key that a passphrase stands for: slow on purpose, about 150 ms at 600,000 rounds.
pub(crate) fn passphrase_key(passphrase: &str, salt: &[u8], rounds: NonZeroU32) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, passphrase.as_bytes(), &mut *key);
    key
}

fn extract(salt: &[u8], secret: &[u8]) -> hkdf::Prk {
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    struct Len(usize);

    impl hkdf::KeyType for Len {
        fn len(&self) -> usize {
            self.0
        }
    }

    #[test]
    fn hkdf_gives_the_first_vector_of_rfc_5869() {
        let salt: [u8; 13] = hex::decode("000102030405060708090a0b0c").expect("hex");
        let info: [u8; 10] = hex::decode("f0f1f2f3f4f5f6f7f8f9").expect("hex");
        let mut okm = [0; 42];
        let prk = extract(&salt, &[0x0b; 22]);
        prk.expand(&[&info], Len(42)).and_then(|okm_of| okm_of.fill(&mut okm)).expect("expand");
        assert_eq!(
            hex::encode(&okm),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        );
    }

    #[test]
    fn pbkdf2_gives_the_first_vector_of_rfc_7914() {
        let key = passphrase_key("passwd", b"salt", NonZeroU32::MIN);
        assert_eq!(hex::encode(&*key), "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
    }
}
