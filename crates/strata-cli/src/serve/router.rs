//! The routes of the service, and what every answer has: time limits, security headers, counters.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Extension, Router};

use strata_axum::{Background, Routes};

use super::answer::Refusal;
use super::json_body::MAX_BODY;
use super::service::Shared;
use super::{cart, console, events, health, login, logout, me, metrics, operator, sessions, values, visits};

/// How long a request may take, its body included, up to the head of the answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What browsers are told of every answer. The page runs its own script and style only, and talks to nobody else.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

/// The whole service.
pub(crate) fn router(service: &Shared) -> Router {
    let api = Router::new()
        .route("/api/login", post(login::login))
        .route("/api/me", get(me::me))
        .route("/api/cart", get(cart::show).post(cart::add).delete(cart::empty))
        .route("/api/sessions", get(sessions::list))
        .route("/api/sessions/{id}", delete(sessions::revoke))
        .route("/api/session/logout-others", post(logout::others))
        .route("/api/session/logout-everywhere", post(logout::everywhere))
        .route("/api/values/{name}", get(values::get).put(values::put))
        .route("/api/values/{name}/add", post(values::add))
        // A page that only waits keeps no session alive.
        .route("/api/events", get(events::events).layer(Extension(Background)))
        .route("/api/visit", post(visits::view))
        .route("/api/operator/sessions", get(operator::sessions))
        .route("/api/operator/sessions/{id}", delete(operator::revoke))
        .route("/api/operator/users/{user}/sessions", delete(operator::revoke_user))
        .route("/api/operator/insight", get(operator::insight))
        .route("/api/operator/stats", get(operator::stats))
        .merge(given(service))
        .layer(service.layer.clone())
        .route("/health", get(health::health))
        .route("/metrics", get(metrics::metrics))
        .layer(middleware::map_response(never_stored));
    let page = console::routes();
    api.merge(page)
        .fallback(|| async { Refusal::not_found() })
        .method_not_allowed_fallback(|| async {
            let message = "this route has other methods; see docs/service.md";
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn(in_time))
        .layer(middleware::map_response(secured))
        .layer(middleware::from_fn_with_state(Arc::clone(service), metrics::count))
        .with_state(Arc::clone(service))
}

/// The routes that every program gets from `strata-axum`: tokens, logout, synchronised documents, reports of visits.
fn given(service: &Shared) -> Router<Shared> {
    let routes = Routes::builder().grants(&service.grants).logout::<()>();
    routes.documents::<()>(&service.documents).analytics(&service.ingest).build().router()
}

/// Answers of the API are about one client at one moment.
async fn never_stored(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn secured(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A request that takes too long is given up, whoever is slow.
async fn in_time(request: Request, next: Next) -> Response {
    tokio::time::timeout(PATIENCE, next.run(request)).await.unwrap_or_else(|_| {
        let message = "the request took too long; send it again";
        Refusal::new(StatusCode::REQUEST_TIMEOUT, "timeout", message).into_response()
    })
}
