//! The extractors: what a handler asks for.
//!
//! | extractor | who | reads the store |
//! |---|---|---|
//! | [`Session`] | everybody; nothing is stored before something is changed | when a value is asked for |
//! | [`Auth`] | everybody who may sign in | when it is asked who has |
//! | [`AuthSession`] | who has signed in; others get 401 | once, before the handler runs |
//! | `Option<AuthSession>` | who has, or nobody | the same |
//!
//! A store out of reach is 503, never a new session and never nobody.

mod auth;
mod session;
mod signed_in;

pub use auth::{Auth, SignIn};
pub use session::Session;
pub use signed_in::AuthSession;

use http::request::Parts;

use crate::reject::Rejection;

/// What the layer has left for extractors.
fn left<T: Clone + Send + Sync + 'static>(parts: &Parts) -> Result<T, Rejection> {
    parts.extensions.get::<T>().cloned().ok_or_else(|| {
        tracing::error!(target: "strata::http", "no layer for this extractor: put `SessionLayer` around the route, with `users` of the same claims");
        Rejection::internal()
    })
}
