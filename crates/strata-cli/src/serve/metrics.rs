//! `GET /metrics`: counters in the text format of Prometheus. Labels are routes, methods and outcomes that the service itself names,
//! never what a client sent.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use strata::ErrorKind;
use tokio::time::Instant;

use super::answer::{Answer, StoreFailure};
use super::service::Shared;

/// Upper bounds of the histogram, in seconds.
const BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 10.0];

/// What came of a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Login {
    Done,
    Wrong,
    Limited,
    Unavailable,
}

impl Login {
    fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Wrong => "wrong",
            Self::Limited => "limited",
            Self::Unavailable => "unavailable",
        }
    }
}

/// What is counted for a route and method.
#[derive(Debug, Default)]
struct Route {
    statuses: BTreeMap<u16, u64>,
    /// Not cumulated; what is longer than the last bound is in the count only.
    buckets: [u64; BUCKETS.len()],
    count: u64,
    total: Duration,
}

/// All counters. They begin at zero with the process.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    routes: Mutex<BTreeMap<(String, &'static str), Route>>,
    logins: Mutex<BTreeMap<Login, u64>>,
    store_failures: Mutex<BTreeMap<String, u64>>,
    streams: Arc<AtomicI64>,
    connections: Arc<AtomicI64>,
    refused: AtomicU64,
}

/// Something open that is counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Open(Arc<AtomicI64>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn open(gauge: &Arc<AtomicI64>) -> Open {
    gauge.fetch_add(1, Ordering::Relaxed);
    Open(Arc::clone(gauge))
}

impl Metrics {
    pub(crate) fn login(&self, outcome: Login) {
        *self.logins.lock().unwrap_or_else(PoisonError::into_inner).entry(outcome).or_default() += 1;
    }

    pub(crate) fn store_failed(&self, kind: ErrorKind) {
        let mut failures = self.store_failures.lock().unwrap_or_else(PoisonError::into_inner);
        *failures.entry(kind.to_string().to_lowercase()).or_default() += 1;
    }

    pub(crate) fn open_stream(&self) -> Open {
        open(&self.streams)
    }

    pub(crate) fn open_connection(&self) -> Open {
        open(&self.connections)
    }

    /// A connection was closed at once: there were too many.
    pub(crate) fn refuse_connection(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    fn request(&self, route: &str, method: &'static str, status: StatusCode, took: Duration) {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = routes.entry((route.to_owned(), method)).or_default();
        *counts.statuses.entry(status.as_u16()).or_default() += 1;
        counts.count += 1;
        counts.total += took;
        if let Some(bucket) = BUCKETS.iter().position(|bound| took.as_secs_f64() <= *bound) {
            counts.buckets[bucket] += 1;
        }
    }

    /// Everything in the text format, but what is asked of the store.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        self.tell_requests(&mut text);
        head(&mut text, "strata_logins_total", "counter", "Sign-ins by outcome.");
        for (outcome, count) in &*self.logins.lock().unwrap_or_else(PoisonError::into_inner) {
            line(&mut text, "strata_logins_total", &[("outcome", outcome.name())], *count);
        }
        head(&mut text, "strata_store_errors_total", "counter", "Failures of the store by situation.");
        for (kind, count) in &*self.store_failures.lock().unwrap_or_else(PoisonError::into_inner) {
            line(&mut text, "strata_store_errors_total", &[("kind", kind)], *count);
        }
        let gauges = [
            ("strata_event_streams", "Open streams of events.", &self.streams),
            ("strata_connections", "Open connections.", &self.connections),
        ];
        for (name, help, gauge) in gauges {
            head(&mut text, name, "gauge", help);
            line(&mut text, name, &[], gauge.load(Ordering::Relaxed));
        }
        let refused = self.refused.load(Ordering::Relaxed);
        head(
            &mut text,
            "strata_connections_refused_total",
            "counter",
            "Connections beyond the most at a time.",
        );
        line(&mut text, "strata_connections_refused_total", &[], refused);
        text
    }

    fn tell_requests(&self, text: &mut String) {
        const TOTAL: &str = "strata_http_requests_total";
        const SECONDS: &str = "strata_http_request_duration_seconds";
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        head(text, TOTAL, "counter", "Answered requests by route, method and status.");
        for ((route, method), counts) in &*routes {
            for (status, count) in &counts.statuses {
                let status = status.to_string();
                line(text, TOTAL, &[("route", route), ("method", method), ("status", &status)], *count);
            }
        }
        head(text, SECONDS, "histogram", "Time to the head of the answer.");
        for ((route, method), counts) in &*routes {
            let mut so_far = 0;
            for (bound, count) in BUCKETS.iter().zip(counts.buckets) {
                so_far += count;
                let labels = [("route", route.as_str()), ("method", *method), ("le", &bound.to_string())];
                line(text, &format!("{SECONDS}_bucket"), &labels, so_far);
            }
            let labels = [("route", route.as_str()), ("method", *method), ("le", "+Inf")];
            line(text, &format!("{SECONDS}_bucket"), &labels, counts.count);
            line(text, &format!("{SECONDS}_sum"), &labels[..2], counts.total.as_secs_f64());
            line(text, &format!("{SECONDS}_count"), &labels[..2], counts.count);
        }
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn line(text: &mut String, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
    let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    let _ = writeln!(text, "{name}{labels} {value}");
}

/// Counts each request, and writes it to the log.
pub(crate) async fn count(State(service): State<Shared>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let method = method(request.method());
    let began = Instant::now();
    let response = next.run(request).await;
    let (status, took) = (response.status(), began.elapsed());
    service.metrics.request(&route, method, status, took);
    match response.extensions().get() {
        Some(StoreFailure(kind)) => kind.iter().for_each(|kind| service.metrics.store_failed(*kind)),
        // The layer met it, before or after a handler.
        None if status == StatusCode::SERVICE_UNAVAILABLE => {
            service.metrics.store_failed(ErrorKind::Unavailable);
        }
        None => {}
    }
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    if status.is_server_error() {
        tracing::warn!(target: "strata::http", method, route, status = status.as_u16(), millis, "request");
    } else {
        tracing::debug!(target: "strata::http", method, route, status = status.as_u16(), millis, "request");
    }
    response
}

/// The method's name, of those that are served: a client may send any word.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

/// The text for a scraper. Living sessions are counted in the store; when that fails they are left out.
pub(crate) async fn metrics(State(service): State<Shared>) -> Answer {
    let mut text = service.metrics.text();
    let users = service.auth.handle().select().count().await;
    let guests = service.sessions.handle().select().count().await;
    head(&mut text, "strata_sessions_active", "gauge", "Living sessions.");
    for (kind, count) in [("user", users), ("guest", guests)] {
        match count {
            Ok(count) => line(&mut text, "strata_sessions_active", &[("kind", kind)], count),
            Err(error) => service.metrics.store_failed(error.kind()),
        }
    }
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_is_cumulated_and_its_last_bucket_is_its_count() {
        let metrics = Metrics::default();
        for millis in [1, 2, 30, 20_000] {
            metrics.request("/api/me", "GET", StatusCode::OK, Duration::from_millis(millis));
        }
        metrics.request("/api/me", "GET", StatusCode::NOT_FOUND, Duration::from_millis(1));
        metrics.login(Login::Wrong);
        let text = metrics.text();
        for line in [
            "strata_http_requests_total{route=\"/api/me\",method=\"GET\",status=\"200\"} 4",
            "strata_http_requests_total{route=\"/api/me\",method=\"GET\",status=\"404\"} 1",
            "strata_http_request_duration_seconds_bucket{route=\"/api/me\",method=\"GET\",le=\"0.001\"} 2",
            "strata_http_request_duration_seconds_bucket{route=\"/api/me\",method=\"GET\",le=\"0.05\"} 4",
            "strata_http_request_duration_seconds_bucket{route=\"/api/me\",method=\"GET\",le=\"10\"} 4",
            "strata_http_request_duration_seconds_bucket{route=\"/api/me\",method=\"GET\",le=\"+Inf\"} 5",
            "strata_http_request_duration_seconds_count{route=\"/api/me\",method=\"GET\"} 5",
            "strata_logins_total{outcome=\"wrong\"} 1",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} in {text}");
        }
    }

    #[test]
    fn what_is_open_is_counted_until_it_is_dropped() {
        let metrics = Metrics::default();
        let (one, other) = (metrics.open_stream(), metrics.open_stream());
        assert!(metrics.text().contains("strata_event_streams 2\n"));
        drop((one, other));
        assert!(metrics.text().contains("strata_event_streams 0\n"));
    }

    #[test]
    fn s38_a_method_of_a_clients_own_is_no_label_of_its_own() {
        assert_eq!(method(&Method::from_bytes(b"EVIL\"").unwrap_or(Method::PATCH)), "other");
        assert_eq!(method(&Method::DELETE), "DELETE");
    }
}
