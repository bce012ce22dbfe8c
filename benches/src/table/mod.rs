//! One file per table.

pub mod memory;
