//! A short fingerprint of what a type asks of its bytes, [`Shape`], and where it is kept once it was traced.

use std::any::{TypeId, type_name};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

use serde::Deserialize;

use super::fault::Fault;
use super::{Value, bincode, trace};
use crate::error::Result;

/// 32 bits that tell one type's bincode from another's.
///
/// bincode misreads silently: `(1_u64, 2_u64)` reads as the `(i64, i64)` `(-1, 1)`. So a value is stored with the shape of
/// its type, and reading it as a type of another shape is an error. The shape is a hash (FNV-1a 64, folded) of what the type's
/// `Deserialize` asks for: kinds of numbers, text, bytes, options, sequences, maps, tuples, structs with the names of
/// their fields in order, enums with the names of their variants in order. It is the same on every platform, for every
/// process and in every release.
///
/// Not part of it: names of types, newtypes, boxes, and whether text is lent or owned. So a borrowed twin with the same
/// fields has the same shape, and `&[u8]` that of `Vec<u8>`.
///
/// # What it can't tell
/// - What lies behind a `Deserialize` that refuses every value it is tried with, and in the fields after it.
/// - Types that differ only beyond 4096 places.
/// - Two units or meanings in the same kind: seconds and milliseconds are both `u64`.
/// - By chance, one pair of types in four thousand million.
///
/// # What is refused when it is traced
/// Types that ask the bytes what they are (untagged, internally or adjacently tagged, flattened,
/// `serde_json::Value`), and types of which
/// a sample does not survive writing and reading (`skip_serializing`, a skipped variant before others). Both work with
/// [`Codec::Json`](super::Codec::Json).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape(u32);

impl Shape {
    /// No shape: the bytes describe themselves.
    pub const NONE: Self = Self(0);

    /// The shape with these bits.
    pub const fn new(bits: u32) -> Self {
        Self(bits)
    }

    /// The bits.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Folds a hash; never [`Shape::NONE`].
    #[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
    fn fold(hash: u64) -> Self {
        let bits = (hash >> 32) as u32 ^ hash as u32;
        Self(bits.max(1))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shape({self})")
    }
}

thread_local! {
    /// One word for each type a thread has stored. Types are as many as the program was compiled with.
    static SHAPES: RefCell<HashMap<TypeId, Shape, BuildHasherDefault<TypeIdHasher>>> = RefCell::default();
}

/// The shape of `T`, traced at the thread's first call.
#[inline]
pub(super) fn cached<T: Value>() -> Result<Shape> {
    let id = TypeId::of::<T>();
    // While a thread ends, its map may be gone; then every call traces.
    match SHAPES.try_with(|shapes| shapes.borrow().get(&id).copied()) {
        Ok(Some(shape)) => Ok(shape),
        _ => first::<T>(id),
    }
}

#[cold]
fn first<T: Value>(id: TypeId) -> Result<Shape> {
    let shape = trace_with::<T>(survives)?;
    let _ = SHAPES.try_with(|shapes| shapes.borrow_mut().insert(id, shape));
    Ok(shape)
}

/// The shape of `T`, traced.
pub(super) fn traced<'de, T: Deserialize<'de>>() -> Result<Shape> {
    trace_with::<T>(|_| Ok(()))
}

fn trace_with<'de, T: Deserialize<'de>>(check: impl FnMut(T) -> Result<(), Fault>) -> Result<Shape> {
    match trace::explore(check) {
        Ok(tree) => Ok(Shape::fold(tree.hash())),
        Err(fault) => Err(fault.unsupported(type_name::<T>())),
    }
}

/// Whether `sample` can be written, read and written again to the same bytes. Values that the type itself refuses, and types
/// that write differently each time, say nothing.
#[expect(clippy::needless_pass_by_value, reason = "called with what was just made")]
fn survives<T: Value>(sample: T) -> Result<(), Fault> {
    let first = match bincode::write(&sample) {
        Ok(bytes) => bytes,
        Err(fault @ (Fault::Skipped | Fault::Unsized | Fault::Miscounted)) => return Err(fault),
        Err(_) => return Ok(()),
    };
    let back = match bincode::read::<T>(&first) {
        Ok(back) => back,
        Err(Fault::Refused) => return Ok(()),
        Err(_) => return Err(Fault::Miscounted),
    };
    let changed = bincode::write(&back).is_ok_and(|second| second != first);
    let stable = || bincode::write(&sample).is_ok_and(|again| again == first);
    if changed && stable() { Err(Fault::Miscounted) } else { Ok(()) }
}

/// Takes a [`TypeId`] as it is: it is a hash already.
#[derive(Default)]
struct TypeIdHasher(u64);

impl Hasher for TypeIdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 ^= word;
    }
}

#[cfg(test)]
mod tests;
