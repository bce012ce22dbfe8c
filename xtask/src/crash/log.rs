//! The recording that `powercut.c` makes, as events. The layout is described there; numbers are little-endian.

/// One thing that happened, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Write {
        inode: u64,
        offset: u64,
        data: Vec<u8>,
    },
    Truncate {
        inode: u64,
        length: u64,
    },
    /// `path` may be a folder.
    SyncStart {
        inode: u64,
        number: u64,
        path: String,
    },
    SyncEnd {
        number: u64,
    },
    Create {
        inode: u64,
        path: String,
    },
    Rename {
        from: String,
        to: String,
    },
    Unlink {
        path: String,
    },
    Folder {
        path: String,
    },
    /// What the program printed.
    Output {
        data: Vec<u8>,
    },
}

const MAGIC: u32 = u32::from_le_bytes(*b"PCUT");
const HEAD: usize = 32;

/// Reads a recording. Its last record may be cut short, when the program was killed; anything else that does not fit is
/// an error, in words.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Event>, String> {
    let mut events = Vec::new();
    let mut rest = bytes;
    while let Some(head) = rest.get(..HEAD) {
        if number(head, 0, 4) != u64::from(MAGIC) {
            return Err(format!("the recording is damaged at byte {}", bytes.len() - rest.len()));
        }
        let path_end = HEAD + length(head, 24);
        let end = path_end + length(head, 28);
        let (Some(path), Some(data)) = (rest.get(HEAD..path_end), rest.get(path_end..end)) else { break };
        events.push(event(head, &String::from_utf8_lossy(path), data)?);
        rest = &rest[end..];
    }
    Ok(events)
}

fn event(head: &[u8], path: &str, data: &[u8]) -> Result<Event, String> {
    let (kind, inode, value) = (number(head, 4, 4), number(head, 8, 8), number(head, 16, 8));
    let path = path.to_owned();
    Ok(match kind {
        1 => Event::Write { inode, offset: value, data: data.to_vec() },
        2 => Event::Truncate { inode, length: value },
        3 => Event::SyncStart { inode, number: value, path },
        4 => Event::SyncEnd { number: value },
        5 => Event::Create { inode, path },
        6 => Event::Rename { from: path, to: String::from_utf8_lossy(data).into_owned() },
        7 => Event::Unlink { path },
        8 => Event::Output { data: data.to_vec() },
        9 => Event::Folder { path },
        other => return Err(format!("the recording has a record of unknown kind {other}")),
    })
}

fn number(head: &[u8], at: usize, width: usize) -> u64 {
    head[at..at + width].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn length(head: &[u8], at: usize) -> usize {
    usize::try_from(number(head, at, 4)).unwrap_or(usize::MAX) // four bytes fit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(kind: u32, inode: u64, number: u64, path: &str, data: &[u8]) -> Vec<u8> {
        let length = |length: usize| u32::try_from(length).expect("short").to_le_bytes();
        let head =
            [&MAGIC.to_le_bytes()[..], &kind.to_le_bytes(), &inode.to_le_bytes(), &number.to_le_bytes()];
        [head.concat(), [length(path.len()), length(data.len())].concat(), path.into(), data.into()].concat()
    }

    #[test]
    fn records_are_read_in_order() {
        let recording =
            [bytes(1, 7, 4096, "/db", b"abc"), bytes(3, 7, 1, "/db", b""), bytes(4, 7, 1, "/db", b"")];
        let expected = [
            Event::Write { inode: 7, offset: 4096, data: b"abc".to_vec() },
            Event::SyncStart { inode: 7, number: 1, path: "/db".to_owned() },
            Event::SyncEnd { number: 1 },
        ];
        assert_eq!(read(&recording.concat()).expect("whole"), expected);
    }

    #[test]
    fn a_record_cut_short_is_dropped_and_a_damaged_one_is_an_error() {
        let recording = [bytes(8, 0, 0, "", b"ack\n"), bytes(1, 7, 0, "/db", b"abc")].concat();
        for end in 36..recording.len() {
            assert_eq!(read(&recording[..end]).expect("cut short").len(), 1, "{end}");
        }
        let mut damaged = recording;
        damaged[36] ^= 1;
        assert!(read(&damaged).is_err());
        assert!(read(&bytes(99, 0, 0, "", b"")).is_err());
    }
}
