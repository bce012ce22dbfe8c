//! The key of the keyed hash: [`MacKey`], and where it comes from, [`KeySource`]: given by the program, or drawn once and kept in a
//! record of its own.

use std::fmt;
use std::sync::OnceLock;

use ring::hmac;
use serde::{Deserialize, Serialize};
use strata_core::{Error, ErrorKind, Handle, Lifetime, Result};
use zeroize::{Zeroize, Zeroizing};

/// The name of the record in the manager's namespace.
const NAME: &str = "key";

/// The fewest bytes of a key that is given, as long as the hash (RFC 2104, section 3).
pub(super) const LEAST: usize = 32;

/// A key. Wiped when dropped, unprintable.
#[derive(Clone)]
pub(super) struct MacKey(Zeroizing<Vec<u8>>);

/// What the store holds of a key that was drawn.
#[derive(Serialize, Deserialize)]
struct KeyRecord([u8; 32]);

/// Where a manager has its key from.
pub(super) enum KeySource {
    /// The program.
    Given(MacKey),
    /// The store, read or drawn at the first use.
    Kept(OnceLock<MacKey>),
}

impl MacKey {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    pub(super) fn as_hmac(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.0)
    }
}

impl KeySource {
    /// The key, if there is one. Writes nothing.
    pub(super) async fn find(&self, handle: &Handle) -> Result<Option<&MacKey>> {
        let kept = match self {
            Self::Given(key) => return Ok(Some(key)),
            Self::Kept(kept) => kept,
        };
        if let Some(key) = kept.get() {
            return Ok(Some(key));
        }
        let record = handle.peek::<KeyRecord>(NAME).await?;
        Ok(record.map(|record| kept.get_or_init(|| MacKey::of(&record.0))))
    }

    /// The key, drawn if there is none. Whoever draws at the same time, here or in another process, comes to the same one: only the
    /// first is created, and only what lies in the store is used.
    pub(super) async fn find_or_draw(&self, handle: &Handle) -> Result<&MacKey> {
        if let Some(key) = self.find(handle).await? {
            return Ok(key);
        }
        let mut drawn = KeyRecord([0; 32]);
        handle.random().fill(&mut drawn.0)?;
        match handle.set(NAME, &drawn).lifetime(Lifetime::FOREVER).if_absent().await {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error),
        }
        self.find(handle).await?.ok_or_else(removed)
    }
}

impl Drop for KeyRecord {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey")
    }
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Given(_) => "Given",
            Self::Kept(_) => "Kept",
        })
    }
}

#[cold]
fn removed() -> Error {
    let message = "the key was removed by somebody while it was drawn; retry";
    Error::new(ErrorKind::Conflict, "find fingerprint key", message)
}
