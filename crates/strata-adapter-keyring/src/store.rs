//! The store: [`KeyringStore`], one entry for each record.
//!
//! # Versions
//! A keyring keeps no sequence beside its entries, and a removed entry leaves nothing behind that a next life could count on from.
//! So a version is 63 bits of the system's generator, drawn for each change. A guard compares it with one other, so it is wrong
//! once in 2^63 tries; among a million versions of one service two are equal with a chance of one in 10^7, and only two of the
//! same key could be confused. (A clock would go back, and the greater of clock and predecessor forgets the predecessor on removal.)

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use ring::rand::{SecureRandom as _, SystemRandom};
use strata_core::{
    Atomicity, Batch, Capabilities, Coherence, Committed, Cursor, Durability, Effect, Error, ErrorKind,
    GuardScope, Key, Listing, Op, Outcome, Page, Payload, Protection, Record, Result, Scan, Select, Store,
    Timestamp, Version, Write,
};

use crate::config::KeyringConfig;
use crate::connection::Connection;
use crate::entry::{self, Stored};
use crate::keyring::Keyring;
use crate::large::{Overflow, Pointer, no_random};
use crate::name;

/// How often a large value is looked up again after it was replaced in mid-reading.
const ATTEMPTS: usize = 8;

/// Small secrets as entries of the operating system's keyring.
///
/// | | |
/// |---|---|
/// | one commit changes | one key |
/// | guards hold among | the tasks of this process, or the processes that name the same [`lock_file`](KeyringConfig::lock_file) |
/// | acknowledged means | the keyring has it: [`Durability::Process`]. When it reaches the disk is the keyring's affair |
/// | listing | none: no prefixes, tags, due times, and so no sweeper. Dead records are never served, and stay until they are removed or replaced |
/// | a value takes | up to [`capabilities`](Store::capabilities)`.max_payload` bytes, less about four thirds of its tags |
/// | one call takes | some milliseconds; a question to the user, as long as they like, up to the timeout |
///
/// Keys (the names) are readable in the keyring's own program, in some keyrings also while it is locked: put nothing secret into them.
#[derive(Clone)]
pub struct KeyringStore {
    keyring: Keyring,
    overflow: Option<Overflow>,
    capabilities: Capabilities,
    /// The longest payload that is kept in an entry.
    inline: usize,
}

/// What one change did, and the blob that no entry names any more.
struct Changed {
    outcome: Outcome,
    old: Option<Pointer>,
}

/// One operation, with everything that the keyring's thread needs for it.
#[derive(Clone)]
struct Change {
    op: Op,
    now: Timestamp,
    version: Version,
    /// Where the new payload is, if not in `op`.
    pointer: Option<Pointer>,
    limit: usize,
}

impl KeyringStore {
    /// Opens the entries of a service. As [`Keyring::open`].
    pub async fn open(config: KeyringConfig) -> Result<Self> {
        Keyring::open(config).await.map(Self::over)
    }

    /// The entries of this keyring, which others may use as well.
    pub fn over(keyring: Keyring) -> Self {
        let config = keyring.config();
        let place = format!("{}\n{}", keyring.place(), keyring.service());
        let overflow = config.overflow.clone().map(|store| Overflow::new(store, &place));
        let room = entry::room(config.max_entry);
        let inline = if overflow.is_some() { room.min(config.overflow_above) } else { room };
        let mut capabilities = Capabilities {
            atomicity: Atomicity::Key,
            guards: if keyring.turns().are_machine_wide() {
                GuardScope::Machine
            } else {
                GuardScope::Process
            },
            durability: Durability::Process,
            relaxed_window: std::time::Duration::ZERO,
            coherence: Coherence::Strong,
            listing: Listing::None,
            max_payload: inline,
            max_batch: 1,
            protection: Protection::OsKeyring,
        };
        if let Some(overflow) = &overflow {
            let other = overflow.store().capabilities();
            capabilities.durability = capabilities.durability.min(other.durability);
            capabilities.relaxed_window = other.relaxed_window;
            capabilities.coherence = capabilities.coherence.min(other.coherence);
            capabilities.max_payload = inline.max(overflow.room());
        }
        Self { keyring, overflow, capabilities, inline }
    }

    /// The keyring under it.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// The entry of a record, its payload perhaps elsewhere.
    async fn stored(&self, key: &Key) -> Result<Option<Stored>> {
        let key = key.clone();
        self.keyring.call("get", move |connection| read(connection, "get", &key)).await
    }

    async fn change(&self, change: Change) -> Result<Changed> {
        self.keyring.change("commit", move |connection| change.make(connection)).await
    }

    /// Makes a change whose payload lies in its operation, or has none.
    async fn change_here(&self, op: Op, now: Timestamp) -> Result<Outcome> {
        let limit = self.keyring.config().max_entry;
        let changed =
            self.change(Change { op: op.clone(), now, version: draw()?, pointer: None, limit }).await?;
        if let (Some(overflow), Some(old)) = (&self.overflow, &changed.old) {
            // The change is made. What is left of the old value is unreadable, and goes with the next large one.
            let _ = overflow.remove(&op.key, old, now).await;
        }
        Ok(changed.outcome)
    }

    /// Makes a change whose payload is kept in the overflow store: blob, entry, old blob.
    async fn change_elsewhere(
        &self,
        overflow: &Overflow,
        mut op: Op,
        now: Timestamp,
        durability: Durability,
    ) -> Result<Outcome> {
        let Write::Put { payload, .. } = &mut op.write else { return self.change_here(op, now).await };
        let payload = std::mem::replace(payload, Payload::from(&[][..]));
        let key = op.key.clone();
        let _turn = self.keyring.turns().take_long().await;
        let pointer = overflow.put(&key, &payload, now, durability).await?;
        let limit = self.keyring.config().max_entry;
        let change = Change { op, now, version: draw()?, pointer: Some(pointer.clone()), limit };
        match self.change(change).await {
            Ok(Changed { outcome, old }) => {
                // The change is made. What cannot be removed now is unreadable, and goes with the next large value.
                if let Some(old) = old {
                    let _ = overflow.remove(&key, &old, now).await;
                }
                let _ = overflow.tidy(&key, &pointer, now).await;
                Ok(outcome)
            }
            Err(error) => {
                // Where the outcome is unknown, the entry may name the blob.
                if !matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Other) {
                    let _ = overflow.remove(&key, &pointer, now).await;
                }
                Err(error)
            }
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for KeyringStore {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        for _ in 0..ATTEMPTS {
            let Some(Stored { mut record, pointer }) = self.stored(key).await? else { return Ok(None) };
            let Some(pointer) = pointer else { return Ok(Some(record)) };
            let overflow = self.overflow.as_ref().ok_or_else(|| no_overflow(key).in_store(self))?;
            if let Some(payload) = overflow.get(key, &pointer).await.map_err(|error| error.in_store(self))? {
                record.payload = payload;
                return Ok(Some(record));
            }
            // Replaced between the two looks; or lost, if that goes on.
        }
        Err(lost(key).in_store(self))
    }

    async fn commit(&self, batch: Batch) -> Result<Committed> {
        batch.validate(&self.capabilities, self)?;
        let Batch { now, durability, mut ops } = batch;
        // What was acknowledged before is with the keyring already, so an empty batch has nothing to wait for.
        let Some(op) = ops.pop() else { return Ok(Committed { outcomes: smallvec::SmallVec::new() }) };
        let outcome = match &self.overflow {
            None => self.change_here(op, now).await,
            Some(overflow) if !fits(&op, self.inline) => {
                self.change_elsewhere(overflow, op, now, durability).await
            }
            Some(overflow) => match self.change_here(op.clone(), now).await {
                // It fits only without the tags that the record has.
                Err(error) if error.kind() == ErrorKind::TooLarge => {
                    self.change_elsewhere(overflow, op, now, durability).await
                }
                done => done,
            },
        };
        Ok(Committed { outcomes: smallvec::smallvec![outcome?] })
    }

    async fn scan(&self, scan: Scan) -> Result<Page> {
        let Select::Keys(keys) = &scan.select else { return Err(unlistable().in_store(self)) };
        let start = position(scan.after.as_ref()).map_err(|error| error.in_store(self))?;
        let end = keys.len().min(start.saturating_add(scan.limit()));
        let mut page = Page::default();
        for key in keys.get(start..end).unwrap_or_default() {
            if let Some(record) = self.get(key).await? {
                page.entries.push((key.clone(), record));
            }
        }
        page.next = (end < keys.len()).then(|| Cursor::new((end as u64).to_le_bytes()));
        Ok(page)
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }
}

impl Change {
    /// Reads, judges, writes: the atomic step, on the keyring's thread and in its turn.
    fn make(self, connection: &mut Connection) -> Result<Changed> {
        let Self { op: Op { key, guard, write }, now, version, pointer, limit } = self;
        let found = read(connection, "commit", &key)?;
        let existing = found.as_ref().map(|stored| &stored.record);
        guard.judge(&key, existing, now)?;
        let replaces = matches!(write, Write::Put { .. });
        let (effect, outcome) = write.apply(existing, now, version);
        let user = name::of_record(&key);
        let old = found.as_ref().and_then(|stored| stored.pointer.clone());
        let old = match effect {
            Effect::Nothing => None,
            Effect::Put(record) => {
                let pointer = if replaces { pointer } else { old.clone() };
                connection.write("commit", &user, &Stored { record, pointer }.encode(&key, limit)?)?;
                old.filter(|_| replaces)
            }
            Effect::Slide(target) => {
                if let Some(mut stored) = found {
                    stored.record.expiry.slide_to(target);
                    connection.write("commit", &user, &stored.encode(&key, limit)?)?;
                }
                None
            }
            Effect::Remove => {
                connection.remove("commit", &user)?;
                old
            }
        };
        Ok(Changed { outcome, old })
    }
}

fn read(connection: &mut Connection, operation: &'static str, key: &Key) -> Result<Option<Stored>> {
    let text = connection.read(operation, &name::of_record(key))?;
    text.map(|text| Stored::decode(key, &text)).transpose()
}

/// Whether an operation's payload belongs into an entry.
fn fits(op: &Op, inline: usize) -> bool {
    !matches!(&op.write, Write::Put { payload, .. } if payload.len() > inline)
}

/// A version nobody had before.
fn draw() -> Result<Version> {
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).map_err(|_| no_random())?;
    Ok(Version::new((u64::from_le_bytes(bytes) >> 1).max(1)))
}

/// How many of the named keys a walk is past.
fn position(after: Option<&Cursor>) -> Result<usize> {
    let Some(cursor) = after else { return Ok(0) };
    let bytes = cursor.as_bytes().try_into().map_err(|_| {
        Error::new(
            ErrorKind::Invalid,
            "scan",
            "the cursor belongs to another selection; start the walk again",
        )
    })?;
    Ok(usize::try_from(u64::from_le_bytes(bytes)).unwrap_or(usize::MAX))
}

#[cold]
fn unlistable() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "scan",
        "a keyring can't be walked; name the keys, or keep a list of them in a record of your own",
    )
}

#[cold]
fn no_overflow(key: &Key) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "get",
        format!(
            "the value of `{key}` lies in an overflow store; open the keyring with the one it was written with"
        ),
    )
}

#[cold]
fn lost(key: &Key) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        "get",
        format!(
            "the value of `{key}` is missing from the overflow store; restore that store, or remove the record"
        ),
    )
}

impl fmt::Debug for KeyringStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyringStore").field("config", self.keyring.config()).finish_non_exhaustive()
    }
}

impl fmt::Display for KeyringStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.overflow {
            None => self.keyring.fmt(f),
            Some(overflow) => write!(f, "{} over {}", self.keyring, overflow.store()),
        }
    }
}

impl From<Keyring> for Arc<dyn Store> {
    fn from(keyring: Keyring) -> Self {
        Arc::new(KeyringStore::over(keyring))
    }
}
