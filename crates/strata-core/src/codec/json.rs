//! The codec that describes itself: JSON, bounded in length and depth.
//!
//! JSON can't hold everything: `NaN` and the infinities are written as `null`, and so is `Some(None)`; they come back as
//! `None`, or not at all. Map keys have to be text, numbers, booleans or unit variants. Use [`Codec::Bincode`](super::Codec) for such values.

use std::io;

use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use serde_json::ser::Formatter;

use crate::error::{Error, ErrorKind, Result};

/// The deepest nesting that the parser accepts.
const MAX_DEPTH: u8 = 127;

/// Appends at most `limit` bytes to `out`.
pub(super) fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>, limit: usize) -> Result<()> {
    let limit = limit.min(super::Codec::MAX_LEN);
    let tail = Tail { out, room: limit };
    let mut serializer = serde_json::Serializer::with_formatter(tail, Nesting { left: MAX_DEPTH });
    value.serialize(&mut serializer).map_err(|error| refused(&error, std::any::type_name::<T>(), limit))
}

/// Reads a value that takes up all of `bytes`, but for white space.
pub(super) fn decode<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| damaged(&error, std::any::type_name::<T>()))
}

/// The error's own text is dropped: it may quote the value.
#[cold]
fn refused(error: &serde_json::Error, name: &str, limit: usize) -> Error {
    let (kind, message) = match (error.classify(), error.io_error_kind()) {
        (Category::Io, Some(io::ErrorKind::InvalidInput)) => (
            ErrorKind::TooLarge,
            format!("the value of `{name}` nests deeper than {MAX_DEPTH} levels; flatten it"),
        ),
        (Category::Io, _) => (
            ErrorKind::TooLarge,
            format!(
                "the value of `{name}` takes more than {limit} bytes; split it, or keep the bulk elsewhere"
            ),
        ),
        (Category::Syntax, _) => (
            ErrorKind::Unsupported,
            format!("`{name}` has a map whose keys JSON can't write; use `Codec::Bincode` for this type"),
        ),
        _ => (
            ErrorKind::Invalid,
            format!(
                "the `Serialize` of `{name}` refused the value; its reason is not repeated, it may hold the value"
            ),
        ),
    };
    Error::new(kind, "encode", message)
}

#[cold]
fn damaged(error: &serde_json::Error, name: &str) -> Error {
    let (kind, why) = match error.classify() {
        Category::Data => {
            (ErrorKind::Mismatch, "it is JSON of another type; read it as the type it was stored as")
        }
        Category::Eof => (ErrorKind::Corrupt, "it ends early; restore the record or remove it"),
        _ => (ErrorKind::Corrupt, "it is no JSON, or nests too deeply; restore the record or remove it"),
    };
    let (line, column) = (error.line(), error.column());
    Error::new(kind, "decode", format!("the stored bytes are no `{name}` at {line}:{column}: {why}"))
}

/// Writes at the end of a vector.
struct Tail<'a> {
    out: &'a mut Vec<u8>,
    room: usize,
}

impl io::Write for Tail<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(room) = self.room.checked_sub(bytes.len()) else {
            return Err(io::ErrorKind::FileTooLarge.into());
        };
        self.room = room;
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Compact JSON that refuses to nest deeper than can be read again.
struct Nesting {
    left: u8,
}

impl Nesting {
    #[inline]
    fn open<W: io::Write + ?Sized>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.left = self.left.checked_sub(1).ok_or(io::ErrorKind::InvalidInput)?;
        writer.write_all(bracket)
    }

    #[inline]
    fn close<W: io::Write + ?Sized>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.left += 1;
        writer.write_all(bracket)
    }
}

impl Formatter for Nesting {
    #[inline]
    fn begin_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b"[")
    }

    #[inline]
    fn end_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b"]")
    }

    #[inline]
    fn begin_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b"{")
    }

    #[inline]
    fn end_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b"}")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use super::super::Codec;
    use super::*;

    #[derive(Serialize, Deserialize, Debug, PartialEq, Clone)]
    #[serde(tag = "kind")]
    enum Tagged {
        Small { id: u8 },
        Large { id: u64, rest: Vec<Tagged> },
    }

    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Flat {
        big: (i128, u128),
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        tagged: Tagged,
        #[serde(flatten)]
        rest: BTreeMap<String, String>,
    }

    fn flat() -> Flat {
        Flat {
            big: (i128::MIN, u128::MAX),
            note: None,
            tagged: Tagged::Large { id: u64::MAX, rest: vec![Tagged::Small { id: 1 }] },
            rest: BTreeMap::from([("ü".into(), "\"\n".into())]),
        }
    }

    fn encoded<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
        let mut out = Vec::new();
        Codec::Json.encode(value, &mut out, 1 << 20).expect("encode");
        out
    }

    fn kind<T>(result: Result<T>) -> ErrorKind {
        result.err().expect("an error").kind()
    }

    #[test]
    fn what_bincode_refuses_round_trips_as_compact_json() {
        let bytes = encoded(&flat());
        assert_eq!(bytes, serde_json::to_vec(&flat()).expect("serde_json"));
        assert_eq!(Codec::Json.decode::<Flat>(&bytes).expect("decode"), flat());
        assert_eq!(Codec::Json.decode_borrowed::<&str>(b"\"lent\"").expect("decode"), "lent");
        assert_eq!(Codec::Json.shape_of::<Flat>().expect("shape"), super::super::Shape::NONE);
    }

    #[test]
    fn damage_and_other_types_are_told_apart_without_the_text() {
        let bytes = encoded(&flat());
        for end in 0..bytes.len() {
            assert_eq!(kind(Codec::Json.decode::<Flat>(&bytes[..end])), ErrorKind::Corrupt);
        }
        let trailing = [bytes.as_slice(), b"1"].concat();
        assert_eq!(kind(Codec::Json.decode::<Flat>(&trailing)), ErrorKind::Corrupt);
        let error = Codec::Json.decode::<u8>(b"\"hunter2\"").expect_err("text");
        assert_eq!(error.kind(), ErrorKind::Mismatch);
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        let error = Codec::Json.decode::<Tagged>(b"{\"kind\":\"hunter2\"}").expect_err("variant");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }

    #[test]
    fn s38_a_limit_is_kept_to_the_byte_and_leaves_the_buffer_as_it_was() {
        let length = encoded(&flat()).len();
        let mut out = b"kept".to_vec();
        assert_eq!(kind(Codec::Json.encode(&flat(), &mut out, length - 1)), ErrorKind::TooLarge);
        assert_eq!(out, b"kept");
        Codec::Json.encode(&flat(), &mut out, length).expect("exactly the limit");
    }

    #[test]
    fn s38_what_is_written_is_not_too_deep_to_be_read() {
        #[derive(Serialize, Deserialize, Debug, PartialEq)]
        struct Nest(Vec<Nest>);
        let nest = |levels| (1..levels).fold(Nest(Vec::new()), |inner, _| Nest(vec![inner]));
        let bytes = encoded(&nest(MAX_DEPTH));
        assert_eq!(Codec::Json.decode::<Nest>(&bytes).expect("decode"), nest(MAX_DEPTH));
        let deeper = Codec::Json.encode(&nest(MAX_DEPTH + 1), &mut Vec::new(), 1 << 20);
        assert_eq!(kind(deeper), ErrorKind::TooLarge);
        assert_eq!(kind(Codec::Json.decode::<Nest>(&vec![b'['; 1 << 20])), ErrorKind::Corrupt);
    }

    #[test]
    fn keys_that_are_no_text_are_refused_with_the_way_out() {
        let map = HashMap::from([((1_u8, 2_u8), 3_u8)]);
        let error = Codec::Json.encode(&map, &mut Vec::new(), 99).expect_err("tuple keys");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains("`Codec::Bincode`"));
    }

    #[test]
    fn nan_is_lost() {
        assert_eq!(encoded(&f64::NAN), b"null");
        assert_eq!(Codec::Json.decode::<Option<f64>>(b"null").expect("decode"), None);
        assert_eq!(kind(Codec::Json.decode::<f64>(b"null")), ErrorKind::Mismatch);
    }
}
