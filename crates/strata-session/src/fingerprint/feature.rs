//! The name of one property of a device: [`Feature`].

use std::borrow::Cow;
use std::fmt;

use strata_core::{Error, ErrorKind, Result};

/// A named feature: one that Strata knows and compares with understanding, or one of the application's own, which is the same or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Feature(Cow<'static, str>);

impl Feature {
    /// The browser or program: family, major version, engine.
    pub const AGENT: Self = Self::known("agent");
    /// The languages the user prefers.
    pub const LANGUAGE: Self = Self::known("language");
    /// The family of the operating system.
    pub const PLATFORM: Self = Self::known("platform");
    /// The size of the screen, in pixels.
    pub const SCREEN: Self = Self::known("screen");
    /// The time zone, by name.
    pub const ZONE: Self = Self::known("zone");
    /// The bits of a pixel.
    pub const COLOUR_DEPTH: Self = Self::known("colour_depth");
    /// The memory, rounded down to a power of two.
    pub const MEMORY: Self = Self::known("memory");
    /// The number of logical processors.
    pub const CORES: Self = Self::known("cores");
    /// The network: a /24 of IPv4, a /48 of IPv6.
    pub const ADDRESS: Self = Self::known("address");

    /// Those that Strata knows.
    pub const KNOWN: [Self; 9] = [
        Self::AGENT,
        Self::LANGUAGE,
        Self::PLATFORM,
        Self::SCREEN,
        Self::ZONE,
        Self::COLOUR_DEPTH,
        Self::MEMORY,
        Self::CORES,
        Self::ADDRESS,
    ];

    /// The longest name, in bytes.
    pub const MAX_NAME: usize = 32;

    const fn known(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// A feature of the application's own: a lower-case letter, then lower-case letters, digits and `_`, at most 32 bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for another name, or one of those that Strata knows: their values come in by methods of their own.
    pub fn custom(name: &str) -> Result<Self> {
        let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let well_formed = name.len() <= Self::MAX_NAME
            && name.as_bytes().first().is_some_and(u8::is_ascii_lowercase)
            && name.bytes().all(inside);
        if !well_formed {
            return Err(invalid(
                "a feature's name is 1 to 32 lower-case letters, digits and `_`, a letter first; choose another",
            ));
        }
        if Self::KNOWN.iter().any(|known| known.name() == name) {
            return Err(invalid("a feature of this name exists; use its own method, or choose another name"));
        }
        Ok(Self(Cow::Owned(name.to_owned())))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The feature of this name, which was checked when it was stored.
    pub(super) fn of_stored(name: &str) -> Self {
        Self(Cow::Owned(name.to_owned()))
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cold]
fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::Invalid, "name feature", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_never_taken_twice() {
        for good in ["canvas", "tls_ja4", "a", &"a".repeat(32)] {
            assert_eq!(Feature::custom(good).expect(good).name(), good);
        }
        let long = "a".repeat(33);
        for bad in ["", "_a", "1a", "Canvas", "a-b", "a b", "a\n", "é", "~a", &long, "agent", "zone"] {
            assert_eq!(Feature::custom(bad).expect_err(bad).kind(), ErrorKind::Invalid);
        }
    }
}
