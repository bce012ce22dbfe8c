//! Development tasks of Strata.

fn main() {}
