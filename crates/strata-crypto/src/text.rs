//! Keysets as text, for files, the environment and keyrings. Lines, or `;` between them where a line break is awkward:
//!
//! ```text
//! strata-keyset 1
//! key 0a1b2c3d 1767225600000 <check value, hex> <32 bytes, base64>
//! primary 0a1b2c3d
//! ```
//!
//! A lone key may also be just its 32 bytes in base64: [`Material`]. No error shows any of the text.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_PAD_INDIFFERENT, URL_SAFE_PAD_INDIFFERENT};
use strata_core::{Error, ErrorKind, KeyId, Result, Timestamp};
use zeroize::Zeroizing;

use crate::keyset::Keyset;
use crate::master::{CheckValue, MasterKey};

/// The longest text read, in bytes: twice what 64 keys take.
pub(crate) const MAX_TEXT: usize = 16 * 1024;
/// What a keyset begins with.
const TITLE: &str = "strata-keyset";
/// The version written, and the newest one read.
const VERSION: u32 = 1;

/// What a key source holds.
#[derive(Debug)]
pub(crate) enum Material {
    /// Keys with their ids.
    Keyset(Keyset),
    /// One key; the store's header knows its id.
    Bare(MasterKey),
}

impl Material {
    /// Parses a keyset, or 32 bytes in base64 (either alphabet, padded or not).
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.len() > MAX_TEXT {
            return Err(malformed(ErrorKind::TooLarge, "is longer than any keyset; it is something else"));
        }
        if text.starts_with(TITLE) || text.starts_with('#') {
            return Keyset::parse(text).map(Self::Keyset);
        }
        let key = decode_key(text).ok_or_else(|| {
            malformed(
                ErrorKind::Invalid,
                "is neither a keyset nor 32 bytes in base64 (`openssl rand -base64 32` makes some)",
            )
        })?;
        MasterKey::new(&key).map(Self::Bare)
    }
}

impl Keyset {
    /// The keyset, secrets included, as text that [`Keyset::parse`] reads. It is wiped when dropped; whoever copies it takes over its
    /// care.
    pub fn to_text(&self) -> Zeroizing<String> {
        use std::fmt::Write as _;
        // Reserved whole, so that no growing leaves a copy behind.
        let mut text = Zeroizing::new(String::with_capacity(64 + self.entries().len() * 128));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{TITLE} {VERSION}");
        for entry in self.entries() {
            let _ = write!(text, "key {} {} {} ", entry.id, entry.created.as_millis(), entry.check);
            STANDARD.encode_string(entry.master.bytes(), &mut text);
            text.push('\n');
        }
        let _ = writeln!(text, "primary {}", self.primary());
        text
    }

    /// Reads a keyset. A newer version is [`ErrorKind::Newer`]; a key that does not fit its check value, a line cut short, a
    /// missing primary or anything after the primary is [`ErrorKind::Corrupt`].
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > MAX_TEXT {
            return Err(malformed(ErrorKind::TooLarge, "is longer than any keyset; it is something else"));
        }
        let mut lines = text
            .split(['\n', ';'])
            .map(str::trim)
            .enumerate()
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        check_title(lines.next().map_or("", |(_, line)| line))?;
        let mut keyset: Option<Self> = None;
        while let Some((index, line)) = lines.next() {
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("key") => add_key(&mut keyset, words).ok_or_else(|| bad_line(index))??,
                Some("primary") => {
                    let id = words.next().and_then(parse_id).ok_or_else(|| bad_line(index))?;
                    let mut keyset = keyset.ok_or_else(|| bad_line(index))?;
                    keyset.promote(id).map_err(|_| bad_line(index))?;
                    // Two keysets put together would lose the second one's keys unnoticed.
                    return if words.next().or(lines.next().map(|(_, line)| line)).is_none() {
                        Ok(keyset)
                    } else {
                        Err(goes_on())
                    };
                }
                _ => return Err(bad_line(index)),
            }
        }
        Err(malformed(
            ErrorKind::Corrupt,
            "is cut short: it does not name its primary key; restore it from a backup",
        ))
    }
}

/// Adds the key a line describes. `None` when it does not describe one.
fn add_key<'w>(keyset: &mut Option<Keyset>, mut words: impl Iterator<Item = &'w str>) -> Option<Result<()>> {
    let id = parse_id(words.next()?)?;
    let created = Timestamp::from_millis(words.next()?.parse().ok()?);
    let check = CheckValue::parse(words.next()?)?;
    let master = MasterKey::new(&*decode_key(words.next()?)?).ok()?;
    if words.next().is_some() || master.check() != check {
        return None;
    }
    if let Some(keyset) = keyset {
        return Some(keyset.insert(id, master, created));
    }
    *keyset = Some(Keyset::of(id, master, created));
    Some(Ok(()))
}

fn check_title(line: &str) -> Result<()> {
    let version = line.strip_prefix(TITLE).and_then(|version| version.trim().parse::<u32>().ok());
    match version {
        Some(VERSION) => Ok(()),
        Some(version) if version > VERSION => {
            Err(malformed(ErrorKind::Newer, "was written by a newer version of Strata; upgrade this program"))
        }
        _ => Err(malformed(
            ErrorKind::Corrupt,
            "does not begin with `strata-keyset 1`; restore it from a backup",
        )),
    }
}

/// Parses 8 lower-case hexadecimal digits.
pub(crate) fn parse_id(text: &str) -> Option<KeyId> {
    crate::hex::decode::<4>(text).map(|bytes| KeyId::new(u32::from_be_bytes(bytes)))
}

fn decode_key(text: &str) -> Option<Zeroizing<[u8; MasterKey::LEN]>> {
    let engine =
        if text.contains(['-', '_']) { &URL_SAFE_PAD_INDIFFERENT } else { &STANDARD_PAD_INDIFFERENT };
    // One byte more than a key, so that a longer text is seen to be longer.
    let mut bytes = Zeroizing::new([0; MasterKey::LEN + 4]);
    let len = engine.decode_slice(text, &mut *bytes).ok()?;
    let mut key = Zeroizing::new([0; MasterKey::LEN]);
    key.copy_from_slice(bytes.get(..len).filter(|bytes| bytes.len() == MasterKey::LEN)?);
    Some(key)
}

#[cold]
fn malformed(kind: ErrorKind, what: &str) -> Error {
    Error::new(kind, "read keyset", format!("the key text {what}"))
}

#[cold]
fn bad_line(index: usize) -> Error {
    malformed(ErrorKind::Corrupt, &format!("is damaged in line {}; restore it from a backup", index + 1))
}

#[cold]
fn goes_on() -> Error {
    malformed(ErrorKind::Corrupt, "goes on after its primary key; keep one keyset in each place")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::SystemRandom;

    fn keyset(keys: usize) -> Keyset {
        let random = SystemRandom::new();
        let mut keyset = Keyset::generate(&random, Timestamp::from_millis(7)).expect("keyset");
        for _ in 1..keys {
            let id = keyset.add(&random, Timestamp::from_millis(8)).expect("add");
            keyset.promote(id).expect("promote");
        }
        keyset
    }

    #[test]
    fn s28_keysets_survive_their_text_form() {
        for keys in [1, 2, Keyset::MAX_KEYS] {
            let keyset = keyset(keys);
            let text = keyset.to_text();
            assert!(text.capacity() <= 64 + keys * 128 && text.len() <= MAX_TEXT);
            for form in
                [text.to_string(), text.replace('\n', "; "), format!("# a note\n\n{}\n# another\n", *text)]
            {
                let back = Keyset::parse(&form).expect("parse");
                assert_eq!(back.list(), keyset.list());
                assert!(back.entries().iter().zip(keyset.entries()).all(|(a, b)| a.master == b.master));
            }
        }
    }

    #[test]
    fn s28_a_damaged_text_is_refused_and_not_shown() {
        let text = keyset(2).to_text();
        let lines: Vec<&str> = text.lines().collect();
        let secret = lines[1].rsplit(' ').next().expect("key");
        for (bad, kind) in [
            (lines[..3].join("\n"), ErrorKind::Corrupt),
            (lines[0].to_owned(), ErrorKind::Corrupt),
            (text.replacen("key", "kay", 1), ErrorKind::Corrupt),
            (text.replacen(" 1\n", " 2\n", 1), ErrorKind::Newer),
            (text.replacen(secret, &secret[4..], 1), ErrorKind::Corrupt),
            (text.replacen(secret, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", 1), ErrorKind::Corrupt),
            (format!("{}{}", *text, *keyset(1).to_text()), ErrorKind::Corrupt),
            (format!("{}left over", *text), ErrorKind::Corrupt),
            (format!("{} left over", text.trim_end()), ErrorKind::Corrupt),
            (format!("{}{}", *text, "x".repeat(MAX_TEXT)), ErrorKind::TooLarge),
        ] {
            let error = Keyset::parse(&bad).expect_err("damaged");
            assert_eq!(error.kind(), kind, "{error}");
            assert!(!format!("{error:?}").contains(&secret[..8]));
        }
    }

    #[test]
    fn a_lone_key_is_read_in_either_alphabet() {
        let bytes: [u8; 32] =
            std::array::from_fn(|index| 0xfb_u8.wrapping_sub(u8::try_from(index).expect("small")));
        let standard = STANDARD.encode(bytes);
        for text in
            [standard.clone(), standard.replace('+', "-").replace('/', "_"), standard.replace('=', "")]
        {
            let Material::Bare(key) = Material::parse(&format!(" {text}\n")).expect("a key") else {
                panic!("a lone key is no keyset")
            };
            assert_eq!(key.bytes(), &bytes);
        }
        for bad in ["", "hunter2", &standard[4..], &format!("AAAA{standard}"), &STANDARD.encode([0; 32])] {
            assert_eq!(Material::parse(bad).expect_err(bad).kind(), ErrorKind::Invalid);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(strata-keyset 1\n)?(key |primary |[a-f0-9 \n;]{0,40}|\\PC{0,20}){0,6}") {
            if let Ok(Material::Keyset(keyset)) = Material::parse(&text) {
                prop_assert!(keyset.contains(keyset.primary()));
            }
        }
    }
}
