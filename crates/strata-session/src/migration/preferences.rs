//! Settings that can be merged: [`Preferences`], where the user's win.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use strata_core::{Error, ErrorKind, Result};

/// Settings by name. Bounded, also when they are read from a store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, Preference>", into = "BTreeMap<String, Preference>")]
pub struct Preferences(BTreeMap<String, Preference>);

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Preference {
    /// On or off.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
}

impl Preferences {
    /// The most settings.
    pub const MAX_COUNT: usize = 256;
    /// The longest name, in bytes.
    pub const MAX_NAME_BYTES: usize = 128;
    /// The longest text, in bytes.
    pub const MAX_TEXT_BYTES: usize = 1024;

    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a setting, in place of one that may be there.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a name that is empty or has control characters; [`ErrorKind::TooLarge`] over [`Preferences::MAX_COUNT`],
    /// [`Preferences::MAX_NAME_BYTES`] or [`Preferences::MAX_TEXT_BYTES`]. Then nothing has changed.
    pub fn set(&mut self, name: &str, value: impl Into<Preference>) -> Result<()> {
        let value = value.into();
        check(name, &value)?;
        if !self.0.contains_key(name) && self.0.len() >= Self::MAX_COUNT {
            return Err(too_large(format!(
                "more than {} preferences; remove another first",
                Self::MAX_COUNT
            )));
        }
        self.0.insert(name.to_owned(), value);
        Ok(())
    }

    /// The setting of this name.
    pub fn get(&self, name: &str) -> Option<&Preference> {
        self.0.get(name)
    }

    /// Removes a setting, and says whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    /// All of them, in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Preference)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of both; where both have one, this one's.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] for more than [`Preferences::MAX_COUNT`] together.
    pub fn merge(mut self, other: Self) -> Result<Self> {
        for (name, value) in other.0 {
            if !self.0.contains_key(&name) {
                self.set(&name, value)?;
            }
        }
        Ok(self)
    }
}

impl TryFrom<BTreeMap<String, Preference>> for Preferences {
    type Error = Error;

    fn try_from(settings: BTreeMap<String, Preference>) -> Result<Self> {
        if settings.len() > Self::MAX_COUNT {
            return Err(too_large(format!("{} preferences, at most {}", settings.len(), Self::MAX_COUNT)));
        }
        settings.iter().try_for_each(|(name, value)| check(name, value))?;
        Ok(Self(settings))
    }
}

impl From<Preferences> for BTreeMap<String, Preference> {
    fn from(preferences: Preferences) -> Self {
        preferences.0
    }
}

impl From<bool> for Preference {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<i64> for Preference {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Preference {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Preference {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

fn check(name: &str, value: &Preference) -> Result<()> {
    if name.is_empty() || name.chars().any(char::is_control) {
        let message = "the name of a preference is empty or has a control character; give it at least one visible character";
        return Err(Error::new(ErrorKind::Invalid, "change preferences", message));
    }
    if name.len() > Preferences::MAX_NAME_BYTES {
        return Err(too_large(format!(
            "the name of a preference has {} bytes, at most {} are allowed; shorten it",
            name.len(),
            Preferences::MAX_NAME_BYTES
        )));
    }
    match value {
        Preference::Text(text) if text.len() > Preferences::MAX_TEXT_BYTES => Err(too_large(format!(
            "the preference `{name}` has {} bytes, at most {} are allowed; shorten it",
            text.len(),
            Preferences::MAX_TEXT_BYTES
        ))),
        _ => Ok(()),
    }
}

#[cold]
fn too_large(message: String) -> Error {
    Error::new(ErrorKind::TooLarge, "change preferences", message)
}

#[cfg(test)]
mod tests {
    use strata_core::Codec;

    use super::*;

    #[test]
    fn the_first_wins_and_nothing_else_is_lost() {
        let mut user = Preferences::new();
        user.set("theme", "dark").expect("set");
        let mut guest = Preferences::new();
        guest.set("theme", "light").expect("set");
        guest.set("size", 12).expect("set");
        guest.set("sound", false).expect("set");
        let merged = user.merge(guest).expect("a merge");
        assert_eq!(merged.get("theme"), Some(&Preference::from("dark")));
        assert_eq!(merged.get("size"), Some(&Preference::Number(12)));
        assert_eq!((merged.len(), merged.get("sound")), (3, Some(&Preference::Flag(false))));
    }

    #[test]
    fn s38_bounds_hold_when_set_merged_and_read() {
        let mut full = Preferences::new();
        for number in 0..Preferences::MAX_COUNT {
            full.set(&number.to_string(), true).expect("set");
        }
        full.set("0", false).expect("no new one");
        assert_eq!(full.set("one more", true).expect_err("too many").kind(), ErrorKind::TooLarge);
        let mut more = Preferences::new();
        more.set("one more", true).expect("set");
        assert_eq!(full.merge(more).expect_err("too many").kind(), ErrorKind::TooLarge);
        let long = "x".repeat(Preferences::MAX_TEXT_BYTES + 1);
        let mut none = Preferences::new();
        assert_eq!(none.set("a", long.as_str()).expect_err("too long").kind(), ErrorKind::TooLarge);
        assert_eq!(none.set(&long, true).expect_err("too long").kind(), ErrorKind::TooLarge);
        for bad in ["", "a\nb", "\u{7}"] {
            assert_eq!(none.set(bad, true).expect_err("no name").kind(), ErrorKind::Invalid);
        }
        Codec::Json.decode::<Preferences>(br#"{"a\nb":{"Flag":true}}"#).expect_err("no name");
        assert!(none.is_empty(), "refused settings leave nothing");
        let text = format!("{{\"a\":{{\"Text\":\"{long}\"}}}}");
        Codec::Json.decode::<Preferences>(text.as_bytes()).expect_err("too long");
        Codec::Bincode.shape_of::<Preferences>().expect("a shape");
    }
}
