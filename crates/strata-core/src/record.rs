//! What a store holds: [`Record`], its [`Payload`] and its [`Version`].

use std::fmt;
use std::sync::Arc;

use crate::expiry::Expiry;
use crate::key::Tags;
use crate::time::Timestamp;

/// A number from the store's own sequence, given to every real change and never reused, also not in a later life of
/// the same key. Compared for equality only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version(u64);

impl Version {
    /// The version with this number. For adapters and for callers that carry versions over a wire.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The bytes of a record, shared: a clone counts a reference. Prints its length only.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(Arc<[u8]>);

impl Payload {
    /// The bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The number of bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&[u8]> for Payload {
    fn from(bytes: &[u8]) -> Self {
        Self(Arc::from(bytes))
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Arc::from(bytes))
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.0.len())
    }
}

/// A value's bytes and what the store keeps beside them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The envelope: header and value, sealed or plain.
    pub payload: Payload,
    /// The number of the last real change.
    pub version: Version,
    /// When this life of the key began.
    pub created: Timestamp,
    /// When the value, expiry or tags last changed. Slides do not count.
    pub updated: Timestamp,
    /// When it dies.
    pub expiry: Expiry,
    /// Its labels.
    pub tags: Tags,
}

impl Record {
    /// Whether it is dead at `now`.
    #[inline]
    pub fn is_dead(&self, now: Timestamp) -> bool {
        self.expiry.is_dead(now)
    }
}
