//! A record as it lies in the tree: [`Stored`], its bytes and its checksums.
//!
//! The header's checksum covers the key, all metadata, and the payload's own checksum; so a slide, which touches only
//! the header, needs no look at a large payload, and still no byte is left uncovered.

use sled::IVec;
use strata_core::{Expiry, Key, Payload, Record, Result, Tag, Tags, Timestamp, Version};

use crate::error::damaged;
use crate::format::{FORMAT, MAX_ENTRY, UNFILED};

/// Bytes before the tags.
const FIXED: usize = 68;
const DEADLINE: usize = 36;
const FILED: usize = 60;
const CHUNKED: u8 = 1;

/// The parts a large payload is kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunks {
    /// The version they were written with, part of their names.
    pub(crate) version: u64,
    /// How many there are.
    pub(crate) count: u32,
}

/// A stored record, its header read and verified, its payload not yet.
#[derive(Debug)]
pub(crate) struct Stored {
    raw: IVec,
    body: usize,
    tags: Tags,
}

impl Stored {
    /// Reads a record's header. Damage is an error; nothing read from damaged bytes comes out.
    pub(crate) fn parse(key: &[u8], raw: IVec) -> Result<Self> {
        // A newer format is told by the store's header; here another number is damage.
        if raw.first() != Some(&FORMAT) {
            return Err(damaged_record(key));
        }
        let (end, body) = header_end(&raw).ok_or_else(|| damaged_record(key))?;
        let stated = u32::from_le_bytes(raw[end..body].try_into().map_err(|_| damaged_record(key))?);
        if stated != header_sum(key, &raw[..end]) || raw[1] & !CHUNKED != 0 {
            return Err(damaged_record(key));
        }
        let tags = read_tags(&raw[FIXED..end], raw[2]).ok_or_else(|| damaged_record(key))?;
        Ok(Self { raw, body, tags })
    }

    /// The bytes of a new record, and whether its payload has to be kept in chunks beside it.
    pub(crate) fn encode(key: &[u8], record: &Record, filed: u64) -> (Vec<u8>, bool) {
        let payload = record.payload.as_bytes();
        let tags: usize = record.tags.iter().map(|tag| 1 + tag.as_str().len()).sum();
        let chunked = FIXED + tags + 4 + payload.len() > MAX_ENTRY;
        let mut bytes = Vec::with_capacity(FIXED + tags + 4 + if chunked { 0 } else { payload.len() });
        // At most 32 tags of at most 128 bytes, and payloads of at most 16 MiB.
        #[allow(clippy::cast_possible_truncation)]
        {
            bytes.extend([FORMAT, u8::from(chunked), record.tags.as_slice().len() as u8, 0]);
            bytes.extend((payload.len() as u32).to_le_bytes());
            bytes.extend(crc32c::crc32c(payload).to_le_bytes());
            let [deadline, idle, not_after] = record.expiry.to_words();
            let (created, updated) = (record.created.as_millis(), record.updated.as_millis());
            for word in [record.version.get(), created, updated, deadline, idle, not_after, filed] {
                bytes.extend(word.to_le_bytes());
            }
            for tag in &record.tags {
                bytes.push(tag.as_str().len() as u8);
                bytes.extend(tag.as_str().as_bytes());
            }
        }
        bytes.extend(header_sum(key, &bytes).to_le_bytes());
        if !chunked {
            bytes.extend(payload);
        }
        (bytes, chunked)
    }

    /// The bytes of this record with another deadline and filing instant.
    pub(crate) fn slid(&self, key: &[u8], expiry: Expiry, filed: u64) -> Vec<u8> {
        let mut bytes = self.raw.to_vec();
        bytes[DEADLINE..DEADLINE + 8].copy_from_slice(&expiry.to_words()[0].to_le_bytes());
        bytes[FILED..FILED + 8].copy_from_slice(&filed.to_le_bytes());
        let end = self.body - 4;
        let sum = header_sum(key, &bytes[..end]);
        bytes[end..self.body].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// The payload, if it lies beside the header, verified.
    pub(crate) fn inline_payload(&self, key: &[u8]) -> Result<&[u8]> {
        let payload = &self.raw[self.body..];
        self.verify_payload(key, payload)?;
        Ok(payload)
    }

    /// Whether `payload` is what was stored.
    pub(crate) fn verify_payload(&self, key: &[u8], payload: &[u8]) -> Result<()> {
        let whole = payload.len() == self.payload_len() && crc32c::crc32c(payload) == self.u32(8);
        if whole { Ok(()) } else { Err(damaged_record(key)) }
    }

    /// The record with this payload.
    pub(crate) fn record(&self, payload: Payload) -> Record {
        Record {
            payload,
            version: self.version(),
            created: Timestamp::from_millis(self.u64(20)),
            updated: Timestamp::from_millis(self.u64(28)),
            expiry: self.expiry(),
            tags: self.tags.clone(),
        }
    }

    /// The payload's length, in bytes.
    pub(crate) fn payload_len(&self) -> usize {
        // Lengths are at most 16 MiB.
        self.u32(4) as usize
    }

    /// Where the payload is, if not beside the header.
    pub(crate) fn chunks(&self) -> Option<Chunks> {
        let chunked = self.raw[1] & CHUNKED != 0;
        chunked.then(|| Chunks { version: self.version().get(), count: chunk_count(self.payload_len()) })
    }

    /// Its version.
    pub(crate) fn version(&self) -> Version {
        Version::new(self.u64(12))
    }

    /// Its expiry.
    pub(crate) fn expiry(&self) -> Expiry {
        Expiry::from_words([self.u64(DEADLINE), self.u64(44), self.u64(52)])
    }

    /// The instant it is filed under in the due index: at or before its deadline, or [`UNFILED`].
    pub(crate) fn filed(&self) -> u64 {
        self.u64(FILED)
    }

    /// Its tags.
    pub(crate) fn tags(&self) -> &Tags {
        &self.tags
    }

    fn u64(&self, at: usize) -> u64 {
        let mut word = [0; 8];
        // `parse` has seen all of the fixed part.
        word.copy_from_slice(&self.raw[at..at + 8]);
        u64::from_le_bytes(word)
    }

    fn u32(&self, at: usize) -> u32 {
        let mut word = [0; 4];
        word.copy_from_slice(&self.raw[at..at + 4]);
        u32::from_le_bytes(word)
    }
}

/// How many chunks a payload of `len` bytes takes.
pub(crate) fn chunk_count(len: usize) -> u32 {
    // At most 16 MiB over 6,000.
    u32::try_from(len.div_ceil(MAX_ENTRY)).unwrap_or(u32::MAX)
}

/// The instant to file a record under, given how it was filed before.
///
/// An entry may be early, never late, so a deadline that moved later needs no change of the index. It is filed anew
/// once the entry has less than half of the remaining life ahead: so the entry of a record in use stays ahead of the
/// sweeper, which meets none but those of records that are no longer used.
pub(crate) fn file_under(before: Option<&Stored>, expiry: Expiry, now: Timestamp) -> u64 {
    let Some(deadline) = expiry.deadline().map(Timestamp::as_millis) else { return UNFILED };
    let Some(before) = before else { return deadline };
    let filed = before.filed();
    let same = before.expiry().deadline().is_some_and(|before| before.as_millis() == deadline);
    let ahead = filed.saturating_sub(now.as_millis());
    let left = deadline.saturating_sub(now.as_millis());
    if filed <= deadline && (same || ahead >= left.div_ceil(2)) { filed } else { deadline }
}

fn header_end(raw: &[u8]) -> Option<(usize, usize)> {
    let mut at = FIXED;
    for _ in 0..*raw.get(2)? {
        at += 1 + usize::from(*raw.get(at)?);
    }
    (raw.len() >= at + 4).then_some((at, at + 4))
}

fn read_tags(mut bytes: &[u8], count: u8) -> Option<Tags> {
    if count == 0 {
        return Some(Tags::none());
    }
    let mut tags = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let (&len, rest) = bytes.split_first()?;
        let (tag, rest) = rest.split_at_checked(usize::from(len))?;
        tags.push(Tag::new(std::str::from_utf8(tag).ok()?).ok()?);
        bytes = rest;
    }
    Tags::new(tags).ok()
}

fn header_sum(key: &[u8], header: &[u8]) -> u32 {
    crate::format::checksum(key, header)
}

#[cold]
fn damaged_record(key: &[u8]) -> strata_core::Error {
    match Key::from_stored(key) {
        Ok(key) => damaged(&format!("the record `{key}`")),
        Err(_) => damaged("a record and its key"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const KEY: &[u8] = b"cart:ada";

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn sample(payload: &[u8]) -> Record {
        Record {
            payload: Payload::from(payload),
            version: Version::new(77),
            created: at(1_000),
            updated: at(2_000),
            expiry: Expiry::idle(Duration::from_mins(1), at(2_000)).capped(at(100_000)),
            tags: Tags::new(["user:ada", "device:1"].map(|tag| Tag::new(tag).expect("valid"))).expect("two"),
        }
    }

    fn stored(record: &Record, filed: u64) -> Stored {
        let (bytes, _) = Stored::encode(KEY, record, filed);
        Stored::parse(KEY, bytes.into()).expect("whole")
    }

    #[test]
    fn a_record_comes_back_as_it_was() {
        for payload in [&b""[..], b"x", &[7; 5_000]] {
            let record = sample(payload);
            let stored = stored(&record, 62_000);
            let payload = Payload::from(stored.inline_payload(KEY).expect("whole"));
            assert_eq!(stored.record(payload), record);
            assert_eq!((stored.filed(), stored.chunks()), (62_000, None));
        }
    }

    #[test]
    fn a_large_payload_is_left_out() {
        let stored = stored(&sample(&[7; 12_001]), 62_000);
        assert_eq!(stored.chunks(), Some(Chunks { version: 77, count: 3 }));
        assert!(stored.verify_payload(KEY, &[7; 12_001]).is_ok());
        assert!(stored.verify_payload(KEY, &[8; 12_001]).is_err());
    }

    #[test]
    fn a_slide_touches_deadline_and_filing_only() {
        let record = sample(b"value");
        let mut expiry = record.expiry;
        assert!(expiry.slide_to(at(90_000)));
        let slid =
            Stored::parse(KEY, stored(&record, 62_000).slid(KEY, expiry, 90_000).into()).expect("whole");
        assert_eq!(slid.filed(), 90_000);
        let payload = Payload::from(slid.inline_payload(KEY).expect("whole"));
        assert_eq!(slid.record(payload), Record { expiry, ..record });
    }

    #[test]
    fn s32_every_flipped_byte_of_a_record_is_seen() {
        let (bytes, _) = Stored::encode(KEY, &sample(b"some value"), 62_000);
        for index in 0..bytes.len() {
            for mask in [0x01, 0x80, 0xff] {
                let mut flipped = bytes.clone();
                flipped[index] ^= mask;
                let read = Stored::parse(KEY, flipped.into());
                assert!(
                    read.and_then(|stored| stored.inline_payload(KEY).map(drop)).is_err(),
                    "byte {index}"
                );
            }
        }
        assert!(Stored::parse(b"cart:eve", bytes.into()).is_err(), "moved to another key");
    }

    #[test]
    fn records_in_use_are_filed_anew_now_and_then() {
        let idle = |now| Expiry::idle(Duration::from_secs(1), at(now));
        let filed = stored(&Record { expiry: idle(0), ..sample(b"") }, 1_000);
        assert_eq!(file_under(None, idle(0), at(0)), 1_000);
        assert_eq!(file_under(Some(&filed), idle(400), at(400)), 1_000, "more than half is ahead");
        assert_eq!(file_under(Some(&filed), idle(600), at(600)), 1_600, "less than half is ahead");
        assert_eq!(
            file_under(Some(&filed), idle(0), at(900)),
            1_000,
            "an unchanged deadline changes nothing"
        );
        assert_eq!(file_under(Some(&filed), Expiry::at(at(500)), at(0)), 500, "never late");
        assert_eq!(file_under(Some(&filed), Expiry::NEVER, at(0)), UNFILED);
        let immortal = stored(&Record { expiry: Expiry::NEVER, ..sample(b"") }, UNFILED);
        assert_eq!(file_under(Some(&immortal), idle(0), at(0)), 1_000);
    }
}
