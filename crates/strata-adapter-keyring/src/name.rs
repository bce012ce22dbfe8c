//! The names that entries have in a keyring: [`of_record`], [`of_keys`].
//!
//! An entry is found by service and user. The user is the key's own text, so that a person finds it in the keyring's program; but
//! Windows compares names without regard to case and takes at most 513 characters, so there a key that could meet another is
//! named by its hash. Should two keys meet all the same, each entry's checksum covers the key it was made for.

use ring::digest;
use strata_core::{Key, StoreId};

/// What hashed names begin with. No caller can form such a key.
const HASHED: &str = "~strata:name:";
/// Names up to this many bytes are taken everywhere.
const SHORT: usize = 256;

/// The user of the entry of `key`.
pub(crate) fn of_record(key: &Key) -> String {
    if cfg!(windows) { folded(key.as_str()) } else { key.as_str().to_owned() }
}

/// The user of the entry with the keys of `store`. A key of a record cannot be formed like it.
pub(crate) fn of_keys(store: StoreId) -> String {
    format!("{}keys:{store}", Key::SYSTEM_PREFIX)
}

/// A name that no other key has, also where case does not count.
fn folded(name: &str) -> String {
    let plain = name.len() <= SHORT && name.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if plain { name.to_owned() } else { format!("{HASHED}{}", hash(&[name.as_bytes()])) }
}

/// SHA-256 of the parts, each with its length before it, in hexadecimal.
pub(crate) fn hash(parts: &[&[u8]]) -> String {
    use std::fmt::Write as _;
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part);
    }
    context.finish().as_ref().iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_case_do_not_meet() {
        assert_eq!(folded("token:ada"), "token:ada");
        let names = ["token:Ada", "token:aDa", "token:É", "token:é", &"x".repeat(257)].map(folded);
        for (number, name) in names.iter().enumerate() {
            assert!(name.starts_with(HASHED) && name.len() < SHORT && name.to_lowercase() == *name);
            assert!(!names[number + 1..].contains(name));
        }
    }

    #[test]
    fn keys_of_stores_have_names_that_no_record_can_have() {
        assert!(Key::new(&of_keys(StoreId::new([7; 16]))).is_err());
    }

    #[test]
    fn parts_are_told_apart() {
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
    }
}
