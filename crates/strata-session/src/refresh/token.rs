//! What a client holds: [`RefreshToken`], and the [`MacKey`] under which a family tells its own tokens from made-up ones.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde::{Deserialize, Serialize};
use strata_core::{Error, ErrorKind, Random, Result};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use crate::id::FamilyId;
use crate::secret::{Digest, Secret};

/// The length of a tag in bytes: HMAC-SHA-256 cut to 128 bits (RFC 2104, section 5).
const TAG_LEN: usize = 16;
/// The length of its text: base64url without padding.
const TAG_TEXT_LEN: usize = 22;
/// The length of a generation's text: lower-case hexadecimal digits.
const GENERATION_TEXT_LEN: usize = 8;

/// One token of a family: the family's public id, the token's place in its line, a 256-bit secret from the handle's source of
/// randomness (ASVS 7.2.3, 11.5.1), and a tag by which the family knows its own. Good for one rotation; whoever holds it is the client.
///
/// It has no `Display`, no `Clone` and no `Serialize`, and its `Debug` shows family and generation only: the one way to its text is
/// [`RefreshToken::expose`]. The secret is wiped when the token is dropped.
///
/// ```compile_fail,E0277
/// fn show(token: strata_session::refresh::RefreshToken) -> String { token.to_string() }
/// ```
/// ```compile_fail,E0277
/// fn write(token: strata_session::refresh::RefreshToken) -> impl serde::Serialize { token }
/// ```
/// ```compile_fail,E0599
/// fn copy(token: &strata_session::refresh::RefreshToken) -> strata_session::refresh::RefreshToken { token.clone() }
/// ```
pub struct RefreshToken {
    family: FamilyId,
    generation: u32,
    secret: Secret,
    tag: [u8; TAG_LEN],
}

impl RefreshToken {
    /// The length of a token's text, in bytes: family, generation, secret and tag, with dots between them.
    pub const TEXT_LEN: usize =
        FamilyId::TEXT_LEN + 1 + GENERATION_TEXT_LEN + 1 + Secret::TEXT_LEN + 1 + TAG_TEXT_LEN;

    /// A token of this family and generation with a fresh secret.
    pub(super) fn mint(family: FamilyId, generation: u32, key: &MacKey, random: &dyn Random) -> Result<Self> {
        Ok(Self::of(family, generation, Secret::mint(random)?, key))
    }

    /// The token that this secret belongs to.
    pub(super) fn of(family: FamilyId, generation: u32, secret: Secret, key: &MacKey) -> Self {
        let tag = key.tag(generation, &secret);
        Self { family, generation, secret, tag }
    }

    /// Parses exactly what [`RefreshToken::expose`] gives. Other lengths, characters or encodings of the same bits are
    /// [`ErrorKind::Invalid`]: no store is asked about what cannot be a token. The error holds nothing of the text.
    pub fn parse(text: &str) -> Result<Self> {
        parse(text).ok_or_else(malformed)
    }

    /// The public id of its family: for lists, logs and [`RefreshTokens::revoke`](super::RefreshTokens::revoke).
    pub fn family(&self) -> FamilyId {
        self.family
    }

    /// How many rotations came before it, as it says itself.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// The text to hand to the client, over a protected channel only. Never log it; it is wiped when dropped.
    pub fn expose(&self) -> Zeroizing<String> {
        // Room for all of it from the start: growing would leave copies behind.
        let mut text = Zeroizing::new(String::with_capacity(Self::TEXT_LEN));
        // Writing to a String cannot fail.
        let _ = write!(text, "{}.{:08x}.", self.family, self.generation);
        self.secret.write_to(&mut text);
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(self.tag, &mut text);
        text
    }

    /// Whether it was made by the holder of this key, in a time that does not depend on where the tags differ.
    pub(super) fn was_made_under(&self, key: &MacKey) -> bool {
        key.tag(self.generation, &self.secret).ct_eq(&self.tag).into()
    }

    pub(super) fn secret(&self) -> &Secret {
        &self.secret
    }

    /// What the store holds of the secret.
    pub(super) fn digest(&self) -> Digest {
        self.secret.digest()
    }
}

fn parse(text: &str) -> Option<RefreshToken> {
    if text.len() != RefreshToken::TEXT_LEN || !text.is_ascii() {
        return None;
    }
    let (family, rest) = text.split_at(FamilyId::TEXT_LEN);
    let (generation, rest) = rest.strip_prefix('.')?.split_at(GENERATION_TEXT_LEN);
    let (secret, rest) = rest.strip_prefix('.')?.split_at(Secret::TEXT_LEN);
    let mut tag = [0; TAG_LEN + 2]; // as much as the decoder asks for
    let length = URL_SAFE_NO_PAD.decode_slice(rest.strip_prefix('.')?, &mut tag).ok()?;
    Some(RefreshToken {
        family: FamilyId::parse(family).ok()?,
        generation: digits(generation)?,
        secret: Secret::parse(secret)?,
        tag: tag.get(..length)?.try_into().ok()?,
    })
}

/// The number that exactly eight lower-case hexadecimal digits stand for.
fn digits(text: &str) -> Option<u32> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.bytes().all(is_digit).then(|| u32::from_str_radix(text, 16).ok()).flatten()
}

#[cold]
fn malformed() -> Error {
    Error::new(
        ErrorKind::Invalid,
        "parse refresh token",
        "this is not a refresh token; answer `invalid_grant` and let the user sign in",
    )
}

impl FromStr for RefreshToken {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshToken")
            .field("family", &self.family)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// The key of one family's tags. It tells tokens made here from made-up ones without a list of all that were made; it opens
/// nothing, for no digest can be met with it. Wiped when dropped.
#[derive(Serialize, Deserialize)]
pub(super) struct MacKey([u8; 32]);

impl MacKey {
    pub(super) fn mint(random: &dyn Random) -> Result<Self> {
        let mut key = Self([0; 32]);
        random.fill(&mut key.0)?;
        Ok(key)
    }

    fn tag(&self, generation: u32, secret: &Secret) -> [u8; TAG_LEN] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let mut context = hmac::Context::with_key(&key);
        context.update(b"strata refresh tag\0");
        context.update(&generation.to_be_bytes());
        context.update(secret.bytes());
        let mut tag = [0; TAG_LEN];
        tag.copy_from_slice(&context.sign().as_ref()[..TAG_LEN]);
        tag
    }
}

impl Drop for MacKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(secret: u8) -> RefreshToken {
        RefreshToken::of(FamilyId::from_bytes([0xab; 16]), 0x1f, Secret::of(secret), &MacKey([7; 32]))
    }

    #[test]
    fn a_token_has_one_text_of_a_fixed_length() {
        let text = token(0xff).expose();
        assert_eq!((text.len(), text.capacity()), (RefreshToken::TEXT_LEN, RefreshToken::TEXT_LEN));
        let again = RefreshToken::parse(&text).expect("a token");
        assert_eq!((again.family(), again.generation()), (token(0xff).family(), 0x1f));
        assert_eq!(again.expose(), text);
        assert!(again.was_made_under(&MacKey([7; 32])));
    }

    /// As another implementation of HMAC-SHA-256 makes it: tokens live for weeks, so their text is a format.
    #[test]
    fn s37_the_text_of_a_token_is_known() {
        let text = token(0xff).expose();
        let (family_and_generation, tag) =
            (format!("{}.0000001f", "ab".repeat(16)), "MVPDELTOQjeTyF_pDa7oeA");
        assert_eq!(
            *text,
            format!("{family_and_generation}.__________________________________________8.{tag}")
        );
    }

    /// Every other character at every place: refused, or another token with exactly that text.
    #[test]
    fn s03_no_two_texts_are_one_token() {
        let good = token(0x5a).expose();
        let mut tokens = 0;
        for place in 0..good.len() {
            for other in (0..128_u8).map(char::from).filter(|other| !good[place..].starts_with(*other)) {
                let mut text = good.to_string();
                text.replace_range(place..=place, other.encode_utf8(&mut [0; 4]));
                if let Ok(parsed) = RefreshToken::parse(&text) {
                    assert_eq!(*parsed.expose(), text);
                    assert!(!parsed.was_made_under(&MacKey([7; 32])) || parsed.family() != token(0).family());
                    tokens += 1;
                }
            }
        }
        assert!(tokens > 4000, "{tokens} other tokens");
    }

    #[test]
    fn a_tag_covers_generation_secret_and_family_key() {
        let good = token(1);
        assert!(good.was_made_under(&MacKey([7; 32])) && !good.was_made_under(&MacKey([8; 32])));
        for bit in 0..TAG_LEN * 8 {
            let mut bad = token(1);
            bad.tag[bit / 8] ^= 1 << (bit % 8);
            assert!(!bad.was_made_under(&MacKey([7; 32])), "bit {bit}");
        }
        assert!(!RefreshToken { generation: 0x20, ..token(1) }.was_made_under(&MacKey([7; 32])));
        assert!(!RefreshToken { secret: Secret::of(2), ..token(1) }.was_made_under(&MacKey([7; 32])));
    }

    #[test]
    fn s03_malformed_tokens_are_refused_without_an_echo() {
        let good = token(0).expose();
        let bad = [
            String::new(),
            "...".to_owned(),
            good[1..].to_owned(),
            format!("{}A", *good),
            good.to_uppercase(),
            good.replace('.', ":"),
            good.replacen(".0000001f", ".0000001F", 1),
            good.replacen(".0000001f", ".+000001f", 1),
            good.replacen(".0000001f", ".     31f", 1),
            // The same bits written another way: the last character has four that mean nothing.
            format!("{}{}", &good[..good.len() - 1], if good.ends_with('A') { 'B' } else { '_' }),
            format!("{}=", &good[..good.len() - 1]),
            format!("{}\n", &good[..good.len() - 1]),
            format!("{}/{}", &good[..60], &good[61..]),
            "é".repeat(RefreshToken::TEXT_LEN / 2),
            "x".repeat(1 << 20),
        ];
        for text in &bad {
            let error = RefreshToken::parse(text).expect_err("malformed");
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert_eq!(format!("{error:?}"), format!("{:?}", malformed()), "nothing of the text");
        }
    }

    #[test]
    fn s05_nothing_prints_a_secret() {
        for text in [format!("{:?} {:#?}", token(0x5a), token(0x5a)), format!("{:?}", MacKey([0x5a; 32]))] {
            assert!(!text.contains("5a5a") && !text.contains("90, 90") && !text.contains("Wlpa"), "{text}");
        }
    }
}
