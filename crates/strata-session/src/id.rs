//! Public names: 128 random bits written as 32 lower-case hexadecimal digits, for lists, logs and revocation. They open nothing.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use strata_core::{Error, ErrorKind, Random, Result};

/// A public name of its own type, so that one kind cannot be taken for another.
macro_rules! public_id {
    ($(#[$doc:meta])* $name:ident, $parse:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The length of its text, in bytes.
            pub const TEXT_LEN: usize = 32;

            /// A fresh one.
            #[allow(dead_code)] // some kinds only ever take the id of something else
            pub(crate) fn mint(random: &dyn Random) -> Result<Self> {
                let mut bytes = [0; 16];
                random.fill(&mut bytes)?;
                Ok(Self(bytes))
            }

            #[allow(dead_code)] // as above
            pub(crate) const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            #[allow(dead_code)] // as above
            pub(crate) const fn to_bytes(self) -> [u8; 16] {
                self.0
            }

            /// Parses exactly what `Display` writes; anything else is [`ErrorKind::Invalid`].
            pub fn parse(text: &str) -> Result<Self> {
                parse(text).map(Self).ok_or_else(|| {
                    Error::new(
                        ErrorKind::Invalid,
                        $parse,
                        concat!($what, " is 32 lower-case hexadecimal digits; this is something else"),
                    )
                })
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        /// As its text.
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(de::Error::custom)
            }
        }
    };
}

public_id! {
    /// The name of a session in lists, logs and revocation: 128 random bits, written as 32 lower-case hexadecimal digits. It opens
    /// nothing; only a [`SessionToken`](crate::SessionToken) does.
    SessionId, "parse session id", "a session id"
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

/// The bytes of exactly 32 lower-case hexadecimal digits.
fn parse(text: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    let digits = text.as_bytes();
    if digits.len() != 32 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

public_id! {
    /// The name of a family of refresh tokens in lists, logs and revocation: 128 random bits, written as 32 lower-case hexadecimal
    /// digits. It opens nothing.
    FamilyId, "parse family id", "a family id"
}

public_id! {
    /// The name of a visit: 128 random bits, written as 32 lower-case hexadecimal digits. It opens nothing.
    VisitId, "parse visit id", "a visit id"
}

public_id! {
    /// The name of one client's copy of a document: 128 random bits, written as 32 lower-case hexadecimal digits. It opens nothing.
    ReplicaId, "parse replica id", "a replica id"
}

public_id! {
    /// The name of one request to synchronise, the same at each retry: 128 random bits, written as 32 lower-case hexadecimal digits.
    RequestId, "parse request id", "a request id"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_text() {
        let id = SessionId::from_bytes([0x0a; 16]);
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
