//! A document as its server keeps it: [`Kept`], arithmetic without store or network.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use strata_core::Result;

use super::change::{Change, What};
use super::path::{Path, keep_last};
use super::revision::Revision;
use super::tree::Document;
use super::wire::{PROTOCOL, Seen, SyncAnswer, SyncOutcome, SyncRequest};
use crate::id::{ReplicaId, RequestId};

/// How many removals are remembered; of older ones a client that was away so long does not hear.
const MAX_REMOVED: usize = 512;
/// How many values are known by when they were written.
const MAX_SEEN: usize = 512;
/// Of how many clients the last request is known.
const MAX_REPLICAS: usize = 64;

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) document: Document,
    pub(super) revision: Revision,
    removed: Vec<Removed>,
    seen: Vec<Seen>,
    replicas: Vec<Last>,
}

/// Something was removed by the change of this count.
#[derive(Clone, Serialize, Deserialize)]
struct Removed {
    path: Path,
    at: u64,
}

/// The last request of a client that was applied.
#[derive(Clone, Serialize, Deserialize)]
struct Last {
    replica: ReplicaId,
    request: RequestId,
}

impl Kept {
    pub(super) fn new(revision: Revision) -> Self {
        let document = Document::new();
        Self { document, revision, removed: Vec::new(), seen: Vec::new(), replicas: Vec::new() }
    }

    /// Whether a request is in already: its answer was lost.
    pub(super) fn has(&self, request: &SyncRequest) -> bool {
        self.replicas.iter().any(|last| last.request == request.request && last.replica == request.replica)
    }

    /// Takes the changes of a request of this revision, but for those at places of the server's own.
    ///
    /// # Errors
    /// What [`Document::put`] and [`Document::check`] say; nothing is changed then.
    pub(super) fn take(&mut self, request: &SyncRequest, owned: &[Path], stamp: u64) -> Result<()> {
        let mut next = self.document.clone();
        next.apply(&request.changes)?;
        for path in owned {
            next.force(path, self.document.value(path).cloned());
        }
        next.check()?;
        self.become_document(next, stamp);
        // Nobody knows more than the revision the changes were made from.
        let known = request.revision.map_or(0, Revision::count);
        let stamps = request.changes.iter().filter_map(|change| {
            change.seen.map(|count| Seen { path: change.path.clone(), count: count.min(known) })
        });
        stamps.for_each(|stamp| self.mark(stamp));
        self.replicas.retain(|last| last.replica != request.replica);
        self.replicas.push(Last { replica: request.replica, request: request.request });
        self.replicas.drain(..self.replicas.len().saturating_sub(MAX_REPLICAS));
        Ok(())
    }

    /// Puts another document in the place of this one, and remembers what is gone by it.
    pub(super) fn become_document(&mut self, next: Document, stamp: u64) {
        self.revision = self.revision.next(stamp);
        for Change { path, what, .. } in self.document.changes(&next) {
            // What replaces an object removes all that was below it, whatever comes there later.
            if what == What::Remove || self.document.value(&path).is_some_and(Value::is_object) {
                self.removed.retain(|removed| removed.path != path);
                self.removed.push(Removed { path, at: self.revision.count() });
            }
        }
        keep_last(&mut self.removed, MAX_REMOVED, |removed| &removed.path);
        self.document = next;
    }

    /// The server's own change: its author knew all there is.
    pub(super) fn edit<R>(
        &mut self,
        change: &mut impl FnMut(&mut Document) -> Result<R>,
        stamp: u64,
    ) -> Result<R> {
        let mut next = self.document.clone();
        let outcome = change(&mut next)?;
        next.check()?;
        let changes = self.document.changes(&next);
        if changes.is_empty() {
            return Ok(outcome);
        }
        self.become_document(next, stamp);
        for Change { path, .. } in changes {
            self.mark(Seen { path, count: self.revision.count() });
        }
        Ok(outcome)
    }

    /// Remembers what the author of a value knew, in the place of what is known of it and of all below it.
    fn mark(&mut self, stamp: Seen) {
        self.seen.retain(|seen| !seen.path.is_within(&stamp.path));
        self.seen.push(stamp);
        keep_last(&mut self.seen, MAX_SEEN, |seen| &seen.path);
    }

    /// Where the document stands, for whoever sent `request`.
    pub(super) fn answer(&self, request: &SyncRequest, outcome: SyncOutcome, owned: &[Path]) -> SyncAnswer {
        let since =
            request.revision.filter(|earlier| self.revision.may_follow(*earlier)).map(Revision::count);
        let removed = self.removed.iter().filter(|removed| since.is_some_and(|since| removed.at > since));
        SyncAnswer {
            protocol: PROTOCOL,
            outcome,
            revision: Some(self.revision),
            document: self.document.clone(),
            removed: removed.map(|removed| removed.path.clone()).collect(),
            refused: refused(request, owned),
            seen: self.seen.clone(),
        }
    }
}

/// Which of the server's own places a request would have changed.
pub(super) fn refused(request: &SyncRequest, owned: &[Path]) -> Vec<Path> {
    let touched = |path: &&Path| request.changes.iter().any(|change| change.path.meets(path));
    owned.iter().filter(touched).cloned().collect()
}

/// Values are personal.
impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("revision", &self.revision).finish_non_exhaustive()
    }
}
