//! The keyring's errors as situations, stripped of what it read: [`failed`], and what this crate finds by itself.
//!
//! Errors of `keyring-core` may hold the bytes of an entry, which `Debug` prints; none is kept as a source. What is kept is the
//! text of the platform's own error, which speaks of buses and permissions.

use keyring_core::Error as Entry;
use strata_core::{Error, ErrorKind};

use crate::platform;

/// What a call that the keyring refused comes to.
#[cold]
pub(crate) fn failed(operation: &'static str, error: &Entry) -> Error {
    let new = |kind, message: &str| Error::new(kind, operation, message);
    match error {
        Entry::NoStorageAccess(cause) => {
            situation(operation, platform::situation(&**cause).unwrap_or(ErrorKind::Locked))
                .because(cause.to_string())
        }
        Entry::PlatformFailure(cause) => {
            let kind = platform::situation(&**cause).unwrap_or(ErrorKind::Unavailable);
            situation(operation, kind).because(cause.to_string())
        }
        Entry::BadEncoding(bytes) | Entry::BadDataFormat(bytes, _) => {
            let len = bytes.len();
            Error::new(
                ErrorKind::Corrupt,
                operation,
                format!(
                    "the keyring could not make sense of the {len} bytes of an entry; remove it there, or restore it"
                ),
            )
        }
        Entry::BadStoreFormat(_) => new(
            ErrorKind::Corrupt,
            "the keyring's own data is damaged; repair or restore it with its own program",
        ),
        Entry::TooLong(what, most) => Error::new(
            ErrorKind::TooLarge,
            operation,
            format!(
                "the {what} is longer than the {most} this keyring takes; shorten it, or give an overflow store"
            ),
        ),
        Entry::Invalid(what, _) => Error::new(
            ErrorKind::Invalid,
            operation,
            format!("the keyring does not take this {what}; choose another name"),
        ),
        Entry::Ambiguous(found) => {
            let count = found.len();
            Error::new(
                ErrorKind::Foreign,
                operation,
                format!(
                    "{count} entries of the keyring have this name; remove all but one with the keyring's own program"
                ),
            )
        }
        Entry::NoDefaultStore => situation(operation, ErrorKind::Unsupported),
        Entry::NotSupportedByStore(_) => {
            new(ErrorKind::Unsupported, "this keyring cannot do that; use another one")
        }
        // Met where an entry was there a moment ago.
        Entry::NoEntry => new(ErrorKind::Unavailable, "the entry vanished during the call; retry"),
        _ => {
            new(ErrorKind::Other, "the keyring failed in a way that is not known here; look into its own log")
        }
    }
}

/// The sentence of a situation.
fn situation(operation: &'static str, kind: ErrorKind) -> Error {
    let message = match kind {
        ErrorKind::Locked => {
            "the keyring is locked and nobody unlocked it, or there is no login keyring yet; unlock it, then retry"
        }
        ErrorKind::Denied => "the keyring does not let this program in; allow it there, then retry",
        ErrorKind::Unsupported => "there is no keyring here; start one, or keep secrets elsewhere",
        _ => {
            "the keyring went away during the call, which may or may not have been made; retry when it is back"
        }
    };
    Error::new(kind, operation, message)
}

/// There was a keyring, so that there is none now is not for ever.
#[cold]
pub(crate) fn away(operation: &'static str) -> Error {
    situation(operation, ErrorKind::Unavailable)
}

/// The keyring took longer than allowed.
#[cold]
pub(crate) fn late(operation: &'static str, waited: std::time::Duration) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        operation,
        format!(
            "the keyring did not answer within {waited:?}; the call may or may not be made yet. Answer its question if it has \
             one, then read again"
        ),
    )
}

/// A call before this one is still waiting.
#[cold]
pub(crate) fn busy(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        operation,
        "the keyring has not answered an earlier call yet, nothing was asked of it; answer its question if it has one, then retry",
    )
}

/// As many calls wait as may.
#[cold]
pub(crate) fn crowded(operation: &'static str, most: u64) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        operation,
        format!(
            "{most} calls wait for the keyring already, nothing was asked of it; answer its question if it has one, ask it for less \
             at once, then retry"
        ),
    )
}

/// The thread could not be started, or a platform's code panicked on it.
#[cold]
pub(crate) fn broken(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        operation,
        "the code that speaks to the keyring broke off; the call may or may not have been made. Read again, then retry",
    )
}

/// Bytes that are no entry of ours.
#[cold]
pub(crate) fn damaged(what: &str, len: usize) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        "read keyring",
        format!(
            "{what} is damaged, or not Strata's ({len} bytes); remove the entry with the keyring's own program"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "hunter2-hunter2";

    fn said(error: &Error) -> String {
        let mut said = format!("{error} {error:?} {error:#?}");
        let mut source = std::error::Error::source(error);
        while let Some(error) = source {
            said = format!("{said} {error} {error:?}");
            source = error.source();
        }
        said
    }

    #[test]
    fn s05_no_error_shows_bytes_of_an_entry() {
        let bytes = || SECRET.as_bytes().to_vec();
        for error in [
            Entry::BadEncoding(bytes()),
            Entry::BadDataFormat(bytes(), SECRET.into()),
            Entry::BadStoreFormat(SECRET.to_owned()),
            Entry::Invalid("user".to_owned(), SECRET.to_owned()),
            Entry::NotSupportedByStore(SECRET.to_owned()),
        ] {
            let error = failed("get", &error);
            let said = said(&error);
            assert!(!said.contains(SECRET), "{said}");
            assert!(!said.contains("104, 117, 110"), "not as numbers either: {said}");
        }
    }

    #[test]
    fn situations_are_told_apart() {
        for (error, kind) in [
            (Entry::NoStorageAccess("no".into()), ErrorKind::Locked),
            (Entry::PlatformFailure("no".into()), ErrorKind::Unavailable),
            (Entry::BadEncoding(vec![1]), ErrorKind::Corrupt),
            (Entry::BadStoreFormat(String::new()), ErrorKind::Corrupt),
            (Entry::TooLong("secret".to_owned(), 2560), ErrorKind::TooLarge),
            (Entry::Invalid("user".to_owned(), String::new()), ErrorKind::Invalid),
            (Entry::Ambiguous(Vec::new()), ErrorKind::Foreign),
            (Entry::NoDefaultStore, ErrorKind::Unsupported),
            (Entry::NotSupportedByStore(String::new()), ErrorKind::Unsupported),
        ] {
            assert_eq!(failed("get", &error).kind(), kind, "{error:?}");
        }
    }
}
