//! Which store suits which sessions: [`SessionKind`].

use strata_core::{Coherence, Durability, Error, ErrorKind, GuardScope, Handle, Needs, Protection, Result};

/// How long and how well sessions are kept. The kind decides the store; a manager that is told its kind refuses a handle that
/// does not keep the promise, also one that keeps more than it should.
///
/// | kind | store in programs and servers | in browsers |
/// |---|---|---|
/// | `Browser` | memory | session storage |
/// | `Persistent` | sled, a server | local storage, IndexedDB |
/// | `Secure` | any, sealed under a keyset from the OS keyring, a file or the environment | IndexedDB, sealed |
/// | `Distributed` | a server that many processes use | server sync |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SessionKind {
    /// Gone at exit. A store that would keep sessions longer is refused.
    Browser,
    /// There after a restart.
    Persistent,
    /// Sealed. For keys guarded by the OS keyring, ask the handle for that protection.
    Secure,
    /// Shared by several processes, with guards that hold among them.
    Distributed,
}

impl SessionKind {
    /// What every store of the kind has to have.
    pub fn needs(self) -> Needs {
        match self {
            Self::Browser | Self::Persistent => Needs::LEAST,
            Self::Secure => Needs { protection: Protection::Sealed, ..Needs::LEAST },
            Self::Distributed => {
                Needs { guards: GuardScope::Machine, coherence: Coherence::Strong, ..Needs::LEAST }
            }
        }
    }

    /// Refuses a handle that does not suit the kind: [`ErrorKind::Unsupported`], or [`ErrorKind::Downgrade`] for protection.
    pub(super) fn check(self, handle: &Handle) -> Result<()> {
        handle.require(&self.needs())?;
        let volatile = handle.durability() == Durability::Volatile;
        match self {
            Self::Browser if !volatile => Err(unsuited(
                handle,
                "browser sessions end with the program, this store would keep them; use a store in memory",
            )),
            Self::Persistent if volatile => Err(unsuited(
                handle,
                "persistent sessions outlive the program, this store loses them; open one on disk or a server",
            )),
            _ => Ok(()),
        }
    }
}

#[cold]
fn unsuited(handle: &Handle, message: &str) -> Error {
    Error::new(ErrorKind::Unsupported, "build sessions", message).in_store(handle.store())
}
