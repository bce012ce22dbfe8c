//! A key's bytes as the map and the indexes share them: [`Name`], one word.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use strata_core::{Key, Result};
use triomphe::ThinArc;

/// A shared key of eight bytes, ordered, hashed and looked up as the bytes it points to.
#[derive(Clone)]
pub(crate) struct Name(ThinArc<(), u8>);

impl Name {
    /// Allocates the name of `key`.
    pub(crate) fn new(key: &Key) -> Self {
        Self(ThinArc::from_header_and_slice((), key.as_bytes()))
    }

    /// The key's bytes.
    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0.slice
    }

    /// The key.
    pub(crate) fn key(&self) -> Result<Key> {
        Key::from_stored(self.as_bytes())
    }
}

impl Borrow<[u8]> for Name {
    #[inline]
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

// As the slice hashes, or a look-up by bytes would miss.
impl Hash for Name {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl PartialEq for Name {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word_and_found_by_its_bytes() {
        let key = Key::new("session:é").expect("valid");
        let name = Name::new(&key);
        let hasher = ahash::RandomState::new();
        assert_eq!(size_of::<Option<Name>>(), size_of::<usize>());
        assert_eq!(hasher.hash_one(&name), hasher.hash_one(key.as_bytes()));
        assert_eq!(name.key().expect("a key"), key);
    }
}
