//! Keys by id, one of them primary: [`Keyset`], [`KeyInfo`]. As text: see [`Keyset::to_text`].

use std::fmt;
use std::sync::Arc;

use strata_core::{Error, ErrorKind, KeyId, Random, Result, Timestamp};

use crate::master::{CheckValue, MasterKey};
use crate::random::draw;

/// The keys a store's records are sealed under. New records are sealed under the primary; any of them opens.
///
/// A rotation is: [`add`](Keyset::add) a key, [`promote`](Keyset::promote) it, reseal what is under the old one, then
/// [`remove`](Keyset::remove) that (ASVS 11.2.2). On an open store, [`StoreKeys`](crate::StoreKeys) does each step durably.
#[derive(Clone)]
pub struct Keyset {
    keys: Vec<Entry>,
    primary: KeyId,
}

/// A key of a keyset. Keys are shared, so a copy of a keyset copies no secret.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) id: KeyId,
    pub(crate) created: Timestamp,
    pub(crate) check: CheckValue,
    pub(crate) master: Arc<MasterKey>,
}

/// What may be shown of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its name, written into every record sealed under it.
    pub id: KeyId,
    /// What tells it from another key of the same name.
    pub check: CheckValue,
    /// When it was drawn or first given.
    pub created: Timestamp,
    /// Whether new records are sealed under it.
    pub primary: bool,
}

impl Keyset {
    /// The most keys one keyset can have.
    pub const MAX_KEYS: usize = 64;

    /// A keyset of one fresh key.
    pub fn generate(random: &dyn Random, now: Timestamp) -> Result<Self> {
        let id = draw_id(random)?;
        Ok(Self::of(id, MasterKey::generate(random)?, now))
    }

    /// A keyset of one key that is there already.
    pub fn of(id: KeyId, master: MasterKey, created: Timestamp) -> Self {
        Self { keys: vec![Entry::new(id, master, created)], primary: id }
    }

    /// Adds a fresh key and gives its id. It opens records at once and seals none before it is promoted, so that every
    /// process can learn it first. A 65th key is [`ErrorKind::Full`].
    pub fn add(&mut self, random: &dyn Random, now: Timestamp) -> Result<KeyId> {
        let mut id = draw_id(random)?;
        while self.contains(id) {
            id = draw_id(random)?;
        }
        self.insert(id, MasterKey::generate(random)?, now)?;
        Ok(id)
    }

    /// Adds a key that is there already. Another key of this id is [`ErrorKind::Invalid`]; the same key changes nothing.
    pub fn insert(&mut self, id: KeyId, master: MasterKey, created: Timestamp) -> Result<()> {
        if let Some(entry) = self.entry(id) {
            return if *entry.master == master { Ok(()) } else { Err(taken(id)) };
        }
        if self.keys.len() == Self::MAX_KEYS {
            return Err(Error::new(
                ErrorKind::Full,
                "add key",
                format!("the keyset has {} keys already; rekey and retire old ones first", Self::MAX_KEYS),
            ));
        }
        self.keys.push(Entry::new(id, master, created));
        Ok(())
    }

    /// Seals new records under `id` from now on. An unknown id is [`ErrorKind::MissingKey`].
    pub fn promote(&mut self, id: KeyId) -> Result<()> {
        self.find(id, "promote key")?;
        self.primary = id;
        Ok(())
    }

    /// Takes `id` out of the keyset; its bytes are wiped once nobody uses them. What is still sealed under it can't be read
    /// any more. The primary is refused.
    pub fn remove(&mut self, id: KeyId) -> Result<()> {
        self.find(id, "remove key")?;
        if id == self.primary {
            return Err(Error::new(
                ErrorKind::Invalid,
                "remove key",
                format!("key {id} is the primary one; promote another key first"),
            ));
        }
        self.keys.retain(|entry| entry.id != id);
        Ok(())
    }

    /// The id that new records are sealed under.
    pub fn primary(&self) -> KeyId {
        self.primary
    }

    /// Whether the keyset has a key of this id.
    pub fn contains(&self, id: KeyId) -> bool {
        self.entry(id).is_some()
    }

    /// The keys in the order they were added.
    pub fn list(&self) -> Vec<KeyInfo> {
        let info = |entry: &Entry| KeyInfo {
            id: entry.id,
            check: entry.check,
            created: entry.created,
            primary: entry.id == self.primary,
        };
        self.keys.iter().map(info).collect()
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.keys
    }

    /// The key of this id, if it is here.
    #[inline]
    pub(crate) fn entry(&self, id: KeyId) -> Option<&Entry> {
        self.keys.iter().find(|entry| entry.id == id)
    }

    /// The key of this id, or [`ErrorKind::MissingKey`].
    #[inline]
    pub(crate) fn find(&self, id: KeyId, operation: &'static str) -> Result<&Entry> {
        self.entry(id).ok_or_else(|| missing(id, operation))
    }
}

impl Entry {
    fn new(id: KeyId, master: MasterKey, created: Timestamp) -> Self {
        Self { id, created, check: master.check(), master: Arc::new(master) }
    }
}

impl fmt::Debug for Keyset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list()).finish()
    }
}

fn draw_id(random: &dyn Random) -> Result<KeyId> {
    draw(random).map(|bytes| KeyId::new(u32::from_le_bytes(bytes)))
}

#[cold]
pub(crate) fn missing(id: KeyId, operation: &'static str) -> Error {
    Error::new(
        ErrorKind::MissingKey,
        operation,
        format!("key {id} is not in the keyset that was given; add it, or restore it from where it was kept"),
    )
}

#[cold]
fn taken(id: KeyId) -> Error {
    Error::new(
        ErrorKind::Invalid,
        "add key",
        format!("another key is called {id} already; give this one another id"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemRandom;

    const NOW: Timestamp = Timestamp::EPOCH;

    fn keyset() -> (SystemRandom, Keyset) {
        let random = SystemRandom::new();
        let keyset = Keyset::generate(&random, NOW).expect("keyset");
        (random, keyset)
    }

    #[test]
    fn s28_a_key_is_added_then_promoted_then_the_old_one_removed() {
        let (random, mut keyset) = keyset();
        let old = keyset.primary();
        let new = keyset.add(&random, NOW).expect("add");
        assert_eq!(keyset.primary(), old, "a new key seals nothing before it is promoted");
        assert_eq!(keyset.remove(old).expect_err("primary").kind(), ErrorKind::Invalid);
        keyset.promote(new).expect("promote");
        keyset.remove(old).expect("remove");
        assert_eq!(keyset.list().iter().map(|key| (key.id, key.primary)).collect::<Vec<_>>(), [(new, true)]);
        for gone in [keyset.promote(old), keyset.remove(old)] {
            assert_eq!(gone.expect_err("gone").kind(), ErrorKind::MissingKey);
        }
    }

    #[test]
    fn two_keys_never_share_an_id() {
        let (random, mut keyset) = keyset();
        let same = (*keyset.entries()[0].master).clone();
        keyset.insert(keyset.primary(), same, NOW).expect("the same key again");
        let other = MasterKey::generate(&random).expect("key");
        assert_eq!(
            keyset.insert(keyset.primary(), other, NOW).expect_err("taken").kind(),
            ErrorKind::Invalid
        );
        assert_eq!(keyset.list().len(), 1);
    }

    #[test]
    fn a_keyset_is_bounded() {
        let (random, mut keyset) = keyset();
        for _ in 1..Keyset::MAX_KEYS {
            keyset.add(&random, NOW).expect("room");
        }
        assert_eq!(keyset.add(&random, NOW).expect_err("full").kind(), ErrorKind::Full);
    }
}
