//! Keys in files: [`FileKeys`]. A key file belongs to its owner alone (mode 0600) and lies outside the data it locks.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use strata_core::{Error, ErrorKind, KeyProvider, KeyText, Protection, Result, StoreId};
use zeroize::Zeroizing;

use crate::text::MAX_TEXT;

/// Keyset files: one that is named, or one per store in a folder.
///
/// A file is created whole or not at all, only for a fresh store, readable by its owner alone, and is on disk (file and folder
/// synced) before anything is sealed under it. On Unix a file that others may read is refused; elsewhere the folder's own access rules
/// hold.
#[derive(Clone, Debug)]
pub struct FileKeys(Place);

#[derive(Clone, Debug)]
enum Place {
    Named(PathBuf),
    /// `<store id>.key` in this folder.
    Folder(PathBuf),
}

impl FileKeys {
    /// This file, which several stores may share.
    pub fn named(path: impl Into<PathBuf>) -> Self {
        Self(Place::Named(path.into()))
    }

    /// A file of its own for each store, in `folder`, which is made (mode 0700) when it is needed.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self(Place::Folder(folder.into()))
    }

    /// A file of its own for each store, in the user's data folder: `$XDG_DATA_HOME/strata/keys`, else
    /// `~/.local/share/strata/keys` (`~/Library/Application Support` on macOS, `%LOCALAPPDATA%` on Windows).
    /// [`ErrorKind::Unsupported`] where there is none.
    pub fn of_user() -> Result<Self> {
        let folder = data_home().ok_or_else(|| {
            Error::new(
                ErrorKind::Unsupported,
                "find key folder",
                "this user has no home folder; name a key file, or set XDG_DATA_HOME or HOME",
            )
        })?;
        Ok(Self::in_folder(folder.join("strata").join("keys")))
    }

    /// Where the keys of `store` are.
    pub fn path(&self, store: StoreId) -> PathBuf {
        match &self.0 {
            Place::Named(path) => path.clone(),
            Place::Folder(folder) => folder.join(format!("{store}.key")),
        }
    }
}

#[cfg_attr(not(target_arch = "wasm32"), async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
impl KeyProvider for FileKeys {
    fn name(&self) -> &'static str {
        "file"
    }

    fn protection(&self) -> Protection {
        Protection::Sealed
    }

    fn place(&self, store: StoreId) -> String {
        self.path(store).display().to_string()
    }

    fn check_apart(&self, store: StoreId, data: &Path) -> Result<()> {
        let path = self.path(store);
        let (file, data) = (resolve(&path), resolve(data));
        let (file, data) =
            file.and_then(|file| Ok((file, data?))).map_err(|error| failed("place", &path, error))?;
        if !file.starts_with(&data) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Invalid,
            "place key file",
            format!("`{}` lies in the data folder it would protect; keep it elsewhere", path.display()),
        ))
    }

    async fn load(&self, store: StoreId) -> Result<Option<KeyText>> {
        let path = self.path(store);
        match File::open(&path) {
            Ok(file) => read(&file, &path).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", &path, error)),
        }
    }

    async fn create(&self, store: StoreId, text: &str) -> Result<()> {
        let path = self.path(store);
        create(&path, text).map_err(|error| failed("create", &path, error))
    }

    async fn replace(&self, store: StoreId, old: &str, new: &str) -> Result<()> {
        let path = self.path(store);
        let file = File::open(&path).map_err(|error| failed("change", &path, error))?;
        // Held until the file is replaced. Whoever waited for it finds another text at the path, and gives up.
        file.lock().map_err(|error| failed("lock", &path, error))?;
        let current = File::open(&path).map_err(|error| failed("change", &path, error))?;
        if *read(&current, &path)? != *old {
            return Err(failed("change", &path, io::ErrorKind::AlreadyExists.into()));
        }
        overwrite(&path, new).map_err(|error| failed("change", &path, error))
    }

    async fn discard(&self, store: StoreId) -> Result<()> {
        match &self.0 {
            Place::Named(_) => Ok(()),
            Place::Folder(_) => {
                let path = self.path(store);
                fs::remove_file(&path).map_err(|error| failed("remove", &path, error))
            }
        }
    }
}

fn data_home() -> Option<PathBuf> {
    let absolute =
        |variable: &str| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(folder) = absolute("XDG_DATA_HOME") {
        return Some(folder);
    }
    if cfg!(windows) {
        return absolute("LOCALAPPDATA");
    }
    let home = absolute("HOME")?;
    Some(home.join(if cfg!(target_os = "macos") { "Library/Application Support" } else { ".local/share" }))
}

/// The path without links and dots, as far as it exists.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let mut missing = Vec::new();
    for folder in path.ancestors() {
        if let Ok(found) = folder.canonicalize() {
            return Ok(missing.iter().rev().fold(found, |path, name| path.join(name)));
        }
        missing.extend(folder.file_name());
    }
    Ok(path)
}

fn read(file: &File, path: &Path) -> Result<KeyText> {
    check_private(file, path)?;
    // Reserved whole, so that no growing leaves a copy behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_TEXT + 1));
    file.take(MAX_TEXT as u64 + 1).read_to_string(&mut text).map_err(|error| failed("read", path, error))?;
    Ok(text)
}

#[cfg(unix)]
fn check_private(file: &File, path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.metadata().map_err(|error| failed("read", path, error))?.permissions().mode() & 0o7777;
    let others = mode & 0o077;
    if others == 0 {
        return Ok(());
    }
    let path = path.display();
    Err(Error::new(
        ErrorKind::Invalid,
        "read key file",
        format!(
            "others may read or change `{path}` (mode {mode:04o}); draw a new key if they did, then `chmod 600 {path}`"
        ),
    ))
}

#[cfg(not(unix))]
fn check_private(_file: &File, _path: &Path) -> Result<()> {
    Ok(())
}

/// Writes the whole text beside `path`, then gives it that name if nobody has it.
fn create(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    make_private(folder)?.iter().try_for_each(|changed| sync_folder(changed))?;
    let draft = write_beside(path, text)?;
    // A link, unlike a renaming, never takes another file's place.
    let named = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    named?;
    sync_folder(folder)
}

/// Writes the whole text beside `path`, then renames it over what is there.
fn overwrite(path: &Path, text: &str) -> io::Result<()> {
    let draft = write_beside(path, text)?;
    fs::rename(&draft, path).or_else(|error| {
        fs::remove_file(&draft)?;
        Err(error)
    })?;
    sync_folder(path.parent().unwrap_or(Path::new("")))
}

/// A synced file with `text`, in the same folder, of a name that nobody else uses.
fn write_beside(path: &Path, text: &str) -> io::Result<PathBuf> {
    static DRAFTS: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let (draft, mut file) = loop {
        let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
        let draft = path.with_file_name(format!(".{name}.{}-{number}.new", std::process::id()));
        match private_options().open(&draft) {
            Ok(file) => break (draft, file),
            // Left behind by a crash of a process of the same number.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    };
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map(|()| draft.clone()).inspect_err(|_| drop(fs::remove_file(&draft)))
}

fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Gives the folders that have a new name in them, and are to be synced.
fn make_private(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let missing = folder.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
    let changed = missing.filter_map(Path::parent).map(Path::to_owned).collect();
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })?;
    Ok(changed)
}

/// Makes names durable. Elsewhere than on Unix a folder cannot be synced; the file itself is.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    File::open(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })?.sync_all()
}

#[cold]
fn failed(verb: &str, path: &Path, error: io::Error) -> Error {
    let (kind, way_out) = match error.kind() {
        io::ErrorKind::AlreadyExists => {
            (ErrorKind::Conflict, "somebody else made or changed it just now; retry")
        }
        io::ErrorKind::InvalidData => (ErrorKind::Invalid, "it is not text; restore it from a backup"),
        io::ErrorKind::ReadOnlyFilesystem => {
            (ErrorKind::ReadOnly, "name a key file on a disk that can be written")
        }
        io::ErrorKind::StorageFull => (ErrorKind::Full, "make room and retry"),
        _ => (ErrorKind::Unavailable, "check the path and who may use it"),
    };
    let message = format!("could not {verb} key file `{}`; {way_out}", path.display());
    Error::new(kind, "use key file", message).because(error)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const STORE: StoreId = StoreId::new([7; 16]);

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("metadata").permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn s31_key_files_are_private_whole_and_never_replaced_by_creation() {
        let folder = tempfile::tempdir().expect("folder");
        let keys = FileKeys::in_folder(folder.path().join("a/b"));
        assert!(keys.load(STORE).await.expect("nothing yet").is_none());
        keys.create(STORE, "first").await.expect("create");
        let path = keys.path(STORE);
        assert_eq!(
            path.file_name().expect("name").to_str(),
            Some(format!("{}.key", "07".repeat(16)).as_str())
        );
        assert_eq!((mode(&path), mode(path.parent().expect("folder"))), (0o600, 0o700));
        assert_eq!(keys.create(STORE, "second").await.expect_err("there").kind(), ErrorKind::Conflict);
        assert_eq!(*keys.load(STORE).await.expect("load").expect("text"), "first");
        assert_eq!(fs::read_dir(folder.path().join("a/b")).expect("list").count(), 1, "no draft is left");
    }

    #[test]
    fn every_folder_that_gets_a_new_name_is_synced() {
        let folder = tempfile::tempdir().expect("folder");
        let root = folder.path();
        let made = make_private(&root.join("share/strata/keys")).expect("make");
        assert_eq!(made, [root.join("share/strata"), root.join("share"), root.to_owned()]);
        let made = make_private(&root.join("share/strata/more")).expect("make");
        assert_eq!(made, [root.join("share/strata")], "what was there is left alone");
        assert!(make_private(&root.join("share/strata/more")).expect("there").is_empty());
        assert!(make_private(Path::new("")).expect("the working folder").is_empty());
    }

    #[tokio::test]
    async fn s31_a_key_file_that_others_may_read_is_refused_with_the_way_out() {
        let folder = tempfile::tempdir().expect("folder");
        let keys = FileKeys::named(folder.path().join("k"));
        keys.create(STORE, "a secret").await.expect("create");
        for open in [0o640, 0o604, 0o620, 0o666] {
            fs::set_permissions(keys.path(STORE), fs::Permissions::from_mode(open)).expect("chmod");
            let error = keys.load(STORE).await.expect_err("open to others");
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains("chmod 600") && !format!("{error:?}").contains("secret"));
        }
        fs::set_permissions(keys.path(STORE), fs::Permissions::from_mode(0o400)).expect("chmod");
        assert!(keys.load(STORE).await.expect("private").is_some());
    }

    #[tokio::test]
    async fn a_key_file_is_replaced_only_by_who_knows_what_is_there() {
        let folder = tempfile::tempdir().expect("folder");
        let keys = FileKeys::named(folder.path().join("k"));
        keys.create(STORE, "one").await.expect("create");
        keys.replace(STORE, "one", "two").await.expect("replace");
        assert_eq!(keys.replace(STORE, "one", "three").await.expect_err("stale").kind(), ErrorKind::Conflict);
        assert_eq!(*keys.load(STORE).await.expect("load").expect("text"), "two");
        assert_eq!(mode(&keys.path(STORE)), 0o600);
        keys.discard(STORE).await.expect("discard");
        assert!(keys.load(STORE).await.expect("load").is_some(), "a named file may be somebody else's");
    }

    #[test]
    fn a_key_file_lies_outside_the_data_folder_however_it_is_spelt() {
        let folder = tempfile::tempdir().expect("folder");
        let data = folder.path().join("data");
        fs::create_dir(&data).expect("data");
        std::os::unix::fs::symlink(&data, folder.path().join("link")).expect("link");
        for inside in ["data/k", "data/sub/not/yet/k", "link/k", "data/../data/k", "link/../data/k"] {
            let error =
                FileKeys::named(folder.path().join(inside)).check_apart(STORE, &data).expect_err(inside);
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
        for outside in ["k", "database/k", "data/../k", "other/data/k"] {
            FileKeys::named(folder.path().join(outside)).check_apart(STORE, &data).expect(outside);
        }
        let missing = folder.path().join("later");
        let inside = FileKeys::in_folder(missing.join("keys")).check_apart(STORE, &missing);
        assert_eq!(inside.expect_err("a folder to come").kind(), ErrorKind::Invalid);
    }

    #[tokio::test]
    async fn what_is_no_keyset_is_read_within_bounds() {
        let folder = tempfile::tempdir().expect("folder");
        let keys = FileKeys::named(folder.path().join("k"));
        keys.create(STORE, &"x".repeat(1 << 20)).await.expect("create");
        assert_eq!(keys.load(STORE).await.expect("load").expect("text").len(), MAX_TEXT + 1);
    }
}
