//! Named values of JSON in the session of whoever asks: of the user, else of the guest, whose session begins with the first value.
//! Concurrent additions are all counted; what is answered has been committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use strata::Result;

use super::answer::{Answer, Refusal};
use super::identity::Identity;
use super::json_body::JsonBody;
use super::service::Shared;
use super::url::InPath;

/// Stored as the text of the JSON: it is any value, of one shape.
impl Identity {
    async fn value(&self, name: &str) -> Result<Option<String>> {
        match &self.user {
            Some(session) => session.get(name).await,
            None => self.guest.get(name).await,
        }
    }

    async fn set_value(&self, name: &str, text: &String) -> Result<()> {
        match &self.user {
            Some(session) => session.set(name, text).await,
            None => self.guest.set(name, text).await,
        }
    }

    async fn update_value(
        &self,
        name: &str,
        change: impl FnMut(Option<String>) -> Option<String> + Send + 'static,
    ) -> Result<()> {
        match &self.user {
            Some(session) => session.update(name, change).await,
            None => self.guest.update(name, change).await,
        }
    }

    async fn save_values(&self) -> Result<()> {
        match &self.user {
            Some(session) => session.save().await,
            None => self.guest.save().await,
        }
    }
}

/// `GET /api/values/{name}`: `null` if there is none.
pub(crate) async fn get(identity: Identity, InPath(name): InPath) -> Answer<Json<Value>> {
    let text = identity.value(&name).await?;
    let value = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(Value::Null);
    Ok(Json(json!({ "value": value })))
}

/// `PUT /api/values/{name}`: the body is the value.
pub(crate) async fn put(
    State(_): State<Shared>,
    identity: Identity,
    InPath(name): InPath,
    JsonBody(value): JsonBody<Value>,
) -> Answer<Json<Value>> {
    identity.set_value(&name, &value.to_string()).await?;
    Ok(Json(json!({ "value": value })))
}

/// What is added.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Addend {
    by: i64,
}

/// `POST /api/values/{name}/add`: adds to the integer that is there, or to zero. The sum it answers is the one that was stored.
pub(crate) async fn add(
    State(_): State<Shared>,
    identity: Identity,
    InPath(name): InPath,
    JsonBody(Addend { by }): JsonBody<Addend>,
) -> Answer<Json<Value>> {
    let is_refused = Arc::new(AtomicBool::new(false));
    let overflows = Arc::clone(&is_refused);
    let add = move |found: Option<String>| {
        let there = found.as_deref().map_or(Some(0), |text| text.parse::<i64>().ok());
        let sum = there.and_then(|there| there.checked_add(by));
        overflows.store(sum.is_none(), Ordering::Relaxed);
        // A value that cannot be added to stays.
        sum.map_or(found, |sum| Some(sum.to_string()))
    };
    identity.update_value(&name, add).await?;
    identity.save_values().await?;
    let sum = identity.value(&name).await?.and_then(|text| text.parse::<i64>().ok());
    match sum.filter(|_| !is_refused.load(Ordering::Relaxed)) {
        Some(sum) => Ok(Json(json!({ "value": sum }))),
        None => Err(Refusal::invalid(
            "the value is no integer, or the sum is beyond 64 bits; put another value in its place",
        )),
    }
}
