//! A browser as far as sessions are concerned: it keeps cookies, says where its requests come from, and shows what it got.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::{Body, to_bytes};
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, Method, Request, StatusCode};
use tower::ServiceExt as _;

/// A browser with a jar.
#[derive(Clone)]
pub(crate) struct Browser {
    pub(crate) app: Router,
    pub(crate) jar: BTreeMap<String, String>,
    /// Sent with every request.
    pub(crate) extra: Vec<(&'static str, String)>,
}

/// What it got.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Browser {
    pub(crate) fn new(app: &Router) -> Self {
        let extra = vec![("sec-fetch-site", "same-origin".to_owned())];
        Self { app: app.clone(), jar: BTreeMap::new(), extra }
    }

    /// One that says nothing of where its requests come from.
    pub(crate) fn silent(app: &Router) -> Self {
        Self { extra: Vec::new(), ..Self::new(app) }
    }

    pub(crate) fn with(&self, name: &'static str, value: impl Into<String>) -> Self {
        let mut browser = self.clone();
        browser.extra.push((name, value.into()));
        browser
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path).await
    }

    pub(crate) async fn post(&mut self, path: &str) -> Answer {
        self.send(Method::POST, path).await
    }

    pub(crate) async fn send(&mut self, method: Method, path: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "shop.example");
        if !self.jar.is_empty() {
            let pairs: Vec<String> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(COOKIE, pairs.join("; "));
        }
        for (name, value) in &self.extra {
            request = request.header(*name, value);
        }
        let answer = ask(&self.app, request.body(Body::empty()).expect("a request")).await;
        self.keep(&answer);
        answer
    }

    /// Keeps and forgets cookies as told.
    pub(crate) fn keep(&mut self, answer: &Answer) {
        for header in answer.headers.get_all(SET_COOKIE) {
            let text = header.to_str().expect("text");
            let (pair, attributes) = text.split_once(';').expect("attributes");
            let (name, value) = pair.split_once('=').expect("a pair");
            if attributes.contains("Max-Age=0") {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

impl Answer {
    pub(crate) fn cookie(&self) -> Option<&str> {
        self.headers.get(SET_COOKIE).map(|value| value.to_str().expect("text"))
    }

    /// The code of a refusal.
    pub(crate) fn code(&self) -> String {
        let document: serde_json::Value = serde_json::from_str(&self.body).expect("a document");
        document["error"].as_str().expect("a code").to_owned()
    }
}

/// One request through a service.
pub(crate) async fn ask(app: &Router, request: Request<Body>) -> Answer {
    let response = app.clone().oneshot(request).await.expect("infallible");
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 1 << 20).await.expect("a body");
    let body = String::from_utf8(body.to_vec()).expect("text");
    Answer { status: parts.status, headers: parts.headers, body }
}
