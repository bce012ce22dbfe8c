//! What one user has, in one record: [`Roster`]. It changes in the same commit as each of its entries begins and ends, so the
//! list is exact under concurrent logins and ending all is one commit; a walk over tags would miss a login that lands between pages.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use strata_core::{Error, ErrorKind, Guard, Handle, Lifetime, Result, Staged, Timestamp, Value, Version};

/// The rosters of one manager, by user.
#[derive(Clone)]
pub(crate) struct Roster {
    handle: Handle,
}

/// One user's entries, oldest first, and the version they were read in.
#[derive(Debug)]
pub(crate) struct Roll<E> {
    name: String,
    entries: Vec<Entry<E>>,
    version: Option<Version>,
}

/// Something a user has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Entry<E> {
    /// The id of the record it stands for.
    pub(crate) id: [u8; 16],
    /// When that record dies at the latest, in milliseconds since the epoch.
    pub(crate) until: u64,
    /// What the list tells of it.
    pub(crate) about: E,
}

impl Roster {
    /// The rosters in a namespace of their own.
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    /// What `user` has. Entries whose records were bound to be dead by `now` are left out.
    pub(crate) async fn load<E: Value>(&self, user: &str, now: Timestamp) -> Result<Roll<E>> {
        self.load_named(&user_name(user), now).await
    }

    /// As [`Roster::load`], for the user whose roster has this name.
    pub(crate) async fn load_named<E: Value>(&self, name: &str, now: Timestamp) -> Result<Roll<E>> {
        let found = self.handle.peek_versioned::<Vec<Entry<E>>>(name).await?;
        let (mut entries, version) =
            found.map_or((Vec::new(), None), |(entries, version)| (entries, Some(version)));
        entries.retain(|entry| entry.until > now.as_millis());
        Ok(Roll { name: name.to_owned(), entries, version })
    }

    /// The change that makes the roll as it is now, in place of the version it was read in. An empty one is removed; `None` if there
    /// was none.
    pub(crate) fn stage<E: Value>(&self, roll: &Roll<E>) -> Option<Staged<'_>> {
        let Some(last) = roll.entries.iter().map(|entry| entry.until).max() else {
            let version = roll.version?;
            return Some(self.handle.guarded_removal(&roll.name, Guard::Version(version)));
        };
        // It dies with the last of its entries.
        let life = Lifetime::until(Timestamp::from_millis(last));
        let set = self.handle.set(&roll.name, &roll.entries).lifetime(life);
        Some(match roll.version {
            Some(version) => set.if_version(version).into(),
            None => set.if_absent().into(),
        })
    }

    /// The handle of the rosters' namespace.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl<E> Roll<E> {
    pub(crate) fn entries(&self) -> &[Entry<E>] {
        &self.entries
    }

    pub(crate) fn entries_mut(&mut self) -> &mut Vec<Entry<E>> {
        &mut self.entries
    }

    /// Whether the record of it lies in the store.
    pub(crate) fn is_stored(&self) -> bool {
        self.version.is_some()
    }
}

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roster").field("handle", &self.handle).finish()
    }
}

/// The name of a user's roster, and the end of the tag on what belongs to a user: a hash of the id. Names and tags are not sealed, so
/// who has sessions cannot be read off a copied store (ids that can be guessed can be tried); and ids of any length and
/// alphabet have names of one.
pub(crate) fn user_name(user: &str) -> String {
    let mut hash = Context::new(&SHA256);
    hash.update(b"strata user\0");
    hash.update(user.as_bytes());
    URL_SAFE_NO_PAD.encode(hash.finish())
}

/// The tag on what belongs to a user.
pub(crate) fn user_tag(user: &str) -> String {
    format!("user:{}", user_name(user))
}

/// A user's id as managers accept it: not empty, no control characters, at most 256 bytes.
pub(crate) fn check_user(operation: &'static str, user: &str) -> Result<()> {
    if user.is_empty() || user.chars().any(char::is_control) {
        let message = "the user id is empty or has a control character; give the id your accounts have";
        return Err(Error::new(ErrorKind::Invalid, operation, message));
    }
    if user.len() > MAX_USER {
        let message = format!(
            "the user id has {} bytes, at most {MAX_USER} are allowed; give the account's own id",
            user.len()
        );
        return Err(Error::new(ErrorKind::TooLarge, operation, message));
    }
    Ok(())
}

/// The longest user id, in bytes.
const MAX_USER: usize = 256;
