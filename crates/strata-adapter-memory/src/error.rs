//! The situations this store adds: it is full, or a cursor is not its own.

use strata_core::{Error, ErrorKind, Key};

use crate::config::WhenFull;

/// A write does not fit under the bounds.
#[cold]
pub(crate) fn full(key: Option<&Key>, policy: WhenFull) -> Error {
    let what = key.map_or_else(|| "the batch".to_owned(), |key| format!("`{key}`"));
    let way_out = match policy {
        WhenFull::Refuse => "remove records, raise the bound, or choose `WhenFull::EvictNearestDeadline`",
        WhenFull::EvictNearestDeadline => {
            "none of the records left may be dropped; remove some, raise the bound, or give records a deadline"
        }
    };
    Error::new(ErrorKind::Full, "commit", format!("{what} does not fit under the store's bounds: {way_out}"))
}

/// A cursor that another kind of selection made.
#[cold]
pub(crate) fn foreign_cursor() -> Error {
    Error::new(ErrorKind::Invalid, "scan", "the cursor belongs to another selection; start the walk again")
}
