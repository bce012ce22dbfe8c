//! A store on disk for Strata: sled with atomic guarded commits, indexes and stated durability.
