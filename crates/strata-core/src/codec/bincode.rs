//! The dense codec: bincode 2 in its standard configuration, through [`checked`](super::checked) and
//! [`bounded`](super::bounded). What is accepted for writing is what can be read again; nothing is allocated for bytes
//! that are not there.
//!
//! bincode's own decoding limit is not used. It counts the memory of each number, not its bytes, so that a value well under
//! the limit could be written and never read; and within it a false length still reserves memory. Here lengths are compared with
//! the bytes that remain.

use bincode::config::{Configuration, standard};
use bincode::de::DecoderImpl;
use bincode::de::read::{BorrowReader, Reader};
use bincode::enc::EncoderImpl;
use bincode::enc::write::Writer;
use bincode::error::{DecodeError, EncodeError};
use serde::{Deserialize, Serialize};

use super::bounded::{Bounded, Reading};
use super::checked::{Checked, Writing};
use super::fault::Fault;
use crate::error::Result;

/// Little-endian, variable-length integers.
pub(super) type Standard = Configuration;

/// Appends at most `limit` bytes to `out`.
#[inline]
pub(super) fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>, limit: usize) -> Result<()> {
    let limit = limit.min(super::Codec::MAX_LEN);
    let mut writing = Writing::new(EncoderImpl::new(Tail { out, room: limit }, standard()));
    match value.serialize(Checked(&mut writing)) {
        Ok(()) => Ok(()),
        Err(fault) => Err(fault.encoding(std::any::type_name::<T>(), limit, writing.skipped)),
    }
}

/// Reads a value that takes up all of `bytes`.
#[inline]
pub(super) fn decode<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T> {
    read(bytes).map_err(|fault| fault.decoding(std::any::type_name::<T>()))
}

/// As [`decode`], with the bare reason.
#[inline]
pub(super) fn read<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, Fault> {
    let mut reading = Reading::new(DecoderImpl::new(Bytes { rest: bytes }, standard(), ()));
    let value = T::deserialize(Bounded(&mut reading))?;
    if reading.remaining() == 0 { Ok(value) } else { Err(Fault::Trailing) }
}

/// As [`encode`], into new bytes and with the bare reason.
pub(super) fn write<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::new();
    let room = super::Codec::MAX_LEN;
    value
        .serialize(Checked(&mut Writing::new(EncoderImpl::new(Tail { out: &mut out, room }, standard()))))?;
    Ok(out)
}

/// Writes at the end of a vector.
pub(super) struct Tail<'a> {
    out: &'a mut Vec<u8>,
    room: usize,
}

impl Tail<'_> {
    /// How many bytes may still be written.
    #[inline]
    pub(super) fn room(&self) -> usize {
        self.room
    }
}

impl Writer for Tail<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        let Some(room) = self.room.checked_sub(bytes.len()) else {
            return Err(EncodeError::UnexpectedEnd);
        };
        self.room = room;
        self.out.extend_from_slice(bytes);
        Ok(())
    }
}

/// Reads from a slice and lends from it.
pub(super) struct Bytes<'de> {
    rest: &'de [u8],
}

impl Bytes<'_> {
    /// How many bytes are left.
    #[inline]
    pub(super) fn remaining(&self) -> usize {
        self.rest.len()
    }
}

impl Reader for Bytes<'_> {
    #[inline]
    fn read(&mut self, bytes: &mut [u8]) -> Result<(), DecodeError> {
        bytes.copy_from_slice(self.take_bytes(bytes.len())?);
        Ok(())
    }

    #[inline]
    fn peek_read(&mut self, count: usize) -> Option<&[u8]> {
        self.rest.get(..count)
    }

    #[inline]
    fn consume(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }
}

impl<'de> BorrowReader<'de> for Bytes<'de> {
    #[inline]
    fn take_bytes(&mut self, length: usize) -> Result<&'de [u8], DecodeError> {
        match self.rest.split_at_checked(length) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(DecodeError::UnexpectedEnd { additional: length - self.rest.len() }),
        }
    }
}
