//! The layer and its extractors over a store that can fail, a clock that is moved, and browsers with a cookie jar of their own.

mod activity;
mod browser;
mod cookies;
mod cross_site;
mod faults;
mod going_away;
mod orders;
mod renewal;
mod requests;
mod routes;
mod sockets;
mod tokens;
#[cfg(feature = "tower-sessions")]
mod tower_sessions;
#[path = "../../../strata-session/tests/it/traced.rs"]
mod traced;
mod world;
