//! What a commit writes down before it begins, so that the next open can end it: notes and intents.
//!
//! A commit of one record is whole once its record is written; what a crash can leave is a spare index entry or chunk. Its
//! *note* names the entries it touches, and the next open removes those that the record does not have. Notes lie in
//! slots that are written over, so a note costs one write.
//!
//! A commit of several records writes an *intent*, which holds everything; once its head is there, the next open makes the
//! whole commit again. sled brings back its log up to some point and nothing after, in the order of writing; that is all
//! that this rests on.

use parking_lot::Mutex;
use strata_core::{Key, Result, Tag};

use crate::change::{Change, Entries, Fate};
use crate::engine::Engine;
use crate::error::damaged;
use crate::format::{MAX_ENTRY, frame, intent_name, note_name, unframe};
use crate::record::Chunks;

/// Bytes of an intent's head before the body.
const HEAD: usize = 6;

/// The slots of notes. The last one given back is given out next, so a store has as many as it had writers at once.
#[derive(Debug, Default)]
pub(crate) struct Slots(Mutex<Free>);

#[derive(Debug, Default)]
struct Free {
    free: Vec<u16>,
    made: u16,
}

/// A slot in use.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    slots: &'a Slots,
    number: u16,
}

impl Slots {
    fn take(&self) -> Option<Slot<'_>> {
        let mut free = self.0.lock();
        let number = if let Some(number) = free.free.pop() {
            number
        } else {
            free.made = free.made.checked_add(1)?;
            free.made - 1
        };
        Some(Slot { slots: self, number })
    }

    /// How many slots were ever in use at once.
    pub(crate) fn made(&self) -> u16 {
        self.0.lock().made
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.slots.0.lock().free.push(self.number);
    }
}

/// Makes the changes of one commit, so that a crash at any point leaves all of them or none after the next open.
/// `version` is the commit's own; it names its intent.
pub(crate) fn perform(engine: &Engine, slots: &Slots, changes: &[Change], version: u64) -> Result<()> {
    match changes {
        [] => Ok(()),
        [change] if change.is_plain() => change.write(engine),
        [change] => {
            let note = encode(changes, false);
            match slots.take().filter(|_| note.len() <= MAX_ENTRY - 4) {
                Some(slot) => perform_noted(engine, &slot, change, &note),
                None => perform_intended(engine, changes, version),
            }
        }
        _ => perform_intended(engine, changes, version),
    }
}

fn perform_noted(engine: &Engine, slot: &Slot<'_>, change: &Change, note: &[u8]) -> Result<()> {
    let name = note_name(slot.number);
    engine.insert(&name, frame(&name, note))?;
    change.write_chunks(engine)?;
    change.write(engine)
}

fn perform_intended(engine: &Engine, changes: &[Change], version: u64) -> Result<()> {
    let body = encode(changes, true);
    // Chunks may be written before the head only if something names them already.
    let in_head = body.len() <= MAX_ENTRY - HEAD - 4 && changes.iter().all(|change| change.large.is_none());
    let pieces = if in_head { 0 } else { write_pieces(engine, &body, version)? };
    changes.iter().try_for_each(|change| change.write_chunks(engine))?;
    write_head(engine, &body, pieces, version)?;
    changes.iter().try_for_each(|change| change.write(engine))?;
    (0..=pieces).try_for_each(|piece| engine.remove(&intent_name(version, piece)))
}

/// Writes the body as pieces 1 and up, and says how many there are.
fn write_pieces(engine: &Engine, body: &[u8], version: u64) -> Result<u16> {
    let mut pieces = 0;
    for part in body.chunks(MAX_ENTRY - 4) {
        // At most 1,024 changes of at most three pieces each.
        pieces += 1;
        let name = intent_name(version, pieces);
        engine.insert(&name, frame(&name, part))?;
    }
    Ok(pieces)
}

/// The head makes the intent count. It holds the number of pieces and the checksum of the body, or the body itself.
fn write_head(engine: &Engine, body: &[u8], pieces: u16, version: u64) -> Result<()> {
    let name = intent_name(version, 0);
    let inline = if pieces == 0 { body } else { &[] };
    let head = [&pieces.to_le_bytes()[..], &crc32c::crc32c(body).to_le_bytes(), inline].concat();
    engine.insert(&name, frame(&name, &head))
}

/// A note or intent read back.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) key: Key,
    /// What becomes of the record; a note does not say.
    pub(crate) fate: Option<Fate>,
    pub(crate) adds: Entries,
    pub(crate) removes: Entries,
}

/// The bytes of a note, or of an intent's body, which also says what becomes of the records.
fn encode(changes: &[Change], fates: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + changes.len() * if fates { 640 } else { 96 });
    for change in changes {
        put_bytes(&mut out, change.key.as_bytes());
        match &change.fate {
            _ if !fates => out.push(0),
            Fate::Remove => out.push(1),
            Fate::Put(bytes) => {
                out.push(2);
                put_bytes(&mut out, bytes);
            }
        }
        put_entries(&mut out, &change.adds);
        put_entries(&mut out, &change.removes);
    }
    out
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    // Keys, tags and records are under 64 KiB.
    #[allow(clippy::cast_possible_truncation)]
    out.extend((bytes.len() as u16).to_le_bytes());
    out.extend(bytes);
}

fn put_entries(out: &mut Vec<u8>, entries: &Entries) {
    // A record has at most 32 tags.
    #[allow(clippy::cast_possible_truncation)]
    let flags = entries.tags.len() as u8
        | if entries.filed.is_some() { 0x40 } else { 0 }
        | if entries.chunks.is_some() { 0x80 } else { 0 };
    out.push(flags);
    entries.tags.iter().for_each(|tag| put_bytes(out, tag.as_str().as_bytes()));
    if let Some(filed) = entries.filed {
        out.extend(filed.to_le_bytes());
    }
    if let Some(chunks) = entries.chunks {
        out.extend(chunks.version.to_le_bytes());
        out.extend(chunks.count.to_le_bytes());
    }
}

/// Reads what [`encode`] wrote.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Part>> {
    let mut rest = bytes;
    let mut parts = Vec::new();
    while !rest.is_empty() {
        parts.push(read_part(&mut rest).ok_or_else(damaged_intent)?);
    }
    Ok(parts)
}

fn read_part(rest: &mut &[u8]) -> Option<Part> {
    let key = Key::from_stored(read_bytes(rest)?).ok()?;
    let fate = match read_array::<1>(rest)? {
        [0] => None,
        [1] => Some(Fate::Remove),
        [2] => Some(Fate::Put(read_bytes(rest)?.to_vec())),
        _ => return None,
    };
    Some(Part { key, fate, adds: read_entries(rest)?, removes: read_entries(rest)? })
}

fn read_entries(rest: &mut &[u8]) -> Option<Entries> {
    let [flags] = read_array::<1>(rest)?;
    let tags = (0..flags & 0x3f)
        .map(|_| Tag::new(std::str::from_utf8(read_bytes(rest)?).ok()?).ok())
        .collect::<Option<Vec<_>>>()?;
    let filed = if flags & 0x40 != 0 { Some(u64::from_le_bytes(read_array(rest)?)) } else { None };
    let chunks = if flags & 0x80 != 0 {
        let version = u64::from_le_bytes(read_array(rest)?);
        Some(Chunks { version, count: u32::from_le_bytes(read_array(rest)?) })
    } else {
        None
    };
    Some(Entries { tags, filed, chunks })
}

fn read_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::from(u16::from_le_bytes(read_array(rest)?));
    let (bytes, after) = rest.split_at_checked(len)?;
    *rest = after;
    Some(bytes)
}

fn read_array<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (array, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*array)
}

/// An intent's head read back.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    /// How many pieces the body has; none if it is here.
    pub(crate) pieces: u16,
    /// The checksum of the whole body.
    pub(crate) sum: u32,
    /// The body, if it has no pieces.
    pub(crate) inline: &'a [u8],
}

/// Reads what [`write_head`] wrote.
pub(crate) fn read_head<'a>(name: &[u8], framed: &'a [u8]) -> Result<Head<'a>> {
    let mut rest = unframe(name, framed, "the head of an intent")?;
    let fields = (read_array::<2>(&mut rest), read_array::<4>(&mut rest));
    let (Some(pieces), Some(sum)) = fields else { return Err(damaged_intent()) };
    Ok(Head { pieces: u16::from_le_bytes(pieces), sum: u32::from_le_bytes(sum), inline: rest })
}

#[cold]
pub(crate) fn damaged_intent() -> strata_core::Error {
    damaged("the intent of a commit that was under way")
}
