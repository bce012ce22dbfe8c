//! Where a value lies in a document: [`Path`], exact segments. `authorship` is not below `auth`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use strata_core::{Error, ErrorKind, Result};

/// The most segments of a path.
pub(super) const MAX_DEPTH: usize = 16;
/// The longest segment, in bytes.
const MAX_SEGMENT: usize = 128;
/// How many bytes a list of what is remembered of places takes: with them a document stays below the 256 KiB of a record.
const MAX_REMEMBERED: usize = 48 * 1024;
/// Names that reach into the prototypes of objects at peers written in JavaScript (CWE-1321).
const PROTOTYPES: [&str; 3] = ["__proto__", "constructor", "prototype"];

/// A place in a document: 1 to 16 names, each of 1 to 128 bytes without control characters. `__proto__`, `constructor` and
/// `prototype` are no names.
///
/// As text the names are joined by dots; a dot or a backslash within one has a backslash before it: `hosts.example\.org`. On the wire
/// it is an array of names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Vec<String>);

impl Path {
    /// The path of these names.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for no names, too many, or one that is none.
    pub fn of<S: Into<String>>(segments: impl IntoIterator<Item = S>) -> Result<Self> {
        let segments: Vec<String> = segments.into_iter().map(Into::into).collect();
        if segments.is_empty() || segments.len() > MAX_DEPTH {
            return Err(bad("a path has 1 to 16 names"));
        }
        segments.iter().try_for_each(|segment| check_name(segment))?;
        Ok(Self(segments))
    }

    /// The path that a text such as `user.name` writes.
    ///
    /// # Errors
    /// As [`Path::of`]; also for a backslash before anything but a dot or a backslash.
    pub fn parse(text: &str) -> Result<Self> {
        let mut segments = vec![String::new()];
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            let Some(last) = segments.last_mut() else { break };
            match character {
                '.' => segments.push(String::new()),
                '\\' => match characters.next() {
                    Some(escaped @ ('.' | '\\')) => last.push(escaped),
                    _ => return Err(bad("a backslash stands before a dot or a backslash only")),
                },
                other => last.push(other),
            }
        }
        Self::of(segments)
    }

    /// Of names that a document has, which were checked as they came in.
    pub(super) fn checked(names: &[String]) -> Self {
        Self(names.to_vec())
    }

    /// Its names, at least one.
    pub fn segments(&self) -> &[String] {
        &self.0
    }

    /// Whether this is `above`, or lies below it.
    pub fn is_within(&self, above: &Self) -> bool {
        self.0.starts_with(&above.0)
    }

    /// The most bytes that it takes in a record, with a number beside it.
    fn weight(&self) -> usize {
        self.0.iter().map(|name| 2 * name.len() + 3).sum::<usize>() + 48
    }

    /// Whether one of the two is within the other.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.is_within(other) || other.is_within(self)
    }
}

/// Drops the oldest of what is remembered of places: at most `most` stay, and no more than fits beside a document in a record.
pub(super) fn keep_last<T>(remembered: &mut Vec<T>, most: usize, path: impl Fn(&T) -> &Path) {
    let mut room = MAX_REMEMBERED;
    let kept = remembered.iter().rev().take(most).take_while(|it| {
        let left = room.checked_sub(path(it).weight());
        room = left.unwrap_or(0);
        left.is_some()
    });
    let kept = kept.count();
    remembered.drain(..remembered.len() - kept);
}

/// Refuses what no name of a document may be.
pub(super) fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > MAX_SEGMENT || name.chars().any(char::is_control) {
        return Err(bad("a name has 1 to 128 bytes and no control characters"));
    }
    if PROTOTYPES.contains(&name) {
        return Err(bad("`__proto__`, `constructor` and `prototype` are no names of a document"));
    }
    Ok(())
}

#[cold]
fn bad(message: &'static str) -> Error {
    Error::new(ErrorKind::Invalid, "name a place in a document", message)
}

impl FromStr for Path {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            f.write_str(&segment.replace('\\', "\\\\").replace('.', "\\."))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Path({self})")
    }
}

impl Serialize for Path {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let segments = Vec::<String>::deserialize(deserializer)?;
        Self::of(segments).map_err(|error| serde::de::Error::custom(error.message()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_names_are_one() {
        for names in [&["a"][..], &["user", "name"], &["a.b", "c\\d"], &["\\", "."], &["ü", " "]] {
            let path = Path::of(names.iter().copied()).expect("a path");
            assert_eq!(path.segments(), names);
            assert_eq!(Path::parse(&path.to_string()).expect("parsed"), path);
        }
        assert_eq!(Path::parse("user.name").expect("a path").segments(), ["user", "name"]);
    }

    #[test]
    fn what_is_no_path() {
        let deep = vec!["a"; MAX_DEPTH + 1].join(".");
        let long = "a".repeat(MAX_SEGMENT + 1);
        for text in ["", ".", "a.", ".a", "a..b", "a\\", "a\\b", "a\nb", &deep, &long] {
            assert_eq!(Path::parse(text).expect_err("refused").kind(), ErrorKind::Invalid, "{text}");
        }
    }

    /// *Not again*: a path that begins with the letters of another is not below it.
    #[test]
    fn authorship_is_not_auth() {
        let path = |text: &str| Path::parse(text).expect("a path");
        assert!(path("auth").is_within(&path("auth")));
        assert!(path("auth.role").is_within(&path("auth")));
        assert!(!path("authorship").is_within(&path("auth")));
        assert!(!path("auth\\.role").is_within(&path("auth")));
        assert!(!path("auth").is_within(&path("auth.role")) && path("auth").meets(&path("auth.role")));
    }

    /// *Not again*: writes into prototypes.
    #[test]
    fn prototypes_are_no_names() {
        for text in ["__proto__", "a.__proto__.b", "constructor.prototype", "a.prototype"] {
            assert_eq!(Path::parse(text).expect_err("refused").kind(), ErrorKind::Invalid, "{text}");
        }
        serde_json::from_str::<Path>(r#"["a","__proto__"]"#).expect_err("refused on the wire too");
    }
}
