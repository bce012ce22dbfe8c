//! What opens a record and what the store keeps of it: [`Secret`], 256 random bits, and its [`Digest`].

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use strata_core::{Random, Result};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

const LEN: usize = 32;

/// 256 bits from the handle's source of randomness (ASVS 7.2.3, 11.5.1). Wiped when dropped, unprintable.
pub(crate) struct Secret(Zeroizing<[u8; LEN]>);

impl Secret {
    /// The length of its text: base64url without padding (RFC 4648, section 5).
    pub(crate) const TEXT_LEN: usize = 43;

    /// A fresh one.
    pub(crate) fn mint(random: &dyn Random) -> Result<Self> {
        let mut secret = Zeroizing::new([0; LEN]);
        random.fill(&mut *secret)?;
        Ok(Self(secret))
    }

    /// Decodes exactly what [`Secret::write_to`] writes; another length, alphabet or encoding of the same bits is `None`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() != Self::TEXT_LEN {
            return None;
        }
        // One byte more than a secret needs, as the decoder asks for; wiped like the secret.
        let mut decoded = Zeroizing::new([0; LEN + 1]);
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut *decoded).ok()?;
        Self::from_slice(decoded.get(..length)?)
    }

    /// Exactly 32 bytes, copied; the slice stays its owner's to wipe.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut secret = Zeroizing::new([0; LEN]);
        if bytes.len() != LEN {
            return None;
        }
        secret.copy_from_slice(bytes);
        Some(Self(secret))
    }

    /// Appends its text. Growing would leave copies behind, so `text` has to have room for it.
    pub(crate) fn write_to(&self, text: &mut Zeroizing<String>) {
        let mut encoded = [0; Self::TEXT_LEN];
        let length = URL_SAFE_NO_PAD.encode_slice(*self.0, &mut encoded).unwrap_or(0);
        // Base64 is ASCII, and 32 bytes take exactly 43 characters.
        text.push_str(std::str::from_utf8(&encoded[..length]).expect("base64 is ASCII"));
        encoded.zeroize();
    }

    /// What the store holds of it.
    pub(crate) fn digest(&self) -> Digest {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, &*self.0).as_ref());
        Digest(hash)
    }

    /// The bytes, to derive keys from.
    pub(crate) fn bytes(&self) -> &[u8; LEN] {
        &self.0
    }

    #[cfg(test)]
    pub(crate) fn of(byte: u8) -> Self {
        Self(Zeroizing::new([byte; LEN]))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// SHA-256 of a secret. The secret has 256 random bits, so a plain hash is enough: nothing can be guessed from it. It opens
/// nothing; it is unprintable all the same.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    /// Whether both are of one secret, in a time that does not depend on where they differ.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// The bytes, to bind something to the secret without having it.
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s02_a_digest_is_the_sha_256_of_the_secret() {
        // SHA-256 of 32 zero bytes, as any other implementation gives it.
        let known = "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925";
        for (byte, pair) in Secret::of(0).digest().0.iter().zip(known.as_bytes().chunks(2)) {
            assert_eq!(format!("{byte:02x}").as_bytes(), pair);
        }
        assert!(Secret::of(0).digest().matches(&Secret::of(0).digest()));
        for bit in 0..256 {
            let mut other = Secret::of(0).digest();
            other.0[bit / 8] ^= 1 << (bit % 8);
            assert!(!other.matches(&Secret::of(0).digest()), "bit {bit}");
        }
    }

    #[test]
    fn s05_nothing_prints_a_secret() {
        for text in [format!("{:?}", Secret::of(0x5a)), format!("{:?}", Secret::of(0x5a).digest())] {
            assert!(matches!(text.as_str(), "Secret" | "Digest"), "{text}");
        }
    }
}
