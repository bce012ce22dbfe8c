//! What a bus says to the others, as bytes: [`Hint`]. It names changes; values are read from the store.

use serde::{Deserialize, Serialize};
use strata_core::{Change, ChangeKind, Codec, Error, ErrorKind, Key, Origin, Result, Version};

/// The most changes in one message.
pub(super) const MAX_CHANGES: usize = 256;
/// The longest message: all keys of the greatest length.
const MAX_LEN: usize = MAX_CHANGES * (Key::MAX_BYTES + 32);

#[derive(Serialize, Deserialize)]
enum Hint {
    /// These happened, in this order.
    Changes(Vec<Told>),
    /// Something happened that cannot be told: look anew.
    Lost,
}

#[derive(Serialize, Deserialize)]
struct Told {
    key: String,
    kind: u8,
    version: u64,
}

/// The message that names `changes`.
pub(super) fn changes(changes: &[Change]) -> Result<Vec<u8>> {
    let told = changes.iter().map(|change| Told {
        key: change.key.as_str().to_owned(),
        kind: number(change.kind),
        version: change.version.get(),
    });
    encode(&Hint::Changes(told.collect()))
}

/// The message that tells others to look anew.
pub(super) fn lost() -> Result<Vec<u8>> {
    encode(&Hint::Lost)
}

/// What a message names; `None` if it tells to look anew.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Vec<Change>>> {
    if bytes.len() > MAX_LEN {
        return Err(strange("is too long"));
    }
    match Codec::Bincode.decode(bytes)? {
        Hint::Lost => Ok(None),
        Hint::Changes(told) if told.len() <= MAX_CHANGES => {
            told.into_iter().map(change).collect::<Result<_>>().map(Some)
        }
        Hint::Changes(_) => Err(strange("names too many changes")),
    }
}

fn encode(hint: &Hint) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Codec::Bincode.encode(hint, &mut bytes, MAX_LEN)?;
    Ok(bytes)
}

fn change(told: Told) -> Result<Change> {
    let Told { key, kind, version } = told;
    let kind = kind_of(kind).ok_or_else(|| strange("names a change of an unknown kind"))?;
    Ok(Change { key: Key::new(&key)?, kind, version: Version::new(version), origin: Origin::Remote })
}

/// A kind of change that this format cannot name yet is one of which others should only know that something changed.
fn number(kind: ChangeKind) -> u8 {
    match kind {
        ChangeKind::Created => 1,
        ChangeKind::Retimed => 3,
        ChangeKind::Removed => 4,
        ChangeKind::Expired => 5,
        _ => 2,
    }
}

fn kind_of(number: u8) -> Option<ChangeKind> {
    match number {
        1 => Some(ChangeKind::Created),
        2 => Some(ChangeKind::Updated),
        3 => Some(ChangeKind::Retimed),
        4 => Some(ChangeKind::Removed),
        5 => Some(ChangeKind::Expired),
        _ => None,
    }
}

#[cold]
fn strange(why: &str) -> Error {
    Error::new(ErrorKind::Newer, "read hint", format!("the hint {why}; upgrade this program"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [ChangeKind; 5] = [
        ChangeKind::Created,
        ChangeKind::Updated,
        ChangeKind::Retimed,
        ChangeKind::Removed,
        ChangeKind::Expired,
    ];

    fn named(count: usize, len: usize) -> Vec<Change> {
        let kinds = KINDS.into_iter().cycle();
        let change = |(place, kind)| Change {
            key: Key::new(&format!("{place:0len$}")).expect("a key"),
            kind,
            version: Version::new(u64::MAX),
            origin: Origin::Remote,
        };
        (0..count).zip(kinds).map(change).collect()
    }

    #[test]
    fn the_largest_hint_is_read_as_it_was_told() {
        let told = named(MAX_CHANGES, Key::MAX_BYTES);
        assert_eq!(read(&changes(&told).expect("told")).expect("read"), Some(told));
        assert_eq!(read(&lost().expect("told")).expect("read"), None);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let whole = changes(&named(3, 8)).expect("told");
        for end in 0..whole.len() {
            assert!(read(&whole[..end]).is_err(), "cut at {end}");
        }
        assert!(read(&changes(&named(MAX_CHANGES + 1, 8)).expect("told")).is_err(), "too many");
        assert!(read(&vec![0; MAX_LEN + 1]).is_err(), "too long");
        let kind = whole.iter().rposition(|byte| *byte == 3).expect("the third is `Retimed`");
        let mut unknown = whole;
        unknown[kind] = 9;
        assert_eq!(read(&unknown).expect_err("unknown").kind(), ErrorKind::Newer);
    }
}
