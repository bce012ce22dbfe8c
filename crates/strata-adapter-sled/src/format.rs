//! The names of what lies in the tree: key spaces, how an entry's name is built and taken apart, and the frame that small
//! entries are checked by. The layout is drawn in `docs/format.md`.

use smallvec::SmallVec;
use strata_core::{ErrorKind, Key, Result, Tag};

use crate::error::damaged;

/// The format of the store as a whole. A store with a higher number is refused.
pub(crate) const FORMAT: u8 = 1;

/// The most bytes of a value in the tree. A leaf of sled holds up to 17 entries and is moved, over 131,052 bytes, to a
/// file of its own that is never synced; so an entry with its name stays under 7,000.
pub(crate) const MAX_ENTRY: usize = 6_000;

/// The filing instant of a record that never dies: it has no entry in the due index.
pub(crate) const UNFILED: u64 = u64::MAX;

/// The first byte of every name.
pub(crate) mod space {
    /// Parts of large values.
    pub(crate) const CHUNK: u8 = b'c';
    /// Records by filing instant.
    pub(crate) const DUE: u8 = b'd';
    /// Notes and intents of commits under way.
    pub(crate) const INTENT: u8 = b'i';
    /// Header, version lease, count.
    pub(crate) const META: u8 = b'm';
    /// Damaged records that a repair set aside.
    pub(crate) const QUARANTINE: u8 = b'q';
    /// Records by key.
    pub(crate) const RECORD: u8 = b'r';
    /// Records by tag.
    pub(crate) const TAG: u8 = b't';
}

/// An entry's name; most need no allocation.
pub(crate) type Name = SmallVec<[u8; 96]>;

/// What ends a tag or a key inside a name: neither can hold a control character.
const END: u8 = 0;

fn join(space: u8, parts: &[&[u8]]) -> Name {
    let mut name = Name::new();
    name.push(space);
    for part in parts {
        name.extend_from_slice(part);
    }
    name
}

/// `m` and a word.
pub(crate) fn meta_name(word: &str) -> Name {
    join(space::META, &[word.as_bytes()])
}

/// `r` and the key.
pub(crate) fn record_name(key: &[u8]) -> Name {
    join(space::RECORD, &[key])
}

/// `q` and the name's bytes after its space.
pub(crate) fn quarantine_name(rest: &[u8]) -> Name {
    join(space::QUARANTINE, &[rest])
}

/// `t`, the tag, zero: what the names of all its entries begin with.
pub(crate) fn tag_prefix(tag: &Tag) -> Name {
    join(space::TAG, &[tag.as_str().as_bytes(), &[END]])
}

/// `t`, the tag, zero, the key.
pub(crate) fn tag_name(tag: &Tag, key: &[u8]) -> Name {
    join(space::TAG, &[tag.as_str().as_bytes(), &[END], key])
}

/// `d` and the instant: the first name filed at it or later.
pub(crate) fn due_prefix(filed: u64) -> Name {
    join(space::DUE, &[&filed.to_be_bytes()])
}

/// `d`, the filing instant, the key.
pub(crate) fn due_name(filed: u64, key: &[u8]) -> Name {
    join(space::DUE, &[&filed.to_be_bytes(), key])
}

/// `c`, the key, zero, the version, the part's number.
pub(crate) fn chunk_name(key: &[u8], version: u64, index: u32) -> Name {
    join(space::CHUNK, &[key, &[END], &version.to_be_bytes(), &index.to_be_bytes()])
}

/// `i`, zero, the slot: the note of a commit of one record.
pub(crate) fn note_name(slot: u16) -> Name {
    join(space::INTENT, &[&[0], &slot.to_be_bytes()])
}

/// `i`, one, the version, the piece's number: a piece of the intent of a commit of several records. Piece zero is its head.
pub(crate) fn intent_name(version: u64, piece: u16) -> Name {
    join(space::INTENT, &[&[1], &version.to_be_bytes(), &piece.to_be_bytes()])
}

/// A tag entry's tag and key.
pub(crate) fn split_tag_name(name: &[u8]) -> Result<(&[u8], Key)> {
    let rest = name.strip_prefix(&[space::TAG]).unwrap_or_default();
    let end =
        rest.iter().position(|&byte| byte == END).ok_or_else(|| damaged("an entry of the tag index"))?;
    Ok((&rest[..end], Key::from_stored(&rest[end + 1..])?))
}

/// A due entry's filing instant and key.
pub(crate) fn split_due_name(name: &[u8]) -> Result<(u64, Key)> {
    let rest = name.strip_prefix(&[space::DUE]).unwrap_or_default();
    let (filed, key) = rest.split_first_chunk::<8>().ok_or_else(|| damaged("an entry of the due index"))?;
    Ok((u64::from_be_bytes(*filed), Key::from_stored(key)?))
}

/// A chunk's key, version and number.
pub(crate) fn split_chunk_name(name: &[u8]) -> Result<(Key, u64, u32)> {
    let parts = || {
        let rest = name.strip_prefix(&[space::CHUNK])?;
        let (rest, index) = rest.split_last_chunk::<4>()?;
        let (rest, version) = rest.split_last_chunk::<8>()?;
        Some((rest.strip_suffix(&[END])?, u64::from_be_bytes(*version), u32::from_be_bytes(*index)))
    };
    let (key, version, index) = parts().ok_or_else(|| damaged("the name of a part of a large value"))?;
    Ok((Key::from_stored(key)?, version, index))
}

/// The checksum of an entry: CRC-32C over its name and its bytes, so that an entry can't stand under another name.
pub(crate) fn checksum(name: &[u8], bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(name), bytes)
}

/// A small entry with its checksum at the end.
pub(crate) fn frame(name: &[u8], bytes: &[u8]) -> Vec<u8> {
    [bytes, &checksum(name, bytes).to_le_bytes()].concat()
}

/// What [`frame`] was given, or [`ErrorKind::Corrupt`].
pub(crate) fn unframe<'a>(name: &[u8], framed: &'a [u8], what: &str) -> Result<&'a [u8]> {
    match framed.split_last_chunk::<4>() {
        Some((bytes, sum)) if checksum(name, bytes) == u32::from_le_bytes(*sum) => Ok(bytes),
        _ => Err(damaged(what)),
    }
}

/// The first name after all names that begin with `prefix`. Spaces are letters, so there always is one.
pub(crate) fn after_prefix(prefix: &[u8]) -> Name {
    let mut end = Name::from_slice(prefix);
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    end
}

/// Whether an error says that stored bytes are damaged.
pub(crate) fn is_damage(error: &strata_core::Error) -> bool {
    error.kind() == ErrorKind::Corrupt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_apart_as_they_were_built() {
        let key = Key::new("cart:ada").expect("valid");
        let tag = Tag::new("user:ada").expect("valid");
        let name = tag_name(&tag, key.as_bytes());
        assert_eq!(split_tag_name(&name).expect("whole"), (&b"user:ada"[..], key.clone()));
        assert_eq!(split_due_name(&due_name(7, key.as_bytes())).expect("whole"), (7, key.clone()));
        assert_eq!(split_chunk_name(&chunk_name(key.as_bytes(), 9, 3)).expect("whole"), (key, 9, 3));
    }

    #[test]
    fn the_end_of_a_prefix_is_after_all_its_names() {
        assert_eq!(after_prefix(b"ra").as_slice(), b"rb");
        assert_eq!(after_prefix(b"r\xff\xff").as_slice(), b"s");
    }

    #[test]
    fn a_framed_entry_cannot_stand_under_another_name() {
        let framed = frame(b"mone", b"bytes");
        assert_eq!(unframe(b"mone", &framed, "x").expect("whole"), b"bytes");
        assert!(is_damage(&unframe(b"mtwo", &framed, "x").expect_err("moved")));
        assert!(is_damage(&unframe(b"mone", b"abc", "x").expect_err("short")));
    }
}
