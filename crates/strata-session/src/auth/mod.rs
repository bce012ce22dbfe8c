//! Authentication sessions: people who have signed in.
//!
//! - [`AuthSessions`] signs users in, opens, lists and revokes their sessions, and holds the parallel limit.
//! - [`AuthSession`] is one of them: who it is, what they may do, values, and the acts that change it. Nothing in it is cached.
//! - [`LoadedAuthSession`] is one with what one read found, for a request that reads once and commits once.
//! - [`User`] is who signed in: id, roles, permissions, and the application's own claims.
//! - [`Restored`] is what comes of a refresh token when the session has ended.
//! - [`Fresh`] proves that a user authenticated a short time ago; a function can demand it.
//!
//! A session is one record, and its expiry is the only truth about when it ends. A roster record for each user changes in the same
//! commit as each session begins and ends: the parallel limit is exact, and signing out everywhere is one commit.

mod device;
mod ending;
mod events;
mod fresh;
mod listing;
mod loaded;
mod login;
mod manager;
mod policy;
mod record;
mod registry;
mod renewal;
mod restore;
mod session;
mod user;

pub use device::Device;
pub use events::AuthEvents;
pub use fresh::Fresh;
pub use listing::{SessionInfo, SessionInfos};
pub use loaded::LoadedAuthSession;
pub use login::Login;
pub use manager::{AuthSessions, AuthSessionsBuilder};
pub use policy::{AtLimit, AuthPolicy};
pub use restore::{Restore, Restored};
pub use session::AuthSession;
pub use user::User;
