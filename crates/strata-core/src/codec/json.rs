//! JSON, bounded.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

pub(super) fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>, limit: usize) -> Result<()> {
    let bytes = serde_json::to_vec(value)
        .map_err(|_| Error::new(ErrorKind::Unsupported, "encode", "the value can't be encoded as JSON"))?;
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
    serde_json::from_slice(bytes).map_err(|_| {
        Error::new(ErrorKind::Corrupt, "decode", "the stored value is damaged; restore it or remove it")
    })
}
