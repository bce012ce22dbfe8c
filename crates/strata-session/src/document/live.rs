//! A client's copy of a document and where it stands with the server: [`Live`], arithmetic without store or network.

use serde::{Deserialize, Serialize};
use strata_core::{Codec, Result};

use super::change::{Change, What};
use super::merge::{Sides, agreed};
use super::path::{Path, keep_last};
use super::policy::{Policies, Policy};
use super::revision::Revision;
use super::transport::SyncFailure;
use super::tree::Document;
use super::wire::{PROTOCOL, Seen, SyncAnswer, SyncOutcome, SyncRequest};
use crate::id::{ReplicaId, RequestId};
use crate::tokens::text::Text;

/// How many edits that have waited through a change of the base are remembered with what they knew; older ones count as new.
const MAX_EDITED: usize = 512;
/// How long the changes of one request are, in bytes of JSON: they stand in the record beside two documents.
const MAX_SENT: usize = 64 * 1024;

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Live {
    pub(super) replica: ReplicaId,
    pub(super) bearer: Option<Text>,
    /// What both sides agreed on last.
    base: Document,
    /// The server's name for it.
    revision: Option<Revision>,
    pub(super) local: Document,
    /// Edits that were made before `revision` was known.
    edited: Vec<Seen>,
    /// The request whose outcome is not known. It is the same until it is.
    sending: Option<Sending>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Sending {
    request: RequestId,
    changes: Vec<Change>,
    /// Whether there was more than one request takes.
    rest: bool,
}

/// What an answer came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// It was of a request that is over; nothing was done.
    Outdated,
    /// The changes are in.
    Applied,
    /// Not all of them are, and what is left is to be sent, now that it is based on the server's state.
    Rebased,
}

impl Live {
    pub(super) fn new(replica: ReplicaId, bearer: Option<Text>) -> Self {
        let (base, local) = (Document::new(), Document::new());
        Self { replica, bearer, base, revision: None, local, edited: Vec::new(), sending: None }
    }

    /// What the server does not have yet.
    pub(super) fn pending(&self) -> Vec<Change> {
        self.base.changes(&self.local)
    }

    pub(super) fn revision(&self) -> Option<Revision> {
        self.revision
    }

    /// Changes the local document, all of it or nothing, and says where.
    pub(super) fn edit<R>(
        &mut self,
        change: &mut impl FnMut(&mut Document) -> Result<R>,
    ) -> Result<(R, Vec<Path>)> {
        let mut edited = self.local.clone();
        let outcome = change(&mut edited)?;
        edited.check()?;
        let places: Vec<Path> = self.local.changes(&edited).into_iter().map(|change| change.path).collect();
        // They know the present revision.
        self.edited.retain(|stamp| !places.iter().any(|place| stamp.path.is_within(place)));
        self.local = edited;
        Ok((outcome, places))
    }

    /// What to ask the server next: again what was asked before, if its outcome is not known.
    pub(super) fn request(&mut self, fresh: RequestId, policies: &Policies) -> SyncRequest {
        let sending = self.sending.clone().unwrap_or_else(|| {
            let (changes, rest) = portion(self.stamped(policies));
            Sending { request: fresh, changes, rest }
        });
        let request = SyncRequest {
            protocol: PROTOCOL,
            replica: self.replica,
            request: sending.request,
            revision: self.revision,
            changes: sending.changes.clone(),
        };
        self.sending = (!sending.changes.is_empty()).then_some(sending);
        request
    }

    fn stamped(&self, policies: &Policies) -> Vec<Change> {
        let mut changes = self.pending();
        for change in &mut changes {
            if matches!(policies.of(change.path.segments()), Policy::Latest | Policy::Set) {
                let stamps = self.edited.iter().filter(|stamp| stamp.path.meets(&change.path));
                change.seen = Some(stamps.map(|stamp| stamp.count).max().unwrap_or(self.known()));
            }
        }
        changes
    }

    fn known(&self) -> u64 {
        self.revision.map_or(0, Revision::count)
    }

    /// Takes in what the server answered to `asked`, if nobody has done so yet.
    ///
    /// # Errors
    /// An answer that cannot be taken in leaves everything as it was; the same is asked again.
    pub(super) fn settle(
        &mut self,
        asked: &SyncRequest,
        answer: &SyncAnswer,
        policies: &Policies,
    ) -> Result<Settled, SyncFailure> {
        if !self.awaits(asked) {
            return Ok(Settled::Outdated);
        }
        let unfit = |_| SyncFailure::Protocol("the document in the answer is beyond the bounds of one");
        answer.document.check().map_err(unfit)?;
        let mut base = self.base.clone();
        if answer.outcome == SyncOutcome::Applied {
            base.apply(&asked.changes).map_err(unfit)?;
        }
        let gone: Vec<Path> = answer.removed.iter().chain(&answer.refused).cloned().collect();
        let sides = Sides {
            base: &agreed(&base, &answer.document, &gone),
            local: &self.local,
            server: &answer.document,
            edited: &self.edited,
            known: self.known(),
            written: &answer.seen,
        };
        let merged = sides.merged(policies);
        merged.check().map_err(|_| SyncFailure::TooLarge)?;
        let rest = self.sending.as_ref().is_some_and(|sending| sending.rest);
        self.rebase(answer, merged);
        let conflict = answer.outcome == SyncOutcome::Conflict && !asked.changes.is_empty();
        Ok(if conflict || rest { Settled::Rebased } else { Settled::Applied })
    }

    /// Takes back a request that the server has refused for what is in it. The next may be another.
    pub(super) fn withdraw(&mut self, asked: &SyncRequest) {
        self.sending.take_if(|sending| sending.request == asked.request);
    }

    fn awaits(&self, asked: &SyncRequest) -> bool {
        self.replica == asked.replica
            && match &self.sending {
                Some(sending) => sending.request == asked.request,
                None => asked.changes.is_empty() && self.revision == asked.revision,
            }
    }

    /// Puts the merged document on the server's. Edits that are left keep what they knew when they were made.
    fn rebase(&mut self, answer: &SyncAnswer, merged: Document) {
        let known = self.known();
        let moved = self.revision != answer.revision;
        self.base = answer.document.clone();
        self.local = merged;
        self.revision = answer.revision;
        self.sending = None;
        let left = self.pending();
        self.edited.retain(|stamp| left.iter().any(|change| change.path.meets(&stamp.path)));
        if moved {
            let fresh =
                left.into_iter().filter(|change| !self.edited.iter().any(|it| it.path.meets(&change.path)));
            let fresh: Vec<Seen> = fresh.map(|change| Seen { path: change.path, count: known }).collect();
            self.edited.extend(fresh);
        }
        keep_last(&mut self.edited, MAX_EDITED, |stamp| &stamp.path);
    }
}

/// As many changes as one request takes, and whether some are left. Then removals go first, so that no part needs more room than the whole.
fn portion(mut changes: Vec<Change>) -> (Vec<Change>, bool) {
    let fitting = |changes: &[Change]| {
        let mut written = Vec::new();
        let mut fits = |change: &&Change| {
            let room = MAX_SENT - written.len();
            Codec::Json.encode(*change, &mut written, room).is_ok()
        };
        changes.iter().take_while(|change| fits(change)).count()
    };
    if fitting(&changes) == changes.len() {
        return (changes, false);
    }
    changes.sort_by_key(|change| change.what != What::Remove);
    changes.truncate(fitting(&changes).max(1));
    (changes, true)
}

/// Values are personal, and the credential is a secret.
impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live")
            .field("replica", &self.replica)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}
