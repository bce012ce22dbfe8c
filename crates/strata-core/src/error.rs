//! What can go wrong, by situation: [`Error`], [`ErrorKind`]. No secret, key material or payload is ever in an error.

use std::error::Error as StdError;
use std::fmt;

/// The result of every fallible call of Strata.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One word: a boxed situation with the operation, the store, a sentence that names the way out, and the source.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    store: Option<String>,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The situations a caller can act on. Each says who has to act.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Somebody else changed the record, or it exists where it must not. Read again and retry.
    Conflict,
    /// The record to be changed has ended or never was. Do not retry: nothing guarded resurrects.
    Gone,
    /// A key, value, tag set, batch or message is over its limit. The caller has to send less.
    TooLarge,
    /// The store is full, or a bound was reached and nothing was evicted. The operator has to make room.
    Full,
    /// The store cannot be reached just now, or did not answer in time. Retry later.
    Unavailable,
    /// Another process holds the store: close it there first. Or the user keeps it locked, as a keyring: unlock it.
    Locked,
    /// The operating system or a policy does not allow it. Ask whoever decides that.
    Denied,
    /// The user's last authentication is too long ago for this. Ask the user to authenticate again.
    StepUp,
    /// The store can be read but not written here.
    ReadOnly,
    /// The store has refused to go on after a failed write or barrier. Reopen it and run `check`.
    Poisoned,
    /// Stored bytes are damaged: a checksum or an authentication tag does not fit.
    Corrupt,
    /// A key with the right id but the wrong bytes, or a wrong passphrase.
    WrongKey,
    /// The record or store is sealed under a key that was not given.
    MissingKey,
    /// Plaintext where sealed data is required, or a weaker protection than was asked for.
    Downgrade,
    /// The value was stored as another type, or in another codec.
    Mismatch,
    /// A directory, file or record that is not ours.
    Foreign,
    /// Written by a newer version of Strata. Upgrade this program.
    Newer,
    /// The store or value cannot do what was asked. Choose another store, codec or level.
    Unsupported,
    /// The input is not acceptable: an empty key, a zero lifetime, a deadline in the past.
    Invalid,
    /// A failure that none of the above describes; see the source.
    Other,
}

impl Error {
    /// A situation met during `operation`, with a sentence that says what to do about it.
    #[cold]
    pub fn new(kind: ErrorKind, operation: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, operation, store: None, message: message.into(), source: None }))
    }

    /// Names the store the situation was met in.
    #[must_use]
    pub fn in_store(mut self, store: impl fmt::Display) -> Self {
        self.0.store = Some(store.to_string());
        self
    }

    /// Keeps the error that caused this one. The source must hold no secret: its text is printed.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The situation.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operation that met it, such as `set` or `open`.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// The store it was met in, where one is known.
    pub fn store(&self) -> Option<&str> {
        self.0.store.as_deref()
    }

    /// The sentence that says what happened and what to do.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether the same call may succeed later without any change by the caller.
    pub fn is_retryable(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Conflict | ErrorKind::Unavailable)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { operation, store, message, .. } = &*self.0;
        match store {
            Some(store) => write!(f, "{operation} on {store}: {message}"),
            None => write!(f, "{operation}: {message}"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)?;
        let mut source = self.source();
        while let Some(error) = source {
            write!(f, "; caused by: {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_word_and_prints_the_way_out() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        let error = Error::new(ErrorKind::Unavailable, "get", "the server did not answer; retry")
            .in_store("redis")
            .because(std::io::Error::other("connection refused"));
        assert_eq!(error.to_string(), "get on redis: the server did not answer; retry");
        assert!(error.is_retryable());
        assert!(format!("{error:?}").ends_with("caused by: connection refused"));
    }
}
