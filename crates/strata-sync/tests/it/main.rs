//! Sync over the reference store, in one process.

mod replication;
