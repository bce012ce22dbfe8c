//! What a server answers to a sign-in or a refresh: [`TokenAnswer`].

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use strata_core::Codec;
use zeroize::Zeroizing;

use super::transport::RefreshFailure;

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 128 * 1024;

/// Tokens as a server gave them (RFC 6749, section 5.1). They are checked when they are stored: an empty, oversized or dead one is
/// refused, and nothing of its answer is kept.
pub struct TokenAnswer {
    pub(super) access: Zeroizing<String>,
    pub(super) refresh: Option<Zeroizing<String>>,
    pub(super) id: Option<Zeroizing<String>>,
    pub(super) expires_in: Option<Duration>,
    pub(super) refresh_expires_in: Option<Duration>,
    pub(super) subject: Option<String>,
    pub(super) user: Option<Vec<u8>>,
}

impl TokenAnswer {
    /// An answer with an access token.
    pub fn new(access: impl Into<String>) -> Self {
        Self {
            access: Zeroizing::new(access.into()),
            refresh: None,
            id: None,
            expires_in: None,
            refresh_expires_in: None,
            subject: None,
            user: None,
        }
    }

    /// With a refresh token. An answer to a refresh that has none leaves the old one in use.
    #[must_use]
    pub fn refresh(mut self, token: impl Into<String>) -> Self {
        self.refresh = Some(Zeroizing::new(token.into()));
        self
    }

    /// With an id token. An answer without one leaves the account without one: that of an earlier answer is not of this one.
    #[must_use]
    pub fn id(mut self, token: impl Into<String>) -> Self {
        self.id = Some(Zeroizing::new(token.into()));
        self
    }

    /// How long the access token lives from now.
    #[must_use]
    pub fn expires_in(mut self, life: Duration) -> Self {
        self.expires_in = Some(life);
        self
    }

    /// How long the refresh token lives from now.
    #[must_use]
    pub fn refresh_expires_in(mut self, life: Duration) -> Self {
        self.refresh_expires_in = Some(life);
        self
    }

    /// Whose tokens they are, by the server's id of the user, from a source that the transport trusts: not from a token that
    /// nobody verified. At most 256 bytes.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// What the server says of the user, for whoever restores a session from it: JSON, at most 16 KiB.
    #[must_use]
    pub fn user(mut self, claims: impl Into<Vec<u8>>) -> Self {
        self.user = Some(claims.into());
        self
    }

    /// Reads the JSON body of a successful answer (RFC 6749, section 5.1): `access_token`, `refresh_token`, `id_token`,
    /// `expires_in` and `refresh_expires_in` in seconds. Other fields are passed over.
    ///
    /// # Errors
    /// [`RefreshFailure::Protocol`] for anything that is not that, a missing access token included.
    pub fn from_json(body: &[u8]) -> Result<Self, RefreshFailure> {
        if body.len() > MAX_ANSWER {
            return Err(RefreshFailure::Protocol("the answer is longer than 128 KiB"));
        }
        // The parser's own error may quote the body.
        let wire: Wire = Codec::Json
            .decode(body)
            .map_err(|_| RefreshFailure::Protocol("the answer is no JSON of a token endpoint"))?;
        let access = wire.access_token.ok_or(RefreshFailure::Protocol("the answer has no access token"))?;
        Ok(Self {
            refresh: wire.refresh_token.map(Zeroizing::new),
            id: wire.id_token.map(Zeroizing::new),
            expires_in: wire.expires_in.map(Duration::from_secs),
            refresh_expires_in: wire.refresh_expires_in.map(Duration::from_secs),
            ..Self::new(access)
        })
    }
}

#[derive(Deserialize)]
struct Wire {
    access_token: Option<String>,
    refresh_token: Option<String>,
    id_token: Option<String>,
    expires_in: Option<u64>,
    refresh_expires_in: Option<u64>,
}

impl fmt::Debug for TokenAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenAnswer")
            .field("refresh", &self.refresh.is_some())
            .field("id", &self.id.is_some())
            .field("expires_in", &self.expires_in)
            .field("refresh_expires_in", &self.refresh_expires_in)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_or_refused_whole() {
        let body = br#"{"access_token":"a","refresh_token":"r","token_type":"Bearer","expires_in":600}"#;
        let answer = TokenAnswer::from_json(body).expect("an answer");
        assert_eq!((answer.access.as_str(), answer.refresh.as_deref().map(String::as_str)), ("a", Some("r")));
        assert_eq!((answer.expires_in, answer.id.is_none()), (Some(Duration::from_mins(10)), true));
        let long = format!(r#"{{"access_token":"{}"}}"#, "a".repeat(MAX_ANSWER));
        for bad in [
            "",
            "null",
            "[]",
            "{}",
            "<html>",
            r#"{"access_token":7}"#,
            r#"{"access_token":"a","expires_in":-1}"#,
            r#"{"access_token":"a""#,
            &long,
        ] {
            let failure = TokenAnswer::from_json(bad.as_bytes()).expect_err(bad);
            assert!(matches!(failure, RefreshFailure::Protocol(_)), "{failure:?}");
        }
    }
}
