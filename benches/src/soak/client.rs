//! Requests of a program to the service, by its access token, and what came back: status and JSON.

use std::fmt;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client as Http, Method};
use serde_json::{Value, json};

use super::oracle::Answer;

/// A request that has no answer after this long has none.
const PATIENCE: Duration = Duration::from_secs(20);

/// What came back. Status 0: nothing did.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body, or null where it is no JSON.
    pub body: Value,
    /// How long to wait before the next try.
    pub retry_after: Option<Duration>,
}

impl Reply {
    /// No answer.
    fn none() -> Self {
        Self { status: 0, body: Value::Null, retry_after: None }
    }

    /// What it says about the session and what was asked.
    pub fn answer(&self) -> Answer {
        match self.status {
            200..=299 => Answer::Done,
            401 => Answer::Ended,
            400..=499 => Answer::Refused,
            _ => Answer::Unknown,
        }
    }

    /// The value that reading or adding to it answers; a value that is not there counts as nothing.
    pub fn value(&self) -> Option<u64> {
        match &self.body["value"] {
            Value::Null if self.answer() == Answer::Done => Some(0),
            value => value.as_u64(),
        }
    }
}

/// A name of a demo user, and the password that was printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Who.
    pub user: String,
    /// Not for any log.
    pub password: String,
}

/// Speaks to one service.
#[derive(Clone, Debug)]
pub struct Client {
    http: Http,
    origin: String,
}

/// One sign-in that succeeded.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// What every request carries.
    pub token: String,
    /// The public id, by which it is revoked.
    pub id: String,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("user", &self.user).finish_non_exhaustive()
    }
}

impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedIn").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Client {
    /// Connections are kept and used again, and never retried: an answer that is lost is to be seen.
    ///
    /// # Panics
    /// When TLS cannot be set up, which this machine's programs share.
    pub fn new(origin: String) -> Self {
        // Set by whoever comes first; the service is spoken to without TLS.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Http::builder().timeout(PATIENCE).retry(reqwest::retry::never()).no_proxy().build();
        Self { http: http.expect("plain HTTP needs nothing of the system"), origin }
    }

    /// Asks for a token of a new session.
    pub async fn login(&self, account: &Account) -> (Reply, Option<SignedIn>) {
        let body = json!({ "user": account.user, "password": account.password, "token": true });
        let reply = self.send(Method::POST, "/api/login", None, Some(&body)).await;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let token = text(&reply.body["access_token"]).zip(text(&reply.body["session"]["id"]));
        let signed_in = token.filter(|_| reply.answer() == Answer::Done);
        (reply, signed_in.map(|(token, id)| SignedIn { token, id }))
    }

    /// Adds one to a value of the session.
    pub async fn add(&self, token: &str, name: &str) -> Reply {
        let path = format!("/api/values/{name}/add");
        self.send(Method::POST, &path, Some(token), Some(&json!({ "by": 1 }))).await
    }

    /// Reads a value of the session.
    pub async fn read(&self, token: &str, name: &str) -> Reply {
        self.get(token, &format!("/api/values/{name}")).await
    }

    /// Any route that only tells.
    pub async fn get(&self, token: &str, path: &str) -> Reply {
        self.send(Method::GET, path, Some(token), None).await
    }

    /// Any route that needs no body and changes something.
    pub async fn post(&self, token: &str, path: &str) -> Reply {
        self.send(Method::POST, path, Some(token), None).await
    }

    /// Ends a session of the same user by its public id.
    pub async fn revoke(&self, token: &str, id: &str) -> Reply {
        self.send(Method::DELETE, &format!("/api/sessions/{id}"), Some(token), None).await
    }

    async fn send(&self, method: Method, path: &str, token: Option<&str>, body: Option<&Value>) -> Reply {
        let mut request = self.http.request(method, format!("{}{path}", self.origin));
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let Ok(response) = request.send().await else { return Reply::none() };
        let status = response.status().as_u16();
        let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let Ok(body) = response.bytes().await else { return Reply::none() };
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Reply { status, body, retry_after: wait.map(Duration::from_secs) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: Value) -> Reply {
        Reply { status, body, retry_after: None }
    }

    #[test]
    fn statuses_are_understood() {
        let answers = [204, 401, 404, 429, 503, 0].map(|status| reply(status, Value::Null).answer());
        let expected =
            [Answer::Done, Answer::Ended, Answer::Refused, Answer::Refused, Answer::Unknown, Answer::Unknown];
        assert_eq!(answers, expected);
    }

    #[test]
    fn values_are_read_and_what_is_absent_is_nothing() {
        assert_eq!(reply(200, json!({ "value": 7 })).value(), Some(7));
        assert_eq!(reply(200, json!({ "value": null })).value(), Some(0));
        assert_eq!(reply(503, Value::Null).value(), None);
    }
}
