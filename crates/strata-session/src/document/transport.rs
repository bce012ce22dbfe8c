//! The way to the server: [`SyncTransport`], and how it fails, [`SyncFailure`].

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use strata_core::{MaybeSend, MaybeSync};

use super::wire::{SyncAnswer, SyncRequest};

/// Takes a document's changes to its server.
///
/// A document has one call at a time in a process. The manager limits the time of every call; one whose future is dropped counts as
/// [`SyncFailure::Unanswered`]. `bearer` is the credential that the session was begun with, if it was; never log it.
#[cfg_attr(not(target_arch = "wasm32"), async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
pub trait SyncTransport: fmt::Debug + MaybeSend + MaybeSync + 'static {
    /// Sends changes and brings the answer. [`SyncAnswer::from_response`] says what a response of an HTTP server means.
    async fn sync(&self, request: &SyncRequest, bearer: Option<&str>) -> Result<SyncAnswer, SyncFailure>;

    /// Tells the server that the session is over. [`SyncFailure::Unauthorized`] counts as done: the server does not know it any more.
    async fn logout(&self, bearer: Option<&str>) -> Result<(), SyncFailure>;
}

/// Why there is no answer. Only [`Unauthorized`](Self::Unauthorized) ends the session; at all others it is kept, and tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyncFailure {
    /// The server could not be reached, or asked to come back later (429, 503).
    Offline {
        /// How long the server asked to wait (`Retry-After`), if it did; a day counts at most.
        retry_after: Option<Duration>,
    },
    /// The request was sent, or may have been, and no answer came, or half of one. The changes may be in; the same request is sent again.
    Unanswered,
    /// The server does not take the session any more (401).
    Unauthorized,
    /// The changes or the document with them are too large for the server (413), or for the client. They are not in.
    TooLarge,
    /// The server takes no such changes (400, 422). They are not in; the next request may have others.
    Invalid,
    /// The server takes offence at the request, said in fixed words.
    Refused(&'static str),
    /// The server answered something that is no answer, said in fixed words.
    Protocol(&'static str),
}

impl SyncFailure {
    /// Not reached, and nothing known of when it will be.
    pub const OFFLINE: Self = Self::Offline { retry_after: None };

    /// What the status of a response that is no answer means; the table is at [`SyncAnswer::from_response`].
    pub fn of_status(status: u16, retry_after: Option<Duration>) -> Self {
        match status {
            401 => Self::Unauthorized,
            413 => Self::TooLarge,
            400 | 422 => Self::Invalid,
            500..=599 if retry_after.is_none() => Self::Unanswered,
            408 | 425 | 429 | 500..=599 => Self::Offline { retry_after },
            403 => Self::Refused("the server does not allow it (403)"),
            404 | 405 => Self::Refused("the server has no such route; check its address"),
            400..=499 => Self::Refused("the server refused the request itself"),
            _ => Self::Protocol("the status is neither a success nor a failure"),
        }
    }
}

impl fmt::Display for SyncFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offline { retry_after: Some(wait) } => {
                write!(f, "the server asked to come back in {wait:?}")
            }
            Self::Offline { retry_after: None } => f.write_str("the server could not be reached"),
            Self::Unanswered => f.write_str("no answer came"),
            Self::Unauthorized => f.write_str("the server does not take the session any more"),
            Self::TooLarge => f.write_str("the document is too large for the server"),
            Self::Invalid => f.write_str("the server takes no such changes"),
            Self::Refused(what) | Self::Protocol(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for SyncFailure {}
