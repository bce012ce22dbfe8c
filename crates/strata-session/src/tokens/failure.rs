//! Why a refresh gave nothing, in a form that all who waited for it can be told: `Failure`.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use strata_core::{Error, ErrorKind};

#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// There are no tokens, or none that can be refreshed.
    SignedOut,
    /// The server refused the refresh token for good.
    Refused,
    /// The server could not be asked.
    Offline(Option<Duration>),
    /// It answered nonsense.
    Protocol(&'static str),
    /// It answered with an access token that is of no use here; the rest is stored.
    Unusable(&'static str),
    /// It answered for somebody else.
    OtherUser,
    /// The store failed.
    Store(Arc<Error>),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let (kind, message) = match failure {
            Failure::SignedOut => return signed_out(),
            Failure::Refused => (
                ErrorKind::Gone,
                "the server refused the refresh token and the account was signed out; sign in again"
                    .to_owned(),
            ),
            Failure::Offline(None) => (
                ErrorKind::Unavailable,
                "the server could not be asked; the tokens are kept, retry".to_owned(),
            ),
            Failure::Offline(Some(wait)) => (
                ErrorKind::Unavailable,
                format!("the server could not be asked; the tokens are kept, retry in {wait:?}"),
            ),
            Failure::Protocol(what) => (
                ErrorKind::Invalid,
                format!("{what}; nothing of the answer was stored, the tokens are as they were"),
            ),
            Failure::Unusable(what) => (
                ErrorKind::Invalid,
                format!("{what}; the new refresh token was kept, correct that and retry"),
            ),
            Failure::OtherUser => (
                ErrorKind::Denied,
                "the server answered for another user; nothing was stored, sign in again".to_owned(),
            ),
            Failure::Store(error) => return again(&error),
        };
        Self::new(kind, "refresh tokens", message)
    }
}

#[cold]
pub(super) fn signed_out() -> Error {
    Error::new(
        ErrorKind::Gone,
        "use tokens",
        "there are no tokens for this account, or none that can be refreshed; sign in",
    )
}

/// The same error once more, for each who waited.
fn again(error: &Error) -> Error {
    let copy = Error::new(error.kind(), error.operation(), error.message());
    let copy = match error.store() {
        Some(store) => copy.in_store(store),
        None => copy,
    };
    match error.source() {
        Some(source) => copy.because(source.to_string()),
        None => copy,
    }
}

/// Whether it is about the record that was read and not about the store, so that others may be as they should.
pub(super) fn is_of_one_record(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Corrupt
            | ErrorKind::WrongKey
            | ErrorKind::MissingKey
            | ErrorKind::Downgrade
            | ErrorKind::Mismatch
            | ErrorKind::Foreign
            | ErrorKind::Newer
    )
}
