//! Policies, clock, watermark and sweeper together, over the reference store.

mod clock;
mod life;
mod single;
mod sweeper;
mod walks;
mod watermark;

use std::sync::Arc;
use std::time::Duration;

use strata_core::{Handle, ManualClock, ReferenceStore, Store};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

fn reference() -> Arc<dyn Store> {
    Arc::new(ReferenceStore::new())
}

/// A handle over `store` with a clock that is moved by hand.
fn world(store: Arc<dyn Store>) -> (Handle, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    let handle = Handle::builder(store, Arc::clone(&clock) as _).build().expect("a handle");
    (handle, clock)
}
