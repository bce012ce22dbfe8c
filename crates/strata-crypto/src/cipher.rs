//! One epoch's cipher, AES-256-GCM (SP 800-38D): [`EpochCipher`]. Seals and opens under a nonce it is given.

use ring::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce, Tag};
use strata_core::KeyId;

use crate::derive::{EpochId, epoch_cipher};
use crate::master::MasterKey;

/// How much longer than its body a sealed one is.
pub(crate) const TAG_LEN: usize = 16;
/// Header, room and a key of up to 80 bytes.
const SHORT: usize = 128;
/// Header, room and the longest key.
const LONG: usize = 640;

/// A derived key and its name.
pub(crate) struct EpochCipher {
    pub(crate) key: KeyId,
    pub(crate) epoch: EpochId,
    aead: LessSafeKey,
}

impl EpochCipher {
    /// Derives it: 0.8 µs, so once per epoch, never per record.
    pub(crate) fn derive(key: KeyId, master: &MasterKey, epoch: EpochId) -> Self {
        Self { key, epoch, aead: epoch_cipher(master, &epoch) }
    }

    /// Whether it is the one that `key` and `epoch` name.
    #[inline]
    pub(crate) fn is(&self, key: KeyId, epoch: &EpochId) -> bool {
        self.key == key && self.epoch == *epoch
    }

    /// Seals `body` in place, bound to `prefix` and `name`, and gives the tag. `None` past 64 GiB.
    #[inline]
    pub(crate) fn seal(
        &self,
        nonce: [u8; NONCE_LEN],
        prefix: &[u8],
        name: &[u8],
        body: &mut [u8],
    ) -> Option<Tag> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        with_aad(prefix, name, |aad| self.aead.seal_in_place_separate_tag(nonce, Aad::from(aad), body).ok())
    }

    /// Opens `sealed`, body and tag, in place and gives the body's length. `None` when anything was changed.
    #[inline]
    pub(crate) fn open(
        &self,
        nonce: [u8; NONCE_LEN],
        prefix: &[u8],
        name: &[u8],
        sealed: &mut [u8],
    ) -> Option<usize> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        with_aad(prefix, name, |aad| {
            self.aead.open_in_place(nonce, Aad::from(aad), sealed).ok().map(|body| body.len())
        })
    }
}

/// Runs `run` over `prefix ‖ name`. The prefix's length is fixed by its own bytes, so no two pairs give one text.
#[inline]
fn with_aad<R>(prefix: &[u8], name: &[u8], run: impl FnOnce(&[u8]) -> R) -> R {
    let len = prefix.len() + name.len();
    if len <= SHORT {
        run(joined(&mut [0; SHORT], prefix, name))
    } else if len <= LONG {
        run(joined(&mut [0; LONG], prefix, name))
    } else {
        run(&[prefix, name].concat())
    }
}

#[inline]
fn joined<'b>(buffer: &'b mut [u8], prefix: &[u8], name: &[u8]) -> &'b [u8] {
    let len = prefix.len() + name.len();
    buffer[..prefix.len()].copy_from_slice(prefix);
    buffer[prefix.len()..len].copy_from_slice(name);
    &buffer[..len]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_length_are_bound() {
        let master = MasterKey::new(&std::array::from_fn(|index| u8::try_from(index).expect("small")));
        let cipher = EpochCipher::derive(KeyId::new(1), &master.expect("key"), [3; 16]);
        for len in [1, 127, 128, 129, 512, 640, 641, 700] {
            let name = vec![b'n'; len];
            let mut sealed = b"body".to_vec();
            let tag = cipher.seal([0; 12], b"", &name, &mut sealed).expect("seal");
            sealed.extend_from_slice(tag.as_ref());
            let mut opened = sealed.clone();
            assert_eq!(cipher.open([0; 12], b"", &name, &mut opened), Some(4));
            assert_eq!(&opened[..4], b"body");
            let mut other = name.clone();
            other[len - 1] = b'm';
            assert_eq!(cipher.open([0; 12], b"", &other, &mut sealed), None, "another name of {len} bytes");
        }
    }
}
