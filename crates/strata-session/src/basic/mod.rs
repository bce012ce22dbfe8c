//! Basic sessions: named values of any type with one life, behind a bearer token.
//!
//! - [`Sessions`] creates, opens, lists and revokes them.
//! - [`Session`] reads and changes the values of one; each access is checked against the store, none against memory.
//! - [`LoadedSession`] is one with the values of one read, for a request that reads once and commits once.
//! - [`SessionToken`](crate::SessionToken) is what the client holds: a public [`SessionId`](crate::SessionId) and a secret of which the store has only a hash.
//!
//! One session is one record: its values cannot outlive it, and clearing, rotating or destroying it is one guarded commit.

mod kind;
mod loaded;
mod manager;
mod record;
mod session;

pub use kind::SessionKind;
pub use loaded::LoadedSession;
pub use manager::{Ids, Sessions, SessionsBuilder};
pub use session::Session;
