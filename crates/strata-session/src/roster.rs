//! What one user has, in one record: [`Roster`]. It changes in the same commit as each of its entries begins and ends, so the
//! list is exact under concurrent logins and ending all is one commit; a walk over tags would miss a login that lands between pages.

use std::fmt;
use std::time::Duration;

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
        // It dies after the last of its entries: a little later, for one may die between being read and being written.
        let life = Lifetime::until(Timestamp::from_millis(last).saturating_add(GRACE));
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

/// Whether an error is about the bytes of one record, not about reaching the store.
pub(crate) fn is_unreadable(error: &Error) -> bool {
    use ErrorKind::{Corrupt, Downgrade, Mismatch, MissingKey, Newer, WrongKey};
    matches!(error.kind(), Corrupt | Downgrade | Mismatch | MissingKey | Newer | WrongKey)
}

/// How long a roster is kept after the last of its entries.
const GRACE: Duration = Duration::from_mins(1);

/// The longest user id, in bytes.
const MAX_USER: usize = 256;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use strata_core::conformance::block_on;
    use strata_core::{Clock as _, Guard, ManualClock, ReferenceStore};

    use super::*;

    fn roster() -> (Roster, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::default());
        let handle = Handle::builder(Arc::new(ReferenceStore::new()), Arc::clone(&clock) as _)
            .build()
            .expect("handle");
        (Roster::new(handle), clock)
    }

    fn entry(id: u8, until: Timestamp) -> Entry<u32> {
        Entry { id: [id; 16], until: until.as_millis(), about: id.into() }
    }

    async fn save(roster: &Roster, roll: &Roll<u32>) -> Result<()> {
        let staged = roster.stage(roll).expect("there is something to write");
        roster.handle().writes().stage(staged).commit().await.map(drop)
    }

    #[test]
    fn a_roll_lives_as_long_as_its_last_entry_and_forgets_the_dead() {
        let (roster, clock) = roster();
        let now = clock.now();
        block_on(async {
            let mut roll = roster.load::<u32>("ada", now).await.expect("load");
            assert!(roster.stage(&roll).is_none(), "nothing was there and nothing is");
            for hours in [1, 3] {
                let until = now.saturating_add(Duration::from_hours(hours));
                roll.entries_mut().push(entry(u8::try_from(hours).expect("small"), until));
            }
            save(&roster, &roll).await.expect("saved");
            clock.advance(Duration::from_hours(1));
            let roll = roster.load::<u32>("ada", clock.now()).await.expect("load");
            assert_eq!(roll.entries().iter().map(|entry| entry.about).collect::<Vec<_>>(), [3]);
            clock.advance(Duration::from_hours(2));
            assert!(roster.load::<u32>("ada", clock.now()).await.expect("load").entries().is_empty());
            clock.advance(GRACE);
            assert!(!roster.load::<u32>("ada", clock.now()).await.expect("load").is_stored());
        });
    }

    #[test]
    fn two_who_change_one_roll_do_not_both_succeed() {
        let (roster, clock) = roster();
        let until = clock.now().saturating_add(Duration::from_hours(1));
        block_on(async {
            for round in 0..3 {
                let mut first = roster.load::<u32>("ada", clock.now()).await.expect("load");
                let mut second = roster.load::<u32>("ada", clock.now()).await.expect("load");
                first.entries_mut().push(entry(round, until));
                second.entries_mut().clear();
                second.entries_mut().push(entry(round + 100, until));
                save(&roster, &first).await.expect("the first");
                let kind = save(&roster, &second).await.expect_err("the second").kind();
                assert_eq!(kind, ErrorKind::Conflict);
            }
            let mut roll = roster.load::<u32>("ada", clock.now()).await.expect("load");
            roll.entries_mut().clear();
            save(&roster, &roll).await.expect("emptied");
            let late = save(&roster, &roll).await.expect_err("it is gone");
            assert!(matches!(late.kind(), ErrorKind::Gone | ErrorKind::Conflict));
            let name = user_name("ada");
            let check = roster.handle().check(&name, Guard::Absent);
            roster.handle().writes().stage(check).commit().await.expect("no record is left");
        });
    }

    #[test]
    fn no_user_id_shows_or_reaches_another() {
        let names: Vec<String> = ["a", "a:b", "*", "a*", "", "A"].map(user_name).into();
        for (at, name) in names.iter().enumerate() {
            assert_eq!(name.len(), 43);
            assert!(!names[..at].contains(name));
        }
        for (id, kind) in
            [("", ErrorKind::Invalid), ("a\n", ErrorKind::Invalid), (&"x".repeat(257), ErrorKind::TooLarge)]
        {
            assert_eq!(check_user("login", id).expect_err("refused").kind(), kind);
        }
        check_user("login", &"é".repeat(128)).expect("256 bytes");
    }
}
