//! Tokens at the client.
