//! What a visitor does: [`Event`] as the program says it and its scrubbing hook may change it, and [`Act`] as it is stored and sent.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Something a visitor did, before anything of it is stored. The scrubbing hook sees it, may change it, and decides.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A page was opened.
    View {
        /// Its path. Query and fragment have been cut off: they are where forms, searches and tokens leak.
        path: String,
        /// Where the visitor came from, if a visit begins with this; without query, fragment and credentials.
        referrer: Option<String>,
    },
    /// Something the program has a name for.
    Custom {
        /// The name.
        name: String,
        /// What belongs to it.
        properties: Properties,
    },
}

/// What a scrubbing hook decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scrub {
    /// Store the event as the hook left it.
    Keep,
    /// Store nothing of it; it is counted as scrubbed.
    Drop,
}

/// Named values that belong to an event. Prints their number only.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Properties(BTreeMap<String, Property>);

/// A value of a property.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Property {
    /// A text.
    Text(String),
    /// A number; a finite one.
    Number(f64),
    /// Yes or no.
    Flag(bool),
}

/// What happened, as it is stored and sent.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Act {
    /// A page was opened.
    View {
        /// Its path.
        path: String,
        /// The page that was left for it.
        left: Option<PageTime>,
    },
    /// Something with a name.
    Custom {
        /// The name.
        name: String,
        /// What belongs to it.
        properties: Properties,
    },
}

/// How long a page was looked at.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageTime {
    /// The page.
    pub path: String,
    /// How long, in milliseconds.
    pub millis: u64,
}

impl Properties {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text.
    #[must_use]
    pub fn text(self, name: &str, value: impl Into<String>) -> Self {
        self.with(name, Property::Text(value.into()))
    }

    /// Adds a number. One that is not finite is refused when the event is recorded.
    #[must_use]
    pub fn number(self, name: &str, value: f64) -> Self {
        self.with(name, Property::Number(value))
    }

    /// Adds a yes or no.
    #[must_use]
    pub fn flag(self, name: &str, value: bool) -> Self {
        self.with(name, Property::Flag(value))
    }

    fn with(mut self, name: &str, value: Property) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    /// The value under `name`.
    pub fn get(&self, name: &str) -> Option<&Property> {
        self.0.get(name)
    }

    /// Takes one out, such as by a scrubbing hook.
    pub fn remove(&mut self, name: &str) -> Option<Property> {
        self.0.remove(name)
    }

    /// Each name and value, in order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Property)> {
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

    /// The bytes of names and texts; numbers and flags count as eight.
    pub(super) fn bytes(&self) -> usize {
        self.iter().map(|(name, value)| name.len() + value.bytes()).sum()
    }
}

impl Property {
    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Number(_) | Self::Flag(_) => 8,
        }
    }

    /// Whether it can be written in any codec.
    pub(super) fn is_finite(&self) -> bool {
        !matches!(self, Self::Number(number) if !number.is_finite())
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::View { .. } => "View",
            Self::Custom { .. } => "Custom",
        })
    }
}

impl fmt::Debug for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::View { .. } => "View",
            Self::Custom { .. } => "Custom",
        })
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Properties({})", self.len())
    }
}

impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text",
            Self::Number(_) => "Number",
            Self::Flag(_) => "Flag",
        })
    }
}

impl fmt::Debug for PageTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageTime({} ms)", self.millis)
    }
}
