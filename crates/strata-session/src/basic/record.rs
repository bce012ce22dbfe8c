//! What the store holds of a session: [`SessionRecord`], the hash of its secret and its values.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use strata_core::{Codec, Error, ErrorKind, Result, Shape, Value};

use super::limits::Limits;
use super::token::Digest;

/// One session: one record, one life.
#[derive(Serialize, Deserialize)]
pub(super) struct SessionRecord {
    check: Digest,
    values: BTreeMap<String, Stored>,
}

/// One value, encoded on its own, so that values of any types stand side by side and each is read as what it was.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Stored {
    codec: u8,
    shape: u32,
    bytes: Bytes,
}

impl SessionRecord {
    pub(super) fn new(check: Digest) -> Self {
        Self { check, values: BTreeMap::new() }
    }

    /// Whether `check` is of the secret that opens it.
    pub(super) fn opens_to(&self, check: &Digest) -> bool {
        self.check.matches(check)
    }

    pub(super) fn replace_check(&mut self, check: Digest) {
        self.check = check;
    }

    /// Decodes a value, refusing another type.
    pub(super) fn value<T: Value>(&self, name: &str) -> Result<Option<T>> {
        self.values.get(name).map(|stored| stored.decode(name)).transpose()
    }

    /// How the value under `name` is encoded, if there is one.
    pub(super) fn codec_of(&self, name: &str) -> Result<Option<Codec>> {
        self.values.get(name).map(|stored| Codec::from_id(stored.codec)).transpose()
    }

    /// Puts an encoded value in place, if the session may hold it.
    pub(super) fn put(&mut self, name: &str, stored: Stored, limits: &Limits) -> Result<()> {
        let is_new = !self.values.contains_key(name);
        let others = self.values.iter().filter(|(other, _)| *other != name);
        let bytes: usize = others.map(|(other, stored)| other.len() + stored.bytes.0.len()).sum();
        limits.check_content(
            self.values.len() + usize::from(is_new),
            bytes + name.len() + stored.bytes.0.len(),
        )?;
        self.values.insert(name.to_owned(), stored);
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str) -> bool {
        self.values.remove(name).is_some()
    }

    /// Removes all values, and says how many there were.
    pub(super) fn clear(&mut self) -> usize {
        std::mem::take(&mut self.values).len()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.values.keys().cloned().collect()
    }
}

impl fmt::Debug for SessionRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionRecord").field("values", &self.values.len()).finish_non_exhaustive()
    }
}

impl Stored {
    /// Encodes a value for a session with these limits.
    pub(super) fn encode<T: Value>(codec: Codec, value: &T, limits: &Limits) -> Result<Self> {
        let mut bytes = Vec::new();
        codec.encode(value, &mut bytes, limits.longest_value())?;
        Ok(Self { codec: codec.id(), shape: codec.shape_of::<T>()?.get(), bytes: Bytes(bytes) })
    }

    fn decode<T: Value>(&self, name: &str) -> Result<T> {
        let codec = Codec::from_id(self.codec)?;
        if codec.shape_of::<T>()? != Shape::new(self.shape) {
            return Err(Error::new(
                ErrorKind::Mismatch,
                "open session value",
                format!(
                    "`{name}` was stored as a type of another shape than `{}`; read it as the type it was stored as",
                    std::any::type_name::<T>()
                ),
            ));
        }
        codec.decode(&self.bytes.0)
    }
}

/// Bytes that are written as one run, not one by one.
#[derive(Clone)]
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(BytesVisitor)
    }
}

struct BytesVisitor;

impl<'de> Visitor<'de> for BytesVisitor {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(Bytes(bytes.to_vec()))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
        Ok(Bytes(bytes))
    }

    /// For formats without bytes of their own, such as JSON.
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Bytes, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = items.next_element()? {
            bytes.push(byte);
        }
        Ok(Bytes(bytes))
    }
}
