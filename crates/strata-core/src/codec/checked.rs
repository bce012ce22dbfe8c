//! Writing bincode with every promise checked: [`Checked`], a serializer over bincode's own primitives.
//!
//! Refused, because bincode could not give it back: a field left out (`skip_serializing_if`), a map or sequence of unknown
//! length (`flatten`), a compound whose parts are not as many as announced, nesting deeper than [`MAX_DEPTH`], more than
//! [`MAX_HOLLOW`] elements without bytes.
//!
//! Can't be seen from here: a field that is never written but read (`skip_serializing`), a variant numbered differently by
//! reading and writing, a field of a tuple struct left out. Most such types are refused when their [`Shape`](super::Shape) is
//! traced, because a sample of them does not survive; a type whose samples do and whose values do not is not noticed.

use bincode::enc::write::Writer;
use bincode::enc::{Encode, Encoder, EncoderImpl};
use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::bincode::{Standard, Tail};
use super::fault::Fault;
use super::{MAX_DEPTH, MAX_HOLLOW};

/// The state of one encoding.
pub(super) struct Writing<'a> {
    encoder: EncoderImpl<Tail<'a>, Standard>,
    depth: u8,
    hollow: usize,
    /// The field that was left out, after [`Fault::Skipped`].
    pub(super) skipped: &'static str,
}

impl<'a> Writing<'a> {
    #[inline]
    pub(super) fn new(encoder: EncoderImpl<Tail<'a>, Standard>) -> Self {
        Self { encoder, depth: MAX_DEPTH, hollow: MAX_HOLLOW, skipped: "" }
    }

    #[inline]
    fn put(&mut self, value: impl Encode) -> Result<(), Fault> {
        // The writer has one way to fail.
        value.encode(&mut self.encoder).map_err(|_| Fault::Full)
    }

    /// A length. Short ones, which nearly all are, are one byte and need no look at how many.
    #[inline]
    fn length(&mut self, length: usize) -> Result<(), Fault> {
        match short(length) {
            Some(byte) => self.encoder.writer().write(&[byte]).map_err(|_| Fault::Full),
            None => self.put(length as u64),
        }
    }

    /// A length and so many bytes.
    #[inline]
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        match short(bytes.len()) {
            Some(length) => self.encoder.writer().write_after(length, bytes).map_err(|_| Fault::Full),
            None => self.put(bytes),
        }
    }

    #[inline]
    fn enter(&mut self) -> Result<(), Fault> {
        self.depth = self.depth.checked_sub(1).ok_or(Fault::Deep)?;
        Ok(())
    }

    #[inline]
    fn room(&mut self) -> usize {
        self.encoder.writer().room()
    }
}

/// Writes one value.
pub(super) struct Checked<'w, 'a>(pub(super) &'w mut Writing<'a>);

/// Writes the parts of one value.
pub(super) struct Parts<'w, 'a> {
    writing: &'w mut Writing<'a>,
    /// Parts announced and not written yet; of a map, keys and values.
    left: usize,
    /// Elements of a sequence or map; each should take a byte.
    elements: usize,
    /// The room there was before the first.
    room: usize,
}

impl<'w, 'a> Checked<'w, 'a> {
    #[inline]
    fn parts(self, left: usize) -> Result<Parts<'w, 'a>, Fault> {
        self.0.enter()?;
        Ok(Parts { writing: self.0, left, elements: 0, room: 0 })
    }

    #[inline]
    fn elements(self, count: Option<usize>, each: usize) -> Result<Parts<'w, 'a>, Fault> {
        let elements = count.ok_or(Fault::Unsized)?;
        self.0.enter()?;
        self.0.length(elements)?;
        let room = self.0.room();
        Ok(Parts { writing: self.0, left: elements.saturating_mul(each), elements, room })
    }
}

impl Parts<'_, '_> {
    #[inline]
    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.left = self.left.checked_sub(1).ok_or(Fault::Miscounted)?;
        value.serialize(Checked(self.writing))
    }

    #[inline]
    fn finish(self) -> Result<(), Fault> {
        if self.left != 0 {
            return Err(Fault::Miscounted);
        }
        self.writing.depth += 1;
        if self.elements != 0 {
            let written = self.room - self.writing.room();
            let hollow = self.elements.saturating_sub(written);
            self.writing.hollow = self.writing.hollow.checked_sub(hollow).ok_or(Fault::Hollow)?;
        }
        Ok(())
    }

    #[cold]
    fn skip(&mut self, field: &'static str) -> Fault {
        self.writing.skipped = field;
        Fault::Skipped
    }
}

/// `length` as bincode's variable-length integers write it, if that is one byte: up to 250.
#[inline]
fn short(length: usize) -> Option<u8> {
    u8::try_from(length).ok().filter(|&byte| byte <= 250)
}

macro_rules! primitives {
    ($($method:ident($type:ty))*) => {
        $(
            #[inline]
            fn $method(self, value: $type) -> Result<(), Fault> {
                self.0.put(value)
            }
        )*
    };
}

impl<'w, 'a> Serializer for Checked<'w, 'a> {
    type Ok = ();
    type Error = Fault;
    type SerializeSeq = Parts<'w, 'a>;
    type SerializeTuple = Parts<'w, 'a>;
    type SerializeTupleStruct = Parts<'w, 'a>;
    type SerializeTupleVariant = Parts<'w, 'a>;
    type SerializeMap = Parts<'w, 'a>;
    type SerializeStruct = Parts<'w, 'a>;
    type SerializeStructVariant = Parts<'w, 'a>;

    primitives! {
        serialize_bool(bool) serialize_char(char)
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) serialize_u128(u128)
        serialize_f32(f32) serialize_f64(f64)
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<(), Fault> {
        self.0.bytes(value.as_bytes())
    }

    #[inline]
    fn serialize_bytes(self, value: &[u8]) -> Result<(), Fault> {
        self.0.bytes(value)
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    #[inline]
    fn serialize_none(self) -> Result<(), Fault> {
        self.0.put(0_u8)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Fault> {
        self.0.put(1_u8)?;
        value.serialize(self)
    }

    #[inline]
    fn serialize_unit(self) -> Result<(), Fault> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Fault> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(self, _: &'static str, index: u32, _: &'static str) -> Result<(), Fault> {
        self.0.put(index)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Fault> {
        self.0.enter()?;
        value.serialize(Checked(self.0))?;
        self.0.depth += 1;
        Ok(())
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Fault> {
        self.0.put(index)?;
        self.serialize_newtype_struct("", value)
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Parts<'w, 'a>, Fault> {
        self.elements(len, 1)
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Parts<'w, 'a>, Fault> {
        self.elements(len, 2)
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<Parts<'w, 'a>, Fault> {
        self.parts(len)
    }

    #[inline]
    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Parts<'w, 'a>, Fault> {
        self.parts(len)
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Parts<'w, 'a>, Fault> {
        self.parts(len)
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        len: usize,
    ) -> Result<Parts<'w, 'a>, Fault> {
        self.0.put(index)?;
        self.parts(len)
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        len: usize,
    ) -> Result<Parts<'w, 'a>, Fault> {
        self.0.put(index)?;
        self.parts(len)
    }
}

macro_rules! positional {
    ($($trait:ident $method:ident)*) => {
        $(
            impl $trait for Parts<'_, '_> {
                type Ok = ();
                type Error = Fault;

                #[inline]
                fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
                    self.part(value)
                }

                #[inline]
                fn end(self) -> Result<(), Fault> {
                    self.finish()
                }
            }
        )*
    };
}

macro_rules! named {
    ($($trait:ident)*) => {
        $(
            impl $trait for Parts<'_, '_> {
                type Ok = ();
                type Error = Fault;

                #[inline]
                fn serialize_field<T: Serialize + ?Sized>(&mut self, _: &'static str, value: &T) -> Result<(), Fault> {
                    self.part(value)
                }

                #[inline]
                fn skip_field(&mut self, field: &'static str) -> Result<(), Fault> {
                    Err(self.skip(field))
                }

                #[inline]
                fn end(self) -> Result<(), Fault> {
                    self.finish()
                }
            }
        )*
    };
}

positional! {
    SerializeSeq serialize_element
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

named! { SerializeStruct SerializeStructVariant }

impl SerializeMap for Parts<'_, '_> {
    type Ok = ();
    type Error = Fault;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Fault> {
        self.part(key)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.part(value)
    }

    #[inline]
    fn end(self) -> Result<(), Fault> {
        self.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serializer;

    use super::super::Codec;
    use super::*;
    use crate::error::{Error, ErrorKind};

    fn refused<T: Serialize>(value: &T) -> Error {
        let mut out = b"kept".to_vec();
        let error = Codec::Bincode.encode(value, &mut out, 1 << 20).expect_err("refused");
        assert_eq!(out, b"kept");
        error
    }

    #[test]
    fn a_field_left_out_is_refused_by_name() {
        #[derive(Serialize)]
        struct Sparse {
            id: u8,
            #[serde(skip_serializing_if = "Option::is_none")]
            note: Option<u8>,
        }
        #[derive(Serialize)]
        enum Variant {
            Sparse {
                #[serde(skip_serializing_if = "Option::is_none")]
                note: Option<u8>,
            },
        }
        let error = refused(&Sparse { id: 1, note: None });
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains("`note`") && error.message().contains("`Codec::Json`"), "{error}");
        assert_eq!(refused(&Variant::Sparse { note: None }).kind(), ErrorKind::Unsupported);
        let mut out = Vec::new();
        Codec::Bincode.encode(&Sparse { id: 1, note: Some(2) }, &mut out, 99).expect("nothing is left out");
        assert_eq!(out, [1, 1, 2]);
    }

    #[test]
    fn unknown_lengths_are_refused() {
        #[derive(Serialize)]
        struct Flat {
            id: u8,
            #[serde(flatten)]
            rest: BTreeMap<String, u8>,
        }
        struct Stream;
        impl Serialize for Stream {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_seq(None)?.end()
            }
        }
        let error = refused(&Flat { id: 1, rest: BTreeMap::new() });
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains("`Codec::Json`"), "{error}");
        assert_eq!(refused(&Stream).kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn parts_have_to_be_as_many_as_announced() {
        struct Liar {
            announced: usize,
            written: usize,
        }
        impl Serialize for Liar {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut seq = serializer.serialize_seq(Some(self.announced))?;
                (0..self.written).try_for_each(|_| seq.serialize_element(&1_u8))?;
                seq.end()
            }
        }
        for (announced, written) in [(1, 2), (2, 1), (0, 1), (1, 0)] {
            assert_eq!(refused(&Liar { announced, written }).kind(), ErrorKind::Unsupported);
        }
        Codec::Bincode.encode(&Liar { announced: 2, written: 2 }, &mut Vec::new(), 99).expect("no lie");
    }

    #[test]
    fn a_refusal_by_the_type_does_not_repeat_the_value() {
        struct Secret(&'static str);
        impl Serialize for Secret {
            fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom(self.0))
            }
        }
        let error = refused(&Secret("hunter2"));
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
