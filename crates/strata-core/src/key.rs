//! Names of records: [`Key`], [`KeyPrefix`], [`Tag`], [`Tags`]. Parsed once, never validated again.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};

/// Keys up to this many bytes are held without an allocation.
const INLINE: usize = 62;

/// The name of a record: 1 to 512 bytes of UTF-8 without control characters, compared by bytes.
///
/// Names that begin with `~strata:` are the store's own (see [`Key::system`]); no caller can form one.
#[derive(Clone)]
pub struct Key(Repr);

#[derive(Clone)]
enum Repr {
    Inline { len: u8, bytes: [u8; INLINE] },
    Shared(Arc<str>),
}

impl Key {
    /// The longest key, in bytes, namespace included.
    pub const MAX_BYTES: usize = 512;
    /// What names of the store's own records begin with.
    pub const SYSTEM_PREFIX: &'static str = "~strata:";

    /// Parses a name. Empty, too long, control characters and the reserved prefix are [`ErrorKind::Invalid`].
    pub fn new(name: &str) -> Result<Self> {
        Self::join("", name)
    }

    /// Parses `name` inside a namespace whose prefix has been parsed already.
    pub(crate) fn join(prefix: &str, name: &str) -> Result<Self> {
        check_text("key", name)?;
        if prefix.is_empty() && name.starts_with(Self::SYSTEM_PREFIX) {
            return Err(invalid(format!(
                "names that begin with `{}` belong to the store; choose another name",
                Self::SYSTEM_PREFIX
            )));
        }
        let len = prefix.len() + name.len();
        if len > Self::MAX_BYTES {
            return Err(invalid(format!(
                "the key has {len} bytes with its namespace, at most {} are allowed; shorten it or use its hash",
                Self::MAX_BYTES
            )));
        }
        Ok(Self::from_parts(prefix, name))
    }

    /// A name of the store's own, such as its header: `~strata:` and `name`.
    pub fn system(name: &str) -> Result<Self> {
        check_text("key", name)?;
        Ok(Self::from_parts(Self::SYSTEM_PREFIX, name))
    }

    /// Restores a key from its stored bytes, system keys included. Anything that no constructor makes is
    /// [`ErrorKind::Corrupt`]. For adapters.
    pub fn from_stored(bytes: &[u8]) -> Result<Self> {
        let corrupt = || Error::new(ErrorKind::Corrupt, "read key", "a stored key is damaged; run `check`");
        let name = std::str::from_utf8(bytes).map_err(|_| corrupt())?;
        if name.len() > Self::MAX_BYTES || check_text("key", name).is_err() {
            return Err(corrupt());
        }
        Ok(Self::from_parts("", name))
    }

    /// Escapes `segment` so that it can stand between colons: `:`, `%`, `*`, `?`, `\`, `~` and control characters
    /// become percent codes, so no user-chosen text reaches another namespace or acts as a pattern.
    pub fn escape(segment: &str) -> String {
        use fmt::Write as _;
        let mut escaped = String::with_capacity(segment.len());
        for character in segment.chars() {
            if character.is_control() || matches!(character, ':' | '%' | '*' | '?' | '\\' | '~') {
                let mut bytes = [0; 4];
                for byte in character.encode_utf8(&mut bytes).bytes() {
                    // Writing to a String cannot fail.
                    let _ = write!(escaped, "%{byte:02X}");
                }
            } else {
                escaped.push(character);
            }
        }
        escaped
    }

    fn from_parts(prefix: &str, name: &str) -> Self {
        let len = prefix.len() + name.len();
        if len <= INLINE {
            let mut bytes = [0; INLINE];
            bytes[..prefix.len()].copy_from_slice(prefix.as_bytes());
            bytes[prefix.len()..len].copy_from_slice(name.as_bytes());
            // `len` is at most INLINE, which fits a byte.
            #[allow(clippy::cast_possible_truncation)]
            Self(Repr::Inline { len: len as u8, bytes })
        } else {
            Self(Repr::Shared(Arc::from([prefix, name].concat())))
        }
    }

    /// The name's bytes. The cheap view: stores order, hash and compare keys by it.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Repr::Shared(name) => name.as_bytes(),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            // Both parts were UTF-8 when the key was made and are never changed.
            Repr::Inline { .. } => std::str::from_utf8(self.as_bytes()).expect("keys are UTF-8"),
            Repr::Shared(name) => name,
        }
    }

    /// Whether this names one of the store's own records.
    pub fn is_system(&self) -> bool {
        self.as_bytes().starts_with(Self::SYSTEM_PREFIX.as_bytes())
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.as_str())
    }
}

/// The beginning of keys: empty for all of them, else text as in a [`Key`].
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct KeyPrefix(Arc<str>);

impl KeyPrefix {
    /// The prefix of every key.
    pub fn all() -> Self {
        Self::default()
    }

    /// Parses a prefix; it may be empty, otherwise the rules of [`Key`] hold.
    pub fn new(prefix: &str) -> Result<Self> {
        if prefix.is_empty() {
            return Ok(Self::all());
        }
        check_text("prefix", prefix)?;
        if prefix.len() > Key::MAX_BYTES {
            return Err(invalid(format!(
                "the prefix has {} bytes, at most {} are allowed",
                prefix.len(),
                Key::MAX_BYTES
            )));
        }
        Ok(Self(Arc::from(prefix)))
    }

    /// The prefix as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `key` begins with it.
    pub fn matches(&self, key: &Key) -> bool {
        key.as_bytes().starts_with(self.0.as_bytes())
    }
}

impl fmt::Debug for KeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPrefix({})", self.0)
    }
}

/// A label on records, such as `user:ada`: 1 to 128 bytes of UTF-8 without control characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Arc<str>);

impl Tag {
    /// The longest tag, in bytes.
    pub const MAX_BYTES: usize = 128;

    /// Parses a tag.
    pub fn new(tag: &str) -> Result<Self> {
        check_text("tag", tag)?;
        if tag.len() > Self::MAX_BYTES {
            return Err(invalid(format!(
                "the tag has {} bytes, at most {} are allowed; shorten it or use its hash",
                tag.len(),
                Self::MAX_BYTES
            )));
        }
        Ok(Self(Arc::from(tag)))
    }

    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({})", self.0)
    }
}

/// The tags of one record: a sorted set of at most 32. No tags take one word.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tags(Option<Arc<Vec<Tag>>>);

impl Tags {
    /// The most tags one record can carry.
    pub const MAX_COUNT: usize = 32;

    /// No tags.
    pub const fn none() -> Self {
        Self(None)
    }

    /// A set of tags; duplicates fold, more than 32 are [`ErrorKind::TooLarge`].
    pub fn new(tags: impl IntoIterator<Item = Tag>) -> Result<Self> {
        let mut tags: Vec<Tag> = tags.into_iter().collect();
        tags.sort_unstable();
        tags.dedup();
        if tags.len() > Self::MAX_COUNT {
            return Err(Error::new(
                ErrorKind::TooLarge,
                "tag",
                format!("{} tags on one record, at most {} are allowed", tags.len(), Self::MAX_COUNT),
            ));
        }
        tags.shrink_to_fit();
        Ok(Self((!tags.is_empty()).then(|| Arc::new(tags))))
    }

    /// The tags in order.
    pub fn as_slice(&self) -> &[Tag] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }

    /// The tags in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Tag> {
        self.as_slice().iter()
    }

    /// Whether `tag` is among them.
    pub fn contains(&self, tag: &Tag) -> bool {
        self.as_slice().binary_search(tag).is_ok()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl<'a> IntoIterator for &'a Tags {
    type Item = &'a Tag;
    type IntoIter = std::slice::Iter<'a, Tag>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Tag::as_str)).finish()
    }
}

fn check_text(what: &str, text: &str) -> Result<()> {
    if text.is_empty() {
        return Err(invalid(format!("the {what} is empty; give it at least one character")));
    }
    // Without a way out of the loop it runs over many bytes at a time.
    let plain = text.bytes().fold(true, |plain, byte| plain & (0x20..0x7f).contains(&byte));
    if !plain && let Some(position) = text.chars().position(char::is_control) {
        return Err(invalid(format!(
            "the {what} has a control character at position {position}; remove it, or escape it with `Key::escape`"
        )));
    }
    Ok(())
}

#[cold]
fn invalid(message: String) -> Error {
    Error::new(ErrorKind::Invalid, "parse name", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s38_bad_keys_are_refused_with_the_way_out() {
        for (name, says) in [
            ("", "at least one character"),
            ("a\nb", "control character at position 1"),
            ("a\u{85}b", "Key::escape"),
            ("~strata:header", "choose another name"),
        ] {
            let error = Key::new(name).expect_err(name);
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains(says), "{error}");
        }
        let long = "x".repeat(513);
        assert!(Key::new(&long).expect_err("too long").to_string().contains("at most 512"));
        assert_eq!(Key::new(&long[1..]).expect("512 bytes").as_str().len(), 512);
    }

    #[test]
    fn inline_and_shared_keys_are_one_kind() {
        for len in [1, 61, 62, 63, 64, 200] {
            let name = "é".repeat(len).chars().take(len).collect::<String>();
            let key = Key::new(&name).expect("valid");
            assert_eq!(key.as_str(), name);
            assert_eq!(Key::from_stored(name.as_bytes()).expect("valid"), key);
        }
        assert_eq!(size_of::<Key>(), 64);
    }

    #[test]
    fn escaping_leaves_no_separator_and_is_injective() {
        let hostile = ["a:b", "a%3Ab", "*", "~strata:x", "a\\b", "\u{7}", "é:ü"];
        let escaped: Vec<String> = hostile.iter().map(|text| Key::escape(text)).collect();
        for (index, text) in escaped.iter().enumerate() {
            assert!(!text.contains([':', '*', '?', '~', '\\']));
            assert!(Key::new(text).is_ok());
            assert!(!escaped[index + 1..].contains(text));
        }
    }

    #[test]
    fn s38_tags_are_a_bounded_set() {
        let tag = |name: &str| Tag::new(name).expect("valid");
        let tags = Tags::new([tag("b"), tag("a"), tag("b")]).expect("two tags");
        assert_eq!(tags.as_slice(), [tag("a"), tag("b")]);
        assert!(tags.contains(&tag("a")) && !tags.contains(&tag("c")));
        let many = (0..33).map(|number| tag(&number.to_string()));
        assert_eq!(Tags::new(many).expect_err("33 tags").kind(), ErrorKind::TooLarge);
        assert!(Tag::new(&"x".repeat(129)).is_err());
    }
}
