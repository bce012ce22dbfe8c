//! What a commit does to one record and to its entries: [`Change`], worked out before anything is written.

use strata_core::{Effect, Key, Payload, Result, Tag, Timestamp};

use crate::engine::Engine;
use crate::format::{MAX_ENTRY, UNFILED, chunk_name, due_name, record_name, tag_name};
use crate::record::{Chunks, Stored, file_under};

/// The entries that hang on a record, or some of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entries {
    pub(crate) tags: Vec<Tag>,
    pub(crate) filed: Option<u64>,
    pub(crate) chunks: Option<Chunks>,
}

impl Entries {
    /// All entries of a record.
    pub(crate) fn of(stored: &Stored) -> Self {
        let filed = stored.filed();
        Self {
            tags: stored.tags().as_slice().to_vec(),
            filed: (filed != UNFILED).then_some(filed),
            chunks: stored.chunks(),
        }
    }

    /// Those that are not among `others`.
    #[must_use]
    pub(crate) fn without(&self, others: &Self) -> Self {
        Self {
            tags: self.tags.iter().filter(|tag| !others.tags.contains(tag)).cloned().collect(),
            filed: self.filed.filter(|_| self.filed != others.filed),
            chunks: self.chunks.filter(|_| self.chunks != others.chunks),
        }
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.tags.is_empty() && self.filed.is_none() && self.chunks.is_none()
    }

    /// Writes the index entries.
    pub(crate) fn insert_indexes(&self, engine: &Engine, key: &[u8]) -> Result<()> {
        for tag in &self.tags {
            engine.insert(&tag_name(tag, key), &[][..])?;
        }
        self.filed.map_or(Ok(()), |filed| engine.insert(&due_name(filed, key), &[][..]))
    }

    /// Removes index entries and chunks.
    pub(crate) fn remove(&self, engine: &Engine, key: &[u8]) -> Result<()> {
        for tag in &self.tags {
            engine.remove(&tag_name(tag, key))?;
        }
        if let Some(filed) = self.filed {
            engine.remove(&due_name(filed, key))?;
        }
        let Some(chunks) = self.chunks else { return Ok(()) };
        (0..chunks.count).try_for_each(|index| engine.remove(&chunk_name(key, chunks.version, index)))
    }
}

/// What becomes of the record itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// These bytes.
    Put(Vec<u8>),
    /// Nothing is left.
    Remove,
}

/// One record's part of a commit.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) key: Key,
    pub(crate) fate: Fate,
    /// Entries the record will have and does not have yet.
    pub(crate) adds: Entries,
    /// Entries the record has and will not have.
    pub(crate) removes: Entries,
    /// The payload that `adds.chunks` names.
    pub(crate) large: Option<Payload>,
    /// What it does to the number of records.
    pub(crate) grows: i64,
}

impl Change {
    /// What `effect` comes down to, `before` being what is stored; `None` if it is nothing.
    pub(crate) fn plan(key: Key, before: Option<&Stored>, effect: Effect, now: Timestamp) -> Option<Self> {
        let old = before.map(Entries::of).unwrap_or_default();
        let (fate, new, large) = match effect {
            Effect::Nothing => return None,
            Effect::Remove => (Fate::Remove, Entries::default(), None),
            Effect::Slide(target) => {
                let before = before?;
                let mut expiry = before.expiry();
                expiry.slide_to(target);
                let filed = file_under(Some(before), expiry, now);
                let bytes = before.slid(key.as_bytes(), expiry, filed);
                (Fate::Put(bytes), Entries { filed: Some(filed), ..old.clone() }, None)
            }
            Effect::Put(record) => {
                let filed = file_under(before, record.expiry, now);
                let (bytes, chunked) = Stored::encode(key.as_bytes(), &record, filed);
                let chunks = chunked.then(|| Chunks {
                    version: record.version.get(),
                    count: crate::record::chunk_count(record.payload.len()),
                });
                let tags = record.tags.as_slice().to_vec();
                let new = Entries { tags, filed: (filed != UNFILED).then_some(filed), chunks };
                (Fate::Put(bytes), new, chunked.then_some(record.payload))
            }
        };
        let grows = i64::from(fate != Fate::Remove) - i64::from(before.is_some());
        Some(Self { key, fate, adds: new.without(&old), removes: old.without(&new), large, grows })
    }

    /// Whether only the record itself changes: one write, which sled makes wholly or not at all.
    pub(crate) fn is_plain(&self) -> bool {
        self.adds.is_empty() && self.removes.is_empty()
    }

    /// Writes the chunks.
    pub(crate) fn write_chunks(&self, engine: &Engine) -> Result<()> {
        let (Some(payload), Some(chunks)) = (&self.large, self.adds.chunks) else { return Ok(()) };
        for (index, part) in (0..chunks.count).zip(payload.as_bytes().chunks(MAX_ENTRY)) {
            engine.insert(&chunk_name(self.key.as_bytes(), chunks.version, index), part)?;
        }
        Ok(())
    }

    /// Writes index entries, then the record, then removes what is over: at no moment does a record lack an entry.
    pub(crate) fn write(&self, engine: &Engine) -> Result<()> {
        let key = self.key.as_bytes();
        self.adds.insert_indexes(engine, key)?;
        match &self.fate {
            Fate::Put(bytes) => engine.insert(&record_name(key), bytes.as_slice())?,
            Fate::Remove => engine.remove(&record_name(key))?,
        }
        self.removes.remove(engine, key)
    }
}
