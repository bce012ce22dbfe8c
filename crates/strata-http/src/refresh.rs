//! Refresh tokens over HTTP (RFC 6749, section 6, and RFC 7009): [`RefreshTransport`] of the client.

use async_trait::async_trait;
use serde::Deserialize;
use strata_core::Codec;
use strata_session::tokens::{RefreshFailure, RefreshRequest, RefreshTransport, RevokeRequest, TokenAnswer};
use zeroize::Zeroizing;

use crate::base::Route;
use crate::call::{Answer, Body, Call, FORM, Failure};
use crate::client::{HttpClient, Inner};

/// Sends each request once: whether to repeat one whose answer was lost is the manager's to say.
#[async_trait]
impl RefreshTransport for HttpClient {
    async fn refresh(&self, request: RefreshRequest<'_>) -> Result<TokenAnswer, RefreshFailure> {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", request.token())];
        let answer = self.inner.call(&self.inner.form(Route::Refresh, &fields)).await.map_err(failure)?;
        tokens(&answer)
    }

    async fn revoke(&self, request: RevokeRequest<'_>) -> Result<(), RefreshFailure> {
        let answer = self.inner.call(&self.inner.revocation(request.token())).await.map_err(failure)?;
        if answer.is_success() { Ok(()) } else { Err(refusal(&answer)) }
    }
}

impl Inner {
    /// A revocation of a refresh token (RFC 7009, section 2.1).
    pub(crate) fn revocation(&self, token: &str) -> Call {
        self.form(Route::Revoke, &[("token", token), ("token_type_hint", "refresh_token")])
    }

    fn form(&self, route: Route, fields: &[(&str, &str)]) -> Call {
        let id = self.client_id.as_deref().map(|id| ("client_id", id));
        let fields = || fields.iter().copied().chain(id);
        // Room for all of it from the start: growing would leave copies behind. A byte takes three at most.
        let room = fields().map(|(name, value)| 3 * (name.len() + value.len()) + 2).sum();
        let mut form = form_urlencoded::Serializer::new(String::with_capacity(room));
        form.extend_pairs(fields());
        Call { route, content_type: FORM, body: Zeroizing::new(form.finish().into_bytes()), bearer: None }
    }
}

/// What the server adds to the tokens of RFC 6749 for whoever restores a session from them.
#[derive(Deserialize)]
struct About {
    sub: Option<String>,
    user: Option<serde_json::Value>,
}

fn tokens(answer: &Answer) -> Result<TokenAnswer, RefreshFailure> {
    if !answer.is_success() {
        return Err(refusal(answer));
    }
    let body = match &answer.body {
        Body::Whole(body) => body,
        Body::TooLong => return Err(RefreshFailure::Protocol("the answer is longer than is read")),
        Body::Broken => return Err(RefreshFailure::Unanswered),
    };
    if !answer.is_json {
        return Err(RefreshFailure::Protocol("the answer is not JSON; look at what answers at this address"));
    }
    let tokens = TokenAnswer::from_json(body)?;
    let no_user = |_| RefreshFailure::Protocol("the answer does not describe the user as it should");
    let about: About = Codec::Json.decode(body).map_err(no_user)?;
    let tokens = about.sub.into_iter().fold(tokens, TokenAnswer::subject);
    let Some(user) = about.user.filter(|user| !user.is_null()) else { return Ok(tokens) };
    Ok(tokens.user(user.to_string()))
}

fn refusal(answer: &Answer) -> RefreshFailure {
    if matches!(answer.body, Body::Broken) && answer.status < 500 {
        // A refusal that cannot be read to its end says nothing for sure.
        return RefreshFailure::Unanswered;
    }
    RefreshFailure::from_answer(answer.status, answer.bytes(), answer.retry_after)
}

fn failure(failure: Failure) -> RefreshFailure {
    match failure {
        Failure::NotSent => RefreshFailure::OFFLINE,
        Failure::Unanswered => RefreshFailure::Unanswered,
        Failure::Unsendable(why) => RefreshFailure::Protocol(why),
    }
}
