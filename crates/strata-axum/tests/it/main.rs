//! The layer and its extractors over a store that can fail, a clock that is moved, and browsers with a cookie jar of their own.

mod browser;
mod requests;
#[cfg(feature = "tower-sessions")]
mod tower_sessions;
mod world;
