//! Reading bincode that somebody hostile may have written: [`Bounded`], a deserializer over bincode's own primitives.
//!
//! Text and bytes are lent from the input and copied by whoever needs them owned, so a false length reserves nothing. A
//! sequence can't have more elements than bytes remain, apart from [`MAX_HOLLOW`] that take none; nesting ends at
//! [`MAX_DEPTH`], before the stack does; elements left unread are a fault, because everything after them would be misread.

use bincode::de::{BorrowDecode, BorrowDecoder, Decode, DecoderImpl};
use bincode::error::DecodeError;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::bincode::{Bytes, Standard};
use super::fault::Fault;
use super::{MAX_DEPTH, MAX_HOLLOW};

/// The state of one decoding.
pub(super) struct Reading<'de> {
    decoder: DecoderImpl<Bytes<'de>, Standard, ()>,
    depth: u8,
    hollow: usize,
}

impl<'de> Reading<'de> {
    #[inline]
    pub(super) fn new(decoder: DecoderImpl<Bytes<'de>, Standard, ()>) -> Self {
        Self { decoder, depth: MAX_DEPTH, hollow: MAX_HOLLOW }
    }

    /// How many bytes are left.
    #[inline]
    pub(super) fn remaining(&mut self) -> usize {
        self.decoder.borrow_reader().remaining()
    }

    #[inline]
    fn take<T: Decode<()>>(&mut self) -> Result<T, Fault> {
        T::decode(&mut self.decoder).map_err(describe)
    }

    #[inline]
    fn lend<T: BorrowDecode<'de, ()>>(&mut self) -> Result<T, Fault> {
        T::borrow_decode(&mut self.decoder).map_err(describe)
    }

    /// Runs `visit` one level further down.
    #[inline]
    fn nested<T>(&mut self, visit: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        self.depth = self.depth.checked_sub(1).ok_or(Fault::Deep)?;
        let value = visit(self)?;
        self.depth += 1;
        Ok(value)
    }

    /// Runs `visit` over as many elements as the next number says, none of which may be left over.
    #[inline]
    fn elements<T>(
        &mut self,
        visit: impl FnOnce(&mut Parts<'_, 'de>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let count = usize::try_from(self.take::<u64>()?).map_err(|_| Fault::Malformed)?;
        let before = self.remaining();
        if count > before.saturating_add(self.hollow) {
            return Err(Fault::Short);
        }
        let value = self.parts(count, visit)?;
        let hollow = count.saturating_sub(before - self.remaining());
        self.hollow = self.hollow.checked_sub(hollow).ok_or(Fault::Hollow)?;
        Ok(value)
    }

    /// Runs `visit` over `count` parts, none of which may be left over.
    #[inline]
    fn parts<T>(
        &mut self,
        count: usize,
        visit: impl FnOnce(&mut Parts<'_, 'de>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.nested(|reading| {
            let mut parts = Parts { reading, left: count };
            let value = visit(&mut parts)?;
            if parts.left == 0 { Ok(value) } else { Err(Fault::Unread) }
        })
    }
}

/// What a failure of bincode's primitives means. Its own text may hold bytes of the value.
#[cold]
#[expect(clippy::needless_pass_by_value, reason = "used as a function of map_err")]
fn describe(error: DecodeError) -> Fault {
    match error {
        DecodeError::UnexpectedEnd { .. } => Fault::Short,
        DecodeError::Utf8 { .. } | DecodeError::InvalidCharEncoding(_) => Fault::Text,
        _ => Fault::Malformed,
    }
}

/// Reads one value.
pub(super) struct Bounded<'r, 'de>(pub(super) &'r mut Reading<'de>);

/// Reads the parts of one value.
struct Parts<'r, 'de> {
    reading: &'r mut Reading<'de>,
    left: usize,
}

macro_rules! primitives {
    ($($method:ident $visit:ident $type:ty)*) => {
        $(
            #[inline]
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
                visitor.$visit(self.0.take::<$type>()?)
            }
        )*
    };
}

macro_rules! lent {
    ($($method:ident $visit:ident $type:ty)*) => {
        $(
            #[inline]
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
                visitor.$visit(self.0.lend::<$type>()?)
            }
        )*
    };
}

macro_rules! untyped {
    ($($method:ident)*) => {
        $(
            #[cold]
            fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Fault> {
                Err(Fault::Untyped)
            }
        )*
    };
}

impl<'de> Deserializer<'de> for Bounded<'_, 'de> {
    type Error = Fault;

    primitives! {
        deserialize_bool visit_bool bool
        deserialize_char visit_char char
        deserialize_i8 visit_i8 i8
        deserialize_i16 visit_i16 i16
        deserialize_i32 visit_i32 i32
        deserialize_i64 visit_i64 i64
        deserialize_i128 visit_i128 i128
        deserialize_u8 visit_u8 u8
        deserialize_u16 visit_u16 u16
        deserialize_u32 visit_u32 u32
        deserialize_u64 visit_u64 u64
        deserialize_u128 visit_u128 u128
        deserialize_f32 visit_f32 f32
        deserialize_f64 visit_f64 f64
    }

    lent! {
        deserialize_str visit_borrowed_str &'de str
        deserialize_string visit_borrowed_str &'de str
        deserialize_bytes visit_borrowed_bytes &'de [u8]
        deserialize_byte_buf visit_borrowed_bytes &'de [u8]
    }

    untyped! { deserialize_any deserialize_identifier deserialize_ignored_any }

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0.take::<u8>()? {
            0 => visitor.visit_none(),
            1 => visitor.visit_some(self),
            _ => Err(Fault::Malformed),
        }
    }

    #[inline]
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.0.nested(|reading| visitor.visit_newtype_struct(Bounded(reading)))
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.0.elements(|parts| visitor.visit_seq(parts))
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.0.elements(|parts| visitor.visit_map(parts))
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fault> {
        self.0.parts(len, |parts| visitor.visit_seq(parts))
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_tuple(len, visitor)
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_enum(self)
    }
}

impl<'de> SeqAccess<'de> for Parts<'_, 'de> {
    type Error = Fault;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(Bounded(self.reading)).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> MapAccess<'de> for Parts<'_, 'de> {
    type Error = Fault;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        self.next_element_seed(seed)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        seed.deserialize(Bounded(self.reading))
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> EnumAccess<'de> for Bounded<'_, 'de> {
    type Error = Fault;
    type Variant = Self;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Fault> {
        let index = self.0.take::<u32>()?;
        let value = seed.deserialize(IntoDeserializer::<Fault>::into_deserializer(index))?;
        Ok((value, self))
    }
}

impl<'de> VariantAccess<'de> for Bounded<'_, 'de> {
    type Error = Fault;

    #[inline]
    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Fault> {
        self.0.nested(|reading| seed.deserialize(Bounded(reading)))
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_tuple(len, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_tuple(fields.len(), visitor)
    }
}
