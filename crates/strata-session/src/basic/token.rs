//! What a client holds: [`SessionToken`], a public id and a secret; and the secret's [`Digest`], all that the store holds of it.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use strata_core::{Error, ErrorKind, Random, Result};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use super::id::SessionId;

/// The bearer credential of one session: its public id and a 256-bit secret from the handle's source of randomness (ASVS
/// 7.2.3, 11.5.1). Whoever holds it is the session.
///
/// It has no `Display`, no `Clone` and no `Serialize`, and its `Debug` shows the id only: the one way to its text is
/// [`SessionToken::expose`]. The secret is wiped when the token is dropped.
///
/// ```compile_fail,E0277
/// fn show(token: strata_session::SessionToken) -> String { token.to_string() }
/// ```
/// ```compile_fail,E0277
/// fn write(token: strata_session::SessionToken) -> impl serde::Serialize { token }
/// ```
/// ```compile_fail,E0599
/// fn copy(token: &strata_session::SessionToken) -> strata_session::SessionToken { token.clone() }
/// ```
pub struct SessionToken {
    id: SessionId,
    secret: Zeroizing<[u8; SECRET]>,
}

const SECRET: usize = 32;
/// The length of a secret in base64url without padding.
const SECRET_TEXT: usize = 43;

impl SessionToken {
    /// The length of a token's text, in bytes: the id, a dot, the secret in base64url (RFC 4648, section 5).
    pub const TEXT_LEN: usize = SessionId::TEXT_LEN + 1 + SECRET_TEXT;

    /// A token of a new session.
    pub(super) fn mint(random: &dyn Random) -> Result<Self> {
        let mut id = [0; 16];
        random.fill(&mut id)?;
        Self::renew(SessionId::from_bytes(id), random)
    }

    /// A token of the same session with a new secret.
    pub(super) fn renew(id: SessionId, random: &dyn Random) -> Result<Self> {
        let mut secret = Zeroizing::new([0; SECRET]);
        random.fill(&mut *secret)?;
        Ok(Self { id, secret })
    }

    /// Parses exactly what [`SessionToken::expose`] gives. Other lengths, characters or encodings of the same bits are
    /// [`ErrorKind::Invalid`]: no store is asked about what cannot be a token. The error holds nothing of the text.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() != Self::TEXT_LEN || !text.is_ascii() {
            return Err(malformed());
        }
        let (id, secret) = text.split_at(SessionId::TEXT_LEN);
        let id = SessionId::parse(id).map_err(|_| malformed())?;
        let encoded = secret.strip_prefix('.').ok_or_else(malformed)?;
        // One byte more than a secret needs, as the decoder asks for; wiped like the secret.
        let mut decoded = Zeroizing::new([0; SECRET + 1]);
        let length = URL_SAFE_NO_PAD.decode_slice(encoded, &mut *decoded).map_err(|_| malformed())?;
        let mut secret = Zeroizing::new([0; SECRET]);
        secret.copy_from_slice(
            decoded.get(..length).filter(|bytes| bytes.len() == SECRET).ok_or_else(malformed)?,
        );
        Ok(Self { id, secret })
    }

    /// The public id: for lists, logs and [`Sessions::revoke`](super::Sessions::revoke).
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// The text to hand to the client, over a protected channel only. Never log it; it is wiped when dropped.
    pub fn expose(&self) -> Zeroizing<String> {
        // Room for all of it from the start: growing would leave copies behind.
        let mut text = Zeroizing::new(String::with_capacity(Self::TEXT_LEN));
        text.push_str(&self.id.to_string());
        text.push('.');
        let mut encoded = [0; SECRET_TEXT];
        let length = URL_SAFE_NO_PAD.encode_slice(*self.secret, &mut encoded).unwrap_or(0);
        // Base64 is ASCII, and 32 bytes take exactly 43 characters.
        text.push_str(std::str::from_utf8(&encoded[..length]).expect("base64 is ASCII"));
        encoded.zeroize();
        text
    }

    /// What the store holds of the secret.
    pub(super) fn digest(&self) -> Digest {
        Digest::of(&self.secret)
    }
}

#[cold]
fn malformed() -> Error {
    Error::new(
        ErrorKind::Invalid,
        "parse session token",
        "this is not a session token; treat the client as one without a session",
    )
}

impl FromStr for SessionToken {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionToken").field("id", &self.id).finish_non_exhaustive()
    }
}

/// SHA-256 of a secret. The secret has 256 random bits, so a plain hash is enough: nothing can be guessed from it. It opens
/// nothing; it is unprintable all the same.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    fn of(secret: &[u8; SECRET]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, secret).as_ref());
        Self(hash)
    }

    /// Whether both are of one secret, in a time that does not depend on where they differ.
    pub(super) fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
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

    fn token(secret: u8) -> SessionToken {
        SessionToken { id: SessionId::from_bytes([0xab; 16]), secret: Zeroizing::new([secret; SECRET]) }
    }

    #[test]
    fn a_token_has_one_text_of_a_fixed_length() {
        let first = token(0xff);
        let text = first.expose();
        assert_eq!(text.len(), SessionToken::TEXT_LEN);
        let again = SessionToken::parse(&text).expect("a token");
        assert_eq!((again.id, again.secret), (first.id, first.secret));
    }

    #[test]
    fn s03_malformed_tokens_are_refused_without_an_echo() {
        let good = token(0).expose();
        let (id, secret) = good.split_at(SessionId::TEXT_LEN);
        let bad = [
            String::new(),
            ".".to_owned(),
            good[1..].to_owned(),
            format!("{}A", *good),
            format!("{id}.{}", &secret[2..]),
            good.replace('.', ":"),
            good.replace('.', "%2E"),
            good.to_uppercase(),
            format!("{}=", &good[..good.len() - 1]),
            // The same bits written another way: the last character has two that mean nothing.
            format!("{}B", &good[..good.len() - 1]),
            format!("{}+", &good[..good.len() - 1]),
            format!("{}/{}", &good[..40], &good[41..]),
            format!(" {}", &good[1..]),
            format!("{}\n", &good[..good.len() - 1]),
            "é".repeat(SessionToken::TEXT_LEN / 2),
            "x".repeat(1 << 20),
        ];
        for text in &bad {
            let error = SessionToken::parse(text).expect_err("malformed");
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert_eq!(
                format!("{error:?}"),
                format!("{:?}", malformed()),
                "the same for all, and nothing of the text"
            );
        }
    }

    #[test]
    fn s02_a_digest_is_the_sha_256_of_the_secret() {
        // SHA-256 of 32 zero bytes, as any other implementation gives it.
        let known = "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925";
        for (byte, pair) in token(0).digest().0.iter().zip(known.as_bytes().chunks(2)) {
            assert_eq!(format!("{byte:02x}").as_bytes(), pair);
        }
        assert!(token(0).digest().matches(&token(0).digest()));
        for bit in 0..256 {
            let mut other = token(0).digest();
            other.0[bit / 8] ^= 1 << (bit % 8);
            assert!(!other.matches(&token(0).digest()), "bit {bit}");
        }
    }

    #[test]
    fn s05_nothing_prints_a_secret() {
        let token = token(0x5a);
        let exposed = token.expose();
        let secret = &exposed[SessionId::TEXT_LEN + 1..];
        for text in [format!("{token:?}"), format!("{token:#?}"), format!("{:?}", token.digest())] {
            assert!(!text.contains(secret) && !text.contains("5a5a") && !text.contains("90, 90"), "{text}");
        }
    }
}
