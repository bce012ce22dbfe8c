//! The server half: [`Documents`], which takes the changes of clients. What carries them is the HTTP layer's.

use std::fmt;

use serde::{Deserialize, Serialize};
use strata_core::{Codec, Error, ErrorKind, Handle, Key, Lifetime, Needs, Result};

use super::kept::{Kept, refused};
use super::path::Path;
use super::revision::{Revision, draw};
use super::tree::Document;
use super::wire::{PROTOCOL, SyncAnswer, SyncOutcome, SyncRequest};

/// Documents of sessions or users at their server. Cheap to clone.
///
/// An owner is whatever the program calls it: the id of a session, or of a user whose devices share one document. A change is taken
/// only if it was made from the present revision, in one guarded commit; any other is a conflict, which the client merges. A request
/// that is tried again after a lost answer is told that it is in.
///
/// # What clients may not write
/// Places of the server's own, `auth`, `user` and `permissions` unless told otherwise: a client's changes there are left out, and the answer
/// says so. [`Documents::edit`] changes them.
#[derive(Clone)]
pub struct Documents {
    handle: Handle,
    owned: Vec<Path>,
    life: Lifetime,
}

/// What the store has of an owner.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum ServerRecord {
    Kept(Box<Kept>),
    /// The session is over. It stays, so that a request under way meanwhile does not begin it anew.
    Ended,
}

impl Documents {
    /// Documents in the namespace `document` of a handle, each of which dies 30 days after it was last asked for.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a handle with replicated reads.
    pub fn new(handle: &Handle) -> Result<Self> {
        handle.require(&Needs::LEAST)?;
        let owned = ["auth", "user", "permissions"].map(Path::parse).into_iter().collect::<Result<_>>()?;
        let life = Lifetime::idle(std::time::Duration::from_hours(24 * 30));
        Ok(Self { handle: handle.namespace("document")?, owned, life })
    }

    /// Other places of the server's own.
    ///
    /// # Errors
    /// As [`Path::parse`].
    pub fn owned(mut self, paths: &[&str]) -> Result<Self> {
        self.owned = paths.iter().map(|path| Path::parse(path)).collect::<Result<_>>()?;
        Ok(self)
    }

    /// Another life of documents that begin from now on.
    #[must_use]
    pub fn life(mut self, life: Lifetime) -> Self {
        self.life = life;
        self
    }

    /// Takes a request of `owner`, who has been authenticated. The changes are as durable as the handle says when this returns. A document
    /// begins with the first changes.
    ///
    /// # Errors
    /// [`ErrorKind::Gone`] once [`Documents::end`] was called; [`ErrorKind::Invalid`] and [`ErrorKind::TooLarge`] for changes that no
    /// document can take; what the store reports, where the client may try again.
    /// [`SyncProblem::of`](super::SyncProblem::of) makes responses of them.
    pub async fn sync(&self, owner: &str, request: &SyncRequest) -> Result<SyncAnswer> {
        if request.protocol != PROTOCOL {
            let message = format!("this server speaks version {PROTOCOL} of the sync protocol; use that");
            return Err(Error::new(ErrorKind::Newer, "sync document", message));
        }
        if request.changes.is_empty() {
            return self.look(owner, request).await;
        }
        let random = self.handle.random();
        let (first, stamp) = (Revision::first(&**random)?, draw(&**random)?);
        self.update(owner, |kept| {
            let Some(kept) = kept else {
                // Nothing was ever here, or it is lost; what the client knew is of no use.
                if request.revision.is_some() {
                    return Ok((None, self.nothing(request, SyncOutcome::Conflict)));
                }
                let mut kept = Kept::new(first);
                kept.take(request, &self.owned, stamp)?;
                let answer = kept.answer(request, SyncOutcome::Applied, &self.owned);
                return Ok((Some(kept), answer));
            };
            let mut kept = kept.clone();
            let outcome = if kept.has(request) {
                SyncOutcome::Applied
            } else if request.revision == Some(kept.revision) {
                kept.take(request, &self.owned, stamp)?;
                SyncOutcome::Applied
            } else {
                SyncOutcome::Conflict
            };
            let answer = kept.answer(request, outcome, &self.owned);
            Ok((Some(kept), answer))
        })
        .await
    }

    /// The document of `owner`, if there is one.
    pub async fn read(&self, owner: &str) -> Result<Option<Document>> {
        match self.handle.get::<ServerRecord>(&Key::escape(owner)).await? {
            Some(ServerRecord::Kept(kept)) => Ok(Some(kept.document)),
            Some(ServerRecord::Ended) | None => Ok(None),
        }
    }

    /// Changes the document of `owner` on the server's side, all of it or nothing, places of the server's own included. It begins if there is
    /// none. `change` runs again on the fresh document as long as somebody else was faster.
    ///
    /// # Errors
    /// What `change` says, with nothing written; [`ErrorKind::Gone`] once it has ended; [`ErrorKind::TooLarge`] beyond the bounds.
    pub async fn edit<R>(
        &self,
        owner: &str,
        mut change: impl FnMut(&mut Document) -> Result<R>,
    ) -> Result<R> {
        let random = self.handle.random();
        let (first, stamp) = (Revision::first(&**random)?, draw(&**random)?);
        self.update(owner, |kept| {
            let mut kept = kept.cloned().unwrap_or_else(|| Kept::new(first));
            let outcome = kept.edit(&mut change, stamp)?;
            Ok((Some(kept), outcome))
        })
        .await
    }

    /// Ends the document with its session: it is gone, and requests still under way begin none anew. Says whether there was one.
    pub async fn end(&self, owner: &str) -> Result<bool> {
        let mut was_there = false;
        let end = |record: Option<ServerRecord>| {
            was_there = matches!(record, Some(ServerRecord::Kept(_)));
            Some(ServerRecord::Ended)
        };
        self.handle.update_as(Codec::Json, &Key::escape(owner), self.life, end).await?;
        Ok(was_there)
    }

    /// Removes whatever is kept of `owner`, so that a new document may begin.
    pub async fn forget(&self, owner: &str) -> Result<bool> {
        self.handle.remove(&Key::escape(owner)).await
    }

    /// Answers a client that has nothing to tell. Nothing is written.
    async fn look(&self, owner: &str, request: &SyncRequest) -> Result<SyncAnswer> {
        match self.handle.get::<ServerRecord>(&Key::escape(owner)).await? {
            Some(ServerRecord::Kept(kept)) => Ok(kept.answer(request, SyncOutcome::Applied, &self.owned)),
            Some(ServerRecord::Ended) => Err(ended()),
            None => Ok(self.nothing(request, SyncOutcome::Applied)),
        }
    }

    fn nothing(&self, request: &SyncRequest, outcome: SyncOutcome) -> SyncAnswer {
        let refused = refused(request, &self.owned);
        SyncAnswer {
            protocol: PROTOCOL,
            outcome,
            revision: None,
            document: Document::new(),
            removed: Vec::new(),
            refused,
            seen: Vec::new(),
        }
    }

    /// One guarded change of a record. What `change` refuses leaves it as it was.
    async fn update<R>(
        &self,
        owner: &str,
        mut change: impl FnMut(Option<&Kept>) -> Result<(Option<Kept>, R)>,
    ) -> Result<R> {
        let mut outcome = None;
        let step = |record: Option<ServerRecord>| {
            let kept = match &record {
                Some(ServerRecord::Kept(kept)) => Some(&**kept),
                Some(ServerRecord::Ended) => {
                    outcome = Some(Err(ended()));
                    return record;
                }
                None => None,
            };
            match change(kept) {
                Ok((kept, told)) => {
                    outcome = Some(Ok(told));
                    kept.map(|kept| ServerRecord::Kept(Box::new(kept)))
                }
                Err(error) => {
                    outcome = Some(Err(error));
                    record
                }
            }
        };
        self.handle.update_as(Codec::Json, &Key::escape(owner), self.life, step).await?;
        outcome.expect("an update that was made ran its closure")
    }
}

#[cold]
fn ended() -> Error {
    Error::new(ErrorKind::Gone, "sync document", "the session has ended; sign in again")
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Documents")
            .field("handle", &self.handle)
            .field("owned", &self.owned)
            .finish_non_exhaustive()
    }
}
