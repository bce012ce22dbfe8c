//! Refresh tokens at the server: families, rotation, reuse.
