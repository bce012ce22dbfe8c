//! A session's document, edited locally and offline, and reconciled with a server.
//!
//! ```text
//! program                                                     server
//! ServerSynced ─ one record: local, base, revision, request   Documents ─ one record: document, revision, what was removed
//!    └ sync ─► SyncRequest ─ SyncTransport ─────────────────►    └ takes the changes of its present revision,
//!    ◄ merge ◄ SyncAnswer ◄─────────────────────────────────       or answers with what it has: a conflict
//! ```

mod change;
mod path;
mod revision;
mod transport;
mod tree;
mod wire;

pub use change::{Change, What};
pub use path::Path;
pub use revision::Revision;
pub use transport::{SyncFailure, SyncTransport};
pub use tree::Document;
pub use wire::{PROTOCOL, Seen, SyncAnswer, SyncOutcome, SyncProblem, SyncRequest};
