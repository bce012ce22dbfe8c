//! Sessions of tower-sessions in any Strata store: [`StrataStore`], which existing applications and login crates take in place of the store
//! they have. `record` is what is stored, `traits` the traits of both versions of tower-sessions-core.
//!
//! For what tower-sessions itself cannot give (changes of concurrent requests merged, secrets stored as hashes by every route, a list of a
//! user's devices), use the layer of this crate.

mod record;
mod traits;

use std::fmt;

use ring::digest;
use strata_core::{Codec, Error, ErrorKind, Handle, Result, Timestamp};

use record::{Data, Stored};

/// How many dead records one step of [`StrataStore`]'s deletion looks at.
const STEP: usize = 256;
/// How many identifiers are tried for a new session. Two of 128 random bits that are the same do not happen by chance.
const TRIES: usize = 8;

/// A `SessionStore` and `ExpiredDeletion` of tower-sessions over a Strata handle. Cheap to clone.
///
/// - The identifier of a session is its bearer's secret in tower-sessions: the cookie holds it. The store holds SHA-256 of it as the
///   record's name, so neither a copy of the store nor a list of its keys signs anybody in.
/// - Values are sealed by the handle. They end when tower-sessions says, by the handle's clock, whoever sweeps.
/// - `create` never writes over a session that is there: it takes another identifier.
/// - `save` changes a session that lives and nothing else. One that was deleted or has expired meanwhile stays gone, whichever request
///   deleted it: the save is dropped with a warning, for there is nothing left that it could belong to. A store that cannot be reached is
///   an error, never an absence.
/// - tower-sessions saves whole records without a version. Of two requests that change one session at once the later save wins; what the
///   earlier one changed is lost. No store can tell them apart.
///
/// A change is durable as the handle says when the call returns.
#[derive(Clone)]
pub struct StrataStore {
    handle: Handle,
}

/// A session as it is asked for, whichever version of tower-sessions asks.
struct Asked<'r> {
    id: i128,
    data: &'r Data,
    expires: time::OffsetDateTime,
}

impl StrataStore {
    /// Sessions in the namespace `tower`.
    ///
    /// # Errors
    /// As [`StrataStore::in_namespace`].
    pub fn new(handle: &Handle) -> Result<Self> {
        Self::in_namespace(handle, "tower")
    }

    /// Sessions in a namespace of this name.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a name that cannot be one.
    pub fn in_namespace(handle: &Handle, name: &str) -> Result<Self> {
        Ok(Self { handle: handle.namespace(name)? })
    }

    /// The handle of the namespace: for counting sessions, and for ending all with [`Handle::clear`].
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Stores a session that is new. Gives the identifier it got, which is another one where `asked`'s was taken.
    async fn create(&self, asked: Asked<'_>, mut another: impl FnMut() -> i128) -> Result<i128> {
        let Some(until) = self.future(asked.expires) else { return Ok(asked.id) };
        let stored = Stored::new(asked.data, asked.expires);
        let mut id = asked.id;
        for _ in 0..TRIES {
            let set = self.handle.set_as(Codec::Json, &name(id), &stored);
            match set.if_absent().expires_at(until).await {
                Ok(_) => return Ok(id),
                Err(error) if error.kind() == ErrorKind::Conflict => id = another(),
                Err(error) => return Err(error),
            }
        }
        Err(Error::new(
            ErrorKind::Other,
            "create session",
            "every identifier that was drawn is taken; the generator of tower-sessions gives no randomness",
        )
        .in_store(self.handle.store()))
    }

    /// Changes a session that lives. Says whether there was one.
    async fn save(&self, asked: Asked<'_>) -> Result<bool> {
        let name = name(asked.id);
        let Some(until) = self.future(asked.expires) else { return self.handle.remove(&name).await };
        let set = self.handle.set_as(Codec::Json, &name, &Stored::new(asked.data, asked.expires));
        match set.if_present().expires_at(until).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Gone => {
                tracing::warn!(
                    target: "strata::tower_sessions",
                    "a session that has ended was saved; it stays ended, and what was saved is dropped"
                );
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    async fn load(&self, id: i128) -> Result<Option<(Data, time::OffsetDateTime)>> {
        match self.handle.peek::<Stored>(&name(id)).await? {
            Some(stored) => stored.into_parts().map(Some),
            None => Ok(None),
        }
    }

    async fn delete(&self, id: i128) -> Result<()> {
        self.handle.remove(&name(id)).await.map(drop)
    }

    async fn delete_expired(&self) -> Result<()> {
        let mut after = None;
        loop {
            let purged = self.handle.purge(after, STEP).await?;
            if let Some(kind) = purged.failed {
                return Err(Error::new(
                    kind,
                    "delete expired sessions",
                    "some were deleted before the store failed; the next turn goes on",
                )
                .in_store(self.handle.store()));
            }
            after = purged.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// The instant as the handle knows it; `None` if it has passed.
    fn future(&self, expires: time::OffsetDateTime) -> Option<Timestamp> {
        let millis = expires.unix_timestamp_nanos() / 1_000_000;
        let until = Timestamp::from_millis(u64::try_from(millis).unwrap_or(0));
        (until > self.handle.clock().now()).then_some(until)
    }
}

/// The record's name: SHA-256 of the identifier, in hexadecimal digits.
fn name(id: i128) -> String {
    let hash = digest::digest(&digest::SHA256, &id.to_le_bytes());
    let digits = hash.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

impl fmt::Debug for StrataStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StrataStore").field("handle", &self.handle).finish()
    }
}
