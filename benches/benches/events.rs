//! Announcing changes.

mod shared;

use criterion::{Criterion, criterion_group, criterion_main};
use strata_benches::table::events::Channels;

fn events(criterion: &mut Criterion) {
    shared::cases(criterion, "events", Channels::default().cases());
}

criterion_group!(benches, events);
criterion_main!(benches);
