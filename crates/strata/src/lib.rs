//! Session state for Rust programs, kept safe wherever they run.
