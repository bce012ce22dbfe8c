//! What a store and its barrier thread share: [`Core`], reading records, and the atomic step of a commit.

use std::time::Duration;

use smallvec::SmallVec;
use strata_core::{
    Atomicity, Batch, Capabilities, Coherence, Committed, Durability, GuardScope, Key, Listing, Payload,
    Protection, Record, Result, Version, Write,
};

use crate::barrier::Barrier;
use crate::change::Change;
use crate::closes::Closes;
use crate::count::Count;
use crate::engine::Engine;
use crate::error::damaged;
use crate::format::{chunk_name, note_name, record_name};
use crate::group::Group;
use crate::home::{Home, StoreId};
use crate::intent::{Slots, perform};
use crate::record::Stored;
use crate::stripes::Stripes;
use crate::version::Versions;

/// The parts of an open store.
#[derive(Debug)]
pub(crate) struct Core {
    // Dropped in this order: sled is closed before the directory is unlocked.
    pub(crate) engine: Engine,
    pub(crate) barrier: Barrier,
    pub(crate) home: Home,
    pub(crate) group: Group,
    pub(crate) stripes: Stripes,
    pub(crate) slots: Slots,
    pub(crate) versions: Versions,
    pub(crate) records: Count,
    pub(crate) closes: Closes,
    pub(crate) id: StoreId,
    pub(crate) flush_every: Duration,
    pub(crate) max_payload: usize,
    /// Stands in for payloads that nobody looks at.
    pub(crate) nothing: Payload,
}

impl Core {
    /// The record, dead or alive.
    pub(crate) fn load(&self, key: &Key) -> Result<Option<Record>> {
        let Some(stored) = self.stored(key)? else { return Ok(None) };
        if stored.chunks().is_none() {
            return Ok(Some(stored.record(Payload::from(stored.inline_payload(key.as_bytes())?))));
        }
        if let Ok(payload) = self.large_payload(key, &stored) {
            return Ok(Some(stored.record(payload)));
        }
        // Perhaps a commit replaced it while its chunks were read: once more with commits kept out.
        let _shared = self.stripes.share(std::iter::once(key.as_bytes()));
        self.load_held(key)
    }

    /// The record, while its stripe is locked.
    pub(crate) fn load_held(&self, key: &Key) -> Result<Option<Record>> {
        let Some(stored) = self.stored(key)? else { return Ok(None) };
        let payload = self.payload(key, &stored)?;
        Ok(Some(stored.record(payload)))
    }

    /// The record's header.
    pub(crate) fn stored(&self, key: &Key) -> Result<Option<Stored>> {
        let raw = self.engine.get(&record_name(key.as_bytes()))?;
        raw.map(|raw| Stored::parse(key.as_bytes(), raw)).transpose()
    }

    /// The payload of a record whose stripe is locked.
    pub(crate) fn payload(&self, key: &Key, stored: &Stored) -> Result<Payload> {
        match stored.chunks() {
            None => Ok(Payload::from(stored.inline_payload(key.as_bytes())?)),
            Some(_) => self.large_payload(key, stored),
        }
    }

    fn large_payload(&self, key: &Key, stored: &Stored) -> Result<Payload> {
        let mut payload = Vec::with_capacity(stored.payload_len().min(crate::SledConfig::MAX_PAYLOAD));
        let chunks = stored
            .chunks()
            .into_iter()
            .flat_map(|chunks| (0..chunks.count).map(move |i| (chunks.version, i)));
        for (version, index) in chunks {
            let chunk = self.engine.get(&chunk_name(key.as_bytes(), version, index))?;
            payload.extend_from_slice(&chunk.ok_or_else(|| damaged(&format!("the record `{key}`")))?);
        }
        stored.verify_payload(key.as_bytes(), &payload)?;
        Ok(Payload::from(payload))
    }

    /// The atomic step: all guards hold and all changes are made, or nothing is. Not yet durable when it returns.
    pub(crate) fn apply(&self, batch: Batch, version: Version) -> Result<Committed> {
        let _held = self.stripes.hold(batch.ops.iter().map(|op| op.key.as_bytes()));
        let mut found: SmallVec<[Option<(Stored, Record)>; 1]> = SmallVec::with_capacity(batch.ops.len());
        for op in &batch.ops {
            let before = self.find(&op.key, &op.write)?;
            op.guard.judge(&op.key, before.as_ref().map(|(_, record)| record), batch.now)?;
            found.push(before);
        }
        let mut outcomes = SmallVec::with_capacity(batch.ops.len());
        let mut changes: SmallVec<[Change; 1]> = SmallVec::new();
        for (op, before) in batch.ops.into_iter().zip(&found) {
            let record = before.as_ref().map(|(_, record)| record);
            let (effect, outcome) = op.write.apply(record, batch.now, version);
            let stored = before.as_ref().map(|(stored, _)| stored);
            changes.extend(Change::plan(op.key, stored, effect, batch.now));
            outcomes.push(outcome);
        }
        let make = || perform(&self.engine, &self.slots, &changes, version.get());
        if changes.iter().any(|change| change.grows != 0) {
            self.records.change(changes.iter().map(|change| change.grows).sum(), make)?;
        } else {
            make()?;
        }
        Ok(Committed { outcomes })
    }

    /// The record that an operation finds. Its payload is read only where the operation keeps it as a new change.
    fn find(&self, key: &Key, write: &Write) -> Result<Option<(Stored, Record)>> {
        let Some(stored) = self.stored(key)? else { return Ok(None) };
        let payload = match write {
            Write::Expire(_) => self.payload(key, &stored)?,
            _ => self.nothing.clone(),
        };
        let record = stored.record(payload);
        Ok(Some((stored, record)))
    }

    /// What a close leaves behind beside the records: their number, that of the close, and no notes. A store that is
    /// poisoned is left as it is.
    pub(crate) fn put_in_order(&self) {
        let tidy = || -> Result<()> {
            (0..self.slots.made()).try_for_each(|slot| self.engine.remove(&note_name(slot)))?;
            self.records.store(&self.engine)?;
            self.closes.write(&self.engine)
        };
        // A failure poisons the handle, which is about to end; the next open settles what is left.
        if !self.engine.poison().is_set() {
            let _ = tidy();
        }
    }

    /// Syncs everything, and promises the next open that this close is there.
    pub(crate) fn end(&self) -> Result<()> {
        // The whole of the file, whatever the barrier is worth while the store is open.
        self.barrier.sync(&self.engine, Durability::Power)?;
        // A failure leaves the promise of an earlier close, which holds as well.
        let _ = self.closes.promise(self.home.path());
        Ok(())
    }

    /// What the store can do.
    pub(crate) fn capabilities(&self) -> Capabilities {
        Capabilities {
            atomicity: Atomicity::Batch,
            guards: GuardScope::Process,
            durability: self.barrier.level(),
            relaxed_window: self.flush_every * 2,
            coherence: Coherence::Strong,
            listing: Listing::Indexed,
            max_payload: self.max_payload,
            max_batch: 1024,
            protection: Protection::Plaintext,
        }
    }
}
