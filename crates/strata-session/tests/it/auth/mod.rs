//! Authentication sessions.
