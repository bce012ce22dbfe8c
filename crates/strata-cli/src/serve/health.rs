//! `GET /health`: whether the store answers. It writes nothing.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal};
use super::service::Shared;

/// How long the store has to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// 200, or 503 when the store fails, does not answer, or the service is about to end.
pub(crate) async fn health(State(service): State<Shared>) -> Answer<Json<Value>> {
    let unwell = |why: &str| {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", why).retry_after(Duration::from_secs(1))
    };
    if *service.closing.borrow() {
        return Err(unwell("the service is ending; try another one"));
    }
    let look = service.handle.contains("health");
    match tokio::time::timeout(PATIENCE, look).await {
        Ok(Ok(_)) => Ok(Json(json!({ "status": "ok" }))),
        Ok(Err(error)) => {
            service.metrics.store_failed(error.kind());
            Err(unwell("the store does not work; see the log"))
        }
        Err(_) => Err(unwell("the store does not answer; see the log")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::serve::service::Service;

    #[tokio::test]
    async fn a_service_that_ends_is_not_well_and_its_store_is_not_blamed() {
        let (_db, close, service) = Service::in_memory().await;
        assert_eq!(health(State(Arc::clone(&service))).await.expect("well").0, json!({ "status": "ok" }));
        close.send_replace(true);
        assert!(health(State(Arc::clone(&service))).await.is_err(), "others are asked instead");
        assert!(!service.metrics.text().contains("strata_store_errors_total{"));
    }
}
