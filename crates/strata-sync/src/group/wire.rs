//! The bytes of a group's messages, and the ciphers that seal them: [`Instance`], [`Head`].
//!
//! ```text
//! 1 format │ 8 name of the key │ 32 salt of the sender │ 12 nonce │ sealed: 2 length of head │ head │ body │ 16 tag
//! ```
//!
//! Everything before the sealed part is bound to it as additional data. A sender draws its salt when it starts, so no two share a
//! derived key, and its nonces from the generator, so that two copies of one running process do not meet in a nonce either; under 2^32
//! messages each, as SP 800-38D asks of random nonces.

use std::fmt;
use std::sync::Arc;

use ring::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};
use serde::{Deserialize, Serialize};
use strata_core::{Codec, Error, ErrorKind, Random, Result};

use super::PeerId;
use super::key::{GroupKey, NAME_LEN};

/// The format that this program writes and reads.
pub(crate) const FORMAT: u8 = 1;
/// The part before what is sealed.
const PREFIX: usize = 1 + NAME_LEN + 32 + NONCE_LEN;
const TAG_LEN: usize = 16;
/// The longest head, encoded.
const MAX_HEAD: usize = 96;
/// How much longer a sealed message may be than its body.
pub(crate) const OVERHEAD: usize = PREFIX + 2 + MAX_HEAD + TAG_LEN;

/// Names a sender in public.
pub(crate) type Salt = [u8; 32];
/// What nobody can answer who was not there when it was drawn.
pub(crate) type Challenge = [u8; 16];

/// What a message is. Sealed, like its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Head {
    /// Here I am. Says nothing that a replay could abuse.
    Hello,
    /// Prove that you are there now.
    Ask { to: PeerId, challenge: Challenge },
    /// The proof, the last numbers that were used before it, and a question back.
    Answer { to: PeerId, challenge: Challenge, ask: Option<Challenge>, broadcast: u64, direct: u64 },
    /// For everybody.
    Broadcast { number: u64, what: What },
    /// For one, who counts these apart.
    Direct { to: PeerId, number: u64, what: What },
}

/// What a numbered message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum What {
    /// Nothing but its number: shows a gap at the end of a burst, and that the sender lives.
    Beat,
    /// The sender goes.
    Bye,
    /// A body, under a topic.
    Data(u16),
}

/// Why bytes are no message of this group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Another format.
    Version,
    /// Sealed under another key.
    Key,
    /// Cut, altered, or made up by somebody without the key.
    Damaged,
    /// Genuine, yet its content makes no sense.
    Malformed,
}

/// A sender's derived cipher.
pub(crate) struct Cipher {
    salt: Salt,
    aead: LessSafeKey,
}

impl Cipher {
    pub(crate) fn derive(key: &GroupKey, salt: Salt) -> Self {
        Self { salt, aead: key.cipher(&salt) }
    }

    pub(crate) fn salt(&self) -> &Salt {
        &self.salt
    }

    /// What a message of this sender says. Another salt would not be that of the key, and is bound to the message besides.
    pub(crate) fn open(&self, bytes: &[u8]) -> Result<(Head, Vec<u8>), Unreadable> {
        let (prefix, sealed) = bytes.split_at_checked(PREFIX).ok_or(Unreadable::Damaged)?;
        let nonce =
            prefix.last_chunk().copied().map(Nonce::assume_unique_for_key).ok_or(Unreadable::Damaged)?;
        let mut plain = sealed.to_vec();
        let len = self
            .aead
            .open_in_place(nonce, Aad::from(prefix), &mut plain)
            .map_err(|_| Unreadable::Damaged)?
            .len();
        plain.truncate(len);
        parse(plain).ok_or(Unreadable::Malformed)
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cipher({})", PeerId::of(&self.salt))
    }
}

/// The salt of whoever sent this, if it is of our format and key.
pub(crate) fn sender(bytes: &[u8], name: [u8; NAME_LEN]) -> Result<Salt, Unreadable> {
    match bytes.first() {
        Some(&FORMAT) => {}
        Some(_) => return Err(Unreadable::Version),
        None => return Err(Unreadable::Damaged),
    }
    let (key, rest) = bytes[1..].split_first_chunk::<NAME_LEN>().ok_or(Unreadable::Damaged)?;
    if *key != name {
        return Err(Unreadable::Key);
    }
    rest.first_chunk().copied().ok_or(Unreadable::Damaged)
}

fn parse(mut plain: Vec<u8>) -> Option<(Head, Vec<u8>)> {
    let (len, rest) = plain.split_first_chunk::<2>()?;
    let len = usize::from(u16::from_be_bytes(*len));
    let head = Codec::Bincode.decode(rest.get(..len)?).ok()?;
    plain.drain(..2 + len);
    Some((head, plain))
}

/// What this process sends under: a salt drawn for it, and how many messages it sealed.
pub(crate) struct Instance {
    pub(crate) cipher: Cipher,
    name: [u8; NAME_LEN],
    sealed: u64,
    limit: u64,
}

impl Instance {
    /// Under 2^32 messages for a derived key.
    pub(crate) const LIMIT: u64 = u32::MAX as u64;

    pub(crate) fn draw(key: &GroupKey, random: &dyn Random, limit: u64) -> Result<Self> {
        let mut salt = Salt::default();
        random.fill(&mut salt)?;
        let cipher = Cipher::derive(key, salt);
        Ok(Self { cipher, name: key.name(), sealed: 0, limit: limit.min(Self::LIMIT) })
    }

    pub(crate) fn id(&self) -> PeerId {
        PeerId::of(&self.cipher.salt)
    }

    pub(crate) fn name(&self) -> [u8; NAME_LEN] {
        self.name
    }

    /// How many messages it may still seal.
    pub(crate) fn left(&self) -> u64 {
        self.limit - self.sealed
    }

    /// Seals a message.
    pub(crate) fn seal(&mut self, head: &Head, body: &[u8], random: &dyn Random) -> Result<Arc<[u8]>> {
        if self.left() == 0 {
            return Err(unsealed("this sender's key is used up; the group draws another one"));
        }
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce)?;
        let mut bytes = Vec::with_capacity(OVERHEAD + body.len());
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.name);
        bytes.extend_from_slice(&self.cipher.salt);
        bytes.extend_from_slice(&nonce);
        let mut plain = Vec::with_capacity(2 + MAX_HEAD + body.len() + TAG_LEN);
        plain.extend_from_slice(&[0, 0]);
        Codec::Bincode.encode(head, &mut plain, MAX_HEAD)?;
        let len = u16::try_from(plain.len() - 2).expect("a head is at most 96 bytes");
        plain[..2].copy_from_slice(&len.to_be_bytes());
        plain.extend_from_slice(body);
        self.sealed += 1;
        self.cipher
            .aead
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(&bytes), &mut plain)
            .map_err(|_| unsealed("the message is too long for the cipher; send less at once"))?;
        bytes.append(&mut plain);
        Ok(bytes.into())
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance")
            .field("id", &self.id())
            .field("sealed", &self.sealed)
            .finish_non_exhaustive()
    }
}

#[cold]
fn unsealed(why: &str) -> Error {
    Error::new(ErrorKind::Other, "seal group message", why)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use proptest::prelude::*;

    use super::*;

    /// Never gives the same bytes twice, for 255 calls.
    #[derive(Debug, Default)]
    struct Counting(AtomicU8);

    impl Random for Counting {
        fn fill(&self, bytes: &mut [u8]) -> Result<()> {
            bytes.fill(self.0.fetch_add(1, Ordering::SeqCst));
            Ok(())
        }
    }

    fn key() -> GroupKey {
        GroupKey::from_bytes(&std::array::from_fn::<u8, 32, _>(|place| u8::try_from(place).expect("small")))
            .expect("a key")
    }

    fn instance(limit: u64) -> Instance {
        Instance::draw(&key(), &Counting::default(), limit).expect("drawn")
    }

    #[test]
    fn s27_a_key_seals_fewer_than_two_to_the_32() {
        assert_eq!(instance(u64::MAX).left(), (1 << 32) - 1);
        let mut short = instance(1);
        short.seal(&Head::Hello, b"", &Counting::default()).expect("the first");
        assert!(short.seal(&Head::Hello, b"", &Counting::default()).is_err(), "the second");
    }

    /// Sealed by somebody who has the key and means no good, or another version.
    fn genuine(instance: &mut Instance, plain: &[u8]) -> Vec<u8> {
        let nonce = [7; NONCE_LEN];
        let mut bytes = [&[FORMAT][..], &instance.name, instance.cipher.salt(), &nonce].concat();
        let mut sealed = plain.to_vec();
        let aead = &instance.cipher.aead;
        aead.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(&bytes), &mut sealed)
            .expect("sealed");
        bytes.append(&mut sealed);
        bytes
    }

    #[test]
    fn what_is_genuine_and_makes_no_sense_is_told_from_damage() {
        let mut instance = instance(9);
        for plain in [
            &b""[..],
            b"\x00",
            b"\x00\x00",
            b"\x00\x09\x00",
            b"\xff\xff\x00",
            b"\x00\x01\x63",
            b"\x00\x02\x00\x00",
        ] {
            let bytes = genuine(&mut instance, plain);
            assert_eq!(instance.cipher.open(&bytes), Err(Unreadable::Malformed), "{plain:?}");
            assert_eq!(instance.cipher.open(&bytes[..bytes.len() - 1]), Err(Unreadable::Damaged));
        }
    }

    #[test]
    fn the_longest_head_fits() {
        let peer = PeerId([0xff; 16]);
        let head = Head::Answer {
            to: peer,
            challenge: [0xff; 16],
            ask: Some([0xff; 16]),
            broadcast: u64::MAX,
            direct: u64::MAX,
        };
        let mut instance = instance(9);
        let bytes = instance.seal(&head, b"body", &Counting::default()).expect("sealed");
        assert!(bytes.len() <= OVERHEAD + 4);
        assert_eq!(instance.cipher.open(&bytes), Ok((head, b"body".to_vec())));
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_reader_stumble(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut instance = instance(9);
            prop_assert!(instance.cipher.open(&bytes).is_err());
            let _ = sender(&bytes, instance.name());
            let sealed = genuine(&mut instance, &bytes);
            if let Ok((head, body)) = instance.cipher.open(&sealed) {
                let again = instance.seal(&head, &body, &Counting::default()).expect("sealed");
                prop_assert_eq!(instance.cipher.open(&again), Ok((head, body)));
            }
        }
    }
}
