//! Strata sessions in axum.

mod verify;

pub use verify::{Password, Verifier};
