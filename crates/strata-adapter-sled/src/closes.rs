//! Whether all is there that was there at the last orderly close: [`Closes`]. sled takes damage, and a log that was cut, for the
//! end of the log, and opens with what stands before it. So a close writes its number as the very last entry, and then
//! into a file of its own. A database whose number is lower than the file's has lost what it ended with.
//!
//! The file is written over by the next close and never removed: after a crash as well, everything up to the last close has
//! to be there. What came after that close is not covered.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use strata_core::{Error, ErrorKind, Result};

use crate::engine::Engine;
use crate::error::damaged;
use crate::format::{frame, meta_name, unframe};

/// The file, and its draft.
const FILE: &str = "closed";
const DRAFT: &str = "closed.new";

/// The number of orderly closes so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closes(u64);

impl Closes {
    /// Refuses a database that is older than its last close; with `accept` it goes on from what is left.
    pub(crate) fn load(engine: &Engine, folder: &Path, accept: bool) -> Result<Self> {
        let kept = match (read_entry(engine), accept) {
            (Err(error), true) if error.kind() == ErrorKind::Corrupt && !engine.poison().is_set() => 0,
            (kept, _) => kept?,
        };
        let promised = read_file(folder).unwrap_or(0);
        if kept >= promised {
            return Ok(Self(kept));
        }
        if !accept {
            return Err(cut_short());
        }
        write_entry(engine, promised)?;
        Ok(Self(promised))
    }

    /// Writes the number of this close, as the last entry.
    pub(crate) fn write(self, engine: &Engine) -> Result<()> {
        write_entry(engine, self.0 + 1)
    }

    /// Promises that this close is there. Everything has to be on disk, past the system's own buffers: else a loss of power
    /// could leave the promise and not what was promised.
    pub(crate) fn promise(self, folder: &Path) -> io::Result<()> {
        let draft = folder.join(DRAFT);
        let mut file = File::create(&draft)?;
        file.write_all(text(self.0 + 1).as_bytes())?;
        file.sync_all()?;
        fs::rename(draft, folder.join(FILE))?;
        // Without this the older file may come back, which promises less.
        if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
    }
}

fn read_entry(engine: &Engine) -> Result<u64> {
    let name = meta_name("closed");
    let Some(framed) = engine.get(&name)? else { return Ok(0) };
    let bytes = unframe(&name, &framed, "the number of the last close")?;
    Ok(u64::from_le_bytes(bytes.try_into().map_err(|_| damaged("the number of the last close"))?))
}

fn write_entry(engine: &Engine, number: u64) -> Result<()> {
    let name = meta_name("closed");
    engine.insert(&name, frame(&name, &number.to_le_bytes()))
}

/// `None` also for a file that is damaged: it promises nothing then.
fn read_file(folder: &Path) -> Option<u64> {
    let found = fs::read_to_string(folder.join(FILE)).ok()?;
    let number = found.lines().next()?.strip_prefix("close ")?.parse().ok()?;
    (text(number) == found).then_some(number)
}

fn text(number: u64) -> String {
    let line = format!("close {number}\n");
    format!("{line}crc {:08x}\n", crc32c::crc32c(line.as_bytes()))
}

#[cold]
fn cut_short() -> Error {
    Error::new(
        ErrorKind::Corrupt,
        "open",
        "the database ends before its last close, so records are missing or old; restore a backup, or open once with \
         `repair` to go on with what is left",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_is_read_as_written_and_only_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(read_file(folder.path()), None);
        Closes(6).promise(folder.path()).expect("written");
        assert_eq!(read_file(folder.path()), Some(7));
        let whole = text(7);
        for cut in 0..whole.len() {
            fs::write(folder.path().join(FILE), &whole[..cut]).expect("written");
            assert_eq!(read_file(folder.path()), None, "cut at {cut}");
        }
        fs::write(folder.path().join(FILE), whole.replace('7', "8")).expect("written");
        assert_eq!(read_file(folder.path()), None, "changed");
    }
}
