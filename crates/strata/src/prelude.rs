//! What most programs need: `use strata::prelude::*;`.

pub use strata_core::{
    Change, ChangeKind, Codec, Collection, Durability, Event, Handle, Lifetime, Origin, Timestamp, Ttl,
    Version,
};

pub use crate::{Span, Strata};
