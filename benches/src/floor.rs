//! What the parts cost without Strata: a sharded map, a copy, `ring`, bincode. Written by hand, as fast as they go.

use std::sync::atomic::{AtomicU64, Ordering};

use ahash::RandomState;
use dashmap::DashMap;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::record::Record;

/// Sealed records in a map: nonce, ciphertext, tag.
pub struct Floor {
    map: DashMap<String, Box<[u8]>, RandomState>,
    key: LessSafeKey,
    counter: AtomicU64,
}

impl std::fmt::Debug for Floor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Floor").field("records", &self.map.len()).finish_non_exhaustive()
    }
}

const CONFIG: bincode::config::Configuration = bincode::config::standard();

impl Default for Floor {
    fn default() -> Self {
        let key = UnboundKey::new(&AES_256_GCM, &[7; 32]).expect("32 bytes");
        Self {
            map: DashMap::with_hasher(RandomState::new()),
            key: LessSafeKey::new(key),
            counter: AtomicU64::new(0),
        }
    }
}

impl Floor {
    /// Encode, seal, one allocation, insert.
    pub fn save(&self, id: &str, record: &Record, scratch: &mut Vec<u8>) {
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
        let sealed: Box<[u8]> = scratch.as_slice().into();
        match self.map.get_mut(id) {
            Some(mut slot) => *slot = sealed,
            None => drop(self.map.insert(id.to_owned(), sealed)),
        }
    }

    /// Get, copy, open. The plaintext is in `scratch`.
    pub fn view<'s>(&self, id: &str, scratch: &'s mut Vec<u8>) -> &'s [u8] {
        scratch.clear();
        let sealed = self.map.get(id).expect("there");
        scratch.extend_from_slice(&sealed);
        drop(sealed);
        let (nonce, body) = scratch.split_at_mut(12);
        let nonce = Nonce::try_assume_unique_for_key(nonce).expect("12 bytes");
        self.key.open_in_place(nonce, Aad::from(id.as_bytes()), body).expect("opens")
    }

    /// Get, copy, open, decode.
    pub fn load(&self, id: &str, scratch: &mut Vec<u8>) -> Record {
        bincode::serde::decode_from_slice(self.view(id, scratch), CONFIG).expect("decodes").0
    }
}
