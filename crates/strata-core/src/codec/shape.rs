//! A short fingerprint of what a type asks of its bytes: [`Shape`].

use std::fmt;

/// 32 bits that tell one type's encoding from another's.
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

/// The shape of `T`.
pub(super) fn trace<'de, T: serde::Deserialize<'de>>() -> Shape {
    let mut hash = 0x811c_9dc5_u32;
    for byte in std::any::type_name::<T>().bytes() {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    Shape(hash.max(1))
}
