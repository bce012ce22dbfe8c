//! Guests who become users.
