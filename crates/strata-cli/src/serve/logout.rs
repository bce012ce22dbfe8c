//! Signing out: here, on all other devices, everywhere. Refresh tokens end with the sessions.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::answer::Answer;
use super::identity::{Cookies, Identity};
use super::login::{of, with};
use super::service::Shared;

/// `POST /api/session/logout`: ends the session of this request. One that has ended already is no error.
pub(crate) async fn here(identity: Identity) -> Answer {
    let ended = match identity.user {
        Some(session) => session.logout().await?,
        None => false,
    };
    let mut cookies = Cookies::default();
    cookies.sign_out();
    Ok(with(cookies, json!({ "ended": u8::from(ended) })))
}

/// `POST /api/session/logout-others`: ends all other sessions of the user, and all refresh tokens.
pub(crate) async fn others(State(service): State<Shared>, identity: Identity) -> Answer<Response> {
    let session = of(identity.user)?;
    let user = session.user().await?;
    let families = service.refresh.revoke_user(&user.id).await;
    let ended = session.logout_others().await?;
    families?;
    Ok(Json(json!({ "ended": ended })).into_response())
}

/// `POST /api/session/logout-everywhere`: ends all sessions of the user, this one too.
pub(crate) async fn everywhere(State(service): State<Shared>, identity: Identity) -> Answer {
    let session = of(identity.user)?;
    let user = session.user().await?;
    let families = service.refresh.revoke_user(&user.id).await;
    let ended = session.logout_everywhere().await?;
    families?;
    let mut cookies = Cookies::default();
    cookies.sign_out();
    Ok(with(cookies, json!({ "ended": ended })))
}
