//! What replication keeps in the store itself, under `~strata:sync:`: marks, states, and who this store is.
//!
//! | name | holds | written |
//! |---|---|---|
//! | `put:K` | when K was last touched | by the journal, with the data |
//! | `gone:K` | when K was last removed | by the journal, with the removal |
//! | `state:K` | removal and life as peers agree on them | when marks are settled, or with a peer's change |
//! | `self` | this store's origin, scope and last agreements | at the start, and after digests agreed |

use ring::digest::{SHA256, digest};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use strata_core::{Codec, Error, ErrorKind, Expiry, Key, Payload, Record, Result, Timestamp};

use super::stamp::Stamp;
use super::state::{Life, State};

/// What every record of replication begins with.
pub(super) const PREFIX: &str = "~strata:sync:";
/// The form of the payloads: none that an envelope of values could begin with.
const FORM: u8 = 0x7e;
const MAX_PAYLOAD: usize = 64 * 1024;

/// What a record of replication is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Put,
    Gone,
    State,
}

impl Role {
    const ALL: [Self; 3] = [Self::Put, Self::Gone, Self::State];

    const fn text(self) -> &'static str {
        match self {
            Self::Put => "put:",
            Self::Gone => "gone:",
            Self::State => "state:",
        }
    }

    /// The name of the record of this role for `key`. Names too long for a prefix are hashed; the payload has them whole.
    pub(super) fn key(self, key: &Key) -> Result<Key> {
        let name = key.as_str();
        let role = self.text();
        if PREFIX.len() + role.len() + 1 + name.len() <= Key::MAX_BYTES {
            return Key::system(&format!("sync:{role}={name}"));
        }
        let digits = |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16));
        let hash = digest(&SHA256, name.as_bytes());
        let hex: String = hash.as_ref().iter().flat_map(digits).flatten().collect();
        Key::system(&format!("sync:{role}#{hex}"))
    }

    /// The role of a record of replication's, `None` for other records.
    pub(super) fn of(key: &Key) -> Option<Self> {
        let name = key.as_str().strip_prefix(PREFIX)?;
        Self::ALL.into_iter().find(|role| name.starts_with(role.text()))
    }
}

/// The name of the record of what this store is.
pub(super) fn self_key() -> Result<Key> {
    Key::system("sync:self")
}

/// The payload of `put:` and `gone:`.
#[derive(Serialize, Deserialize)]
pub(super) struct Mark {
    pub(super) name: String,
    pub(super) stamp: Stamp,
}

/// The payload of `state:`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) name: String,
    pub(super) removed: Option<Stamp>,
    pub(super) life: Option<StoredLife>,
}

/// A life, and what this store needs to know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredLife {
    pub(super) life: Life,
    /// When the store says that the record was created: tells a life from the next one.
    pub(super) created: u64,
    /// The latest instant the present version can live to.
    pub(super) current: u64,
    /// The latest instant any version of this life could have lived to.
    pub(super) latest: u64,
    /// Whether the record is here. It is not when the life ended before an older version of it would have: then it is remembered
    /// as long as a peer might still hold that version.
    pub(super) held: bool,
}

impl Stored {
    pub(super) fn nothing(key: &Key) -> Self {
        Self { name: key.as_str().to_owned(), removed: None, life: None }
    }

    pub(super) fn state(&self) -> State {
        State::new(self.removed, self.life.map(|life| life.life))
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.removed.is_none() && self.life.is_none()
    }

    /// What is left of it when its life has ended without a removal.
    pub(super) fn ended(mut self) -> Self {
        self.life = self
            .life
            .filter(|life| life.current < life.latest)
            .map(|life| StoredLife { held: false, ..life });
        self
    }
}

/// The payload of `self`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Identity {
    /// What this store's stamps are told by.
    pub(super) origin: u64,
    /// The scope whose records all have a state.
    pub(super) adopted: Option<String>,
    /// For each peer, the stamp of its digest with which this store last agreed.
    pub(super) contacts: Vec<(u64, Stamp)>,
}

/// The latest instant a record with this expiry can live to, whatever the activity.
pub(super) fn latest(expiry: Expiry) -> u64 {
    let cap = expiry.not_after().map_or(u64::MAX, Timestamp::as_millis);
    match (expiry.idle_time(), expiry.deadline()) {
        (None, Some(deadline)) => deadline.as_millis().min(cap),
        _ => cap,
    }
}

pub(super) fn encode<T: Serialize>(value: &T) -> Result<Payload> {
    let mut bytes = vec![FORM];
    Codec::Bincode.encode(value, &mut bytes, MAX_PAYLOAD)?;
    Ok(Payload::from(bytes))
}

pub(super) fn decode<T: DeserializeOwned>(key: &Key, record: &Record) -> Result<T> {
    match record.payload.as_bytes().split_first() {
        Some((&FORM, body)) => Codec::Bincode.decode(body),
        Some((form, _)) if *form > FORM => Err(Error::new(
            ErrorKind::Newer,
            "read sync record",
            format!("`{key}` was written by a newer version; upgrade this program"),
        )),
        _ => Err(Error::new(
            ErrorKind::Corrupt,
            "read sync record",
            format!("`{key}` is damaged; remove it, and the record it is about is told to peers anew"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_own_records_also_the_longest() {
        let long = "x".repeat(Key::MAX_BYTES);
        let names = ["a", "=a", "#a", "put:=a", long.as_str(), &long[1..]];
        let mut seen = Vec::new();
        for name in names {
            for role in Role::ALL {
                let key = role.key(&Key::new(name).expect("key")).expect("a system key");
                assert!(key.is_system() && Role::of(&key) == Some(role) && !seen.contains(&key), "{key}");
                seen.push(key);
            }
        }
        assert_eq!(Role::of(&self_key().expect("key")), None);
    }
    /// Rekeying walks the store's own records too, and would open what looks sealed.
    #[test]
    fn no_record_of_replication_looks_like_a_sealed_value() {
        for name in 1..200 {
            let stamp = Stamp::new(u64::MAX, u32::MAX, u64::MAX);
            let payload = encode(&Mark { name: "x".repeat(name), stamp }).expect("encoded");
            assert!(payload.len() > strata_core::Envelope::HEADER);
            assert!(!strata_core::Envelope::is_sealed(payload.as_bytes()));
        }
    }
}
