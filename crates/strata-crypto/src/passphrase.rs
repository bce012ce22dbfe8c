//! Keys behind a passphrase: [`Passphrase`]. A random keyset is sealed under what the passphrase derives, and kept in the store's
//! header; so changing keys needs no new passphrase, and no record waits for a derivation.

use std::fmt;
use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use strata_core::{Error, ErrorKind, Random, Result, StoreId};
use zeroize::Zeroizing;

use crate::derive::passphrase_key;
use crate::hex;
use crate::keyset::Keyset;
use crate::random::draw;

/// What the derivation is called in headers.
const KDF: &str = "pbkdf2-hmac-sha256";
/// Separates wrapped keysets from whatever else the derived key might seal.
const CONTEXT: &[u8] = b"strata wrapped keyset v1";

/// A passphrase and how hard it is to guess. Wiped when dropped, never printed.
///
/// The derivation takes about 150 ms at 600,000 rounds, once per open: run [`open`](crate::open()) where that may block.
pub struct Passphrase {
    text: Zeroizing<String>,
    rounds: NonZeroU32,
    least: u32,
}

impl Passphrase {
    /// The fewest rounds, for new headers and for those read (OWASP Password Storage, PBKDF2-HMAC-SHA256).
    pub const MIN_ROUNDS: u32 = 600_000;
    /// The most rounds: a header from elsewhere can cost 2.5 s, not forever.
    pub const MAX_ROUNDS: u32 = 10_000_000;
    /// The shortest passphrase, in characters (ASVS 6.2.1).
    pub const MIN_CHARS: usize = 8;

    /// A passphrase at 600,000 rounds. Shorter than 8 characters is [`ErrorKind::Invalid`].
    pub fn new(text: impl Into<String>) -> Result<Self> {
        let text = Zeroizing::new(text.into());
        if text.chars().count() < Self::MIN_CHARS {
            return Err(Error::new(
                ErrorKind::Invalid,
                "read passphrase",
                format!("the passphrase has fewer than {} characters; choose a longer one", Self::MIN_CHARS),
            ));
        }
        // 600,000 is not zero.
        let rounds = NonZeroU32::new(Self::MIN_ROUNDS).expect("a positive constant");
        Ok(Self { text, rounds, least: Self::MIN_ROUNDS })
    }

    /// More rounds, for a store that is new: 600,000 to 10,000,000. A store that is there has its own in its header.
    pub fn rounds(mut self, rounds: u32) -> Result<Self> {
        self.rounds = checked(rounds, self.least)?;
        Ok(self)
    }

    /// A passphrase at few rounds.
    #[cfg(test)]
    pub(crate) fn quick(text: &str) -> Self {
        Self { text: Zeroizing::new(text.to_owned()), rounds: NonZeroU32::MIN, least: 1 }
    }

    /// The wrapping of a new store.
    pub(crate) fn begin(&self, random: &dyn Random) -> Result<Wrapping> {
        let salt = draw(random)?;
        Ok(self.derive(salt, self.rounds))
    }

    /// The wrapping that a header describes, and the keyset in it. A keyset that does not open is
    /// [`ErrorKind::WrongKey`].
    pub(crate) fn unlock(&self, wrapped: &Wrapped, store: StoreId) -> Result<(Wrapping, Keyset)> {
        if wrapped.kdf != KDF {
            return Err(Error::new(
                ErrorKind::Newer,
                "read store header",
                "the passphrase is derived in a way this version does not know; upgrade this program",
            ));
        }
        let rounds = checked(wrapped.rounds, self.least)?;
        let wrapping = self.derive(hex::decode(&wrapped.salt).ok_or_else(damaged)?, rounds);
        let keyset = wrapping.unwrap(wrapped, store)?;
        Ok((wrapping, keyset))
    }

    fn derive(&self, salt: [u8; 16], rounds: NonZeroU32) -> Wrapping {
        Wrapping { key: passphrase_key(&self.text, &salt, rounds), salt, rounds }
    }
}

impl Clone for Passphrase {
    fn clone(&self) -> Self {
        Self { text: self.text.clone(), ..*self }
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passphrase").field("rounds", &self.rounds).finish_non_exhaustive()
    }
}

/// A keyset sealed under a passphrase's key, as headers keep it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wrapped {
    kdf: String,
    rounds: u32,
    salt: String,
    nonce: String,
    keyset: String,
}

/// What a passphrase derived, kept while the store is open so that its keys can change.
pub(crate) struct Wrapping {
    key: Zeroizing<[u8; 32]>,
    salt: [u8; 16],
    rounds: NonZeroU32,
}

impl Wrapping {
    /// Seals `keyset` for the header of `store`, under a nonce drawn for this change.
    pub(crate) fn wrap(&self, keyset: &Keyset, store: StoreId, random: &dyn Random) -> Result<Wrapped> {
        let nonce: [u8; 12] = draw(random)?;
        let text = keyset.to_text();
        // Room for the tag, so that no growing leaves a copy behind. What is left in it at the end is ciphertext.
        let mut sealed = Vec::with_capacity(text.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(text.as_bytes());
        let tag = self
            .cipher()
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), self.bound(store), &mut sealed)
            .map_err(|_| damaged())?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(Wrapped {
            kdf: KDF.to_owned(),
            rounds: self.rounds.get(),
            salt: hex::encode(&self.salt),
            nonce: hex::encode(&nonce),
            keyset: STANDARD.encode(&sealed),
        })
    }

    /// The keyset in a header of `store`.
    pub(crate) fn unwrap(&self, wrapped: &Wrapped, store: StoreId) -> Result<Keyset> {
        let nonce = hex::decode(&wrapped.nonce).ok_or_else(damaged)?;
        let mut sealed = Zeroizing::new(STANDARD.decode(&wrapped.keyset).map_err(|_| damaged())?);
        let opened = self
            .cipher()
            .open_in_place(Nonce::assume_unique_for_key(nonce), self.bound(store), &mut sealed)
            .map_err(|_| wrong())?;
        Keyset::parse(std::str::from_utf8(opened).map_err(|_| damaged())?)
    }

    fn cipher(&self) -> LessSafeKey {
        // 32 bytes are what AES-256 takes.
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &*self.key).expect("32 bytes"))
    }

    fn bound(&self, store: StoreId) -> Aad<Vec<u8>> {
        Aad::from([CONTEXT, store.as_bytes(), &self.salt, &self.rounds.get().to_le_bytes()].concat())
    }
}

impl fmt::Debug for Wrapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wrapping").field("rounds", &self.rounds).finish_non_exhaustive()
    }
}

fn checked(rounds: u32, least: u32) -> Result<NonZeroU32> {
    let most = Passphrase::MAX_ROUNDS;
    let kind = if rounds < least { ErrorKind::Downgrade } else { ErrorKind::Unsupported };
    NonZeroU32::new(rounds).filter(|_| (least..=most).contains(&rounds)).ok_or_else(|| {
        Error::new(
            kind,
            "derive passphrase",
            format!(
                "{rounds} rounds are not between {least} and {most}; a header that says so was tampered with"
            ),
        )
    })
}

#[cold]
fn wrong() -> Error {
    Error::new(
        ErrorKind::WrongKey,
        "open keyset",
        "the passphrase does not open this store's keyset; try again, or restore the header if it was changed",
    )
}

#[cold]
fn damaged() -> Error {
    Error::new(
        ErrorKind::Corrupt,
        "read store header",
        "the wrapped keyset is damaged; restore the store's header",
    )
}

#[cfg(test)]
mod tests {
    use strata_core::Timestamp;

    use super::*;
    use crate::SystemRandom;

    const STORE: StoreId = StoreId::new([1; 16]);

    fn wrapped(passphrase: &Passphrase) -> (Keyset, Wrapped) {
        let random = SystemRandom::new();
        let keyset = Keyset::generate(&random, Timestamp::EPOCH).expect("keyset");
        let wrapping = passphrase.begin(&random).expect("derive");
        let wrapped = wrapping.wrap(&keyset, STORE, &random).expect("wrap");
        (keyset, wrapped)
    }

    #[test]
    fn s29_a_keyset_is_unwrapped_by_its_passphrase_only() {
        let passphrase = Passphrase::quick("correct horse");
        let (keyset, wrapped) = wrapped(&passphrase);
        let (wrapping, opened) = passphrase.unlock(&wrapped, STORE).expect("unlock");
        assert_eq!(opened.list(), keyset.list());
        assert_eq!(wrapping.unwrap(&wrapped, STORE).expect("again").list(), keyset.list());
        let other = Passphrase::quick("correct house").unlock(&wrapped, STORE);
        assert_eq!(other.expect_err("wrong").kind(), ErrorKind::WrongKey);
        let moved = passphrase.unlock(&wrapped, StoreId::new([2; 16]));
        assert_eq!(moved.expect_err("another store's header").kind(), ErrorKind::WrongKey);
    }

    #[test]
    fn s29_rounds_are_bounded_when_set_and_when_read() {
        let passphrase = || Passphrase::new("correct horse").expect("long enough");
        assert_eq!(passphrase().rounds(599_999).expect_err("few").kind(), ErrorKind::Downgrade);
        assert_eq!(passphrase().rounds(10_000_001).expect_err("many").kind(), ErrorKind::Unsupported);
        assert!(passphrase().rounds(10_000_000).is_ok());
        let (_, wrapped) = wrapped(&Passphrase::quick("correct horse"));
        for (rounds, kind) in
            [(0, ErrorKind::Downgrade), (599_999, ErrorKind::Downgrade), (u32::MAX, ErrorKind::Unsupported)]
        {
            let tampered = Wrapped { rounds, ..wrapped.clone() };
            assert_eq!(passphrase().unlock(&tampered, STORE).expect_err("bounded").kind(), kind);
        }
    }

    #[test]
    fn s29_tampering_and_damage_are_told_from_a_newer_form() {
        let passphrase = Passphrase::quick("correct horse");
        let (_, wrapped) = wrapped(&passphrase);
        let cases = [
            (Wrapped { kdf: "argon3".into(), ..wrapped.clone() }, ErrorKind::Newer),
            (Wrapped { salt: "zz".into(), ..wrapped.clone() }, ErrorKind::Corrupt),
            (Wrapped { nonce: String::new(), ..wrapped.clone() }, ErrorKind::Corrupt),
            (Wrapped { keyset: "?".into(), ..wrapped.clone() }, ErrorKind::Corrupt),
            (Wrapped { keyset: String::new(), ..wrapped.clone() }, ErrorKind::WrongKey),
            (Wrapped { salt: "00".repeat(16), ..wrapped.clone() }, ErrorKind::WrongKey),
            (Wrapped { rounds: 2, ..wrapped }, ErrorKind::WrongKey),
        ];
        for (wrapped, kind) in cases {
            assert_eq!(passphrase.unlock(&wrapped, STORE).expect_err("tampered").kind(), kind);
        }
    }

    #[test]
    fn s31_passphrases_are_not_printed_and_not_short() {
        let passphrase = Passphrase::new("correct horse").expect("long enough");
        assert!(!format!("{passphrase:?}").contains("horse"));
        let error = Passphrase::new("hunter2").expect_err("short");
        assert!(error.kind() == ErrorKind::Invalid && !error.to_string().contains("hunter2"));
    }
}
