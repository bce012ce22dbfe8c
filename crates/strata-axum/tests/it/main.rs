//! The tests of this crate, in one program.

#[cfg(feature = "tower-sessions")]
mod tower_sessions;
