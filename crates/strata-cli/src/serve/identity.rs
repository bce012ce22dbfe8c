//! Who sends a request: [`Identity`], the session of a user if there is one, and the session of a guest, which begins when something is
//! stored in it. Both come from the layer.

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use strata_axum::{AuthSession, Session};

use super::answer::{Answer, Refusal};
use super::service::Shared;

/// The sessions of a request.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) user: Option<AuthSession>,
    pub(crate) guest: Session,
}

impl FromRequestParts<Shared> for Identity {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, service: &Shared) -> Result<Self, Response> {
        let user = Option::<AuthSession>::from_request_parts(parts, service).await;
        let user = user.map_err(axum::response::IntoResponse::into_response)?;
        // A program is who its token says, or nobody: it is no guest.
        if user.is_none() && parts.headers.contains_key(header::AUTHORIZATION) {
            return Err(Refusal::signed_out().into_response());
        }
        let guest = Session::from_request_parts(parts, service).await;
        Ok(Self { user, guest: guest.map_err(axum::response::IntoResponse::into_response)? })
    }
}

impl Identity {
    /// The session of the user; others are refused.
    pub(crate) fn signed_in(self) -> Answer<AuthSession> {
        self.user.ok_or_else(Refusal::signed_out)
    }

    /// The guest's session as managers take it, if there is one.
    pub(crate) async fn found_guest(&self) -> Answer<Option<strata::session::Session>> {
        if self.guest.id().await?.is_none() {
            return Ok(None);
        }
        self.guest.allow_on_safe_method("a session that is there is opened, none begins");
        Ok(Some(self.guest.begun().await?))
    }
}
