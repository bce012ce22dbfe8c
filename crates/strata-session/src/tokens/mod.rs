//! A client's access, refresh and id tokens: kept as one generation per account, refreshed once however many wait, revoked after a
//! sign-out. [`Tokens`] is the manager; a [`RefreshTransport`] takes it to the server.
//!
//! Nothing here verifies a token: a client cannot. The times in a JWT are read as a hint for when to refresh, and nothing else of it.

mod accounts;
mod answer;
mod builder;
mod failure;
mod flight;
mod generation;
mod jwt;
mod lease;
mod listing;
mod manager;
mod outcome;
mod policy;
mod record;
mod refresh;
mod revocation;
pub(crate) mod text;
mod transport;

pub use answer::TokenAnswer;
pub use builder::TokensBuilder;
pub use manager::Tokens;
pub use outcome::{Renewal, Renewed, TokenInfo};
pub use policy::TokenPolicy;
pub use revocation::Revocations;
pub use text::{AccessToken, IdToken};
pub use transport::{RefreshFailure, RefreshRequest, RefreshTransport, RevokeRequest};
