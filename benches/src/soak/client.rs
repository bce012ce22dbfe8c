//! Requests of a program to the service, by its access token, and what came back: status and JSON.

use std::fmt;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, ORIGIN, RETRY_AFTER, SET_COOKIE};
use reqwest::{Client as Http, Method};
use serde_json::{Value, json};

use super::oracle::Answer;

/// A request that has no answer after this long has none.
const PATIENCE: Duration = Duration::from_secs(20);

/// What came back. Status 0: nothing did.
#[derive(Clone, PartialEq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body, or null where it is no JSON.
    pub body: Value,
    /// Name and value of the first cookie that it sets.
    pub cookie: Option<String>,
    /// How long to wait before the next try.
    pub retry_after: Option<Duration>,
}

impl Reply {
    /// No answer.
    fn none() -> Self {
        Self { status: 0, body: Value::Null, cookie: None, retry_after: None }
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

    /// The public ids in a list of sessions.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        let sessions = self.body["sessions"].as_array();
        sessions.into_iter().flatten().filter_map(|session| session["id"].as_str())
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

/// How a request says whose it is. Not for any log.
#[derive(Clone, PartialEq, Eq)]
pub enum Token {
    /// A program's: an access token.
    Bearer(String),
    /// A visitor's browser's: name and value of its cookie.
    Cookie(String),
}

/// One session that was begun, by a sign-in or by a visitor.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// What every request carries.
    pub token: Token,
    /// The public id, by which it is revoked. A visitor's has none here.
    pub id: String,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("status", &self.status).finish_non_exhaustive()
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("user", &self.user).finish_non_exhaustive()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Self::Bearer(_)) { "Bearer(…)" } else { "Cookie(…)" })
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
        let token = reply.body["access_token"].as_str().filter(|_| reply.answer() == Answer::Done);
        // An access token begins with the public id of its session.
        let parts = token.and_then(|token| Some((token.to_owned(), token.split_once('.')?.0.to_owned())));
        (reply, parts.map(|(token, id)| SignedIn { token: Token::Bearer(token), id }))
    }

    /// A visitor who has no session yet adds one to a value, which begins one.
    pub async fn visit(&self, name: &str) -> (Reply, Option<SignedIn>) {
        let reply = self
            .send(Method::POST, &format!("/api/values/{name}/add"), None, Some(&json!({ "by": 1 })))
            .await;
        let cookie = reply.cookie.clone().filter(|_| reply.answer() == Answer::Done);
        (reply, cookie.map(|cookie| SignedIn { token: Token::Cookie(cookie), id: String::new() }))
    }

    /// Adds one to a value of the session.
    pub async fn add(&self, token: &Token, name: &str) -> Reply {
        let path = format!("/api/values/{name}/add");
        self.send(Method::POST, &path, Some(token), Some(&json!({ "by": 1 }))).await
    }

    /// Reads a value of the session.
    pub async fn read(&self, token: &Token, name: &str) -> Reply {
        self.get(token, &format!("/api/values/{name}")).await
    }

    /// Whether the service says that it is well.
    pub async fn is_healthy(&self) -> bool {
        self.send(Method::GET, "/health", None, None).await.status == 200
    }

    /// Any route that only tells.
    pub async fn get(&self, token: &Token, path: &str) -> Reply {
        self.send(Method::GET, path, Some(token), None).await
    }

    /// Any route that needs no body and changes something.
    pub async fn post(&self, token: &Token, path: &str) -> Reply {
        self.send(Method::POST, path, Some(token), None).await
    }

    /// Ends a session of the same user by its public id.
    pub async fn revoke(&self, token: &Token, id: &str) -> Reply {
        self.send(Method::DELETE, &format!("/api/sessions/{id}"), Some(token), None).await
    }

    async fn send(&self, method: Method, path: &str, token: Option<&Token>, body: Option<&Value>) -> Reply {
        let mut request = self.http.request(method, format!("{}{path}", self.origin));
        request = match token {
            Some(Token::Bearer(token)) => request.header(AUTHORIZATION, format!("Bearer {token}")),
            Some(Token::Cookie(pair)) => request.header(COOKIE, pair).header(ORIGIN, &self.origin),
            None => request.header(ORIGIN, &self.origin),
        };
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let Ok(response) = request.send().await else { return Reply::none() };
        let status = response.status().as_u16();
        let cookie =
            response.headers().get(SET_COOKIE).and_then(|value| value.to_str().ok()?.split(';').next());
        let cookie = cookie.map(str::to_owned);
        let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let Ok(body) = response.bytes().await else { return Reply::none() };
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Reply { status, body, cookie, retry_after: wait.map(Duration::from_secs) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: Value) -> Reply {
        Reply { status, body, cookie: None, retry_after: None }
    }

    #[test]
    fn statuses_are_understood() {
        let answers = [204, 401, 404, 429, 503, 0].map(|status| reply(status, Value::Null).answer());
        let expected =
            [Answer::Done, Answer::Ended, Answer::Refused, Answer::Refused, Answer::Unknown, Answer::Unknown];
        assert_eq!(answers, expected);
    }

    #[test]
    fn ids_are_read() {
        let listed = reply(200, json!({ "sessions": [{ "id": "a" }, { "id": "b" }] }));
        assert_eq!(listed.ids().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(reply(503, Value::Null).ids().count(), 0);
    }

    #[test]
    fn values_are_read_and_what_is_absent_is_nothing() {
        assert_eq!(reply(200, json!({ "value": 7 })).value(), Some(7));
        assert_eq!(reply(200, json!({ "value": null })).value(), Some(0));
        assert_eq!(reply(503, Value::Null).value(), None);
    }
}
