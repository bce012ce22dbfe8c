//! Removing a hundred thousand due sessions of a million.

mod shared;

use criterion::{Criterion, criterion_group, criterion_main};
use strata_benches::table::purge::Million;

fn purge(criterion: &mut Criterion) {
    shared::shots(criterion, "purge", Million::default().shots());
}

criterion_group!(benches, purge);
criterion_main!(benches);
