//! A session's document, edited locally and offline, and reconciled with a server.
//!
//! ```text
//! program                                                     server
//! ServerSynced ─ one record: local, base, revision, request   Documents ─ one record: document, revision, what was removed
//!    └ sync ─► SyncRequest ─ SyncTransport ─────────────────►    └ takes the changes of its present revision,
//!    ◄ merge ◄ SyncAnswer ◄─────────────────────────────────       or answers with what it has: a conflict
//! ```
//!
//! - [`ServerSynced`] edits the document and keeps it in step; a [`SyncTransport`] takes it to the server.
//! - [`merge`] is the three-way merge, by [`Policies`].
//! - [`Documents`] is the server half over any store. `docs/sync-protocol.md` describes what travels.

mod background;
mod builder;
mod change;
mod events;
mod flight;
mod kept;
mod live;
mod merge;
mod path;
mod policy;
mod record;
mod revision;
mod server;
mod steps;
mod synced;
mod transport;
mod tree;
mod wire;

pub use background::Running;
pub use builder::ServerSyncedBuilder;
pub use change::{Change, What};
pub use events::{Farewells, SessionEnd, SyncEvent, SyncEvents, SyncStatus, Synced};
pub use merge::merge;
pub use path::Path;
pub use policy::{MergeFn, Policies, Policy};
pub use revision::Revision;
pub use server::Documents;
pub use synced::ServerSynced;
pub use transport::{SyncFailure, SyncTransport};
pub use tree::Document;
pub use wire::{PROTOCOL, Seen, SyncAnswer, SyncOutcome, SyncProblem, SyncRequest};
