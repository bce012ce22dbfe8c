//! What an open does when a repair is asked for: [`Repair`]. Records that are whole stay, the others are set aside,
//! and the indexes are built from what stays.

use strata_core::Result;

use crate::change::Entries;
use crate::check::verify;
use crate::engine::Engine;
use crate::format::{due_name, quarantine_name, space, tag_name};

/// What a repair did.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repair {
    /// Records that are whole.
    pub records: u64,
    /// Damaged records set aside. Their bytes are kept in the store and can't be reached through it.
    pub quarantined: u64,
    /// Entries of indexes, parts of values, notes and intents that were removed.
    pub removed: u64,
    /// Entries of indexes that were missing.
    pub added: u64,
    pub(crate) next_version: u64,
}

/// How far the versions jump: past any lease that the lost entry can have held.
const VERSION_JUMP: u64 = 1 << 32;

/// Walks everything twice. Nobody else has the store open.
pub(crate) fn repair(engine: &Engine) -> Result<Repair> {
    // A crash can have left commits under way. They are settled if they can be, else lost with what is damaged.
    let _ = crate::recover::settle_all(engine);
    let mut done = Repair::default();
    let highest = repair_records(engine, &mut done)?;
    remove_strays(engine, &mut done)?;
    done.next_version = highest.saturating_add(VERSION_JUMP);
    Ok(done)
}

fn repair_records(engine: &Engine, done: &mut Repair) -> Result<u64> {
    let mut highest = 0;
    for entry in engine.prefix(&[space::RECORD]) {
        let (name, raw) = entry?;
        let key = &name[1..];
        if let Some(stored) = verify(engine, key, raw.clone())? {
            done.records += 1;
            highest = highest.max(stored.version().get());
            add_missing(engine, key, &Entries::of(&stored), done)?;
        } else {
            done.quarantined += 1;
            engine.insert(&quarantine_name(key), raw)?;
            engine.remove(&name)?;
        }
    }
    Ok(highest)
}

fn add_missing(engine: &Engine, key: &[u8], entries: &Entries, done: &mut Repair) -> Result<()> {
    let tags = entries.tags.iter().map(|tag| tag_name(tag, key));
    for name in tags.chain(entries.filed.map(|filed| due_name(filed, key))) {
        if engine.get(&name)?.is_none() {
            done.added += 1;
            engine.insert(&name, &[][..])?;
        }
    }
    Ok(())
}

fn remove_strays(engine: &Engine, done: &mut Repair) -> Result<()> {
    for entry in engine.all() {
        let (name, _) = entry?;
        if is_stray(engine, &name)? {
            done.removed += 1;
            engine.remove(&name)?;
        }
    }
    Ok(())
}

fn is_stray(engine: &Engine, name: &[u8]) -> Result<bool> {
    use crate::format::{record_name, split_chunk_name, split_due_name, split_tag_name};
    let has = |key: &strata_core::Key| -> Result<Entries> {
        let raw = engine.get(&record_name(key.as_bytes()))?;
        let stored = raw.map(|raw| crate::record::Stored::parse(key.as_bytes(), raw)).transpose()?;
        Ok(stored.as_ref().map(Entries::of).unwrap_or_default())
    };
    Ok(match name.first() {
        Some(&(space::RECORD | space::META | space::QUARANTINE)) => false,
        Some(&space::TAG) => match split_tag_name(name) {
            Ok((tag, key)) => !has(&key)?.tags.iter().any(|has| has.as_str().as_bytes() == tag),
            Err(_) => true,
        },
        Some(&space::DUE) => match split_due_name(name) {
            Ok((filed, key)) => has(&key)?.filed != Some(filed),
            Err(_) => true,
        },
        Some(&space::CHUNK) => match split_chunk_name(name) {
            Ok((key, version, index)) => {
                !has(&key)?.chunks.is_some_and(|chunks| chunks.version == version && index < chunks.count)
            }
            Err(_) => true,
        },
        _ => true,
    })
}
