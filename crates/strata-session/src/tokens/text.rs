//! The texts of tokens: [`AccessToken`] and [`IdToken`], which callers hold, and `Text`, which records hold. Wiped when dropped,
//! unprintable.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use strata_core::Timestamp;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::generation::{Generation, Mark};

/// The longest token, in bytes.
pub(super) const MAX_TEXT: usize = 16 * 1024;

/// A token's text as records keep it.
#[derive(Clone)]
pub(crate) struct Text(Zeroizing<String>);

impl Text {
    /// A text that a header can carry: 1 byte to 16 KiB of visible ASCII (RFC 6749, appendix A).
    pub(crate) fn checked(text: Zeroizing<String>) -> Result<Self, &'static str> {
        match text.len() {
            0 => Err("a token is empty"),
            len if len > MAX_TEXT => Err("a token is longer than 16 KiB"),
            _ if !text.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Err("a token has characters that no token has")
            }
            _ => Ok(Self(text)),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// In a time that does not depend on where they differ.
impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Text {}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Text")
    }
}

/// What a request carries to be let in. The one way to its text is [`AccessToken::expose`].
///
/// ```compile_fail,E0277
/// fn show(token: strata_session::tokens::AccessToken) -> String { token.to_string() }
/// ```
/// ```compile_fail,E0277
/// fn write(token: strata_session::tokens::AccessToken) -> impl serde::Serialize { token }
/// ```
#[derive(Clone)]
pub struct AccessToken {
    generation: Arc<Generation>,
}

impl AccessToken {
    pub(super) fn of(generation: Arc<Generation>) -> Self {
        Self { generation }
    }

    /// The text, for the `Authorization` header. Never log it.
    pub fn expose(&self) -> &str {
        self.generation.access.text.as_str()
    }

    /// Until when it is handed out: the policy's skew before it is taken to expire.
    pub fn usable_until(&self) -> Timestamp {
        self.generation.access.until()
    }

    /// Which generation of the account's tokens it is of: one more with every refresh since the sign-in, which made the first.
    pub fn generation(&self) -> u64 {
        self.generation.mark.number
    }

    pub(super) fn mark(&self) -> Mark {
        self.generation.mark
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("generation", &self.generation())
            .field("usable_until", &self.usable_until())
            .finish_non_exhaustive()
    }
}

/// Who signed in, as the server states it. The one way to its text is [`IdToken::expose`]; whoever reads claims from it has to verify
/// it first.
#[derive(Clone)]
pub struct IdToken {
    text: Text,
    until: Timestamp,
}

impl IdToken {
    pub(super) fn new(text: Text, until: Timestamp) -> Self {
        Self { text, until }
    }

    /// The text. Never log it.
    pub fn expose(&self) -> &str {
        self.text.as_str()
    }

    /// Until when it is handed out.
    pub fn usable_until(&self) -> Timestamp {
        self.until
    }
}

impl fmt::Debug for IdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdToken").field("usable_until", &self.until).finish_non_exhaustive()
    }
}
