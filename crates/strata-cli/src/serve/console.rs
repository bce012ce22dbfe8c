//! The console: one page with its style and script, compiled into the binary.

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::service::Shared;

/// The page and what it loads; nothing comes from anywhere else.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/", get(async || file("text/html; charset=utf-8", include_str!("console/index.html"))))
        .route(
            "/console.css",
            get(async || file("text/css; charset=utf-8", include_str!("console/console.css"))),
        )
        .route(
            "/console.js",
            get(async || file("text/javascript; charset=utf-8", include_str!("console/console.js"))),
        )
        .route("/icon.svg", get(async || file("image/svg+xml", include_str!("console/icon.svg"))))
}

/// Asked for again each time: a new binary has a new page.
fn file(media: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, text).into_response()
}
