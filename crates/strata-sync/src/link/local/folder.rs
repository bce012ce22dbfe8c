//! The folder where processes of one machine meet: [`Folder`]. Only its owner's, with one socket for each member and nothing else.

use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};

use strata_core::{Error, ErrorKind, Result};
use tokio::net::UnixListener;

/// How many entries of a folder are looked at.
const MOST_ENTRIES: usize = 4096;
/// How often a socket is made anew when somebody took it for a dead one.
const ATTEMPTS: u32 = 8;

/// Names a member's socket. Random, and never used again.
pub(super) type Name = u64;

#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

/// What a folder holds.
#[derive(Debug, Default)]
pub(super) struct Entries {
    /// Sockets of members, dead ones too.
    pub(super) members: Vec<Name>,
    /// Sockets whose members were killed while they made them, or still make them.
    pub(super) unfinished: Vec<PathBuf>,
    /// Something that no member puts there.
    pub(super) foreign: Option<String>,
}

impl Folder {
    /// Makes the folder if it is not there, and checks that nobody else can reach into it.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let folder = Self(std::path::absolute(path).map_err(|error| failed("resolve", path, error))?);
        folder.check_length()?;
        match DirBuilder::new().mode(0o700).create(&folder.0) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed("make", path, error)),
        }
        // Not followed: a link could lead into a folder that somebody else can change.
        let metadata = fs::symlink_metadata(&folder.0).map_err(|error| failed("look at", path, error))?;
        check_owner(path, &metadata)?;
        Ok(folder)
    }

    /// A listening socket under this name. It appears under it only when it listens, so that nobody takes it for a dead one.
    pub(super) fn bind(&self, name: Name) -> Result<UnixListener> {
        let unfinished = self.0.join(format!("n-{name:016x}"));
        for _ in 0..ATTEMPTS {
            let listener =
                UnixListener::bind(&unfinished).map_err(|error| failed("listen in", &self.0, error))?;
            match fs::rename(&unfinished, self.socket(name)) {
                Ok(()) => return Ok(listener),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed("listen in", &self.0, error)),
            }
        }
        Err(failed("listen in", &self.0, io::Error::other("the socket was removed again and again")))
    }

    pub(super) fn socket(&self, name: Name) -> PathBuf {
        self.0.join(format!("m-{name:016x}"))
    }

    pub(super) fn holds(&self, name: Name) -> bool {
        fs::symlink_metadata(self.socket(name)).is_ok()
    }

    pub(super) fn remove(&self, name: Name) {
        // Somebody may have been faster.
        let _ = fs::remove_file(self.socket(name));
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// What is there now.
    pub(super) fn entries(&self) -> io::Result<Entries> {
        let mut entries = Entries::default();
        for entry in fs::read_dir(&self.0)?.take(MOST_ENTRIES) {
            let entry = entry?;
            let name = entry.file_name();
            let is_socket = entry.file_type().is_ok_and(|kind| kind.is_socket());
            match name.to_str().filter(|_| is_socket).and_then(parse) {
                Some(Parsed::Member(name)) => entries.members.push(name),
                Some(Parsed::Unfinished) => entries.unfinished.push(entry.path()),
                // It may have gone between the listing and the look at it.
                None if fs::symlink_metadata(entry.path()).is_err() => {}
                None => entries.foreign = Some(name.to_string_lossy().into_owned()),
            }
        }
        Ok(entries)
    }

    fn check_length(&self) -> Result<()> {
        let longest = self.socket(Name::MAX);
        SocketAddr::from_pathname(&longest).map(drop).map_err(|_| {
            Error::new(
                ErrorKind::Invalid,
                "join folder",
                format!(
                    "the path of a socket in it would have {} bytes, more than this system allows (about 100); choose a shorter one, \
                     such as below $XDG_RUNTIME_DIR",
                    longest.as_os_str().len()
                ),
            )
        })
    }
}

enum Parsed {
    Member(Name),
    Unfinished,
}

fn parse(name: &str) -> Option<Parsed> {
    let (kind, digits) = name.split_at_checked(2)?;
    let clean = digits.len() == 16 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let name = Name::from_str_radix(digits, 16).ok().filter(|_| clean)?;
    match kind {
        "m-" => Some(Parsed::Member(name)),
        "n-" => Some(Parsed::Unfinished),
        _ => None,
    }
}

fn check_owner(path: &Path, metadata: &Metadata) -> Result<()> {
    let me = rustix::process::geteuid().as_raw();
    let mode = metadata.permissions().mode() & 0o777;
    let (kind, why) = if !metadata.is_dir() {
        (ErrorKind::Foreign, "it is no folder (a link to one will not do); name a folder".to_owned())
    } else if metadata.uid() != me {
        (
            ErrorKind::Denied,
            format!(
                "it belongs to user {}, and this is user {me}; name a folder of your own",
                metadata.uid()
            ),
        )
    } else if mode & 0o077 != 0 {
        (
            ErrorKind::Denied,
            format!("others may reach into it (mode {mode:o}); run `chmod 700` on it, or name another"),
        )
    } else {
        return Ok(());
    };
    Err(Error::new(kind, "join folder", format!("{}: {why}", path.display())))
}

#[cold]
pub(super) fn failed(verb: &str, path: &Path, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied => ErrorKind::Denied,
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ErrorKind::Invalid,
        _ => ErrorKind::Unavailable,
    };
    let message =
        format!("cannot {verb} {}; its parent has to exist and this user has to own it", path.display());
    Error::new(kind, "join folder", message).because(error)
}
