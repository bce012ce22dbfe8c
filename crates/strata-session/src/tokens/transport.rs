//! The way to the server: [`RefreshTransport`], what it is asked and how it fails.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use strata_core::{MaybeSend, MaybeSync};

use super::answer::TokenAnswer;

/// Takes refresh tokens to the server that issued them.
///
/// A refresh token is exchanged by one call at a time in a process. The manager limits the time of every call; one whose future is
/// dropped counts as [`RefreshFailure::Unanswered`].
#[cfg_attr(not(target_arch = "wasm32"), async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
pub trait RefreshTransport: fmt::Debug + MaybeSend + MaybeSync + 'static {
    /// Exchanges a refresh token for new tokens.
    async fn refresh(&self, request: RefreshRequest<'_>) -> Result<TokenAnswer, RefreshFailure>;

    /// Tells the server that a refresh token is not used any more (RFC 7009). [`RefreshFailure::Invalid`] counts as done: the
    /// server does not know it any more.
    async fn revoke(&self, request: RevokeRequest<'_>) -> Result<(), RefreshFailure>;
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefreshFailure {
    /// The server refused the token for good (`invalid_grant`): the account is signed out.
    Invalid,
    /// The request was sent, or may have been, and no answer came, or half of one: the connection broke, or the transport's own
    /// patience was over. The server may have rotated the token, so a refresh is tried once more at once, while the server takes that for
    /// a retry; after that it is as [`Offline`](Self::Offline).
    Unanswered,
    /// The server could not be reached, or asked to come back later (429, 503). The tokens are kept.
    Offline {
        /// How long the server asked to wait (`Retry-After`), if it did. Of a refresh, at most a day counts.
        retry_after: Option<Duration>,
    },
    /// The server answered something that is no answer, said in fixed words: its own could hold a token. The tokens are kept.
    Protocol(&'static str),
}

impl RefreshFailure {
    /// Not reached, and nothing known of when it will be.
    pub const OFFLINE: Self = Self::Offline { retry_after: None };

    /// What the status and body of a failed answer mean (RFC 6749, section 5.2): `invalid_grant` is [`Invalid`](Self::Invalid); 408,
    /// 429 and 5xx are [`Offline`](Self::Offline) with what `Retry-After` said; a 5xx without that is [`Unanswered`](Self::Unanswered), for
    /// what stands before the server or behind it may have failed after it rotated; anything else is [`Protocol`](Self::Protocol).
    pub fn from_answer(status: u16, body: &[u8], retry_after: Option<Duration>) -> Self {
        #[derive(serde::Deserialize)]
        struct Wire {
            error: String,
        }
        match status {
            500..=599 if retry_after.is_none() => Self::Unanswered,
            408 | 429 | 500..=599 => Self::Offline { retry_after },
            400..=499 => match strata_core::Codec::Json.decode::<Wire>(body) {
                Ok(wire) if wire.error == "invalid_grant" => Self::Invalid,
                Ok(_) => {
                    Self::Protocol("the server refused the request itself; check the client's registration")
                }
                Err(_) => Self::Protocol("the refusal is no JSON of a token endpoint"),
            },
            _ => Self::Protocol("the status is neither a success nor a failure"),
        }
    }
}

/// A refresh token to be exchanged, and for whom.
pub struct RefreshRequest<'r> {
    pub(super) account: &'r str,
    pub(super) token: &'r str,
    pub(super) subject: Option<&'r str>,
}

impl<'r> RefreshRequest<'r> {
    /// The account, as the program calls it.
    pub fn account(&self) -> &'r str {
        self.account
    }

    /// The refresh token. Never log it.
    pub fn token(&self) -> &'r str {
        self.token
    }

    /// Whose tokens these are, if an answer said so.
    pub fn subject(&self) -> Option<&'r str> {
        self.subject
    }
}

impl fmt::Debug for RefreshRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshRequest").field("account", &self.account).finish_non_exhaustive()
    }
}

/// A refresh token to be revoked, and of which account it was.
pub struct RevokeRequest<'r> {
    pub(super) account: &'r str,
    pub(super) token: &'r str,
}

impl<'r> RevokeRequest<'r> {
    /// The account, as the program calls it.
    pub fn account(&self) -> &'r str {
        self.account
    }

    /// The refresh token. Never log it.
    pub fn token(&self) -> &'r str {
        self.token
    }
}

impl fmt::Debug for RevokeRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevokeRequest").field("account", &self.account).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_from_outages() {
        let wait = Some(Duration::from_secs(7));
        let of = |status, body: &str| RefreshFailure::from_answer(status, body.as_bytes(), wait);
        assert_eq!(of(400, r#"{"error":"invalid_grant"}"#), RefreshFailure::Invalid);
        assert_eq!(of(401, r#"{"error":"invalid_grant","error_description":"x"}"#), RefreshFailure::Invalid);
        for status in [408, 429, 500, 503] {
            assert_eq!(
                of(status, r#"{"error":"invalid_grant"}"#),
                RefreshFailure::Offline { retry_after: wait }
            );
        }
        for (status, sort) in [
            (408, RefreshFailure::OFFLINE),
            (429, RefreshFailure::OFFLINE),
            (500, RefreshFailure::Unanswered),
            (502, RefreshFailure::Unanswered),
            (503, RefreshFailure::Unanswered),
            (504, RefreshFailure::Unanswered),
        ] {
            assert_eq!(RefreshFailure::from_answer(status, b"", None), sort, "{status}");
        }
        for (status, body) in [(400, r#"{"error":"invalid_client"}"#), (404, "<html>"), (200, ""), (302, "")]
        {
            assert!(matches!(of(status, body), RefreshFailure::Protocol(_)), "{status}");
        }
    }
}
