//! What the parts cost without Strata: a sharded map or sled, a copy, `ring`, bincode. Written by hand, as fast as they go.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use ahash::RandomState;
use dashmap::DashMap;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::record::Record;

const CONFIG: bincode::config::Configuration = bincode::config::standard();

/// Encodes and seals: nonce, ciphertext, tag.
pub struct Cipher {
    key: LessSafeKey,
    counter: AtomicU64,
}

impl Default for Cipher {
    fn default() -> Self {
        let key = UnboundKey::new(&AES_256_GCM, &[7; 32]).expect("32 bytes");
        Self { key: LessSafeKey::new(key), counter: AtomicU64::new(0) }
    }
}

impl Cipher {
    /// Encodes and seals into `scratch`.
    pub fn seal(&self, id: &str, record: &Record, scratch: &mut Vec<u8>) {
        scratch.clear();
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&self.counter.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        scratch.extend_from_slice(&nonce);
        bincode::serde::encode_into_std_write(record, scratch, CONFIG).expect("encodes");
        let tag = self
            .key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(id.as_bytes()),
                &mut scratch[12..],
            )
            .expect("seals");
        scratch.extend_from_slice(tag.as_ref());
    }

    /// Opens what is in `scratch`.
    pub fn open<'s>(&self, id: &str, scratch: &'s mut [u8]) -> &'s [u8] {
        let (nonce, body) = scratch.split_at_mut(12);
        let nonce = Nonce::try_assume_unique_for_key(nonce).expect("12 bytes");
        self.key.open_in_place(nonce, Aad::from(id.as_bytes()), body).expect("opens")
    }

    fn load(&self, id: &str, scratch: &mut [u8]) -> Record {
        bincode::serde::decode_from_slice(self.open(id, scratch), CONFIG).expect("decodes").0
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher")
    }
}

/// Sealed records in a map.
#[derive(Debug, Default)]
pub struct Floor {
    map: DashMap<String, Box<[u8]>, RandomState>,
    cipher: Cipher,
}

impl Floor {
    /// Encode, seal, one allocation, insert.
    pub fn save(&self, id: &str, record: &Record, scratch: &mut Vec<u8>) {
        self.cipher.seal(id, record, scratch);
        let sealed: Box<[u8]> = scratch.as_slice().into();
        match self.map.get_mut(id) {
            Some(mut slot) => *slot = sealed,
            None => drop(self.map.insert(id.to_owned(), sealed)),
        }
    }

    /// Get, copy, open. The plaintext is in `scratch`.
    pub fn view<'s>(&self, id: &str, scratch: &'s mut Vec<u8>) -> &'s [u8] {
        self.copy(id, scratch);
        self.cipher.open(id, scratch)
    }

    /// Get, copy, open, decode.
    pub fn load(&self, id: &str, scratch: &mut Vec<u8>) -> Record {
        self.copy(id, scratch);
        self.cipher.load(id, scratch)
    }

    fn copy(&self, id: &str, scratch: &mut Vec<u8>) {
        scratch.clear();
        scratch.extend_from_slice(&self.map.get(id).expect("there"));
    }
}

/// Sealed records in sled.
#[derive(Debug)]
pub struct SledFloor {
    /// The engine itself.
    pub db: sled::Db,
    cipher: Cipher,
}

impl SledFloor {
    /// Over an open database.
    pub fn new(db: sled::Db) -> Self {
        Self { db, cipher: Cipher::default() }
    }

    /// Encode, seal, insert.
    pub fn save(&self, id: &str, record: &Record, scratch: &mut Vec<u8>) {
        self.cipher.seal(id, record, scratch);
        self.db.insert(id, scratch.as_slice()).expect("inserts");
    }

    /// Get, copy, open, decode.
    pub fn load(&self, id: &str, scratch: &mut Vec<u8>) -> Record {
        scratch.clear();
        scratch.extend_from_slice(&self.db.get(id).expect("gets").expect("there"));
        self.cipher.load(id, scratch)
    }
}
