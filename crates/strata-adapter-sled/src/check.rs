//! The proof that indexes equal records: [`Check`], made by walking everything.

use std::collections::BTreeMap;

use sled::IVec;
use strata_core::{Key, Result, Timestamp};

use crate::change::Entries;
use crate::core::Core;
use crate::engine::Engine;
use crate::format::{
    UNFILED, chunk_name, due_name, is_damage, record_name, space, split_chunk_name, split_due_name,
    split_tag_name, tag_name,
};
use crate::record::Stored;

/// So many problems are listed; the rest is counted.
const LISTED: usize = 1_000;

/// What a walk over everything found.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// Records, dead ones and damaged ones included.
    pub records: u64,
    /// Entries of the tag index: one for each tag of each record.
    pub tag_entries: u64,
    /// Entries of the due index: one for each record that has a deadline.
    pub due_entries: u64,
    /// Parts of large values.
    pub chunks: u64,
    /// Records that an earlier repair set aside.
    pub quarantined: u64,
    /// How many problems there are, by kind.
    pub counts: BTreeMap<ProblemKind, u64>,
    /// The first 1,000 of them.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What.
    pub kind: ProblemKind,
    /// Of which record; what can be read of the name, if it is damaged itself.
    pub key: String,
}

/// What can be wrong.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemKind {
    /// A record's checksum does not fit, or a part of its value is missing.
    DamagedRecord,
    /// An entry that is not in any form of this format.
    DamagedEntry,
    /// A record without one of its entries in the tag index: a walk by tag misses it.
    MissingTagEntry,
    /// A record without its entry in the due index: it is not swept when it is dead.
    MissingDueEntry,
    /// An entry of the tag index that no record confirms: it costs a look.
    StrayTagEntry,
    /// An entry of the due index that no record confirms.
    StrayDueEntry,
    /// A part of a value that no record has: it takes space.
    StrayChunk,
    /// The database's own files are damaged after the entry that is named: nothing behind it was looked at, and this handle
    /// reads no more. A repair cannot read them either; restore a backup.
    Unreadable,
}

impl Check {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.counts.is_empty()
    }

    fn problem(&mut self, kind: ProblemKind, key: &[u8]) {
        *self.counts.entry(kind).or_default() += 1;
        if self.problems.len() < LISTED {
            self.problems.push(Problem { kind, key: String::from_utf8_lossy(key).into_owned() });
        }
    }
}

/// Walks everything. Each record is looked at while commits to it are kept out.
pub(crate) fn check(core: &Core) -> Result<Check> {
    let mut report = Check::default();
    let mut last = IVec::default();
    let mark = core.records.mark();
    match walk(core, &mut report, &mut last) {
        // The walk ends where a page cannot be read; what it found until there is worth telling.
        Err(_) if core.engine.poison().is_damage() => report.problem(ProblemKind::Unreadable, &last),
        Err(error) => return Err(error),
        Ok(()) => core.records.found(mark, report.records),
    }
    Ok(report)
}

/// `last` is the name it has come to.
fn walk(core: &Core, report: &mut Check, last: &mut IVec) -> Result<()> {
    for entry in core.engine.all() {
        let (name, _) = entry?;
        last.clone_from(&name);
        match name.first() {
            Some(&space::RECORD) => check_record(core, &name[1..], report)?,
            Some(&space::TAG) => check_tag(core, &name, report)?,
            Some(&space::DUE) => check_due(core, &name, report)?,
            Some(&space::CHUNK) => check_chunk(core, &name, report)?,
            Some(&space::QUARANTINE) => report.quarantined += 1,
            // An open has judged these, and commits under way write them now.
            Some(&(space::META | space::INTENT)) => {}
            _ => report.problem(ProblemKind::DamagedEntry, &name),
        }
    }
    Ok(())
}

fn check_record(core: &Core, key: &[u8], report: &mut Check) -> Result<()> {
    let _shared = core.stripes.share(std::iter::once(key));
    let Some(raw) = core.engine.get(&record_name(key))? else { return Ok(()) };
    report.records += 1;
    match verify(&core.engine, key, raw)? {
        None => report.problem(ProblemKind::DamagedRecord, key),
        Some(stored) => {
            let entries = Entries::of(&stored);
            for tag in &entries.tags {
                if core.engine.get(&tag_name(tag, key))?.is_none() {
                    report.problem(ProblemKind::MissingTagEntry, key);
                }
            }
            if let Some(filed) = entries.filed
                && core.engine.get(&due_name(filed, key))?.is_none()
            {
                report.problem(ProblemKind::MissingDueEntry, key);
            }
        }
    }
    Ok(())
}

/// The record, if all of it is whole, filed no later than its deadline, and under a key that can be.
pub(crate) fn verify(engine: &Engine, key: &[u8], raw: IVec) -> Result<Option<Stored>> {
    let Some(stored) = known(Stored::parse(key, raw))? else { return Ok(None) };
    let deadline = stored.expiry().deadline().map_or(UNFILED, Timestamp::as_millis);
    let filed_well = match stored.filed() {
        UNFILED => deadline == UNFILED,
        filed => filed <= deadline && deadline != UNFILED,
    };
    if !filed_well || Key::from_stored(key).is_err() {
        return Ok(None);
    }
    let whole = match stored.chunks() {
        None => stored.inline_payload(key).is_ok(),
        Some(chunks) => {
            let mut payload = Vec::new();
            for index in 0..chunks.count {
                match engine.get(&chunk_name(key, chunks.version, index))? {
                    Some(chunk) => payload.extend_from_slice(&chunk),
                    None => return Ok(None),
                }
            }
            stored.verify_payload(key, &payload).is_ok()
        }
    };
    Ok(whole.then_some(stored))
}

fn check_tag(core: &Core, name: &[u8], report: &mut Check) -> Result<()> {
    let Some((tag, key)) = known(split_tag_name(name))? else {
        report.problem(ProblemKind::DamagedEntry, name);
        return Ok(());
    };
    let confirms = |stored: &Stored| stored.tags().iter().any(|has| has.as_str().as_bytes() == tag);
    check_entry(
        core,
        name,
        &key,
        report,
        confirms,
        |report| &mut report.tag_entries,
        ProblemKind::StrayTagEntry,
    )
}

fn check_due(core: &Core, name: &[u8], report: &mut Check) -> Result<()> {
    let Some((filed, key)) = known(split_due_name(name))? else {
        report.problem(ProblemKind::DamagedEntry, name);
        return Ok(());
    };
    let confirms = |stored: &Stored| stored.filed() == filed;
    check_entry(
        core,
        name,
        &key,
        report,
        confirms,
        |report| &mut report.due_entries,
        ProblemKind::StrayDueEntry,
    )
}

fn check_chunk(core: &Core, name: &[u8], report: &mut Check) -> Result<()> {
    let Some((key, version, index)) = known(split_chunk_name(name))? else {
        report.problem(ProblemKind::DamagedEntry, name);
        return Ok(());
    };
    let confirms = |stored: &Stored| {
        stored.chunks().is_some_and(|chunks| chunks.version == version && index < chunks.count)
    };
    check_entry(core, name, &key, report, confirms, |report| &mut report.chunks, ProblemKind::StrayChunk)
}

/// An entry counts if it is still there once commits to its record are kept out, and is stray unless the record confirms.
fn check_entry(
    core: &Core,
    name: &[u8],
    key: &Key,
    report: &mut Check,
    confirms: impl FnOnce(&Stored) -> bool,
    count: impl FnOnce(&mut Check) -> &mut u64,
    stray: ProblemKind,
) -> Result<()> {
    let _shared = core.stripes.share(std::iter::once(key.as_bytes()));
    if core.engine.get(name)?.is_none() {
        return Ok(());
    }
    *count(report) += 1;
    // A damaged record is a problem of its own, not one of its entries.
    let stored = match core.stored(key) {
        Err(error) if is_damage(&error) => return Ok(()),
        stored => stored?,
    };
    if !stored.is_some_and(|stored| confirms(&stored)) {
        report.problem(stray, key.as_bytes());
    }
    Ok(())
}

/// `None` for damage; any other error is one.
fn known<T>(read: Result<T>) -> Result<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_damage(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SledConfig;

    #[test]
    fn a_page_that_cannot_be_read_is_a_problem_in_the_report() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SledConfig::new(folder.path()).open().expect("opens");
        let engine = &store.core.engine;
        engine.insert(b"?stray", &[][..]).expect("written");
        assert_eq!(store.check().expect("readable").counts, BTreeMap::from([(ProblemKind::DamagedEntry, 1)]));
        engine.break_walk_at(b"m");
        let check = store.check().expect("a report all the same");
        let found = BTreeMap::from([(ProblemKind::DamagedEntry, 1), (ProblemKind::Unreadable, 1)]);
        assert_eq!(check.counts, found, "what was found until there is told as well");
        assert_eq!(check.problems[1].key, "?stray", "it names the entry it came to");
        let again = store.check().expect("a report of the ended handle");
        assert_eq!(again.counts, BTreeMap::from([(ProblemKind::Unreadable, 1)]));
    }

    #[test]
    fn a_handle_that_ended_otherwise_cannot_be_checked() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SledConfig::new(folder.path()).open().expect("opens");
        let _ = store.core.engine.poison().by_io("flush", std::io::Error::other("the disk went away"));
        assert_eq!(store.check().expect_err("poisoned").kind(), strata_core::ErrorKind::Poisoned);
    }
}
