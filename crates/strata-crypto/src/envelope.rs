//! What this crate knows of core's envelope: where its header ends, and the flag that says the body is sealed.

/// The length of core's header: format, codec, flags, shape (4), cap (8).
pub(crate) const HEADER: usize = 15;
/// Where the flags are.
pub(crate) const FLAGS: usize = 2;
/// The flag of a sealed body.
pub(crate) const SEALED: u8 = 1;

/// Whether a payload is a sealed envelope of format 1. The store's own plain records (JSON) are not.
pub(crate) fn looks_sealed(payload: &[u8]) -> bool {
    payload.len() > HEADER && payload[0] == 1 && payload[FLAGS] & SEALED != 0
}
