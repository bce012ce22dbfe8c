//! The part of an envelope that is the seal's own: [`Room`]. Byte diagram, right after core's header:
//!
//! ```text
//! scheme u8 │ key id u32 LE │ epoch 16 bytes │ scheme 1: counter u32 LE     │ body │ tag 16 bytes
//!                                            │ scheme 2: nonce 12 bytes     │
//! ```
//!
//! Scheme 1 is AES-256-GCM whose nonce is a counter, scheme 2 is AES-256-GCM whose nonce is synthetic.

use strata_core::{Error, ErrorKind, Key, KeyId, Result};

use crate::cipher::TAG_LEN;
use crate::derive::EpochId;

/// The bytes that both schemes have in common.
const COMMON: usize = 1 + 4 + 16;
const COUNTER: u8 = 1;
const SYNTHETIC: u8 = 2;

/// How records are told apart under one key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// By a counter.
    Counter,
    /// By a keyed hash of what is sealed.
    Synthetic,
}

impl Scheme {
    /// How many bytes lie between header and body.
    #[inline]
    pub(crate) const fn room(self) -> usize {
        match self {
            Self::Counter => COMMON + 4,
            Self::Synthetic => COMMON + 12,
        }
    }
}

/// What is known of an envelope's sealing before it is opened.
pub(crate) struct Room {
    pub(crate) key: KeyId,
    pub(crate) epoch: EpochId,
    pub(crate) nonce: [u8; 12],
    /// Where the body begins.
    pub(crate) body: usize,
}

impl Room {
    /// Where the nonce or counter begins in the room.
    pub(crate) const BEFORE_NONCE: usize = COMMON;

    /// Writes all but the nonce into `room`, which is as long as the scheme says.
    #[inline]
    pub(crate) fn write(room: &mut [u8], scheme: Scheme, key: KeyId, epoch: &EpochId) {
        room[0] = if scheme == Scheme::Counter { COUNTER } else { SYNTHETIC };
        room[1..5].copy_from_slice(&key.get().to_le_bytes());
        room[5..COMMON].copy_from_slice(epoch);
    }

    /// Writes a counter where its four bytes belong and gives the nonce it stands for.
    #[inline]
    pub(crate) fn write_counter(place: &mut [u8], counter: u32) -> [u8; 12] {
        place.copy_from_slice(&counter.to_le_bytes());
        nonce_of(counter)
    }

    /// Parses what follows the header of `key`'s envelope.
    #[inline]
    pub(crate) fn read(key: &Key, envelope: &[u8], header: usize) -> Result<Self> {
        let room = envelope.get(header..).unwrap_or_default();
        let Some((common, rest)) = room.split_first_chunk::<COMMON>() else {
            return Err(damaged(key));
        };
        let [scheme, k0, k1, k2, k3, epoch @ ..] = *common;
        let nonce = match scheme {
            COUNTER => {
                rest.first_chunk().map(|counter| (nonce_of(u32::from_le_bytes(*counter)), Scheme::Counter))
            }
            SYNTHETIC => rest.first_chunk().map(|nonce| (*nonce, Scheme::Synthetic)),
            0 => None,
            _ => return Err(newer(key)),
        };
        match nonce {
            Some((nonce, scheme)) if room.len() >= scheme.room() + TAG_LEN => {
                let key = KeyId::new(u32::from_le_bytes([k0, k1, k2, k3]));
                Ok(Self { key, epoch, nonce, body: header + scheme.room() })
            }
            _ => Err(damaged(key)),
        }
    }
}

/// A counter as a nonce: eight zeros and the number (SP 800-38D 8.2.1 with a fixed field of zeros; the key is the device).
#[inline]
fn nonce_of(counter: u32) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[8..].copy_from_slice(&counter.to_le_bytes());
    nonce
}

#[cold]
pub(crate) fn damaged(key: &Key) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        "open value",
        format!(
            "the sealed value of `{key}` was changed, cut or moved here from another record; restore it or remove it"
        ),
    )
}

#[cold]
fn newer(key: &Key) -> Error {
    Error::new(
        ErrorKind::Newer,
        "open value",
        format!(
            "the value of `{key}` is sealed by a scheme of a newer version of Strata; upgrade this program"
        ),
    )
}
