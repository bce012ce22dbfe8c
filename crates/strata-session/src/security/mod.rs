//! What happened to sessions and tokens, as typed events (ASVS 16.3.1) and as `tracing` events: [`SecurityLog`], which managers write
//! to, and [`SecurityEvents`], which programs read. No event holds a secret; times are UTC.

mod event;
mod log;

pub use event::{EndReason, Misuse, SecurityEvent, SecurityEventKind};
pub use log::{Missed, SecurityEvents, SecurityLog};
