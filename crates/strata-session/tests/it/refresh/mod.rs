//! Refresh tokens at the server.
