//! What a disk may hold after the power was cut: the heart of `--power`.
//!
//! The model is pessimistic. A disk keeps what it had before the recording, and every change to a file that came before the
//! start of a finished sync of that file. Of any later write each piece of 4 KiB is there with some probability, or torn:
//! only some of its sectors. Names (created, renamed, removed) reach the disk in order, as in a journal: those before the
//! start of a finished sync of the file or of its folder are there, of the later ones a beginning.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::log::Event;
use super::random::Dice;
use crate::run::{During, Result};

const PIECE: usize = 4096;
const SECTOR: usize = 512;

/// Of a hundred pieces that survive, so many are torn.
const TORN: usize = 10;

/// Files and folders below one folder, by relative path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) files: BTreeMap<String, Vec<u8>>,
    pub(super) folders: BTreeSet<String>,
}

/// What the folder held when the recording began: contents by inode, and names of inodes.
#[derive(Clone, Debug, Default)]
pub(super) struct Before {
    contents: BTreeMap<u64, Vec<u8>>,
    names: BTreeMap<String, u64>,
    folders: BTreeSet<String>,
}

impl Before {
    /// Reads a folder, which need not be there.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let mut before = Self::default();
        if folder.exists() {
            before.folders.insert(String::new());
            before.read_into(folder, "")?;
        }
        Ok(before)
    }

    fn read_into(&mut self, folder: &Path, below: &str) -> Result {
        use std::os::unix::fs::MetadataExt;
        for entry in std::fs::read_dir(folder).during(format_args!("listing {}", folder.display()))? {
            let entry = entry.during(format_args!("listing {}", folder.display()))?;
            let name = format!("{below}/{}", entry.file_name().to_string_lossy());
            let facts = entry.metadata().during(format_args!("looking at {name}"))?;
            if facts.is_dir() {
                self.read_into(&entry.path(), &name)?;
                self.folders.insert(name);
            } else {
                let content = std::fs::read(entry.path()).during(format_args!("reading {name}"))?;
                self.contents.insert(facts.ino(), content);
                self.names.insert(name, facts.ino());
            }
        }
        Ok(())
    }
}

/// The disk after a cut behind `events`, when each piece that was not synced is there in `percent` of a hundred cases.
/// `folder` is the recorded folder, as the recorded paths begin.
pub(super) fn rebuild(
    before: &Before,
    events: &[Event],
    folder: &str,
    percent: usize,
    dice: &mut Dice,
) -> Image {
    let syncs = Syncs::find(events);
    let mut contents = before.contents.clone();
    for (at, event) in events.iter().enumerate() {
        match event {
            Event::Write { inode, offset, data } => {
                let content = contents.entry(*inode).or_default();
                let offset = usize::try_from(*offset).unwrap_or(usize::MAX);
                if syncs.cover(*inode, at) {
                    put(content, offset, data);
                } else {
                    pieces(offset, data).for_each(|(at, piece)| chance(content, at, piece, percent, dice));
                }
            }
            Event::Truncate { inode, length } if syncs.cover(*inode, at) || dice.percent(percent) => {
                let length = usize::try_from(*length).unwrap_or(usize::MAX);
                contents.entry(*inode).or_default().resize(length, 0);
            }
            _ => {}
        }
    }
    name(before, &contents, events, folder, percent, &syncs, dice)
}

/// The finished syncs: for each inode and path, where the last of them began.
#[derive(Debug, Default)]
struct Syncs {
    inodes: BTreeMap<u64, usize>,
    paths: BTreeMap<String, usize>,
}

impl Syncs {
    fn find(events: &[Event]) -> Self {
        let mut started: BTreeMap<u64, (u64, &str, usize)> = BTreeMap::new();
        let mut syncs = Self::default();
        for (at, event) in events.iter().enumerate() {
            match event {
                Event::SyncStart { inode, number, path } => {
                    started.insert(*number, (*inode, path, at));
                }
                Event::SyncEnd { number } => {
                    let Some((inode, path, start)) = started.remove(number) else { continue };
                    later(syncs.inodes.entry(inode).or_insert(start), start);
                    later(syncs.paths.entry(path.to_owned()).or_insert(start), start);
                }
                _ => {}
            }
        }
        syncs
    }

    /// Whether a change of that file, recorded there, is surely on the disk.
    fn cover(&self, inode: u64, at: usize) -> bool {
        self.inodes.get(&inode).is_some_and(|start| at < *start)
    }

    /// Whether a name given there is surely on the disk: its folder or, if it is a new file, the file was synced.
    fn cover_name(&self, path: &str, inode: Option<u64>, at: usize) -> bool {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        self.paths.get(folder).is_some_and(|start| at < *start)
            || inode.is_some_and(|inode| self.cover(inode, at))
    }
}

fn later(known: &mut usize, start: usize) {
    *known = start.max(*known);
}

fn put(content: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(data);
}

/// The parts of a write that lie on one piece of the disk each.
fn pieces(offset: usize, data: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    split(offset, data, PIECE)
}

fn split(offset: usize, data: &[u8], size: usize) -> impl Iterator<Item = (usize, &[u8])> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done;
        let end = data.len().min(done + size - at % size);
        let part = data.get(done..end).filter(|part| !part.is_empty())?;
        done = end;
        Some((at, part))
    })
}

/// The piece is there, torn or not at all.
fn chance(content: &mut Vec<u8>, at: usize, piece: &[u8], percent: usize, dice: &mut Dice) {
    if !dice.percent(percent) {
        return;
    }
    let torn = percent < 100 && dice.percent(TORN);
    for (at, sector) in split(at, piece, SECTOR) {
        if !torn || dice.percent(50) {
            put(content, at, sector);
        }
    }
}

/// Gives the contents the names they have on the disk.
fn name(
    before: &Before,
    contents: &BTreeMap<u64, Vec<u8>>,
    events: &[Event],
    folder: &str,
    percent: usize,
    syncs: &Syncs,
    dice: &mut Dice,
) -> Image {
    let naming: Vec<(usize, &Event)> =
        events.iter().enumerate().filter(|(_, event)| is_naming(event)).collect();
    let sure = naming.iter().rposition(|(at, event)| is_sure(event, *at, syncs)).map_or(0, |last| last + 1);
    let open = naming.len() - sure;
    let kept = match percent {
        0 => 0,
        100 => open,
        _ => dice.below(open + 1),
    };
    let mut names = before.names.clone();
    let mut folders = before.folders.clone();
    for (_, event) in &naming[..sure + kept] {
        apply(event, folder, &mut names, &mut folders);
    }
    let content = |inode: u64| contents.get(&inode).cloned().unwrap_or_default();
    Image { files: names.into_iter().map(|(name, inode)| (name, content(inode))).collect(), folders }
}

fn is_naming(event: &Event) -> bool {
    matches!(event, Event::Create { .. } | Event::Rename { .. } | Event::Unlink { .. } | Event::Folder { .. })
}

fn is_sure(event: &Event, at: usize, syncs: &Syncs) -> bool {
    match event {
        Event::Create { inode, path } => syncs.cover_name(path, Some(*inode), at),
        Event::Rename { to: path, .. } | Event::Unlink { path } | Event::Folder { path } => {
            syncs.cover_name(path, None, at)
        }
        _ => false,
    }
}

fn apply(event: &Event, folder: &str, names: &mut BTreeMap<String, u64>, folders: &mut BTreeSet<String>) {
    let inside = |path: &str| path.strip_prefix(folder).unwrap_or(path).to_owned();
    match event {
        Event::Create { inode, path } => {
            names.insert(inside(path), *inode);
        }
        Event::Rename { from, to } => {
            if let Some(inode) = names.remove(&inside(from)) {
                names.insert(inside(to), inode);
            }
        }
        Event::Unlink { path } => {
            names.remove(&inside(path));
        }
        Event::Folder { path } => {
            folders.insert(inside(path));
        }
        _ => {}
    }
}

impl Image {
    /// Writes the image below that folder, which is made.
    pub(super) fn write(&self, folder: &Path) -> Result {
        let place = |name: &str| folder.join(name.trim_start_matches('/'));
        for name in std::iter::once("").chain(self.folders.iter().map(String::as_str)) {
            std::fs::create_dir_all(place(name)).during(format_args!("making {}", place(name).display()))?;
        }
        for (name, content) in &self.files {
            let path = place(name);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).during(format_args!("making {}", parent.display()))?;
            }
            std::fs::write(&path, content).during(format_args!("writing {}", path.display()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "image_tests.rs"]
mod tests;
