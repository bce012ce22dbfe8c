//! Named values of JSON in the session of whoever asks: of the user, else of the guest, whose session begins with the first value.
//! Concurrent additions are all counted; what is answered has been committed.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};
use strata::session::Session;
use strata::session::auth::AuthSession;

use super::answer::{Answer, Refusal};
use super::identity::{Cookies, Identity};
use super::json_body::JsonBody;
use super::login::with;
use super::service::{Service, Shared};

/// The values of one of the two kinds of session.
enum Values {
    User(AuthSession),
    Guest(Session),
}

impl Values {
    /// Those of this request, if it has a session.
    fn of(identity: Identity) -> Option<Self> {
        identity.user.map(Self::User).or_else(|| identity.guest.map(Self::Guest))
    }

    /// Those of this request; a guest's session begins if there is none.
    async fn open(service: &Service, identity: Identity) -> Answer<(Self, Cookies)> {
        if let Some(session) = identity.user {
            return Ok((Self::User(session), Cookies::default()));
        }
        let (guest, cookies) = identity.guest_or_new(service).await?;
        Ok((Self::Guest(guest), cookies))
    }

    /// Stored as the text of the JSON: it is any value, of one shape.
    async fn get(&self, name: &str) -> strata::Result<Option<String>> {
        match self {
            Self::User(session) => session.get(name).await,
            Self::Guest(session) => session.get(name).await,
        }
    }

    async fn set(&self, name: &str, text: &String) -> strata::Result<()> {
        match self {
            Self::User(session) => session.set(name, text).await,
            Self::Guest(session) => session.set(name, text).await,
        }
    }

    async fn update(
        &self,
        name: &str,
        change: impl FnMut(Option<String>) -> Option<String>,
    ) -> strata::Result<()> {
        match self {
            Self::User(session) => session.update(name, change).await,
            Self::Guest(session) => session.update(name, change).await,
        }
    }
}

/// `GET /api/values/{name}`: `null` if there is none.
pub(crate) async fn get(identity: Identity, Path(name): Path<String>) -> Answer<Json<Value>> {
    let text = match Values::of(identity) {
        Some(values) => values.get(&name).await?,
        None => None,
    };
    let value = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(Value::Null);
    Ok(Json(json!({ "value": value })))
}

/// `PUT /api/values/{name}`: the body is the value.
pub(crate) async fn put(
    State(service): State<Shared>,
    identity: Identity,
    Path(name): Path<String>,
    JsonBody(value): JsonBody<Value>,
) -> Answer {
    let (values, cookies) = Values::open(&service, identity).await?;
    values.set(&name, &value.to_string()).await?;
    Ok(with(cookies, json!({ "value": value })))
}

/// What is added.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Addend {
    by: i64,
}

/// `POST /api/values/{name}/add`: adds to the integer that is there, or to zero.
pub(crate) async fn add(
    State(service): State<Shared>,
    identity: Identity,
    Path(name): Path<String>,
    JsonBody(Addend { by }): JsonBody<Addend>,
) -> Answer {
    let (values, cookies) = Values::open(&service, identity).await?;
    let mut sum = None;
    let add = |found: Option<String>| {
        let there = found.as_deref().map_or(Some(0), |text| text.parse::<i64>().ok());
        sum = there.and_then(|there| there.checked_add(by));
        // A value that cannot be added to stays.
        sum.map_or(found, |sum| Some(sum.to_string()))
    };
    values.update(&name, add).await?;
    let sum = sum.ok_or_else(|| {
        Refusal::invalid(
            "the value is no integer, or the sum is beyond 64 bits; put another value in its place",
        )
    })?;
    Ok(with(cookies, json!({ "value": sum })))
}
