//! What the manager tells: of a renewal, [`Renewal`] and [`Renewed`]; of an account, [`TokenInfo`].

use std::fmt;

use strata_core::{Error, Timestamp};

/// What a forced refresh came to.
#[derive(Debug)]
#[non_exhaustive]
pub enum Renewal {
    /// The server gave new tokens, and said this.
    Renewed(Renewed),
    /// The server refused the refresh token; the account is signed out.
    Invalid,
    /// The server could not be asked; the tokens are kept.
    Offline(Error),
    /// There is nothing to refresh.
    SignedOut,
}

/// The server's word on a user whose tokens were renewed.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Renewed {
    /// The server's id of the user, of this answer or of an earlier one of the same sign-in.
    pub subject: Option<String>,
    /// The user's claims as JSON, likewise.
    pub user: Option<Vec<u8>>,
}

impl fmt::Debug for Renewed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewed").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// What is known of an account's tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenInfo {
    /// Which generation: 1 after the sign-in, one more with every refresh.
    pub generation: u64,
    /// Until when the access token is handed out.
    pub access_until: Timestamp,
    /// When the refresh token dies, if there is one.
    pub refresh_until: Option<Timestamp>,
    /// Until when the id token is handed out, if there is one.
    pub id_until: Option<Timestamp>,
    /// The server's id of the user, if it said so.
    pub subject: Option<String>,
}
