//! One change of a document, as it travels: [`Change`]. A removal is said; it is never the absence of something.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use strata_core::Result;

use super::path::Path;

/// What happens at one place of a document.
///
/// As JSON `{"path": ["ui", "theme"], "set": "dark"}` or `{"path": ["cart"], "remove": true}`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct Change {
    /// Where.
    pub path: Path,
    /// What.
    pub what: What,
    /// The count of the newest revision its author knew when making it; only where the latest change wins.
    pub seen: Option<u64>,
}

/// What becomes of a place.
#[derive(Clone, PartialEq)]
pub enum What {
    /// It gets this value, `null` included.
    Set(Value),
    /// It is gone, with all below it.
    Remove,
}

impl Change {
    /// At a place that has been checked when the document was.
    pub(super) fn to(at: &[String], what: What) -> Self {
        Self { path: Path::checked(at), what, seen: None }
    }
}

#[derive(Serialize, Deserialize)]
struct Wire {
    path: Path,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    set: Option<Value>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    remove: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<u64>,
}

/// A `null` that is there is a value.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl TryFrom<Wire> for Change {
    type Error = &'static str;

    fn try_from(wire: Wire) -> Result<Self, &'static str> {
        let Wire { path, set, remove, seen } = wire;
        let what = match (set, remove) {
            (Some(value), false) => What::Set(value),
            (None, true) => What::Remove,
            _ => return Err("a change has either `set` or `remove`"),
        };
        Ok(Self { path, what, seen })
    }
}

impl From<Change> for Wire {
    fn from(change: Change) -> Self {
        let Change { path, what, seen } = change;
        match what {
            What::Set(value) => Self { path, set: Some(value), remove: false, seen },
            What::Remove => Self { path, set: None, remove: true, seen },
        }
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change").field("path", &self.path).field("what", &self.what).finish_non_exhaustive()
    }
}

/// Values are personal.
impl fmt::Debug for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Set(_) => "Set",
            Self::Remove => "Remove",
        })
    }
}
