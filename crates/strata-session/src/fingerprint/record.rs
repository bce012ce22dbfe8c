//! What a session keeps of the device it began with: [`Reference`], the features and a keyed hash that binds them to the session.

use std::collections::BTreeMap;
use std::fmt;

use ring::hmac;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::feature::Feature;
use super::features::Features;
use super::key::MacKey;
use crate::id::SessionId;

/// The name of the value in the session. Applications cannot use it.
pub(super) const NAME: &str = "~fingerprint";

/// The version of the canonical forms. Raised when one of them changes, for then old references look different for no reason.
const SCHEME: u16 = 1;

/// Features, their version, and HMAC-SHA256 (RFC 2104) over both and the session's id. Few bits are in a fingerprint: without the key
/// its hash could be guessed, and without the id it would be the same in all sessions of a device.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Reference {
    scheme: u16,
    version: u16,
    hash: [u8; 32],
    features: BTreeMap<String, String>,
}

impl Reference {
    pub(super) fn new(key: &MacKey, session: SessionId, features: &Features) -> Self {
        let named =
            features.values().iter().map(|(feature, value)| (feature.name().to_owned(), value.clone()));
        let mut reference =
            Self { scheme: SCHEME, version: features.version(), hash: [0; 32], features: named.collect() };
        reference.hash = reference.keyed_hash(key, session);
        reference
    }

    /// Whether both are of the same sets, and of canonical forms this program knows.
    pub(super) fn is_of_version(&self, version: u16) -> bool {
        (self.scheme, self.version) == (SCHEME, version)
    }

    /// Whether it was made for this session under this key, and is as it was then.
    pub(super) fn is_genuine(&self, key: &MacKey, session: SessionId) -> bool {
        self.hash.ct_eq(&self.keyed_hash(key, session)).into()
    }

    /// Whether both are of the same features in the same session under the same key, in a time that does not depend on where they differ.
    pub(super) fn matches(&self, other: &Self) -> bool {
        self.hash.ct_eq(&other.hash).into()
    }

    /// The set it was made of.
    pub(super) fn features(&self) -> Features {
        let values = self.features.iter().map(|(name, value)| (Feature::of_stored(name), value.clone()));
        Features::of_stored(self.version, values.collect())
    }

    /// Each part with its length before it, so that no two references are hashed as the same bytes.
    fn keyed_hash(&self, key: &MacKey, session: SessionId) -> [u8; 32] {
        let mut hash = hmac::Context::with_key(&key.as_hmac());
        hash.update(b"strata fingerprint\0");
        hash.update(&self.scheme.to_be_bytes());
        hash.update(&self.version.to_be_bytes());
        hash.update(&session.to_bytes());
        for part in self.features.iter().flat_map(|(name, value)| [name, value]) {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(hash.sign().as_ref());
        bytes
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reference")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features() -> Features {
        Features::builder().platform("linux").cores(8).build().expect("features")
    }

    #[test]
    fn the_hash_depends_on_each_thing_it_binds() {
        let (key, session) = (MacKey::of(&[1; 32]), SessionId::from_bytes([2; 16]));
        let reference = Reference::new(&key, session, &features());
        assert!(reference.is_genuine(&key, session) && reference.features() == features());
        assert!(!reference.is_genuine(&MacKey::of(&[3; 32]), session), "another key");
        assert!(!reference.is_genuine(&key, SessionId::from_bytes([4; 16])), "another session");
        let alter = |change: fn(&mut Reference)| {
            let mut altered = reference.clone();
            change(&mut altered);
            altered.is_genuine(&key, session)
        };
        assert!(!alter(|it| it.scheme += 1) && !alter(|it| it.version += 1));
        assert!(!alter(|it| it.features.retain(|name, _| name != "cores")));
        assert!(!alter(|it| it.features.entry("cores".to_owned()).or_default().push('0')));
        assert!(!alter(|it| it.hash[31] ^= 1));
        assert!(alter(|_| ()));
    }

    #[test]
    fn parts_cannot_be_shifted_into_each_other() {
        let (key, session) = (MacKey::of(&[1; 32]), SessionId::from_bytes([2; 16]));
        let of = |name: &str, value: &str| {
            let features = Features::builder().custom(name, value).build().expect("features");
            Reference::new(&key, session, &features)
        };
        assert!(!of("ab", "c").matches(&of("a", "bc")));
        assert!(of("ab", "c").matches(&of("ab", "c")));
    }

    #[test]
    fn the_hash_is_hmac_sha_256_over_the_stated_bytes() {
        let (key, session) = (MacKey::of(&[1; 32]), SessionId::from_bytes([2; 16]));
        let features = Features::builder().cores(8).build().expect("features");
        let mut message = b"strata fingerprint\0\0\x01\0\x01".to_vec();
        message.extend([2; 16]);
        message.extend(*b"\0\0\0\0\0\0\0\x05cores\0\0\0\0\0\0\0\x018");
        let expected = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]), &message);
        assert_eq!(Reference::new(&key, session, &features).hash, expected.as_ref());
    }
}
