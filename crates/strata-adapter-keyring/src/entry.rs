//! A record as it lies in the keyring: [`Stored`], text that every keyring takes (`KWallet` refuses bytes that are no text).
//!
//! ```text
//! "strata1." ‖ base64 of:
//!   flags 1 ‖ tags 1 ‖ created 8 ‖ updated 8 ‖ version 8 ‖ deadline 8 ‖ idle 8 ‖ cap 8
//!   ‖ (length 1 ‖ text) for each tag ‖ payload, or where it is ‖ CRC-32C 4 over the key's length, the key and all before
//! ```
//!
//! Numbers are little-endian. The sum finds damage and an entry under another key's name. Against a forger it is the keyring
//! that guards.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use strata_core::{Error, ErrorKind, Expiry, Key, Payload, Record, Result, Tag, Tags, Timestamp, Version};
use zeroize::Zeroizing;

use crate::connection::Bytes;
use crate::error::damaged;
use crate::large::Pointer;

/// What entries begin with: the number is the format's.
const TITLE: &str = "strata1.";
/// Bytes before the tags.
const FIXED: usize = 2 + 6 * 8;
/// The checksum.
const SUM: usize = 4;
/// The payload is in the overflow store.
const ELSEWHERE: u8 = 1;

/// A record whose payload is here or elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    /// The record; its payload is empty when it is elsewhere.
    pub(crate) record: Record,
    /// Where the payload is, if not here.
    pub(crate) pointer: Option<Pointer>,
}

/// The longest payload that an entry of `limit` bytes holds, its record without tags.
pub(crate) const fn room(limit: usize) -> usize {
    let text = limit - TITLE.len();
    text / 4 * 3 + text % 4 * 3 / 4 - FIXED - SUM
}

impl Stored {
    /// The entry's text. [`ErrorKind::TooLarge`] if it is longer than `limit` bytes.
    pub(crate) fn encode(&self, key: &Key, limit: usize) -> Result<Bytes> {
        let plain = self.plain(key);
        // Reserved whole, so that no growing leaves a copy behind.
        let mut text = Zeroizing::new(Vec::with_capacity(TITLE.len() + plain.len().div_ceil(3) * 4));
        text.extend_from_slice(TITLE.as_bytes());
        let begin = text.len();
        text.resize(begin + base64::encoded_len(plain.len(), false).unwrap_or(0), 0);
        let written = STANDARD_NO_PAD.encode_slice(&*plain, &mut text[begin..]);
        if written.is_err() || text.len() > limit {
            return Err(Error::new(
                ErrorKind::TooLarge,
                "commit",
                format!(
                    "`{key}` with its tags takes {} bytes in the keyring, at most {limit} are allowed; shorten it, or give an \
                     overflow store",
                    text.len()
                ),
            ));
        }
        Ok(text)
    }

    fn plain(&self, key: &Key) -> Bytes {
        let record = &self.record;
        let body = self.pointer.as_ref().map(Pointer::to_bytes);
        let body: &[u8] = body.as_ref().map_or(record.payload.as_bytes(), |pointer| &pointer[..]);
        let tags: usize = record.tags.iter().map(|tag| 1 + tag.as_str().len()).sum();
        let mut plain = Zeroizing::new(Vec::with_capacity(FIXED + tags + body.len() + SUM));
        // At most 32 tags of at most 128 bytes.
        #[allow(clippy::cast_possible_truncation)]
        plain
            .extend([if self.pointer.is_some() { ELSEWHERE } else { 0 }, record.tags.as_slice().len() as u8]);
        let [deadline, idle, cap] = record.expiry.to_words();
        let (created, updated) = (record.created.as_millis(), record.updated.as_millis());
        for word in [created, updated, record.version.get(), deadline, idle, cap] {
            plain.extend(word.to_le_bytes());
        }
        for tag in &record.tags {
            #[allow(clippy::cast_possible_truncation)]
            plain.push(tag.as_str().len() as u8);
            plain.extend(tag.as_str().as_bytes());
        }
        plain.extend(body);
        let sum = checksum(key, &plain);
        plain.extend(sum.to_le_bytes());
        plain
    }

    /// Reads an entry. [`ErrorKind::Newer`] for one of a later format, [`ErrorKind::Corrupt`] for anything else that this did not write.
    pub(crate) fn decode(key: &Key, text: &[u8]) -> Result<Self> {
        let broken = || damaged(&format!("the entry of `{key}`"), text.len());
        let Some(body) = text.strip_prefix(TITLE.as_bytes()) else {
            return Err(if is_newer(text) { newer(key) } else { broken() });
        };
        let mut plain = Zeroizing::new(vec![0; base64::decoded_len_estimate(body.len())]);
        let len = STANDARD_NO_PAD.decode_slice(body, &mut plain[..]).map_err(|_| broken())?;
        let (bytes, sum) = plain[..len].split_last_chunk::<SUM>().ok_or_else(broken)?;
        if u32::from_le_bytes(*sum) != checksum(key, bytes) {
            return Err(broken());
        }
        parse(bytes).ok_or_else(broken)
    }
}

fn parse(bytes: &[u8]) -> Option<Stored> {
    let (fixed, rest) = bytes.split_at_checked(FIXED)?;
    let word = |index: usize| {
        let at = 2 + index * 8;
        fixed.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes)
    };
    let (tags, body) = read_tags(rest, fixed[1])?;
    let pointer = match fixed[0] {
        0 => None,
        ELSEWHERE => Some(Pointer::from_bytes(body)?),
        _ => return None,
    };
    let record = Record {
        payload: Payload::from(if pointer.is_some() { &[][..] } else { body }),
        version: Version::new(word(2)?),
        created: Timestamp::from_millis(word(0)?),
        updated: Timestamp::from_millis(word(1)?),
        expiry: Expiry::from_words([word(3)?, word(4)?, word(5)?]),
        tags,
    };
    Some(Stored { record, pointer })
}

fn read_tags(mut bytes: &[u8], count: u8) -> Option<(Tags, &[u8])> {
    let mut tags = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let (&len, rest) = bytes.split_first()?;
        let (tag, rest) = rest.split_at_checked(usize::from(len))?;
        tags.push(Tag::new(std::str::from_utf8(tag).ok()?).ok()?);
        bytes = rest;
    }
    Some((Tags::new(tags).ok()?, bytes))
}

fn checksum(key: &Key, bytes: &[u8]) -> u32 {
    let key = key.as_bytes();
    let sum = crc32c::crc32c(&(key.len() as u64).to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c_append(sum, key), bytes)
}

/// Whether the text begins like an entry of a format above this one's.
fn is_newer(text: &[u8]) -> bool {
    let number = text.strip_prefix(b"strata").and_then(|rest| rest.split(|byte| *byte == b'.').next());
    let number = number
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| digits.parse::<u32>().ok());
    number.is_some_and(|number| number > 1)
}

#[cold]
fn newer(key: &Key) -> Error {
    Error::new(
        ErrorKind::Newer,
        "read keyring",
        format!("the entry of `{key}` was written by a newer version of Strata; upgrade this program"),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn key() -> Key {
        Key::new("token:ada").expect("a valid key")
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn sample(payload: &[u8]) -> Stored {
        let record = Record {
            payload: Payload::from(payload),
            version: Version::new(77),
            created: at(1_000),
            updated: at(2_000),
            expiry: Expiry::idle(Duration::from_mins(1), at(2_000)).capped(at(100_000)),
            tags: Tags::new(["user:ada", "device:1"].map(|tag| Tag::new(tag).expect("valid"))).expect("two"),
        };
        Stored { record, pointer: None }
    }

    #[test]
    fn a_record_comes_back_as_it_was_and_is_text() {
        for payload in [&b""[..], b"x", &[0xff; 5_000]] {
            let stored = sample(payload);
            let text = stored.encode(&key(), 10_000).expect("it fits");
            assert!(text.is_ascii() && text.capacity() <= TITLE.len() + (text.len() / 4 + 2) * 4);
            assert_eq!(Stored::decode(&key(), &text).expect("whole").record, stored.record);
        }
    }

    #[test]
    fn s32_every_flipped_bit_of_an_entry_is_seen() {
        let text = sample(b"some value").encode(&key(), 10_000).expect("it fits");
        for index in 0..text.len() {
            for bit in 0..8 {
                let mut flipped = text.to_vec();
                flipped[index] ^= 1 << bit;
                let error = Stored::decode(&key(), &flipped).expect_err("damaged");
                assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Newer), "{error}");
                assert!(!format!("{error:?}").contains("c29tZSB2YWx1Z"), "nothing of it is shown: {error:?}");
            }
            assert_eq!(Stored::decode(&key(), &text[..index]).expect_err("cut").kind(), ErrorKind::Corrupt);
        }
        let other = Key::new("token:eve").expect("a valid key");
        assert_eq!(Stored::decode(&other, &text).expect_err("moved").kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn a_later_format_is_not_taken_for_damage() {
        assert_eq!(Stored::decode(&key(), b"strata2.AAAA").expect_err("newer").kind(), ErrorKind::Newer);
        for foreign in [
            &b"hunter2"[..],
            b"",
            b"strata",
            b"strata.",
            b"stratax.AAAA",
            b"strata0.AAAA",
            b"strata1.",
            b"strata1.A",
        ] {
            assert_eq!(Stored::decode(&key(), foreign).expect_err("foreign").kind(), ErrorKind::Corrupt);
        }
    }

    #[test]
    fn the_room_is_what_just_fits() {
        assert!(room(usize::MAX) > usize::MAX / 2, "no limit is no overflow");
        for limit in [1536, 2560, 2561, 2562, 2563] {
            let bare = |len| {
                let mut stored = sample(&vec![7; len]);
                stored.record.tags = Tags::none();
                stored.encode(&key(), limit)
            };
            assert!(bare(room(limit)).is_ok());
            assert_eq!(bare(room(limit) + 1).expect_err("one too many").kind(), ErrorKind::TooLarge);
        }
    }
}
