//! Session managers over any Strata handle: what a program does with sessions, in terms of users and tokens. They know the
//! handle, never a store, a cipher, a clock or a runtime.
//!
//! | module | what it manages |
//! |---|---|
//! | [`basic`] | sessions of named values behind a bearer token |
//! | [`auth`] | people who have signed in: claims, roster, limits, freshness |
//! | [`tokens`] | a client's access and refresh tokens |
//! | [`refresh`] | a server's refresh tokens: families, rotation, reuse |
//! | [`migration`] | guests who become users |
//! | [`fingerprint`] | how much a device looks like the one that signed in |
//! | [`document`] | a document edited offline, reconciled with a server |
//! | [`analytics`] | visits, their delivery, and what they tell |
//! | [`security`] | what happened, as typed events |

pub mod analytics;
pub mod auth;
pub mod basic;
pub mod document;
pub mod fingerprint;
pub mod migration;
pub mod refresh;
pub mod security;
pub mod tokens;

mod bearer;
mod draft;
mod id;
mod limits;
mod loaded;
mod roster;
mod secret;
mod session_values;
mod token;
mod values;

pub use basic::{Ids, LoadedSession, Session, SessionKind, Sessions, SessionsBuilder};
pub use draft::{Draft, Edit};
pub use id::{FamilyId, ReplicaId, RequestId, SessionId, VisitId};
pub use limits::Limits;
pub use session_values::SessionValues;
pub use token::SessionToken;

/// The examples of the README are compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
