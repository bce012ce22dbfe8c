//! What most programs need: `use strata::prelude::*;`.

pub use strata_core::{
    Change, ChangeKind, Codec, Collection, Durability, Error, ErrorKind, Event, Handle, Lifetime, Origin,
    Result, Timestamp, Ttl, Version,
};
#[cfg(feature = "crypto")]
pub use strata_crypto::Keys;

pub use crate::{Span, Strata};
