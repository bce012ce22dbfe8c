//! Refresh and access tokens that belong together: [`Grants`], and what a client is given, [`Grant`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use strata_core::Result;
use strata_session::refresh::{Family, RefreshToken, RefreshTokens};
use strata_session::{FamilyId, SessionId};
use zeroize::Zeroizing;

use super::access::{Access, AccessTokens};

/// A server's refresh tokens together with the access tokens made for them. Cheap to clone.
///
/// What belongs to a family ends with it: whether it was revoked, signed out or misused, and also an access token that is made at that
/// very moment. One that was made shortly before its family is over by age lives on for as long as it was given.
#[derive(Clone, Debug)]
pub struct Grants {
    tokens: RefreshTokens,
    access: Arc<dyn AccessTokens>,
}

/// What a presented refresh token came to.
#[derive(Debug)]
pub(super) enum Refreshed {
    Granted(Grant),
    /// Answer `invalid_grant`, whatever the reason.
    Refused,
}

impl Grants {
    /// Of these refresh tokens and this maker of access tokens.
    pub fn new(tokens: RefreshTokens, access: Arc<dyn AccessTokens>) -> Self {
        Self { tokens, access }
    }

    /// Begins a family for a user whom the application has authenticated just now, for a handler to answer with. Nothing for a user who
    /// must not have tokens. `client` is what lists show.
    ///
    /// # Errors
    /// As [`RefreshTokens::issue`], and those of the maker of access tokens; the family has ended then.
    pub async fn grant(&self, user: &str, client: &str) -> Result<Option<Grant>> {
        let (token, family) = self.tokens.issue(user, client).await?;
        match self.complete(token, &family).await {
            Ok(granted) => Ok(granted),
            Err(error) => {
                // Nobody has its token; if this fails, too, it ends by its lifetime.
                let _ = self.tokens.revoke(family.id).await;
                Err(error)
            }
        }
    }

    /// The refresh tokens, to list them. A family that is ended there gets no more access tokens, and keeps those it has until they are
    /// over: end one by [`Grants::revoke`], and those of a user together with their sessions.
    pub fn tokens(&self) -> &RefreshTokens {
        &self.tokens
    }

    /// Ends a family by its public id, and what belongs to it. Says whether it was alive.
    pub async fn revoke(&self, family: FamilyId) -> Result<bool> {
        let ended = self.tokens.revoke(family).await?;
        self.access.end_family(family).await.map(|()| ended)
    }

    /// Ends the family that a session was made for, if it was; the session with it. For a logout.
    pub async fn end_of(&self, session: SessionId) -> Result<()> {
        match self.access.family_of(session).await? {
            Some(family) => self.revoke(family).await.map(drop),
            None => Ok(()),
        }
    }

    /// Exchanges a refresh token (RFC 6749, section 6). `client` is who says to present it, if it says so.
    pub(super) async fn refresh(&self, presented: &RefreshToken, client: Option<&str>) -> Result<Refreshed> {
        if let Some(client) = client
            && self.tokens.inspect(presented).await?.is_some_and(|family| family.client != client)
        {
            // A token is good for the client it was issued to.
            self.end(presented).await?;
            return Ok(Refreshed::Refused);
        }
        match self.tokens.rotate(presented).await?.granted() {
            Ok((token, family)) => {
                Ok(self.complete(token, &family).await?.map_or(Refreshed::Refused, Refreshed::Granted))
            }
            Err(_) => self.end_rest(presented.family()).await.map(|()| Refreshed::Refused),
        }
    }

    /// Ends the family of a presented token, and what belongs to it (RFC 7009).
    pub(super) async fn end(&self, presented: &RefreshToken) -> Result<()> {
        self.tokens.end(presented).await?;
        self.end_rest(presented.family()).await
    }

    /// Ends what belongs to a family, if that has ended; also when it had before, for whoever ended it may have come no further.
    async fn end_rest(&self, family: FamilyId) -> Result<()> {
        if self.is_alive(family).await? { Ok(()) } else { self.access.end_family(family).await }
    }

    /// Ends an access token.
    pub(super) async fn end_access(&self, token: &str) -> Result<()> {
        self.access.end(token).await
    }

    /// Adds an access token. It is made first and the family looked at afterwards, while whoever ends a family ends it first and looks
    /// for access tokens afterwards: one of the two sees the other's.
    async fn complete(&self, refresh: RefreshToken, family: &Family) -> Result<Option<Grant>> {
        let Some(access) = self.access.mint(family).await? else {
            self.revoke(family.id).await?;
            return Ok(None);
        };
        if !self.is_alive(family.id).await? {
            self.access.end_family(family.id).await?;
            return Ok(None);
        }
        let now = self.tokens.handle().clock().now();
        let lives = family.expires.since(now);
        Ok(Some(Grant { access, refresh, subject: family.user.clone(), refresh_expires_in: lives }))
    }

    async fn is_alive(&self, family: FamilyId) -> Result<bool> {
        self.tokens.handle().contains(&family.to_string()).await
    }
}

/// Tokens for a client. As an answer it is the JSON of RFC 6749, section 5.1, not to be cached, with `refresh_expires_in`, `sub` and
/// `user` besides.
pub struct Grant {
    access: Access,
    refresh: RefreshToken,
    subject: String,
    refresh_expires_in: Duration,
}

#[derive(Serialize)]
struct Wire<'g> {
    access_token: &'g str,
    token_type: &'static str,
    expires_in: u64,
    refresh_token: &'g str,
    refresh_expires_in: u64,
    sub: &'g str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'g serde_json::Value>,
}

impl Grant {
    /// The family that the tokens are of.
    pub fn family(&self) -> FamilyId {
        self.refresh.family()
    }

    /// The access token's text. Never log it.
    pub fn access_token(&self) -> &str {
        &self.access.token
    }

    /// The refresh token.
    pub fn refresh_token(&self) -> &RefreshToken {
        &self.refresh
    }

    /// How long the access token lives.
    pub fn expires_in(&self) -> Duration {
        self.access.expires_in
    }
}

impl IntoResponse for Grant {
    fn into_response(self) -> Response {
        let refresh: Zeroizing<String> = self.refresh.expose();
        let wire = Wire {
            access_token: &self.access.token,
            token_type: "Bearer",
            expires_in: self.access.expires_in.as_secs(),
            refresh_token: &refresh,
            refresh_expires_in: self.refresh_expires_in.as_secs(),
            sub: &self.subject,
            user: self.access.user.as_ref(),
        };
        // Strings, numbers and a JSON value: there is nothing in it that JSON cannot hold.
        let body = serde_json::to_vec(&wire).expect("tokens are JSON");
        ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], body).into_response()
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("refresh", &self.refresh)
            .field("expires_in", &self.access.expires_in)
            .finish_non_exhaustive()
    }
}
