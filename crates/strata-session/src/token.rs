//! What a client holds: [`SessionToken`], a public id and a secret of which the store has only a hash.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use strata_core::{Error, ErrorKind, Random, Result};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::id::SessionId;
use crate::secret::{Digest, Secret};

/// What a token against forged requests is made for; it is good for nothing else.
const CSRF: &[u8] = b"strata session csrf 1";

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
    secret: Secret,
}

impl SessionToken {
    /// The length of a token's text, in bytes: the id, a dot, the secret in base64url (RFC 4648, section 5).
    pub const TEXT_LEN: usize = SessionId::TEXT_LEN + 1 + Secret::TEXT_LEN;

    /// A token of a new session.
    pub(crate) fn mint(random: &dyn Random) -> Result<Self> {
        Self::renew(SessionId::mint(random)?, random)
    }

    /// A token of the same session with a new secret.
    pub(crate) fn renew(id: SessionId, random: &dyn Random) -> Result<Self> {
        Ok(Self { id, secret: Secret::mint(random)? })
    }

    /// Parses exactly what [`SessionToken::expose`] gives. Other lengths, characters or encodings of the same bits are
    /// [`ErrorKind::Invalid`]: no store is asked about what cannot be a token. The error holds nothing of the text.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() != Self::TEXT_LEN || !text.is_ascii() {
            return Err(malformed());
        }
        let (id, secret) = text.split_at(SessionId::TEXT_LEN);
        let id = SessionId::parse(id).map_err(|_| malformed())?;
        let secret = secret.strip_prefix('.').and_then(Secret::parse).ok_or_else(malformed)?;
        Ok(Self { id, secret })
    }

    /// The public id: for lists, logs and [`Sessions::revoke`](crate::Sessions::revoke).
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// The text to hand to the client, over a protected channel only. Never log it; it is wiped when dropped.
    pub fn expose(&self) -> Zeroizing<String> {
        // Room for all of it from the start: growing would leave copies behind.
        let mut text = Zeroizing::new(String::with_capacity(Self::TEXT_LEN));
        text.push_str(&self.id.to_string());
        text.push('.');
        self.secret.write_to(&mut text);
        text
    }

    /// A token against forged requests (ASVS 3.5.1): bound to this session, good as long as this token, told to the pages of the
    /// session and sent back by them. Made from the secret, so the server keeps nothing; whoever has it cannot open the session.
    pub fn csrf_token(&self) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.bytes());
        URL_SAFE_NO_PAD.encode(hmac::sign(&key, CSRF))
    }

    /// Whether `text` is [`SessionToken::csrf_token`] of this token, in a time that does not depend on where it differs.
    pub fn is_csrf_token(&self, text: &str) -> bool {
        self.csrf_token().as_bytes().ct_eq(text.as_bytes()).into()
    }

    /// What the store holds of the secret.
    pub(crate) fn digest(&self) -> Digest {
        self.secret.digest()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn token(secret: u8) -> SessionToken {
        SessionToken { id: SessionId::from_bytes([0xab; 16]), secret: Secret::of(secret) }
    }

    #[test]
    fn a_token_has_one_text_of_a_fixed_length() {
        let first = token(0xff);
        let text = first.expose();
        assert_eq!(text.len(), SessionToken::TEXT_LEN);
        let again = SessionToken::parse(&text).expect("a token");
        assert_eq!(again.id, first.id);
        assert_eq!(again.secret.bytes(), first.secret.bytes());
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
    fn s21_a_csrf_token_belongs_to_one_secret_and_shows_nothing_of_it() {
        let (ours, other) = (token(1), token(2));
        let csrf = ours.csrf_token();
        assert!(ours.is_csrf_token(&csrf) && !other.is_csrf_token(&csrf));
        assert!(
            !ours.is_csrf_token("")
                && !ours.is_csrf_token(&csrf[1..])
                && !ours.is_csrf_token(&format!("{csrf}A"))
        );
        assert!(!ours.expose().contains(&csrf), "it opens nothing");
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
