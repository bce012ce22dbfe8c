//! Values to trace a type with: [`Kind`], the scalars there are, and for each some that usual validations let through.

/// A scalar that a type can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Unit,
    Bool,
    Char,
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    F32,
    F64,
    Str,
    Bytes,
}

/// Whole numbers: not zero, zero, small, a port, a year, seconds and milliseconds since 1970.
const NUMBERS: [i64; 13] = [1, 0, 2, 5, 10, 32, 64, 100, 255, 2000, 8080, 1_700_000_000, 1_700_000_000_000];
const FLOATS: [f32; 5] = [1.0, 0.0, 0.5, 2.0, 100.0];
const CHARS: [char; 4] = ['a', '1', 'A', '-'];
/// Texts: a word, a number, none, and the formats that types are most often written as.
const TEXTS: [&str; 18] = [
    "a",
    "1",
    "",
    "1970-01-01T00:00:00Z",
    "1970-01-01",
    "00:00:00",
    "1970-01-01T00:00:00",
    "1970-01-01T00:00:00+00:00[UTC]",
    "PT1S",
    "00000000-0000-4000-8000-000000000000",
    "a@a.example",
    "https://a.example/",
    "127.0.0.1",
    "1.0.0",
    "en",
    "EUR",
    "text/plain",
    "0123456789abcdef0123456789abcdef",
];
/// Lengths of bytes: one, identifiers, nonces, hashes, keys, none.
const LENGTHS: [usize; 10] = [1, 16, 32, 0, 12, 20, 24, 64, 4, 8];
static BYTES: [u8; 64] = [1; 64];

impl Kind {
    /// The number that stands for it in a shape. On disk; never changes.
    pub(super) fn number(self) -> u8 {
        self as u8
    }

    /// How many dummies there are.
    pub(super) fn dummies(self) -> usize {
        match self {
            Self::Unit => 1,
            Self::Bool => 2,
            Self::Char => CHARS.len(),
            Self::I8 => 8,
            Self::U8 => 9,
            Self::I16 | Self::U16 => 11,
            Self::I32 | Self::U32 => 12,
            Self::I64 | Self::I128 | Self::U64 | Self::U128 => NUMBERS.len(),
            Self::F32 | Self::F64 => FLOATS.len(),
            Self::Str => TEXTS.len(),
            Self::Bytes => LENGTHS.len(),
        }
    }
}

/// The whole number of this index, which is below the kind's [`Kind::dummies`].
pub(super) fn number<T: TryFrom<i64>>(index: usize) -> T {
    T::try_from(NUMBERS[index]).unwrap_or_else(|_| unreachable!("dummy {index} fits its kind"))
}

/// The fraction of this index.
pub(super) fn float(index: usize) -> f32 {
    FLOATS[index]
}

/// The character of this index.
pub(super) fn char(index: usize) -> char {
    CHARS[index]
}

/// The text of this index.
pub(super) fn text(index: usize) -> &'static str {
    TEXTS[index]
}

/// The bytes of this index.
pub(super) fn bytes(index: usize) -> &'static [u8] {
    &BYTES[..LENGTHS[index]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_fits_its_kind() {
        (0..Kind::I8.dummies()).for_each(|index| assert!(number::<i8>(index) >= 0));
        assert!((0..Kind::U8.dummies()).any(|index| number::<u8>(index) == 255));
        (0..Kind::I16.dummies()).for_each(|index| assert!(number::<i16>(index) >= 0));
        (0..Kind::I32.dummies()).for_each(|index| assert!(number::<i32>(index) >= 0));
        assert!((0..Kind::I64.dummies()).any(|index| number::<i64>(index) == 1_700_000_000_000));
    }
}
