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
    let mut writing = Writing::new(EncoderImpl::new(Tail::new(out, limit), standard()));
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
    value.serialize(Checked(&mut Writing::new(EncoderImpl::new(Tail::new(&mut out, room), standard()))))?;
    Ok(out)
}

/// Writes at the end of a vector.
pub(super) struct Tail<'a> {
    out: &'a mut Vec<u8>,
    /// How long the vector may become.
    end: usize,
}

impl<'a> Tail<'a> {
    #[inline]
    fn new(out: &'a mut Vec<u8>, room: usize) -> Self {
        let end = out.len().saturating_add(room);
        Self { out, end }
    }
}

impl Tail<'_> {
    /// How many bytes may still be written.
    #[inline]
    pub(super) fn room(&self) -> usize {
        self.end - self.out.len()
    }

    /// Writes one byte and others behind it.
    #[inline]
    pub(super) fn write_after(&mut self, first: u8, rest: &[u8]) -> Result<(), EncodeError> {
        if rest.len() >= self.room() {
            return Err(EncodeError::UnexpectedEnd);
        }
        self.out.reserve(rest.len() + 1);
        self.out.push(first);
        self.out.extend_from_slice(rest);
        Ok(())
    }
}

impl Writer for Tail<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        if bytes.len() > self.room() {
            return Err(EncodeError::UnexpectedEnd);
        }
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

#[cfg(test)]
#[expect(clippy::zero_sized_map_values, reason = "an entry without a value is a case")]
mod tests {
    use std::collections::{BTreeMap, HashMap};
    use std::fmt::Debug;
    use std::net::IpAddr;
    use std::num::NonZeroU32;
    use std::time::{Duration, SystemTime};

    use serde::de::DeserializeOwned;

    use super::super::{Codec, MAX_DEPTH, MAX_HOLLOW};
    use super::*;
    use crate::error::ErrorKind;

    #[derive(Serialize, Deserialize, Debug, PartialEq, Clone)]
    enum Event {
        Nothing,
        Text(String),
        Pair(i8, u128),
        Named { at: f64, by: Option<char> },
    }

    #[derive(Serialize, Deserialize, Debug, PartialEq, Clone)]
    struct Wide {
        id: String,
        roles: Vec<String>,
        counts: BTreeMap<String, i64>,
        event: Event,
        wait: Duration,
        from: IpAddr,
        port: NonZeroU32,
        unit: (),
        fixed: [u16; 3],
        raw: Vec<u8>,
        big: (i128, u128, bool, f32, i16, i32),
    }

    #[derive(Serialize, Deserialize, Debug, PartialEq, Default)]
    struct Nest {
        inner: Vec<Nest>,
    }

    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct List(Option<Box<List>>);

    fn wide() -> Wide {
        Wide {
            id: "user-ü".into(),
            roles: vec!["admin".into(), String::new()],
            counts: BTreeMap::from([("a".into(), -1), ("b".into(), i64::MIN)]),
            event: Event::Named { at: f64::INFINITY, by: Some('ß') },
            wait: Duration::new(3, 5),
            from: IpAddr::from([127, 0, 0, 1]),
            port: NonZeroU32::MAX,
            unit: (),
            fixed: [1, 300, 65_535],
            raw: (0..=255).collect(),
            big: (i128::MIN, u128::MAX, true, -0.5, -2, i32::MAX),
        }
    }

    fn encoded<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
        let mut out = vec![7];
        Codec::Bincode.encode(value, &mut out, 1 << 20).expect("encode");
        assert_eq!(out.remove(0), 7);
        out
    }

    /// Writes the same bytes as bincode's own serializer, and reads them back.
    fn round<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
        let bytes = encoded(value);
        assert_eq!(bytes, ::bincode::serde::encode_to_vec(value, standard()).expect("bincode"));
        assert_eq!(&Codec::Bincode.decode::<T>(&bytes).expect("decode"), value);
    }

    fn kind<T>(result: Result<T>) -> ErrorKind {
        result.err().expect("an error").kind()
    }

    fn damaged<T: DeserializeOwned>(bytes: &[u8]) {
        assert_eq!(kind(Codec::Bincode.decode::<T>(bytes)), ErrorKind::Corrupt);
    }

    #[test]
    fn values_round_trip_in_the_bytes_of_bincode_2() {
        round(&wide());
        [Event::Nothing, Event::Text("x".repeat(300)), Event::Pair(-128, 1 << 100)].iter().for_each(round);
        [0, 250, 251, 65_535, 65_536, 1 << 32, u64::MAX].iter().for_each(round);
        [0, -1, 125, -126, i64::MIN, i64::MAX].iter().for_each(round);
        [None, Some(None), Some(Some(1_u8))].iter().for_each(round);
        round(&HashMap::from([(1_u8, "one".to_owned())]));
        round(&SystemTime::UNIX_EPOCH);
        round(&vec![(); MAX_HOLLOW]);
        round(&List(Some(Box::new(List(None)))));
        assert!(Codec::Bincode.decode::<f64>(&encoded(&f64::NAN)).expect("decode").is_nan());
    }

    #[test]
    fn text_and_bytes_are_lent() {
        let bytes = encoded(&("text", vec![1_u8, 2, 3]));
        let (text, raw) = Codec::Bincode.decode_borrowed::<(&str, &[u8])>(&bytes).expect("decode");
        assert_eq!((text, raw), ("text", &[1, 2, 3][..]));
        assert!(bytes.as_ptr_range().contains(&text.as_ptr()));
    }

    #[test]
    fn every_truncation_and_every_flipped_byte_ends_in_a_value_or_an_error() {
        let bytes = encoded(&wide());
        for end in 0..bytes.len() {
            damaged::<Wide>(&bytes[..end]);
        }
        for index in 0..bytes.len() {
            for flip in [1, 0x80, 0xff] {
                let mut bytes = bytes.clone();
                bytes[index] ^= flip;
                if let Err(error) = Codec::Bincode.decode::<Wide>(&bytes) {
                    assert_eq!(error.kind(), ErrorKind::Corrupt);
                }
            }
        }
    }

    #[test]
    fn bytes_left_over_are_damage() {
        let mut bytes = encoded(&wide());
        bytes.push(0);
        damaged::<Wide>(&bytes);
        damaged::<()>(&[0]);
    }

    #[test]
    fn s38_false_lengths_reserve_nothing_and_end_at_once() {
        for length in [u64::MAX, 1 << 63, (1 << 63) - 1, 1 << 40, 1 << 20] {
            let mut bytes = encoded(&length);
            bytes.extend([1, 2, 3]);
            damaged::<String>(&bytes);
            damaged::<Vec<u8>>(&bytes);
            damaged::<Vec<u64>>(&bytes);
            damaged::<Vec<Vec<String>>>(&bytes);
            damaged::<Vec<()>>(&bytes);
            damaged::<BTreeMap<(), u8>>(&bytes);
            damaged::<BTreeMap<String, u8>>(&bytes);
            assert_eq!(kind(Codec::Bincode.decode_borrowed::<&str>(&bytes)), ErrorKind::Corrupt);
            assert_eq!(kind(Codec::Bincode.decode_borrowed::<&[u8]>(&bytes)), ErrorKind::Corrupt);
        }
    }

    #[test]
    fn s38_elements_without_bytes_are_counted_over_the_whole_value() {
        let mut out = Vec::new();
        let result = Codec::Bincode.encode(&vec![(); MAX_HOLLOW + 1], &mut out, 1 << 20);
        assert_eq!(kind(result), ErrorKind::TooLarge);
        let halves = vec![vec![(); MAX_HOLLOW / 2]; 2];
        round(&halves);
        let thirds = vec![vec![(); MAX_HOLLOW / 2]; 3];
        assert_eq!(kind(Codec::Bincode.encode(&thirds, &mut out, 1 << 20)), ErrorKind::TooLarge);
        damaged::<Vec<Vec<()>>>(&::bincode::serde::encode_to_vec(&thirds, standard()).expect("bincode"));
        // A key takes a byte, so that its entry does.
        round(&(0..10_000_u32).map(|key| (key, ())).collect::<BTreeMap<_, _>>());
    }

    #[test]
    fn s38_nesting_ends_before_the_stack_does_in_both_directions() {
        let deepest = usize::from(MAX_DEPTH) / 2;
        let nest = |levels| (1..levels).fold(Nest::default(), |inner, _| Nest { inner: vec![inner] });
        round(&nest(deepest));
        let mut out = Vec::new();
        assert_eq!(kind(Codec::Bincode.encode(&nest(deepest + 1), &mut out, 1 << 20)), ErrorKind::TooLarge);
        damaged::<Nest>(&vec![1; 1 << 20]);
        damaged::<List>(&vec![1; 1 << 20]);
    }

    #[test]
    fn s38_a_limit_is_kept_to_the_byte_and_leaves_the_buffer_as_it_was() {
        let length = encoded(&wide()).len();
        let mut out = b"kept".to_vec();
        assert_eq!(kind(Codec::Bincode.encode(&wide(), &mut out, length - 1)), ErrorKind::TooLarge);
        assert_eq!(out, b"kept");
        Codec::Bincode.encode(&wide(), &mut out, length).expect("exactly the limit");
        assert_eq!(out.len(), 4 + length);
    }

    #[test]
    fn no_error_repeats_the_value() {
        #[derive(Deserialize, Debug)]
        #[serde(try_from = "String")]
        struct Picky;
        impl TryFrom<String> for Picky {
            type Error = String;
            fn try_from(text: String) -> std::result::Result<Self, String> {
                Err(format!("{text} is not picky"))
            }
        }
        let bytes = encoded("hunter2");
        let error = Codec::Bincode.decode::<Picky>(&bytes).expect_err("refused");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        let error = Codec::Bincode.decode::<char>(&[0xf5, 0xde, 0xad, 0xbf]).expect_err("no char");
        assert!(!format!("{error:?}").contains("173"));
    }
}
