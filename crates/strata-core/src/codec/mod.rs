//! Values and bytes: [`Codec`], what it can store, [`Value`], and how a stored value is told from another type's, [`Shape`].

mod bincode;
mod bounded;
mod checked;
mod dummy;
mod fault;
mod json;
mod shape;
mod trace;
mod tree;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use self::shape::Shape;
use crate::error::{Error, ErrorKind, Result};

/// The deepest nesting of structs, enums, sequences and maps that bincode values may have. Checked when writing and reading,
/// so that a damaged record ends in an error and not at the end of the stack.
const MAX_DEPTH: u8 = 128;
/// How many elements of sequences and maps may take no bytes, such as those of a `Vec<()>`, in one bincode value.
const MAX_HOLLOW: usize = 4096;

/// A value that can be stored: anything serde writes and reads back owned.
pub trait Value: Serialize + DeserializeOwned + 'static {}

impl<T: Serialize + DeserializeOwned + 'static> Value for T {}

/// How a value becomes bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// bincode 2 in its standard configuration: dense and typed. Reading as another type is refused by [`Shape`].
    #[default]
    Bincode,
    /// JSON: describes itself, for values that bincode can't give back. It has no `NaN` and no infinity: they are written as
    /// `null`, which then does not read as a number.
    Json,
}

impl Codec {
    /// The longest encoding of one value, in bytes: 16 MiB. Smaller limits are the caller's.
    pub const MAX_LEN: usize = 16 << 20;

    /// The number that stands for this codec in an envelope.
    pub const fn id(self) -> u8 {
        match self {
            Self::Bincode => 1,
            Self::Json => 2,
        }
    }

    /// The codec of this number; [`ErrorKind::Newer`] if there is none yet.
    pub fn from_id(id: u8) -> Result<Self> {
        match id {
            1 => Ok(Self::Bincode),
            2 => Ok(Self::Json),
            _ => Err(Error::new(
                ErrorKind::Newer,
                "open value",
                format!("codec {id} is not known here; upgrade this program"),
            )),
        }
    }

    /// Appends the encoding of `value`, at most `limit` bytes. After an error `out` is as it was.
    pub fn encode<T: Serialize + ?Sized>(self, value: &T, out: &mut Vec<u8>, limit: usize) -> Result<()> {
        let start = out.len();
        let result = match self {
            Self::Bincode => bincode::encode(value, out, limit),
            Self::Json => json::encode(value, out, limit),
        };
        if result.is_err() {
            out.truncate(start);
        }
        result
    }

    /// The value that all of `bytes` encode.
    pub fn decode<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T> {
        self.decode_borrowed(bytes)
    }

    /// The value that all of `bytes` encode, borrowing from them.
    pub fn decode_borrowed<'de, T: Deserialize<'de>>(self, bytes: &'de [u8]) -> Result<T> {
        match self {
            Self::Bincode => bincode::decode(bytes),
            Self::Json => json::decode(bytes),
        }
    }

    /// The shape that values of `T` are stamped with; [`Shape::NONE`] for JSON, which describes itself.
    ///
    /// Traced once per type and thread, then a look-up of a few nanoseconds. [`ErrorKind::Unsupported`] if bincode can't give
    /// `T` back: see [`Shape`] for what can be seen.
    #[inline]
    pub fn shape_of<T: Value>(self) -> Result<Shape> {
        match self {
            Self::Bincode => shape::cached::<T>(),
            Self::Json => Ok(Shape::NONE),
        }
    }

    /// The shape that a type borrowing from the bytes expects. It is that of the owned type with the same fields; traced
    /// anew at each call, in some microseconds.
    pub fn shape_of_borrowed<'de, T: Deserialize<'de>>(self) -> Result<Shape> {
        match self {
            Self::Bincode => shape::traced::<T>(),
            Self::Json => Ok(Shape::NONE),
        }
    }
}
