//! The public name of a session: [`SessionId`].

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use strata_core::{Error, ErrorKind, Result};

/// The name of a session in lists, logs and revocation: 128 random bits, written as 32 lower-case hexadecimal digits. It opens
/// nothing; only a [`SessionToken`](super::SessionToken) does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// The length of its text, in bytes.
    pub const TEXT_LEN: usize = 32;

    pub(super) const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Parses exactly what `Display` writes; anything else is [`ErrorKind::Invalid`].
    pub fn parse(text: &str) -> Result<Self> {
        let mut bytes = [0; 16];
        let digits = text.as_bytes();
        if digits.len() != Self::TEXT_LEN {
            return Err(malformed());
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

fn digit(character: u8) -> Result<u8> {
    match character {
        b'0'..=b'9' => Ok(character - b'0'),
        b'a'..=b'f' => Ok(character - b'a' + 10),
        _ => Err(malformed()),
    }
}

#[cold]
fn malformed() -> Error {
    Error::new(
        ErrorKind::Invalid,
        "parse session id",
        "a session id is 32 lower-case hexadecimal digits; this is something else",
    )
}

impl FromStr for SessionId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

/// As its text.
impl Serialize for SessionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_text() {
        let id = SessionId([0x0a; 16]);
        let text = id.to_string();
        assert_eq!(text, "0a".repeat(16));
        assert_eq!(text.parse::<SessionId>().expect("an id"), id);
        let upper = text.to_uppercase();
        for bad in
            ["", "0a", &text[1..], &upper, &format!("{text}0"), &format!("{} ", &text[1..]), &"é".repeat(16)]
        {
            assert_eq!(SessionId::parse(bad).expect_err(bad).kind(), ErrorKind::Invalid);
        }
    }
}
