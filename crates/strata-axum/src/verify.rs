//! Who somebody is before there is a session: [`Verifier`], the application's own check of a name and a [`Password`]. How passwords
//! are kept is the application's; Strata keeps none.

use std::fmt;

use serde::{Deserialize, Deserializer};
use strata_core::{BoxFuture, Result};
use strata_session::auth::User;
use zeroize::Zeroizing;

/// Checks names and passwords, for a route that signs users in.
///
/// An implementation hashes slowly (Argon2id; OWASP Password Storage), away from the executor and only so many at a time, and takes
/// as long for a name it does not know as for one it does, so that answers do not tell who has an account (ASVS 6.3.8).
pub trait Verifier<C = ()>: fmt::Debug + Send + Sync + 'static {
    /// The user of this name, if the password is theirs. `None` for a wrong password and an unknown name alike.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](strata_core::ErrorKind::Unavailable) where it cannot be told just now: nobody is signed in, and nobody
    /// is told that the password is wrong.
    fn verify<'a>(&'a self, name: &'a str, password: &'a Password) -> BoxFuture<'a, Result<Option<User<C>>>>;
}

/// What somebody typed. Wiped when dropped; `Debug` shows nothing of it.
pub struct Password(Zeroizing<String>);

impl Password {
    /// The longest that is taken, in bytes: longer ones cost the server for nothing.
    pub const MAX_BYTES: usize = 1024;

    /// Takes what was typed.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Its bytes, for the hash.
    pub fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Whether it is empty or longer than [`Password::MAX_BYTES`]: then it is nobody's.
    pub fn is_out_of_bounds(&self) -> bool {
        self.0.is_empty() || self.0.len() > Self::MAX_BYTES
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s05_a_password_is_never_printed_and_has_bounds() {
        let typed = Password::new("correct horse");
        assert_eq!(format!("{typed:?} {typed:#?}"), "Password(..) Password(..)");
        assert_eq!(typed.expose(), b"correct horse");
        let long = |length| Password::new("x".repeat(length)).is_out_of_bounds();
        assert!(long(0) && long(Password::MAX_BYTES + 1));
        assert!(!long(1) && !long(Password::MAX_BYTES));
    }
}
