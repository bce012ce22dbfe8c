//! Reads, overwrites, creations and durable commits on disk.

mod shared;

use criterion::{Criterion, criterion_group, criterion_main};
use strata_benches::table::disk::OnDisk;
use strata_benches::table::durable::Durable;

fn disk(criterion: &mut Criterion) {
    let stores = OnDisk::new(30_000);
    shared::cases(criterion, "disk get", stores.gets());
    shared::cases(criterion, "disk put", stores.puts());
    shared::cases(criterion, "disk create", stores.creations());
    shared::shots(criterion, "durable", Durable::default().shots());
}

criterion_group!(benches, disk);
criterion_main!(benches);
