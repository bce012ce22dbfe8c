//! The one pipe: how a value becomes a stored record and back. Encode, stamp, seal, journal, commit, announce; get, check
//! the deadline, open, decode. The order is fixed here and nowhere else.

use std::cell::RefCell;
use std::sync::Arc;

use smallvec::SmallVec;

use super::builder::Touch;
use crate::batch::{Batch, Before, Committed, Durability, Guard, Op, Outcome, Write};
use crate::change::{Bus, Change, ChangeKind, Hub, InFlight, Origin};
use crate::codec::{Codec, Shape};
use crate::envelope::Header;
use crate::error::{Error, ErrorKind, Result};
use crate::expiry::Expiry;
use crate::journal::Journal;
use crate::key::Key;
use crate::random::Random;
use crate::record::{Payload, Record, Version};
use crate::seal::{KeyId, Seal};
use crate::store::{Capabilities, Store};
use crate::time::{Clock, Timestamp};

/// The ingredients of a handle, shared by its clones, namespaces and collections.
pub(super) struct Pipe {
    pub(super) store: Arc<dyn Store>,
    pub(super) capabilities: Capabilities,
    pub(super) seal: Option<Arc<dyn Seal>>,
    pub(super) journal: Option<Arc<dyn Journal>>,
    pub(super) bus: Option<Arc<dyn Bus>>,
    pub(super) hub: Hub,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) touch: Touch,
    pub(super) durability: Durability,
    pub(super) max_value: usize,
}

/// An encoded value in a reused buffer, with room before it for what sealing adds.
#[derive(Debug)]
pub(super) struct Draft {
    envelope: Scratch,
}

impl Draft {
    /// The encoded value, as long as it is not sealed.
    pub(super) fn body(&self, pipe: &Pipe) -> &[u8] {
        let room = pipe.seal.as_ref().map_or(0, |seal| seal.room());
        &self.envelope.0[Header::LEN + room..]
    }
}

/// A record that was found alive and opened: its header's cap is taken into account.
pub(super) struct Opened<'s> {
    pub(super) header: Header,
    pub(super) body: &'s [u8],
}

impl Pipe {
    /// The store itself: through the pointer, so that a call is one boxed future.
    #[inline]
    pub(super) fn engine(&self) -> &dyn Store {
        &*self.store
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Encodes `value`; sealing waits until the expiry is known.
    pub(super) fn draft<T: serde::Serialize>(&self, codec: Codec, shape: Shape, value: &T) -> Result<Draft> {
        let mut draft = self.draft_header(codec, shape);
        codec.encode(value, &mut draft.envelope.0, self.max_value)?;
        Ok(draft)
    }

    /// A draft of a body that is encoded already.
    pub(super) fn draft_encoded(&self, codec: Codec, shape: Shape, body: &[u8]) -> Result<Draft> {
        if body.len() > self.max_value {
            return Err(Error::new(
                ErrorKind::TooLarge,
                "set",
                format!(
                    "the value takes {} bytes, at most {} are allowed; split it",
                    body.len(),
                    self.max_value
                ),
            ));
        }
        let mut draft = self.draft_header(codec, shape);
        draft.envelope.0.extend_from_slice(body);
        Ok(draft)
    }

    fn draft_header(&self, codec: Codec, shape: Shape) -> Draft {
        let mut envelope = Scratch::take();
        Header { codec, sealed: self.seal.is_some(), shape, not_after: None }.write(&mut envelope.0);
        let room = self.seal.as_ref().map_or(0, |seal| seal.room());
        envelope.0.resize(Header::LEN + room, 0);
        Draft { envelope }
    }

    /// Stamps the cap, seals, and makes the payload: the one allocation of a save.
    pub(super) fn seal(
        &self,
        with: Option<KeyId>,
        key: &Key,
        mut draft: Draft,
        cap: Option<Timestamp>,
    ) -> Result<Payload> {
        let envelope = &mut draft.envelope.0;
        if let Some(cap) = cap {
            Header::stamp(envelope, cap);
        }
        if let Some(seal) = &self.seal {
            seal.seal(with, key, envelope, Header::LEN)?;
        }
        Ok(Payload::from(envelope.as_slice()))
    }

    /// The living record under `key`, judged by its own deadline; the sealed cap is judged once it is opened.
    pub(super) async fn live(&self, key: &Key, now: Timestamp) -> Result<Option<Record>> {
        Ok(self.engine().get(key).await?.filter(|record| !record.is_dead(now)))
    }

    /// Opens a record into `scratch`. `None` if its sealed cap has passed.
    pub(super) fn open<'s>(
        &self,
        key: &Key,
        record: &'s Record,
        now: Timestamp,
        scratch: &'s mut Scratch,
    ) -> Result<Option<Opened<'s>>> {
        let envelope = record.payload.as_bytes();
        let header = Header::read(key, envelope)?;
        let body = match (&self.seal, header.sealed) {
            (Some(seal), true) => seal.open(key, envelope, Header::LEN, &mut scratch.0)?,
            (None, false) => &envelope[Header::LEN..],
            (Some(_), false) => return Err(unsealed(key)),
            (None, true) => return Err(keyless(key)),
        };
        if header.not_after.is_some_and(|cap| now >= cap) {
            return Ok(None);
        }
        Ok(Some(Opened { header, body }))
    }

    /// Where activity at `now` moves the deadline, if that is due.
    #[inline]
    pub(super) fn slide_due(&self, header: &Header, expiry: Expiry, now: Timestamp) -> Option<Timestamp> {
        let idle = expiry.idle_time()?;
        header.effective(expiry).slide_due(now, self.touch.interval(idle))
    }

    /// Moves a deadline later. It is an optimisation of the reader's, so its failure is not the read's.
    #[cold]
    pub(super) async fn slide(&self, key: Key, version: Version, now: Timestamp, target: Timestamp) {
        // The version that was read: activity in one life or under one expiry does not prolong another.
        let op = Op { key, guard: Guard::Version(version), write: Write::Slide(target) };
        let durability = Durability::Relaxed.min(self.capabilities.durability);
        let _ = self.engine().commit(Batch::one(now, durability, op)).await;
    }

    /// Journals, commits and announces.
    pub(super) async fn commit(&self, mut batch: Batch) -> Result<Committed> {
        if let Some(journal) = &self.journal {
            journal.record(&mut batch)?;
        }
        self.commit_from(Origin::Local, batch).await
    }

    /// Commits and announces what `origin` did.
    pub(super) async fn commit_from(&self, origin: Origin, batch: Batch) -> Result<Committed> {
        let news: SmallVec<[(Key, News); 1]> =
            batch.ops.iter().map(|op| (op.key.clone(), News::of(&op.write))).collect();
        let in_flight = self.in_flight();
        let committed = self.engine().commit(batch).await;
        in_flight.settle(&committed);
        let committed = committed?;
        for ((key, news), outcome) in news.into_iter().zip(&committed.outcomes) {
            self.announce(&key, news, *outcome, origin);
        }
        Ok(committed)
    }

    /// Watches over a commit that is about to be made.
    pub(super) fn in_flight(&self) -> InFlight<'_> {
        self.hub.in_flight(self.bus.as_deref())
    }

    /// Somebody gave up on a commit under way: what it does will not be announced.
    #[cold]
    pub(super) fn lose(&self) {
        drop(self.in_flight());
    }

    /// Tells subscribers what an operation did, and the bus, unless that is where it came from.
    #[inline]
    pub(super) fn announce(&self, key: &Key, news: News, outcome: Outcome, origin: Origin) {
        if self.hub.is_heard() || self.bus.is_some() {
            self.announce_heard(key, news, outcome, origin);
        }
    }

    fn announce_heard(&self, key: &Key, news: News, outcome: Outcome, origin: Origin) {
        if key.is_system() || news == News::None {
            return;
        }
        let tell = |kind, version: Version| {
            let change = Change { key: key.clone(), kind, version, origin };
            if let (Some(bus), Origin::Local) = (&self.bus, origin) {
                bus.publish(&change);
            }
            self.hub.announce(change);
        };
        match (news, outcome.before) {
            (News::Put | News::Remove, Before::Dead(version)) => tell(ChangeKind::Expired, version),
            (News::Remove, Before::Live(version)) => tell(ChangeKind::Removed, version),
            _ => {}
        }
        if let Some(version) = outcome.after {
            match (news, outcome.before) {
                (News::Put, Before::Live(_)) => tell(ChangeKind::Updated, version),
                (News::Put, _) => tell(ChangeKind::Created, version),
                (News::Expire, _) => tell(ChangeKind::Retimed, version),
                _ => {}
            }
        }
    }
}

/// What kind of news a write can make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    None,
    Put,
    Expire,
    Remove,
}

impl News {
    pub(super) fn of(write: &Write) -> Self {
        match write {
            Write::Put { .. } => Self::Put,
            Write::Expire(_) => Self::Expire,
            Write::Remove => Self::Remove,
            Write::Slide(_) | Write::Check => Self::None,
        }
    }
}

#[cold]
fn unsealed(key: &Key) -> Error {
    Error::new(
        ErrorKind::Downgrade,
        "open value",
        format!(
            "`{key}` is stored as plaintext, this handle requires sealed values; somebody wrote it around the handle"
        ),
    )
}

#[cold]
fn keyless(key: &Key) -> Error {
    Error::new(
        ErrorKind::MissingKey,
        "open value",
        format!("`{key}` is sealed and this handle has no keys; open the store with its keyset"),
    )
}

/// A buffer that is wiped and used again. Values pass through it in plaintext.
#[derive(Debug)]
pub(super) struct Scratch(pub(super) Vec<u8>);

thread_local! {
    static POOL: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

impl Scratch {
    /// How many buffers a thread keeps, and how large.
    const KEPT: usize = 4;
    const KEPT_BYTES: usize = 64 * 1024;

    pub(super) fn take() -> Self {
        Self(POOL.with_borrow_mut(Vec::pop).unwrap_or_default())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.0);
        if buffer.capacity() == 0 {
            return;
        }
        buffer.fill(0);
        buffer.clear();
        if buffer.capacity() <= Self::KEPT_BYTES {
            // The pool is gone while a thread ends; the buffer then is, too.
            let _ = POOL.try_with(|pool| {
                let mut pool = pool.borrow_mut();
                if pool.len() < Self::KEPT {
                    pool.push(buffer);
                }
            });
        }
    }
}
