//! Bounded walks: names from an index, then their records. No lock is held over more than one page of names or one record.

use strata_core::{Cursor, Key, Page, Record, Result, Scan, Select, Timestamp};

use crate::error;
use crate::index::Names;
use crate::name::Name;
use crate::store::MemoryStore;

impl MemoryStore {
    /// One page of a walk. The cursor is the last key looked at; for named keys, how many of them have been.
    pub(crate) fn walk(&self, scan: &Scan) -> Result<Page> {
        let limit = scan.limit();
        let after = scan.after.as_ref().map(Cursor::as_bytes);
        match &scan.select {
            Select::Prefix(prefix) => {
                self.page(&self.indexes.keys.page(prefix.as_str().as_bytes(), after, limit), |_| true)
            }
            Select::Tag(tag) => {
                self.page(&self.indexes.tags.page(tag, after, limit), |record| record.tags.contains(tag))
            }
            Select::Due(instant) => self.due(*instant, after, limit),
            Select::Keys(keys) => self.named(keys, after, limit),
        }
    }

    /// The records of `names`, if they are still `selected`: they may have changed since the index was looked at.
    fn page(&self, names: &Names, selected: impl Fn(&Record) -> bool) -> Result<Page> {
        let mut page = Page { entries: Vec::with_capacity(names.names.len()), next: names.cursor() };
        for name in &names.names {
            if let Some(record) = self.read(name.as_bytes()).filter(&selected) {
                page.entries.push((name.key()?, record));
            }
        }
        Ok(page)
    }

    /// Deadlines are looked at before records are read: those that have moved cost no reference counts.
    fn due(&self, instant: Timestamp, after: Option<&[u8]>, limit: usize) -> Result<Page> {
        let names = self.indexes.due.page(instant, after, limit);
        let mut page = Page { entries: Vec::with_capacity(names.names.len()), next: names.cursor() };
        let mut moved: Vec<&Name> = Vec::new();
        for name in &names.names {
            match self.map.get(name.as_bytes()) {
                Some(state) if state.expiry().is_dead(instant) => {
                    page.entries.push((name.key()?, state.record()));
                }
                Some(_) => moved.push(name),
                None => {}
            }
        }
        self.file_all_anew(&moved, instant);
        Ok(page)
    }

    /// Files what was active since it was filed where it belongs. Only housekeeping: it gives way to batches.
    fn file_all_anew(&self, names: &[&Name], now: Timestamp) {
        if !names.is_empty()
            && let Some(_shared) = self.gate.try_shared()
        {
            for name in names {
                self.file_anew(name, now);
            }
        }
    }

    fn named(&self, keys: &[Key], after: Option<&[u8]>, limit: usize) -> Result<Page> {
        let start = match after.map(TryInto::try_into) {
            None => 0,
            Some(Ok(bytes)) => usize::try_from(u64::from_le_bytes(bytes)).unwrap_or(usize::MAX),
            Some(Err(_)) => return Err(error::foreign_cursor()),
        };
        let end = keys.len().min(start.saturating_add(limit));
        let entries = keys
            .get(start..end)
            .unwrap_or_default()
            .iter()
            .filter_map(|key| self.read(key.as_bytes()).map(|record| (key.clone(), record)))
            .collect();
        Ok(Page { entries, next: (end < keys.len()).then(|| Cursor::new((end as u64).to_le_bytes())) })
    }
}

impl Names {
    fn cursor(&self) -> Option<Cursor> {
        self.names.last().filter(|_| self.more).map(|name| Cursor::new(name.as_bytes()))
    }
}
