//! The envelope's header: what stands before every stored value, sealed or not. Byte diagram in `docs/format.md`.

use crate::codec::{Codec, Shape};
use crate::error::{Error, ErrorKind, Result};
use crate::expiry::Expiry;
use crate::key::Key;
use crate::time::Timestamp;

/// The number of this layout.
const FORMAT: u8 = 1;
/// The flag of a sealed body.
const SEALED: u8 = Envelope::SEALED;

/// What a [`Seal`](crate::Seal) has to know of the envelopes it is given.
#[derive(Clone, Copy, Debug)]
pub struct Envelope;

impl Envelope {
    /// The length of the header: format, codec, flags, shape (4), cap (8).
    pub const HEADER: usize = 15;
    /// Where the flags are.
    pub const FLAGS: usize = 2;
    /// The flag of a sealed body.
    pub const SEALED: u8 = 1;

    /// Whether a payload is a sealed envelope of this layout. The store's own plain records are not.
    pub fn is_sealed(payload: &[u8]) -> bool {
        payload.len() > Self::HEADER && payload[0] == FORMAT && payload[Self::FLAGS] & Self::SEALED != 0
    }
}

/// What is known of a value before it is opened. 15 bytes: format, codec, flags, shape, cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) codec: Codec,
    pub(crate) sealed: bool,
    pub(crate) shape: Shape,
    /// The sealed cap. `None` also where a write kept an expiry it had not read; the record's own cap holds then.
    pub(crate) not_after: Option<Timestamp>,
}

impl Header {
    /// The length of a header.
    pub(crate) const LEN: usize = Envelope::HEADER;
    /// Where the cap begins.
    const CAP: usize = 7;

    /// Appends the header.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let mut header = [0; Self::LEN];
        header[..3].copy_from_slice(&[FORMAT, self.codec.id(), u8::from(self.sealed) * SEALED]);
        header[3..Self::CAP].copy_from_slice(&self.shape.get().to_le_bytes());
        let not_after = self.not_after.map_or(u64::MAX, Timestamp::as_millis);
        header[Self::CAP..].copy_from_slice(&not_after.to_le_bytes());
        out.extend_from_slice(&header);
    }

    /// Writes the cap into an envelope whose header stands there already.
    #[inline]
    pub(crate) fn stamp(envelope: &mut [u8], cap: Timestamp) {
        envelope[Self::CAP..Self::LEN].copy_from_slice(&cap.as_millis().to_le_bytes());
    }

    /// Parses the header of `envelope`.
    #[inline]
    pub(crate) fn read(key: &Key, envelope: &[u8]) -> Result<Self> {
        let Some(header) = envelope.first_chunk::<{ Self::LEN }>() else {
            return Err(damaged(key, "is shorter than its header"));
        };
        let [format, codec, flags, s0, s1, s2, s3, n @ ..] = *header;
        if format != FORMAT {
            return Err(if format > FORMAT { newer(key) } else { damaged(key, "has no valid header") });
        }
        if flags & !SEALED != 0 {
            return Err(newer(key));
        }
        let not_after = u64::from_le_bytes(n);
        Ok(Self {
            codec: Codec::from_id(codec)?,
            sealed: flags & SEALED != 0,
            shape: Shape::new(u32::from_le_bytes([s0, s1, s2, s3])),
            not_after: (not_after != u64::MAX).then(|| Timestamp::from_millis(not_after)),
        })
    }

    /// The record's expiry under the smaller of its own cap and the sealed one.
    #[inline]
    pub(crate) fn effective(&self, expiry: Expiry) -> Expiry {
        match self.not_after {
            Some(cap) if expiry.not_after().is_none_or(|column| cap < column) => expiry.capped(cap),
            _ => expiry,
        }
    }
}

#[cold]
fn damaged(key: &Key, how: &str) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        "open value",
        format!("the value of `{key}` {how}; restore it or remove it"),
    )
}

#[cold]
fn newer(key: &Key) -> Error {
    Error::new(
        ErrorKind::Newer,
        "open value",
        format!("the value of `{key}` was written by a newer version of Strata; upgrade this program"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_round_trip_and_damage_is_named() {
        let key = Key::new("k").expect("key");
        let header = Header {
            codec: Codec::Json,
            sealed: true,
            shape: Shape::new(7),
            not_after: Some(Timestamp::from_millis(9)),
        };
        let mut bytes = Vec::new();
        header.write(&mut bytes);
        assert_eq!(bytes.len(), Header::LEN);
        assert_eq!(Header::read(&key, &bytes).expect("header"), header);
        assert_eq!(Header::read(&key, &bytes[..14]).expect_err("short").kind(), ErrorKind::Corrupt);
        for (index, byte, kind) in
            [(0, 2, ErrorKind::Newer), (0, 0, ErrorKind::Corrupt), (2, 2, ErrorKind::Newer)]
        {
            let mut bytes = bytes.clone();
            bytes[index] = byte;
            assert_eq!(Header::read(&key, &bytes).expect_err("bad header").kind(), kind);
        }
    }

    #[test]
    fn s26_the_smaller_cap_holds() {
        let header = Header {
            codec: Codec::Bincode,
            sealed: true,
            shape: Shape::new(1),
            not_after: Some(Timestamp::from_millis(50)),
        };
        let stretched = Expiry::at(Timestamp::from_millis(90)).capped(Timestamp::from_millis(90));
        assert!(header.effective(stretched).is_dead(Timestamp::from_millis(50)));
        let tighter = Expiry::at(Timestamp::from_millis(90)).capped(Timestamp::from_millis(40));
        assert_eq!(header.effective(tighter), tighter);
    }
}
