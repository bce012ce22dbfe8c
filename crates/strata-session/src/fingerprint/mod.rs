//! How much a device looks like the one that signed in: a risk signal, never an authenticator.
