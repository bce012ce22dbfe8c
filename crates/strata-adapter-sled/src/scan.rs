//! Walks: a page at a time, each selection by its own entries. What an index says is checked against the record, because
//! entries come before their record and go after it.
//!
//! Damage ends no walk early without a word, and stops no sweep. A walk by prefix or tag gives what lies before a damaged
//! record and then its error, at which it ends: leaving the record out would hide it from listings and exports. A due walk
//! leaves it out, since nobody can tell whether it is due. The way out is [`check`](crate::SledStore::check), which names what
//! is damaged, and an open with [`repair`](crate::SledConfig::repair), which sets it aside.

use std::ops::Bound;

use strata_core::{
    Cursor, Error, ErrorKind, Key, KeyPrefix, Page, Payload, Record, Result, Scan, Select, Tag, Timestamp,
};

use crate::core::Core;
use crate::format::{
    Name, after_prefix, due_prefix, is_damage, record_name, space, split_due_name, tag_prefix,
};
use crate::record::Stored;

/// A page ends early once its payloads have this many bytes.
const MAX_PAGE_BYTES: usize = 8 << 20;

/// A page of a due walk ends early once it has looked at this many entries per record asked for: entries of records that
/// were used again lie before their deadline, and must not make a page unbounded.
const MAX_LOOKS: usize = 8;

/// One page.
pub(crate) fn scan(core: &Core, scan: &Scan) -> Result<Page> {
    let after = scan.after.as_ref().map(Cursor::as_bytes);
    let limit = scan.limit();
    match &scan.select {
        Select::Prefix(prefix) => by_prefix(core, prefix, after, limit),
        Select::Tag(tag) => by_tag(core, tag, after, limit),
        Select::Due(instant) => due(core, *instant, after, limit),
        Select::Keys(keys) => by_name(core, keys, after, limit),
    }
}

/// A page being filled, and the cursor of the last thing looked at.
struct Filling {
    page: Page,
    limit: usize,
    looks: usize,
    bytes: usize,
    last: Option<Name>,
}

impl Filling {
    fn new(limit: usize) -> Self {
        Self { page: Page::default(), limit, looks: 0, bytes: 0, last: None }
    }

    fn is_full(&self) -> bool {
        let entries = self.page.entries.len();
        entries >= self.limit
            || self.bytes >= MAX_PAGE_BYTES
            || self.looks >= self.limit.saturating_mul(MAX_LOOKS)
    }

    fn look(&mut self, cursor: &[u8], found: Option<(Key, Record)>) {
        self.looks += 1;
        self.last = Some(Name::from_slice(cursor));
        if let Some((key, record)) = found {
            self.bytes += record.payload.len();
            self.page.entries.push((key, record));
        }
    }

    /// The page; there is more only if the walk stopped before the end.
    fn end(mut self, more: bool) -> Page {
        self.page.next = self.last.filter(|_| more).map(|last| Cursor::new(last.as_slice()));
        self.page
    }
}

/// Walks names from `after` to `end`. The cursor is the part of the name behind `base`.
fn walk(
    core: &Core,
    (base, end): (&[u8], &[u8]),
    after: Option<&[u8]>,
    limit: usize,
    mut look: impl FnMut(&[u8], sled::IVec) -> Result<Option<(Key, Record)>>,
) -> Result<Page> {
    let start = after.map(|after| [base, after].concat());
    let from = match &start {
        Some(start) => Bound::Excluded(start.as_slice()),
        None => Bound::Included(base),
    };
    let mut filling = Filling::new(limit);
    for entry in core.engine.range(from, end) {
        let (name, value) = entry?;
        if filling.is_full() {
            return Ok(filling.end(true));
        }
        match look(&name, value) {
            Ok(found) => filling.look(&name[base.len()..], found),
            // The next page begins with it.
            Err(error) if is_damaged_entry(core, &error) && !filling.page.entries.is_empty() => {
                return Ok(filling.end(true));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(filling.end(false))
}

/// Whether an error is about one entry, and not about a store that can no longer be read.
fn is_damaged_entry(core: &Core, error: &Error) -> bool {
    is_damage(error) && !core.engine.poison().is_set()
}

fn by_prefix(core: &Core, prefix: &KeyPrefix, after: Option<&[u8]>, limit: usize) -> Result<Page> {
    let base = record_name(prefix.as_str().as_bytes());
    walk(core, (&base, &after_prefix(&base)), after, limit, |name, raw| {
        let key = Key::from_stored(&name[1..])?;
        let stored = Stored::parse(key.as_bytes(), raw)?;
        let record = match stored.chunks() {
            None => Some(stored.record(Payload::from(stored.inline_payload(key.as_bytes())?))),
            Some(_) => core.load(&key)?,
        };
        Ok(record.map(|record| (key, record)))
    })
}

fn by_tag(core: &Core, tag: &Tag, after: Option<&[u8]>, limit: usize) -> Result<Page> {
    let base = tag_prefix(tag);
    walk(core, (&base, &after_prefix(&base)), after, limit, |name, _| {
        let key = Key::from_stored(&name[base.len()..])?;
        let record = core.load(&key)?.filter(|record| record.tags.contains(tag));
        Ok(record.map(|record| (key, record)))
    })
}

/// What is damaged is left out: it cannot be judged, and must not keep the others from being swept.
fn due(core: &Core, instant: Timestamp, after: Option<&[u8]>, limit: usize) -> Result<Page> {
    let end = due_prefix(instant.as_millis() + 1);
    walk(core, (&[space::DUE], &end), after, limit, |name, _| match due_record(core, name, instant) {
        Err(error) if is_damaged_entry(core, &error) => Ok(None),
        found => found,
    })
}

/// Entries are filed at or before the deadline, so all that are due lie before the instant. One whose record is filed
/// elsewhere by now is on its way out.
fn due_record(core: &Core, name: &[u8], instant: Timestamp) -> Result<Option<(Key, Record)>> {
    let (filed, key) = split_due_name(name)?;
    let is_due = |stored: &Stored| {
        stored.filed() == filed && stored.expiry().deadline().is_some_and(|deadline| deadline <= instant)
    };
    if !core.stored(&key)?.is_some_and(|stored| is_due(&stored)) {
        return Ok(None);
    }
    let record = core.load(&key)?.filter(|record| record.expiry.is_dead(instant));
    Ok(record.map(|record| (key, record)))
}

/// Records by name, all of one moment: no commit is halfway in any page.
fn by_name(core: &Core, keys: &[Key], after: Option<&[u8]>, limit: usize) -> Result<Page> {
    let start = after.map_or(Ok(0), read_position)?;
    let page = keys.get(start..).unwrap_or_default();
    let page = &page[..page.len().min(limit)];
    let _shared = core.stripes.share(page.iter().map(Key::as_bytes));
    let mut filling = Filling::new(page.len());
    for (key, position) in page.iter().zip(start as u64 + 1..) {
        if filling.bytes >= MAX_PAGE_BYTES {
            return Ok(filling.end(true));
        }
        let found = core.load_held(key)?.map(|record| (key.clone(), record));
        filling.look(&position.to_le_bytes(), found);
    }
    Ok(filling.end(start.saturating_add(page.len()) < keys.len()))
}

fn read_position(cursor: &[u8]) -> Result<usize> {
    let position =
        cursor.try_into().map(u64::from_le_bytes).ok().and_then(|position| usize::try_from(position).ok());
    position.ok_or_else(|| {
        Error::new(
            ErrorKind::Invalid,
            "scan",
            "the cursor belongs to another selection; start the walk again",
        )
    })
}
