//! Loads, views and saves in memory, and what activity adds.

mod shared;

use criterion::{Criterion, criterion_group, criterion_main};
use strata_benches::table::memory::Resident;
use strata_benches::table::touch::Touched;

fn memory(criterion: &mut Criterion) {
    let resident = Resident::default();
    shared::cases(criterion, "load", resident.loads());
    shared::cases(criterion, "save", resident.saves());
    shared::cases(criterion, "touch", Touched::default().cases());
}

criterion_group!(benches, memory);
criterion_main!(benches);
