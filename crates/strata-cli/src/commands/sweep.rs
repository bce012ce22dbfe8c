//! `sweep`: removing what has died, and setting the watermark right.

use serde_json::json;
use strata::Strata;
use strata::ttl::Watermark;

use crate::failure::Failure;
use crate::output::Out;
use crate::progress::Progress;
use crate::words;

/// Removes what is dead now, and says how many that were.
pub(crate) async fn sweep(db: &Strata, out: &mut Out) -> Result<(), Failure> {
    let progress = Progress::waiting("sweeping");
    let swept = db.sweep().await?;
    drop(progress);
    out.either(&json!({ "removed": swept.removed }), format!("removed {}", swept.removed))
}

/// Sets the watermark to the wall's time. Sweeps nothing: what a wrong future would have killed lives on.
pub(crate) async fn reset(db: &Strata, out: &mut Out) -> Result<(), Failure> {
    let watermark = Watermark::under(db.handle());
    // A damaged one is replaced as a wrong one is.
    let before = watermark.read().await.ok().flatten().map(words::print_instant);
    let now = strata::native::wall();
    watermark.reset(now).await?;
    let now = words::print_instant(now);
    let was = before.as_deref().unwrap_or("unknown");
    out.either(&json!({ "watermark": now, "before": before }), format!("watermark set to {now}, was {was}"))
}
