//! Strata sessions in axum: a tower layer that loads a session when a handler asks for it and stores what a request changed in one
//! commit, the extractors of such handlers, and what keeps cookies and forms safe.
//!
//! | module | what is there |
//! |---|---|
//! | [`layer`] | [`SessionLayer`], its settings, and the commit at the end of a request |
//! | [`extract`] | [`Session`] for everybody, [`Auth`] and [`AuthSession`] for those who sign in |
//! | [`cookie`] | cookies that cannot be written wrong, and how they are read |
//! | [`csrf`] | requests that another site has made |
//! | [`limit`] | how often clients may ask: a hook, and one that counts in memory |
//! | [`reject`] | what a refused request is told |
//! | [`routes`] | the server half of `strata-http`: tokens, logout, synchronised documents, analytics |
//! | `tower_sessions` | sessions of tower-sessions in a Strata store, with the features of that name |

pub mod cookie;
pub mod csrf;
pub mod extract;
pub mod layer;
pub mod limit;
pub mod reject;
pub mod routes;
#[cfg(any(feature = "tower-sessions", feature = "tower-sessions-0-14"))]
pub mod tower_sessions;

mod request;
mod verify;

pub use extract::{Auth, AuthSession, Session};
pub use layer::{SessionLayer, SessionLayerBuilder};
pub use reject::Rejection;
pub use request::Background;
pub use routes::Routes;
pub use verify::{Password, Verifier};

/// The examples of the README are compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
