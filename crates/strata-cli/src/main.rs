//! The `strata` command: a tour of the library and an operator's tools.

fn main() {}
