//! The values of a session inside its record: [`Values`], and each of them as it is encoded, [`Stored`].

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use strata_core::{Codec, Error, ErrorKind, Result, Shape, Value};

use crate::limits::Limits;

/// Values by name. Names that begin with [`OWN`] are Strata's: applications neither see nor touch them.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Values(BTreeMap<String, Stored>);

/// What the names of Strata's own values begin with.
pub(crate) const OWN: char = '~';

/// One value, encoded on its own, so that values of any types stand side by side and each is read as what it was.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stored {
    codec: u8,
    shape: u32,
    bytes: Bytes,
}

impl Values {
    /// Decodes a value, refusing another type.
    pub(crate) fn value<T: Value>(&self, name: &str) -> Result<Option<T>> {
        self.0.get(name).map(|stored| stored.decode(name)).transpose()
    }

    /// How the value under `name` is encoded, if there is one.
    pub(crate) fn codec_of(&self, name: &str) -> Result<Option<Codec>> {
        self.0.get(name).map(|stored| Codec::from_id(stored.codec)).transpose()
    }

    /// Whether exactly this value is there.
    pub(crate) fn has(&self, name: &str, stored: &Stored) -> bool {
        self.0.get(name).is_some_and(|found| found == stored)
    }

    /// Puts an encoded value in place, if the session may hold it.
    pub(crate) fn put(&mut self, name: &str, stored: Stored, limits: &Limits) -> Result<()> {
        let is_new = !self.0.contains_key(name);
        let others = self.0.iter().filter(|(other, _)| *other != name);
        let bytes: usize = others.map(|(other, stored)| other.len() + stored.bytes.0.len()).sum();
        limits
            .check_content(self.0.len() + usize::from(is_new), bytes + name.len() + stored.bytes.0.len())?;
        self.0.insert(name.to_owned(), stored);
        Ok(())
    }

    pub(crate) fn remove(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    /// Removes the application's values, and says how many there were.
    pub(crate) fn clear(&mut self) -> usize {
        let before = self.0.len();
        self.0.retain(|name, _| name.starts_with(OWN));
        before - self.0.len()
    }

    /// The names of the application's values.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.keys().filter(|name| !name.starts_with(OWN)).cloned().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Values({})", self.len())
    }
}

impl Stored {
    /// Encodes a value for a session with these limits.
    pub(crate) fn encode<T: Value>(codec: Codec, value: &T, limits: &Limits) -> Result<Self> {
        let mut bytes = Vec::new();
        codec.encode(value, &mut bytes, limits.longest_value())?;
        Ok(Self { codec: codec.id(), shape: codec.shape_of::<T>()?.get(), bytes: Bytes(bytes) })
    }

    pub(crate) fn decode<T: Value>(&self, name: &str) -> Result<T> {
        self.check_type::<T>(name)?;
        Codec::from_id(self.codec)?.decode(&self.bytes.0)
    }

    /// Refuses another type than it was stored as.
    pub(crate) fn check_type<T: Value>(&self, name: &str) -> Result<()> {
        if Codec::from_id(self.codec)?.shape_of::<T>()? == Shape::new(self.shape) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Mismatch,
            "open session value",
            format!(
                "`{name}` was stored as a type of another shape than `{}`; read it as the type it was stored as",
                std::any::type_name::<T>()
            ),
        ))
    }

    /// How it is encoded.
    pub(crate) fn codec(&self) -> Result<Codec> {
        Codec::from_id(self.codec)
    }
}

/// Bytes that are written as one run, not one by one.
#[derive(Clone, PartialEq, Eq)]
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
