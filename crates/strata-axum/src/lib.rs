//! Strata sessions in axum.
