//! The store's header: who keeps its keys, which they are, and how to check them. [`StoreInfo`], [`inspect`].
//!
//! One system record, `~strata:header`, plain JSON without an envelope. It holds no secret. It is not authenticated: somebody who can write
//! to the store can make it refuse to open, but not make it accept another key than the owner's, plaintext where keys were given,
//! or a cheaper passphrase.

use serde::{Deserialize, Serialize};
use strata_core::{
    Batch, Capabilities, Durability, Error, ErrorKind, Expiry, Guard, Keep, Key, KeyId, Op, Payload,
    Protection, Result, Store, StoreId, Tags, Timestamp, Version, Write,
};

use crate::keyset::{KeyInfo, Keyset};
use crate::master::CheckValue;
use crate::passphrase::Wrapped;
use crate::{hex, text};

/// The header's key, for messages.
pub(crate) const NAME: &str = "~strata:header";
/// The version written, and the newest one read.
const FORMAT: u32 = 1;
/// The longest header read, in bytes: several times what 64 keys take.
const MAX_BYTES: usize = 64 * 1024;

/// What a store's header says, for people and tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreInfo {
    /// The store's name.
    pub id: StoreId,
    /// How its records are protected.
    pub protection: Protection,
    /// Who keeps its keys: `given`, `passphrase`, or a [`KeyProvider`](crate::KeyProvider)'s name. Empty for plaintext.
    pub provider: String,
    /// The keys it may have records under.
    pub keys: Vec<KeyInfo>,
}

/// Reads a store's header without any key. `None` for a store that was never opened.
pub async fn inspect(store: &dyn Store) -> Result<Option<StoreInfo>> {
    Ok(Header::load(store).await?.map(|(header, _)| header.info))
}

/// The header as the program has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) info: StoreInfo,
    pub(crate) wrapped: Option<Wrapped>,
}

impl Header {
    /// The header of a store that is not encrypted.
    pub(crate) fn plaintext(id: StoreId) -> Self {
        let info =
            StoreInfo { id, protection: Protection::Plaintext, provider: String::new(), keys: Vec::new() };
        Self { info, wrapped: None }
    }

    /// Reads and checks it. [`ErrorKind::Corrupt`] and [`ErrorKind::Newer`] say what to do.
    pub(crate) async fn load(store: &dyn Store) -> Result<Option<(Self, Version)>> {
        let Some(record) = store.get(&key()?).await? else { return Ok(None) };
        let header = Self::decode(record.payload.as_bytes()).map_err(|error| error.in_store(store))?;
        Ok(Some((header, record.version)))
    }

    /// Stores it if `guard` holds; as durable as the store can, up to surviving the process.
    pub(crate) async fn save(&self, store: &dyn Store, guard: Guard, now: Timestamp) -> Result<()> {
        let payload = Payload::from(self.encode()?);
        let write = Write::Put { payload, expiry: Keep::Set(Expiry::NEVER), tags: Keep::Set(Tags::none()) };
        commit(store, key()?, guard, write, now).await
    }

    /// Whether the store has keys at all.
    pub(crate) fn is_sealed(&self) -> bool {
        self.info.protection != Protection::Plaintext
    }

    /// The keys of `keyset`, and those listed already that it has not; its primary is the primary.
    pub(crate) fn list(&mut self, keyset: &Keyset) {
        let listed = keyset.list();
        let others = self.info.keys.iter().filter(|key| !keyset.contains(key.id));
        let others: Vec<_> = others.map(|key| KeyInfo { primary: false, ..*key }).collect();
        self.info.keys = others.into_iter().chain(listed).collect();
    }

    fn encode(&self) -> Result<Vec<u8>> {
        let info = &self.info;
        let key = |key: &KeyInfo| RawKey {
            id: key.id.to_string(),
            check: key.check.to_string(),
            created: key.created.as_millis(),
        };
        let raw = Raw {
            format: FORMAT,
            store: info.id.to_string(),
            protection: name_of(info.protection).to_owned(),
            provider: info.provider.clone(),
            primary: info.keys.iter().find(|key| key.primary).map(|key| key.id.to_string()),
            keys: info.keys.iter().map(key).collect(),
            passphrase: self.wrapped.clone(),
        };
        serde_json::to_vec(&raw).map_err(|error| {
            Error::new(ErrorKind::Other, "write store header", "it has no JSON form").because(error)
        })
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > MAX_BYTES {
            return Err(damaged("is too long"));
        }
        let Format { format } = serde_json::from_slice(bytes).map_err(|_| damaged("is not readable"))?;
        if format > FORMAT {
            return Err(Error::new(
                ErrorKind::Newer,
                "read store header",
                format!("the store has format {format}, this version knows {FORMAT}; upgrade this program"),
            ));
        }
        let raw: Raw = serde_json::from_slice(bytes).map_err(|_| damaged("lacks a part"))?;
        raw.check().ok_or_else(|| damaged("has a part that cannot be"))
    }
}

/// One guarded write of a system record.
pub(crate) async fn commit(
    store: &dyn Store,
    key: Key,
    guard: Guard,
    write: Write,
    now: Timestamp,
) -> Result<()> {
    let durability = durability(&store.capabilities());
    store.commit(Batch::one(now, durability, Op { key, guard, write })).await.map(drop)
}

fn durability(capabilities: &Capabilities) -> Durability {
    Durability::Process.min(capabilities.durability)
}

/// The key of the header.
pub(crate) fn key() -> Result<Key> {
    Key::system("header")
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// The header as it is stored.
#[derive(Serialize, Deserialize)]
struct Raw {
    format: u32,
    store: String,
    protection: String,
    #[serde(default)]
    provider: String,
    #[serde(default)]
    primary: Option<String>,
    #[serde(default)]
    keys: Vec<RawKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    passphrase: Option<Wrapped>,
}

#[derive(Serialize, Deserialize)]
struct RawKey {
    id: String,
    check: String,
    created: u64,
}

impl Raw {
    /// The header, if it is one that could have been written: keys told apart, one of them primary, none in plaintext.
    fn check(self) -> Option<Header> {
        let id = hex::decode(&self.store).map(StoreId::new)?;
        let protection = [Protection::Plaintext, Protection::Sealed, Protection::OsKeyring]
            .into_iter()
            .find(|protection| name_of(*protection) == self.protection)?;
        let primary = match self.primary {
            Some(primary) => Some(text::parse_id(&primary)?),
            None => None,
        };
        let keys = self.keys.iter().map(|key| key.check(primary)).collect::<Option<Vec<_>>>()?;
        let distinct = (1..keys.len()).all(|index| keys[..index].iter().all(|key| key.id != keys[index].id));
        let sealed = protection != Protection::Plaintext;
        let whole = distinct && sealed == keys.iter().any(|key| key.primary) && sealed != keys.is_empty();
        let info = StoreInfo { id, protection, provider: self.provider, keys };
        whole.then_some(Header { info, wrapped: self.passphrase })
    }
}

impl RawKey {
    fn check(&self, primary: Option<KeyId>) -> Option<KeyInfo> {
        let id = text::parse_id(&self.id)?;
        let created = Timestamp::from_millis(self.created);
        Some(KeyInfo { id, check: CheckValue::parse(&self.check)?, created, primary: Some(id) == primary })
    }
}

fn name_of(protection: Protection) -> &'static str {
    match protection {
        Protection::Plaintext => "plaintext",
        Protection::Sealed => "sealed",
        Protection::OsKeyring => "os-keyring",
    }
}

#[cold]
fn damaged(how: &str) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        "read store header",
        format!("the store's header {how}; restore it from a backup (no record was touched)"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemRandom;

    fn header() -> Header {
        let random = SystemRandom::new();
        let mut keyset = Keyset::generate(&random, Timestamp::from_millis(5)).expect("keyset");
        keyset.add(&random, Timestamp::from_millis(6)).expect("add");
        let mut header = Header::plaintext(StoreId::new([9; 16]));
        header.info.protection = Protection::Sealed;
        header.info.provider = "file".to_owned();
        header.list(&keyset);
        header
    }

    #[test]
    fn headers_survive_their_stored_form() {
        for header in [header(), Header::plaintext(StoreId::new([1; 16]))] {
            assert_eq!(Header::decode(&header.encode().expect("encode")).expect("decode"), header);
        }
    }

    #[test]
    fn s30_damaged_and_newer_headers_are_told_apart() {
        let bytes = header().encode().expect("encode");
        let text = String::from_utf8(bytes.clone()).expect("JSON");
        let first = header().info.keys[0].id.to_string();
        assert!(!text.contains(&first), "each header has its own keys");
        for (bad, kind) in [
            (text.replacen("\"format\":1", "\"format\":2,\"novelty\":3", 1), ErrorKind::Newer),
            (text.replacen("\"format\":1", "\"format\":\"1\"", 1), ErrorKind::Corrupt),
            (text.replacen("\"sealed\"", "\"plaintext\"", 1), ErrorKind::Corrupt),
            (text.replacen("\"sealed\"", "\"unheard-of\"", 1), ErrorKind::Corrupt),
            (text.replacen("\"primary\":\"", "\"primary\":\"0", 1), ErrorKind::Corrupt),
            (text.replacen("\"primary\"", "\"secondary\"", 1), ErrorKind::Corrupt),
            (text.replacen("0909", "09", 1), ErrorKind::Corrupt),
            (" ".repeat(MAX_BYTES) + &text, ErrorKind::Corrupt),
            (String::new(), ErrorKind::Corrupt),
        ] {
            assert_ne!(bad, text);
            assert_eq!(Header::decode(bad.as_bytes()).expect_err(&bad).kind(), kind, "{bad}");
        }
        for len in 0..bytes.len() {
            assert_eq!(Header::decode(&bytes[..len]).expect_err("cut").kind(), ErrorKind::Corrupt);
        }
    }
}
