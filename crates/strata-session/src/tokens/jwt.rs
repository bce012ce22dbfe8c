//! The times in a JSON Web Token, read as a hint: `exp` and `nbf`, and nothing else. Nothing here is verified, so nothing of it is
//! trusted (ASVS 9.1): it only decides when this client asks for a new token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use strata_core::{Codec, Timestamp};
use zeroize::Zeroizing;

/// The signature algorithms of RFC 7518 and RFC 8037. `none` is not among them (ASVS 9.1.2).
const ALGORITHMS: [&str; 13] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256",
    "HS384", "HS512",
];

/// When a token says that its life begins and ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hint {
    pub(super) exp: Option<Timestamp>,
    pub(super) nbf: Option<Timestamp>,
}

impl Hint {
    /// What `token` says; nothing if it is no signed JWT. Callers have bounded its length.
    pub(super) fn of(token: &str) -> Self {
        Self::read(token).unwrap_or_default()
    }

    fn read(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (header, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
        if signature.is_empty() || parts.next().is_some() {
            return None;
        }
        let header: Header = decode(header)?;
        if !ALGORITHMS.contains(&header.alg.as_str()) {
            return None;
        }
        let claims: Claims = decode(claims)?;
        Some(Self { exp: claims.exp.and_then(instant), nbf: claims.nbf.and_then(instant) })
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

/// `NumericDate` (RFC 7519, section 2): seconds, perhaps with a fraction.
#[derive(Deserialize)]
struct Claims {
    exp: Option<f64>,
    nbf: Option<f64>,
}

fn decode<T: serde::de::DeserializeOwned>(part: &str) -> Option<T> {
    let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(part).ok()?);
    Codec::Json.decode(&bytes).ok()
}

/// Seconds as an instant; `None` for what is before 1970 or no number. What is past the year 9999 is cut to it.
fn instant(seconds: f64) -> Option<Timestamp> {
    // Not negative and finite; the cast saturates, and `from_millis` cuts.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    (seconds.is_finite() && seconds >= 0.0).then(|| Timestamp::from_millis((seconds * 1000.0) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, claims: &str, signature: &str) -> String {
        format!("{}.{}.{signature}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn s25_times_are_read_of_signed_tokens_only() {
        let claims = r#"{"exp":1767225600,"nbf":1767225000.5,"sub":"ada","admin":true}"#;
        let hint = Hint::of(&token(r#"{"alg":"ES256","typ":"JWT"}"#, claims, "c2ln"));
        assert_eq!(hint.exp, Some(Timestamp::from_millis(1_767_225_600_000)));
        assert_eq!(hint.nbf, Some(Timestamp::from_millis(1_767_225_000_500)));
        for alg in ["none", "None", "NONE", "nOnE", "", "HS1", "RS256 "] {
            let header = format!(r#"{{"alg":"{alg}"}}"#);
            assert_eq!(Hint::of(&token(&header, claims, "c2ln")), Hint::default(), "{alg}");
        }
        assert_eq!(Hint::of(&token(r#"{"alg":"RS256"}"#, claims, "")), Hint::default(), "unsigned");
        assert_eq!(Hint::of(&token("{}", claims, "c2ln")), Hint::default(), "no algorithm");
    }

    #[test]
    fn s25_what_is_no_token_says_nothing() {
        let header = r#"{"alg":"RS256"}"#;
        for claims in
            ["", "[]", "{", r#"{"exp":"soon"}"#, r#"{"exp":-5}"#, r#"{"exp":null}"#, r#"{"exp":1e999}"#]
        {
            assert_eq!(Hint::of(&token(header, claims, "c2ln")).exp, None, "{claims}");
        }
        let far = Hint::of(&token(header, r#"{"exp":1e300}"#, "c2ln"));
        assert_eq!(far.exp, Some(Timestamp::MAX));
        let whole = token(header, r#"{"exp":1}"#, "c2ln");
        for bad in
            ["", ".", "..", "...", "a.b", "!.!.!", "opaque", &format!("{whole}.x"), &whole.replace('.', "")]
        {
            assert_eq!(Hint::of(bad), Hint::default(), "{bad}");
        }
    }
}
