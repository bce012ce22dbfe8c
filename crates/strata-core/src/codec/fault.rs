//! Why a value can't become bytes or come back: [`Fault`]. One byte, no text: a type's own message may hold the value, so it
//! is dropped where it is made.

use std::fmt;

use crate::error::{Error, ErrorKind};

/// What went wrong between a value and its bincode bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The encoding is longer than allowed.
    Full,
    /// A field was left out.
    Skipped,
    /// A sequence or map did not say its length.
    Unsized,
    /// A compound wrote another number of parts than it announced.
    Miscounted,
    /// The value nests too deeply.
    Deep,
    /// Too many elements take no bytes.
    Hollow,
    /// The type's own code refused the value.
    Refused,
    /// The type asks for one kind of data and takes another.
    Ill,
    /// The type asks the bytes what comes next.
    Untyped,
    /// The bytes end early.
    Short,
    /// Bytes are left over.
    Trailing,
    /// A number, flag or length is not one.
    Malformed,
    /// Text is not UTF-8.
    Text,
    /// The type did not read all elements.
    Unread,
}

impl Fault {
    /// The error of encoding a value of the type called `name`. `field` is the one that was left out.
    #[cold]
    pub(super) fn encoding(self, name: &str, limit: usize, field: &str) -> Error {
        let (kind, message) = match self {
            Self::Full => (
                ErrorKind::TooLarge,
                format!(
                    "the value of `{name}` takes more than {limit} bytes; split it, or keep the bulk elsewhere"
                ),
            ),
            Self::Deep => (
                ErrorKind::TooLarge,
                format!("the value of `{name}` nests deeper than {} levels; flatten it", super::MAX_DEPTH),
            ),
            Self::Hollow => (
                ErrorKind::TooLarge,
                format!(
                    "the value of `{name}` has more than {} elements that take no bytes; store their number instead",
                    super::MAX_HOLLOW
                ),
            ),
            Self::Skipped => (
                ErrorKind::Unsupported,
                format!(
                    "`{name}` leaves out the field `{field}`, so bincode could not give the value back; use `Codec::Json` \
                     for this type, or drop `skip_serializing_if`"
                ),
            ),
            Self::Unsized => (
                ErrorKind::Unsupported,
                format!(
                    "`{name}` writes a map or sequence without its length, as `flatten` does, and bincode could not give it \
                     back; use `Codec::Json` for this type"
                ),
            ),
            Self::Refused => (
                ErrorKind::Invalid,
                format!(
                    "the `Serialize` of `{name}` refused the value; its reason is not repeated, it may hold the value"
                ),
            ),
            _ => return self.unsupported(name),
        };
        Error::new(kind, "encode", message)
    }

    /// The error of decoding a value of the type called `name`.
    #[cold]
    pub(super) fn decoding(self, name: &str) -> Error {
        let why = match self {
            Self::Untyped | Self::Ill => return self.unsupported(name),
            Self::Refused => "its `Deserialize` refuses the value",
            Self::Deep => "it nests too deeply",
            Self::Short => "it ends early",
            Self::Trailing => "bytes are left over",
            Self::Text => "its text is not UTF-8",
            Self::Hollow => "it has too many elements that take no bytes",
            Self::Unread => "it has more elements than the type reads",
            _ => "a number, flag or length in it is not one",
        };
        Error::new(
            ErrorKind::Corrupt,
            "decode",
            format!("the stored bytes are no `{name}`: {why}; restore the record or remove it"),
        )
    }

    /// The error of a type that bincode can't give back.
    #[cold]
    pub(super) fn unsupported(self, name: &str) -> Error {
        let why = match self {
            Self::Untyped => "asks the bytes what they are, as untagged, tagged and flattened types do",
            Self::Ill => "asks for one kind of data and takes another",
            _ => "does not read what it writes, as with `skip_serializing` or a skipped variant",
        };
        Error::new(
            ErrorKind::Unsupported,
            "encode",
            format!("`{name}` {why}, so bincode could not give it back; use `Codec::Json` for this type"),
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for Fault {}

impl serde::ser::Error for Fault {
    #[cold]
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Refused
    }
}

impl serde::de::Error for Fault {
    #[cold]
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Refused
    }

    /// A visitor that was given the compound it asked for and does not know it can never read this codec. Of scalars the
    /// same call is used for validation.
    #[cold]
    fn invalid_type(unexpected: serde::de::Unexpected<'_>, _: &dyn serde::de::Expected) -> Self {
        use serde::de::Unexpected::{Enum, Map, NewtypeStruct, Option, Seq, Unit};
        match unexpected {
            Enum | Map | NewtypeStruct | Option | Seq | Unit => Self::Ill,
            _ => Self::Refused,
        }
    }
}
