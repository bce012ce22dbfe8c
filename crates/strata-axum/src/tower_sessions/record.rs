//! A session of tower-sessions as it is stored: [`Stored`]. A form of our own, for that of tower-sessions depends on features other crates of a
//! program switch on in `time`, and holds the identifier.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use strata_core::{Error, ErrorKind, Result};
use time::OffsetDateTime;

/// The values of a session, as tower-sessions has them.
pub(super) type Data = HashMap<String, serde_json::Value>;

/// Always encoded as JSON, which describes itself, as its values have to.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    values: Data,
    /// Seconds since 1970 and nanoseconds of the second: the date that was asked for, which the record's own deadline rounds down.
    expires: (i64, u32),
}

impl Stored {
    pub(super) fn new(values: &Data, expires: OffsetDateTime) -> Self {
        Self { values: values.clone(), expires: (expires.unix_timestamp(), expires.nanosecond()) }
    }

    pub(super) fn into_parts(self) -> Result<(Data, OffsetDateTime)> {
        let (seconds, nanos) = self.expires;
        let whole = OffsetDateTime::from_unix_timestamp(seconds);
        match whole.and_then(|whole| whole.replace_nanosecond(nanos)) {
            Ok(expires) => Ok((self.values, expires)),
            Err(_) => Err(Error::new(
                ErrorKind::Corrupt,
                "load session",
                "the stored session has a date that does not exist; delete it",
            )),
        }
    }
}
