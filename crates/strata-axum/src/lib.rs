//! Strata sessions in axum.

pub mod limit;
pub mod routes;
