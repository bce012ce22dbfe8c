//! Values that no entry holds: sealed in another store under a key of their own, which only the entry has: [`Overflow`],
//! [`Pointer`].
//!
//! A key seals one blob and is drawn for it, so no nonce can repeat under it and its tag is the blob's digest. Bound to it are the
//! blob's name, drawn at random, and the record's key. (Not the version: a change of expiry gives a record a new one and leaves
//! its value alone.)
//!
//! The new blob is written first, the entry second, the old blob removed last. A crash in between leaves a blob that nobody can
//! open. The next large value of the same key removes it, where the other store can be walked and belongs to this process; elsewhere
//! it stays, for it could be another process's that has not written its entry yet.

use std::sync::Arc;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use strata_core::{
    Batch, Durability, Error, ErrorKind, Expiry, Guard, GuardScope, Keep, Key, KeyPrefix, Listing, Op,
    Payload, Result, Scan, Select, Store, Tags, Timestamp, Write,
};
use zeroize::Zeroizing;

use crate::error::damaged;
use crate::name;

/// What a sealed blob is longer by.
pub(crate) const OVERHEAD: usize = 1 + NONCE_LEN + 16;
/// The format, the first byte of a blob. Not one that an envelope begins with.
const FORMAT: u8 = 0xb1;
const KEY: usize = 32;
const NAME: usize = 16;
/// What blobs are bound to, before their names.
const CONTEXT: &[u8] = b"strata keyring overflow v1";

/// Where a payload is and how to open it. Wiped when dropped, never printed.
#[derive(Clone)]
pub(crate) struct Pointer {
    key: Zeroizing<[u8; KEY]>,
    name: [u8; NAME],
    len: u32,
}

impl Pointer {
    /// Its bytes: key, name, length.
    pub(crate) fn to_bytes(&self) -> Zeroizing<[u8; KEY + NAME + 4]> {
        let mut bytes = Zeroizing::new([0; KEY + NAME + 4]);
        bytes[..KEY].copy_from_slice(&*self.key);
        bytes[KEY..KEY + NAME].copy_from_slice(&self.name);
        bytes[KEY + NAME..].copy_from_slice(&self.len.to_le_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (key, rest) = bytes.split_first_chunk::<KEY>()?;
        let (name, len) = rest.split_first_chunk::<NAME>()?;
        Some(Self { key: Zeroizing::new(*key), name: *name, len: u32::from_le_bytes(len.try_into().ok()?) })
    }

    fn draw(len: usize) -> Result<Self> {
        let mut pointer = Self {
            key: Zeroizing::new([0; KEY]),
            name: [0; NAME],
            len: u32::try_from(len).map_err(|_| too_long(len))?,
        };
        fill(&mut *pointer.key)?;
        fill(&mut pointer.name)?;
        Ok(pointer)
    }

    fn cipher(&self) -> Result<LessSafeKey> {
        let key = UnboundKey::new(&AES_256_GCM, &*self.key);
        key.map(LessSafeKey::new).map_err(|_| damaged("the key of a large value", KEY))
    }

    /// `FORMAT ‖ nonce ‖ sealed`.
    fn seal(&self, key: &Key, payload: &Payload) -> Result<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        fill(&mut nonce)?;
        let mut blob = Vec::with_capacity(payload.len() + OVERHEAD);
        blob.push(FORMAT);
        blob.extend(nonce);
        blob.extend(payload.as_bytes());
        let (_, body) = blob.split_at_mut(1 + NONCE_LEN);
        let aad = self.bound_to(key);
        let tag = self.cipher()?.seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(&aad),
            body,
        );
        blob.extend(tag.map_err(|_| too_long(payload.len()))?.as_ref());
        Ok(blob)
    }

    fn open(&self, key: &Key, blob: &[u8]) -> Result<Payload> {
        let broken = || damaged(&format!("the value of `{key}` in the overflow store"), blob.len());
        let (nonce, sealed) = blob
            .strip_prefix(&[FORMAT])
            .and_then(<[u8]>::split_first_chunk::<NONCE_LEN>)
            .ok_or_else(broken)?;
        let mut body = Zeroizing::new(sealed.to_vec());
        let aad = self.bound_to(key);
        let opened =
            self.cipher()?.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(&aad), &mut body);
        let opened = opened.map_err(|_| broken())?;
        if opened.len() != self.len as usize {
            return Err(broken());
        }
        Ok(Payload::from(&*opened))
    }

    fn bound_to(&self, key: &Key) -> Vec<u8> {
        [CONTEXT, &self.name, key.as_bytes()].concat()
    }
}

impl std::fmt::Debug for Pointer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pointer({} bytes)", self.len)
    }
}

/// The other store, as the values of one service see it.
#[derive(Clone, Debug)]
pub(crate) struct Overflow {
    store: Arc<dyn Store>,
    service: String,
}

impl Overflow {
    pub(crate) fn new(store: Arc<dyn Store>, service: &str) -> Self {
        Self { store, service: service.to_owned() }
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The longest payload.
    pub(crate) fn room(&self) -> usize {
        self.store.capabilities().max_payload.saturating_sub(OVERHEAD).min(u32::MAX as usize)
    }

    /// Seals a payload into the store, under a fresh name.
    pub(crate) async fn put(
        &self,
        key: &Key,
        payload: &Payload,
        now: Timestamp,
        durability: Durability,
    ) -> Result<Pointer> {
        let pointer = Pointer::draw(payload.len())?;
        let write = Write::Put {
            payload: Payload::from(pointer.seal(key, payload)?),
            // It ends with its entry: a sweeper must not be ahead of that.
            expiry: Keep::Set(Expiry::NEVER),
            tags: Keep::Set(Tags::none()),
        };
        let op = Op { key: self.name(key, &pointer)?, guard: Guard::Absent, write };
        self.store.commit(Batch::one(now, durability, op)).await?;
        Ok(pointer)
    }

    /// The payload. `None` when the blob is not there, as when it has just been replaced.
    pub(crate) async fn get(&self, key: &Key, pointer: &Pointer) -> Result<Option<Payload>> {
        let record = self.store.get(&self.name(key, pointer)?).await?;
        record.map(|record| pointer.open(key, record.payload.as_bytes())).transpose()
    }

    /// Removes a blob that no entry names any more.
    pub(crate) async fn remove(&self, key: &Key, pointer: &Pointer, now: Timestamp) -> Result<()> {
        self.remove_named(self.name(key, pointer)?, now).await
    }

    /// Removes the blobs of `key` that a crash has left, all but `kept`. The caller holds the long turn.
    pub(crate) async fn tidy(&self, key: &Key, kept: &Pointer, now: Timestamp) -> Result<()> {
        let capabilities = self.store.capabilities();
        if capabilities.listing == Listing::None || capabilities.guards != GuardScope::Process {
            return Ok(());
        }
        let kept = self.name(key, kept)?;
        let mut scan = Scan::new(Select::Prefix(KeyPrefix::new(&self.prefix(key))?), 64);
        loop {
            let page = self.store.scan(scan.clone()).await?;
            for (name, _) in page.entries.iter().filter(|(name, _)| *name != kept) {
                self.remove_named(name.clone(), now).await?;
            }
            match page.next {
                Some(next) => scan.after = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn remove_named(&self, name: Key, now: Timestamp) -> Result<()> {
        let durability = Durability::Relaxed.min(self.store.capabilities().durability);
        let op = Op { key: name, guard: Guard::Any, write: Write::Remove };
        self.store.commit(Batch::one(now, durability, op)).await.map(drop)
    }

    /// A name of the store's own, so that no caller of that store meets it: hashes, and nothing of the record's key.
    fn name(&self, key: &Key, pointer: &Pointer) -> Result<Key> {
        let blob = pointer.name.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        Key::system(&format!("{}{blob}", self.of_key(key)))
    }

    fn prefix(&self, key: &Key) -> String {
        format!("{}{}", Key::SYSTEM_PREFIX, self.of_key(key))
    }

    fn of_key(&self, key: &Key) -> String {
        format!("keyring:{}:", name::hash(&[self.service.as_bytes(), key.as_bytes()]))
    }
}

fn fill(bytes: &mut [u8]) -> Result<()> {
    SystemRandom::new().fill(bytes).map_err(|_| no_random())
}

/// The system's generator failed.
#[cold]
pub(crate) fn no_random() -> Error {
    Error::new(ErrorKind::Unavailable, "draw random bytes", "the system's generator gave nothing; retry")
}

#[cold]
fn too_long(len: usize) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        "commit",
        format!("{len} bytes are more than one value can have; split it"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s32_a_blob_opens_only_whole_and_under_its_own_names() {
        let key = Key::new("token:ada").expect("a valid key");
        let pointer = Pointer::draw(10).expect("random");
        let blob = pointer.seal(&key, &Payload::from(&b"some value"[..])).expect("seal");
        assert_eq!(blob.len(), 10 + OVERHEAD);
        assert_eq!(pointer.open(&key, &blob).expect("whole").as_bytes(), b"some value");
        for index in 0..blob.len() {
            let mut flipped = blob.clone();
            flipped[index] ^= 1;
            assert_eq!(pointer.open(&key, &flipped).expect_err("flipped").kind(), ErrorKind::Corrupt);
            assert!(pointer.open(&key, &blob[..index]).is_err(), "cut at {index}");
        }
        assert!(pointer.open(&Key::new("token:eve").expect("a valid key"), &blob).is_err());
        let renamed = Pointer { name: [0; NAME], ..pointer.clone() };
        assert!(renamed.open(&key, &blob).is_err());
        let shorter = Pointer { len: 9, ..pointer };
        assert!(shorter.open(&key, &blob).is_err());
    }

    #[test]
    fn s31_pointers_survive_their_bytes_and_show_nothing() {
        let pointer = Pointer::draw(7).expect("random");
        let back = Pointer::from_bytes(&*pointer.to_bytes()).expect("whole");
        assert!(*back.key == *pointer.key && back.name == pointer.name && back.len == 7);
        assert_eq!(format!("{pointer:?}"), "Pointer(7 bytes)");
        assert!(Pointer::from_bytes(&pointer.to_bytes()[1..]).is_none());
        assert!(*Pointer::draw(7).expect("random").key != *pointer.key, "each has a key of its own");
    }
}
