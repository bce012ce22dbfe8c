//! The directory of a store: [`Home`], its marker file, and who may open it.
//!
//! The marker is judged before sled is let near the directory, because sled makes and changes files in any directory it is
//! given. It is also the lock: one process at a time.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use strata_core::{Error, ErrorKind, Result};

use crate::error::{from_io, newer};
use crate::format::FORMAT;

const MARKER: &str = "strata.store";
const MAGIC: &str = "strata-sled ";

/// What names one store among others: drawn when it is created, copied with it.
pub(crate) type StoreId = [u8; 16];

/// A directory that is ours and that nobody else has open.
#[derive(Debug)]
pub(crate) struct Home {
    path: PathBuf,
    marker: File,
    state: State,
}

/// How far the store's creation got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Not to the end: no open has returned yet, nothing has been acknowledged.
    Begun,
    /// To the end.
    Complete(StoreId),
}

impl Home {
    /// Finds or makes the directory, and locks it.
    pub(crate) fn claim(path: &Path, create: bool) -> Result<Self> {
        make_directory(path, create)?.iter().try_for_each(|folder| sync(folder))?;
        refuse_foreign(path, create)?;
        let marker = OpenOptions::new()
            .read(true)
            .write(true)
            .create(create)
            .truncate(false)
            .open(path.join(MARKER))
            .map_err(|error| from_io("open", shown(path), error))?;
        lock(&marker, path)?;
        let state = read_marker(&marker, path)?;
        if state == State::Begun {
            // Whoever made the directory may have ended before it was synced.
            sync(&folder_of(path))?;
        }
        let home = Self { path: path.to_owned(), marker, state };
        home.refuse_headless()?;
        Ok(home)
    }

    /// How far the store's creation got.
    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the marker: from here on the directory is a complete store.
    pub(crate) fn complete(&mut self, id: StoreId) -> Result<()> {
        if self.state != State::Complete(id) {
            let failed = |error| from_io("open", "the marker file cannot be written", error);
            self.marker.rewind().map_err(failed)?;
            self.marker.set_len(0).map_err(failed)?;
            self.marker.write_all(marker_text(id).as_bytes()).map_err(failed)?;
            self.marker.sync_all().map_err(failed)?;
            self.state = State::Complete(id);
        }
        Ok(())
    }

    /// Makes the files that sled created or renamed stay after a loss of power: sled syncs none of their names. A complete
    /// store has had its files synced when it was made; the page table is a new file at many opens, so the folder
    /// is synced at each.
    pub(crate) fn sync_names(&self) -> Result<()> {
        if self.state == State::Begun {
            for name in ["conf", "db", "blobs"] {
                sync(&self.path.join(name))?;
            }
        }
        sync(&self.path)
    }

    /// A marker without a database would make sled create an empty one, as if nothing had been there.
    fn refuse_headless(&self) -> Result<()> {
        if matches!(self.state, State::Complete(_)) && !self.path.join("db").exists() {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "open",
                format!("{}: the database file `db` is gone; put it back from a backup", shown(&self.path)),
            ));
        }
        Ok(())
    }
}

/// Gives the folders that have a new name in them, and are to be synced.
fn make_directory(path: &Path, create: bool) -> Result<Vec<PathBuf>> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(Vec::new()),
        Ok(_) => Err(Error::new(
            ErrorKind::Foreign,
            "open",
            format!("{} is not a directory; choose another path", shown(path)),
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound && create => {
            build_directory(path).map_err(|error| from_io("open", shown(path), error))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(nothing_there(path)),
        Err(error) => Err(from_io("open", shown(path), error)),
    }
}

fn build_directory(path: &Path) -> io::Result<Vec<PathBuf>> {
    let changed = folders_of_missing(path);
    fs::create_dir_all(folder_of(path))?;
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    Ok(changed)
}

/// The folders in which a name is missing on the way to `path`, the innermost first: each of them changes when `path` is
/// made, and a name is there after a loss of power only if its folder was synced.
fn folders_of_missing(path: &Path) -> Vec<PathBuf> {
    let named = path.ancestors().filter(|path| !path.as_os_str().is_empty());
    named.take_while(|path| !path.exists()).map(folder_of).collect()
}

/// The folder that `path` is in; the working folder for a bare name.
fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_owned(),
        None => path.to_owned(),
    }
}

fn refuse_foreign(path: &Path, create: bool) -> Result<()> {
    let unreadable = |error| from_io("open", shown(path), error);
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        names.push(entry.map_err(unreadable)?.file_name());
    }
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    if has(MARKER) {
        return Ok(());
    }
    // The root of a fresh file system has this one.
    if names.iter().any(|name| name != "lost+found") {
        let what =
            if has("db") && has("conf") { "a sled database of another program" } else { "files of others" };
        return Err(Error::new(
            ErrorKind::Foreign,
            "open",
            format!("{} holds {what}; choose an empty or a new directory", shown(path)),
        ));
    }
    if create { Ok(()) } else { Err(nothing_there(path)) }
}

fn lock(marker: &File, path: &Path) -> Result<()> {
    match marker.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(Error::new(
            ErrorKind::Locked,
            "open",
            format!("{} is open already, here or in another process; close it there first", shown(path)),
        )),
        Err(TryLockError::Error(error)) => Err(from_io("open", shown(path), error)),
    }
}

fn read_marker(marker: &File, path: &Path) -> Result<State> {
    let mut text = String::new();
    marker.take(512).read_to_string(&mut text).map_err(|error| from_io("open", shown(path), error))?;
    let Some(rest) = text.strip_prefix(MAGIC) else {
        // A creation that was cut short leaves the marker empty, or the beginning of its text.
        return if MAGIC.starts_with(&text) { Ok(State::Begun) } else { Err(not_our_marker(path)) };
    };
    let (format, _) = rest.split_once('\n').unwrap_or((rest, ""));
    match format.parse::<u64>() {
        Ok(format) if format > u64::from(FORMAT) => return Err(newer("open", format).in_store(shown(path))),
        _ => {}
    }
    let id = rest.lines().find_map(|line| line.strip_prefix("id ")).and_then(parse_id);
    // Torn: the database's own header decides.
    Ok(id.filter(|&id| marker_text(id) == text).map_or(State::Begun, State::Complete))
}

fn marker_text(id: StoreId) -> String {
    let body = format!("{MAGIC}{FORMAT}\nid {}\n", show_id(id));
    format!("{body}crc {:08x}\n", crc32c::crc32c(body.as_bytes()))
}

/// A store's id as text.
pub(crate) fn show_id(id: StoreId) -> String {
    format!("{:032x}", u128::from_be_bytes(id))
}

fn parse_id(text: &str) -> Option<StoreId> {
    (text.len() == 32).then(|| u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)).flatten()
}

fn sync(path: &Path) -> Result<()> {
    // Only unix can sync a directory; elsewhere names are journaled by the file system.
    if cfg!(not(unix)) && path.is_dir() {
        return Ok(());
    }
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|error| from_io("open", format!("{} cannot be synced", shown(path)), error))
}

fn shown(path: &Path) -> String {
    format!("`{}`", path.display())
}

fn nothing_there(path: &Path) -> Error {
    Error::new(
        ErrorKind::Invalid,
        "open",
        format!("there is no store in {}; check the path, or allow that one is created", shown(path)),
    )
}

fn not_our_marker(path: &Path) -> Error {
    Error::new(
        ErrorKind::Foreign,
        "open",
        format!("the file `{MARKER}` in {} is not ours; choose another directory", shown(path)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marker_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data");
        let mut home = Home::claim(&path, true).expect("fresh");
        assert_eq!(home.state(), State::Begun);
        fs::write(path.join("db"), b"").expect("written");
        home.complete([7; 16]).expect("written");
        drop(home);
        assert_eq!(Home::claim(&path, false).expect("ours").state(), State::Complete([7; 16]));
    }

    #[test]
    fn every_folder_that_gets_a_new_name_is_synced() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        let made = make_directory(&root.join("n1/n2/n3"), true).expect("made");
        assert_eq!(made, [root.join("n1/n2"), root.join("n1"), root.to_owned()]);
        let made = make_directory(&root.join("n1/n2/n4"), true).expect("made");
        assert_eq!(made, [root.join("n1/n2")], "what was there is left alone");
        assert!(make_directory(&root.join("n1/n2/n4"), true).expect("there").is_empty());
        assert_eq!(
            folders_of_missing(Path::new("no-such-a/no-such-b")),
            [Path::new("no-such-a"), Path::new(".")],
            "a bare name is in the working folder"
        );
    }

    #[test]
    fn s36_a_torn_marker_is_a_creation_cut_short() {
        let whole = marker_text([7; 16]);
        let folder = tempfile::tempdir().expect("a folder");
        for cut in 0..whole.len() {
            fs::write(folder.path().join(MARKER), &whole[..cut]).expect("written");
            let home = Home::claim(folder.path(), true).expect("begun");
            assert_eq!(home.state(), State::Begun, "cut at {cut}");
        }
    }
}
