//! What an open does about commits that a crash cut short: every note and intent left is settled and removed. The work
//! grows with the commits that were under way, not with the store.

use std::collections::BTreeMap;

use sled::IVec;
use strata_core::Result;

use crate::change::{Entries, Fate};
use crate::engine::Engine;
use crate::format::{record_name, space, unframe};
use crate::intent::{Part, damaged_intent, decode, read_head};
use crate::record::Stored;

/// Ends every commit that was under way. Can be cut short itself, and begun again.
pub(crate) fn settle_all(engine: &Engine) -> Result<()> {
    let left: Vec<(IVec, IVec)> = engine.prefix(&[space::INTENT]).collect::<Result<_>>()?;
    let mut intents: BTreeMap<&[u8], Vec<&(IVec, IVec)>> = BTreeMap::new();
    for entry in &left {
        match entry.0.get(1) {
            Some(0) => settle_note(engine, entry)?,
            // `i`, one, and the version; the number of the piece follows.
            Some(1) if entry.0.len() == 12 => intents.entry(&entry.0[..10]).or_default().push(entry),
            _ => return Err(damaged_intent()),
        }
    }
    intents.values().try_for_each(|pieces| settle_intent(engine, pieces))
}

fn settle_note(engine: &Engine, (name, framed): &(IVec, IVec)) -> Result<()> {
    for part in decode(unframe(name, framed, "the note of a commit that was under way")?)? {
        settle(engine, &part)?;
    }
    engine.remove(name)
}

/// `pieces` are those of one intent, in order, the head first if it is there.
fn settle_intent(engine: &Engine, pieces: &[&(IVec, IVec)]) -> Result<()> {
    if pieces[0].0.ends_with(&[0, 0]) {
        redo(engine, pieces)?;
    } else {
        clear(engine, pieces)?;
    }
    pieces.iter().try_for_each(|(name, _)| engine.remove(name))
}

/// The head is there, so the commit was made: it is made again, wholly.
fn redo(engine: &Engine, pieces: &[&(IVec, IVec)]) -> Result<()> {
    let head = read_head(&pieces[0].0, &pieces[0].1)?;
    let body = if head.pieces == 0 { head.inline.to_vec() } else { join(&pieces[1..])? };
    if pieces.len() != 1 + usize::from(head.pieces) || crc32c::crc32c(&body) != head.sum {
        return Err(damaged_intent());
    }
    for part in decode(&body)? {
        let key = part.key.as_bytes();
        part.adds.insert_indexes(engine, key)?;
        match &part.fate {
            Some(Fate::Put(bytes)) => engine.insert(&record_name(key), bytes.as_slice())?,
            Some(Fate::Remove) => engine.remove(&record_name(key))?,
            None => return Err(damaged_intent()),
        }
        settle(engine, &part)?;
    }
    Ok(())
}

/// The head is not there. Either the commit never was: its chunks are in the way, if it had written all pieces. Or it
/// was over, and its pieces were about to be removed: then there is nothing to settle.
fn clear(engine: &Engine, pieces: &[&(IVec, IVec)]) -> Result<()> {
    if !pieces[0].0.ends_with(&[0, 1]) {
        return Ok(());
    }
    // Without all pieces no chunk was written either.
    let Ok(parts) = decode(&join(pieces)?) else { return Ok(()) };
    parts.iter().try_for_each(|part| settle(engine, part))
}

fn join(pieces: &[&(IVec, IVec)]) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    for (name, framed) in pieces {
        body.extend_from_slice(unframe(name, framed, "a piece of an intent")?);
    }
    Ok(body)
}

/// Removes those entries of a part that its record does not have.
fn settle(engine: &Engine, part: &Part) -> Result<()> {
    let key = part.key.as_bytes();
    let has = match engine.get(&record_name(key))? {
        Some(raw) => Entries::of(&Stored::parse(key, raw)?),
        None => Entries::default(),
    };
    part.adds.without(&has).remove(engine, key)?;
    part.removes.without(&has).remove(engine, key)
}
