//! The ordered reference store: [`ReferenceStore`], a map behind a lock. It is slow on purpose to be plainly right: the
//! oracle of the conformance suite, and what the crates above stand on in their tests.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::batch::{Batch, Committed, Durability, Effect};
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::record::{Record, Version};
use crate::scan::{Cursor, Page, Scan, Select};
use crate::seal::Protection;
use crate::store::{Atomicity, Capabilities, Coherence, GuardScope, Listing, Store};

/// Records in key order, every selection by a full walk.
#[derive(Default)]
pub struct ReferenceStore {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    records: BTreeMap<Key, Record>,
    sequence: u64,
}

impl ReferenceStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is changed before the last thing that can panic, so a poisoned state is a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg_attr(not(target_arch = "wasm32"), async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
#[deny(clippy::missing_trait_methods)]
impl Store for ReferenceStore {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        Ok(self.state().records.get(key).cloned())
    }

    async fn commit(&self, batch: Batch) -> Result<Committed> {
        batch.validate(&self.capabilities(), self)?;
        let mut state = self.state();
        for op in &batch.ops {
            op.guard
                .judge(&op.key, state.records.get(&op.key), batch.now)
                .map_err(|error| error.in_store(self))?;
        }
        state.sequence += 1;
        let version = Version::new(state.sequence);
        let mut outcomes = smallvec::SmallVec::with_capacity(batch.ops.len());
        for op in batch.ops {
            let (effect, outcome) = op.write.apply(state.records.get(&op.key), batch.now, version);
            match effect {
                Effect::Nothing => {}
                Effect::Put(record) => drop(state.records.insert(op.key, record)),
                Effect::Slide(target) => {
                    if let Some(record) = state.records.get_mut(&op.key) {
                        record.expiry.slide_to(target);
                    }
                }
                Effect::Remove => drop(state.records.remove(&op.key)),
            }
            outcomes.push(outcome);
        }
        Ok(Committed { outcomes })
    }

    async fn scan(&self, scan: Scan) -> Result<Page> {
        let state = self.state();
        let limit = scan.limit();
        if let Select::Keys(keys) = &scan.select {
            return named(&state, keys, scan.after.as_ref(), limit);
        }
        let start = match &scan.after {
            Some(cursor) => Bound::Excluded(Key::from_stored(cursor.as_bytes())?),
            None => Bound::Unbounded,
        };
        let mut page = Page::default();
        for (key, record) in state.records.range((start, Bound::Unbounded)) {
            let selected = match &scan.select {
                Select::Prefix(prefix) => prefix.matches(key),
                Select::Tag(tag) => record.tags.contains(tag),
                Select::Due(instant) => record.expiry.deadline().is_some_and(|deadline| deadline <= *instant),
                Select::Keys(_) => false,
            };
            if !selected {
                continue;
            }
            if page.entries.len() == limit {
                let last = page.entries.last().map(|(key, _)| Cursor::new(key.as_bytes()));
                page.next = last;
                break;
            }
            page.entries.push((key.clone(), record.clone()));
        }
        Ok(page)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            atomicity: Atomicity::Batch,
            guards: GuardScope::Process,
            durability: Durability::Volatile,
            relaxed_window: Duration::ZERO,
            coherence: Coherence::Strong,
            listing: Listing::Indexed,
            max_payload: 1 << 20,
            max_batch: 1024,
            protection: Protection::Plaintext,
        }
    }
}

fn named(state: &State, keys: &[Key], after: Option<&Cursor>, limit: usize) -> Result<Page> {
    let start = after.map_or(Ok(0), |cursor| {
        let bytes = cursor.as_bytes().try_into().map_err(|_| {
            Error::new(
                ErrorKind::Invalid,
                "scan",
                "the cursor belongs to another selection; start the walk again",
            )
        })?;
        Ok(usize::try_from(u64::from_le_bytes(bytes)).unwrap_or(usize::MAX))
    })?;
    let end = keys.len().min(start.saturating_add(limit));
    let entries = keys
        .get(start..end)
        .unwrap_or_default()
        .iter()
        .filter_map(|key| state.records.get(key).map(|record| (key.clone(), record.clone())))
        .collect();
    let next = (end < keys.len()).then(|| Cursor::new((end as u64).to_le_bytes()));
    Ok(Page { entries, next })
}

impl fmt::Debug for ReferenceStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReferenceStore").field("records", &self.state().records.len()).finish_non_exhaustive()
    }
}

impl fmt::Display for ReferenceStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("reference")
    }
}
