//! Listing one user's sessions among few and among many.

mod shared;

use criterion::{Criterion, criterion_group, criterion_main};
use strata_benches::table::listing::{cases, stores};

fn listing(criterion: &mut Criterion) {
    let [few, many] = stores();
    shared::cases(criterion, "listing", cases(&few, &many));
}

criterion_group!(benches, listing);
criterion_main!(benches);
