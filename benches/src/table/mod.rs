//! One file per table. Each has its fixture, its cases (which the criterion benches use too) and `run`.

pub mod analytics;
pub mod disk;
pub mod durable;
pub mod events;
pub mod group;
pub mod http;
pub mod listing;
pub mod memory;
pub mod open;
pub mod purge;
pub mod replica;
pub mod space;
pub mod tokens;
pub mod touch;

use crate::harness::Effort;
use crate::section::Section;

/// Measures one table.
pub type Run = fn(Effort) -> Section;

/// Every table, by name, in the order of the report.
pub const ALL: [(&str, Run); 14] = [
    ("memory", memory::run),
    ("replica", replica::run),
    ("touch", touch::run),
    ("space", space::run),
    ("disk", disk::run),
    ("durable", durable::run),
    ("group", group::run),
    ("listing", listing::run),
    ("purge", purge::run),
    ("open", open::run),
    ("events", events::run),
    ("tokens", tokens::run),
    ("analytics", analytics::run),
    ("http", http::run),
];
