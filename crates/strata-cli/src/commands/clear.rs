//! `clear`: removing many values.

use serde_json::json;
use strata::Strata;

use crate::args::Clear;
use crate::failure::Failure;
use crate::output::Out;
use crate::progress::Progress;

/// Removes what every filter selects, and says how many there were. The argument parser has seen to it that there is a filter.
pub(crate) async fn clear(db: &Strata, clear: &Clear, out: &mut Out) -> Result<(), Failure> {
    let mut select = db.select();
    if let Some(prefix) = &clear.prefix {
        select = select.prefix(prefix);
    }
    if let Some(glob) = &clear.glob {
        select = select.glob(glob);
    }
    for tag in &clear.tags {
        select = select.tag(tag);
    }
    if let Some(age) = clear.older_than {
        select = select.older_than(age);
    }
    if clear.expired {
        select = select.expired();
    }
    let progress = Progress::waiting("removing");
    let removed = select.clear().await?;
    drop(progress);
    out.either(&json!({ "removed": removed }), format!("removed {removed}"))
}
