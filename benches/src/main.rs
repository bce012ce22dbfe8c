//! Measurements of Strata against floors and peers.

fn main() {}
