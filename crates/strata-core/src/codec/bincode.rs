//! bincode 2, bounded.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

pub(super) fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>, limit: usize) -> Result<()> {
    let bytes = ::bincode::serde::encode_to_vec(value, ::bincode::config::standard()).map_err(|_| {
        Error::new(ErrorKind::Unsupported, "encode", "the value can't be encoded; use `Codec::Json`")
    })?;
    if bytes.len() > limit {
        return Err(Error::new(
            ErrorKind::TooLarge,
            "encode",
            format!("the value takes over {limit} bytes; split it"),
        ));
    }
    out.extend_from_slice(&bytes);
    Ok(())
}

pub(super) fn decode<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T> {
    let config = ::bincode::config::standard().with_limit::<{ 16 << 20 }>();
    match ::bincode::serde::borrow_decode_from_slice(bytes, config) {
        Ok((value, used)) if used == bytes.len() => Ok(value),
        _ => Err(Error::new(
            ErrorKind::Corrupt,
            "decode",
            "the stored value is damaged; restore it or remove it",
        )),
    }
}
