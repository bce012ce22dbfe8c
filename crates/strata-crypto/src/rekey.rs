//! Moving records to the primary key and ending old keys: [`StoreKeys::rekey`], [`StoreKeys::retire`], [`Rekeyed`].

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use strata_core::{
    Cursor, Envelope, Error, ErrorKind, Expiry, Guard, Handle, Keep, Key, KeyId, KeyPrefix, MaybeSend, Page,
    Payload, Record, Resealed, Result, Scan, Seal as _, Select, Store, Tags, Version, Write,
};

use crate::header;
use crate::store_keys::{self, StoreKeys};
use crate::text::parse_id;

/// Records looked at between two savings of the cursor.
const PAGE: usize = 256;
/// The version of the kept progress; of others, none is read.
const FORMAT: u32 = 2;

/// How far a rekeying has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rekeyed {
    /// The key everything is moved to.
    pub primary: KeyId,
    /// Records looked at, earlier runs included.
    pub seen: u64,
    /// Records sealed anew.
    pub moved: u64,
    /// Records that could not be opened: damaged, or under a key that is not here. They were left as they are, and keep
    /// the key they name from being retired.
    pub unreadable: u64,
    /// Whether the whole store was walked.
    pub finished: bool,
}

/// A walk under way: to `done.primary`, as long as the header is the one of that version. Every change of keys writes the
/// header, so that a primary that went and came back is noticed too.
struct Walk {
    header: Version,
    after: Option<Cursor>,
    done: Rekeyed,
}

impl StoreKeys {
    /// Seals every record anew that is not under the primary key (ASVS 11.2.2). Values, expiry and tags stay; nothing is announced;
    /// the store stays in use meanwhile.
    ///
    /// `progress` is called after every 256 records, once the cursor is stored: a rekeying that was dropped, killed or failed goes
    /// on from there when it is called again, as long as no key was added, promoted or retired in between; otherwise it begins
    /// anew. `handle` is one over the same store with this seal.
    ///
    /// What cannot be opened is counted. An error is the store's, also where it cannot list a damaged record: what lies before
    /// that is done and kept; remove or repair the record, and call again.
    pub async fn rekey(
        &self,
        handle: &Handle,
        mut progress: impl FnMut(Rekeyed) + MaybeSend,
    ) -> Result<Rekeyed> {
        self.check_handle(handle)?;
        let store = &**handle.store();
        let mut walk = self.resume(store).await?;
        while !walk.done.finished {
            let page = page(store, walk.after.clone()).await?;
            for (key, record) in &page.entries {
                self.reseal(handle, key, record, &mut walk.done).await?;
            }
            let now = self.start(store).await?;
            if (now.header, now.done.primary) != (walk.header, walk.done.primary) {
                // Promoted meanwhile: what was moved has to move again.
                walk = now;
                continue;
            }
            walk.after = page.next;
            walk.done.finished = walk.after.is_none();
            keep(handle, &walk).await?;
            progress(walk.done);
        }
        Ok(walk.done)
    }

    /// Ends a key: refuses if it is primary, walks the whole store, and takes it out of keyset and header if no living record is
    /// sealed under it. Gives the number of records looked at. Records found are [`ErrorKind::Invalid`]; rekey first. A record
    /// that is cut too short to be opened by any key is passed over; one the store cannot list is its error. A retirement that failed or was killed is finished by another
    /// one, in this process or after the next open.
    ///
    /// # Writes in flight
    /// A write is sealed before it is stored. One that was sealed before the promotion and is stored only after this walk is
    /// acknowledged and then cannot be read: [`ErrorKind::MissingKey`]. Nothing here can see such a write. So let writers that
    /// began before the promotion finish first (a restart of the program makes sure), and keep a copy of the old key: put back, it
    /// opens what came late.
    ///
    /// For the same reason every process that shares the store must have learnt the new primary before, or it goes on sealing
    /// under the old one; see [`reload`](StoreKeys::reload).
    pub async fn retire(&self, handle: &Handle, id: KeyId) -> Result<u64> {
        self.check_handle(handle)?;
        let store = &**handle.store();
        self.check_removable(store, id).await?;
        let (mut after, mut seen, mut found) = (None, 0, 0_u64);
        loop {
            let page = page(store, after).await?;
            let now = handle.clock().now();
            for (_, record) in page.entries.iter().filter(|(_, record)| !record.is_dead(now)) {
                seen += 1;
                found += u64::from(self.is_under(record, id)?);
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        if found > 0 {
            return Err(still_used(id, found).in_store(store));
        }
        self.remove(store, id, handle.clock().now()).await?;
        Ok(seen)
    }

    async fn reseal(&self, handle: &Handle, key: &Key, record: &Record, done: &mut Rekeyed) -> Result<()> {
        if key.is_system() && !Envelope::is_sealed(record.payload.as_bytes()) {
            return Ok(());
        }
        done.seen += 1;
        if self.under(record).is_ok_and(|id| id == Some(done.primary)) {
            return Ok(());
        }
        match handle.reseal(key).await {
            Ok(Resealed::Moved) => done.moved += 1,
            Ok(Resealed::Current | Resealed::Gone) => {}
            Err(error) if is_of_the_record(error.kind()) => done.unreadable += 1,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The key a record is sealed under, if it is sealed.
    fn under(&self, record: &Record) -> Result<Option<KeyId>> {
        let envelope = record.payload.as_bytes();
        Envelope::is_sealed(envelope)
            .then(|| self.sealer().sealed_under(envelope, Envelope::HEADER))
            .transpose()
    }

    /// Whether a record is sealed under `id`. One that is cut too short for a seal is under none; one of a newer scheme
    /// is an error, for it may be.
    fn is_under(&self, record: &Record, id: KeyId) -> Result<bool> {
        match self.under(record) {
            Err(error) if error.kind() == ErrorKind::Corrupt => Ok(false),
            under => Ok(under? == Some(id)),
        }
    }

    /// Resealing has to go through the seal whose keys these are.
    fn check_handle(&self, handle: &Handle) -> Result<()> {
        let sealer: *const () = std::sync::Arc::as_ptr(self.sealer()).cast();
        if handle.seal().is_some_and(|seal| std::ptr::eq(std::sync::Arc::as_ptr(seal).cast(), sealer)) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Invalid,
            "rekey",
            "the handle does not seal with these keys; build it with this store's sealer",
        ))
    }

    async fn start(&self, store: &dyn Store) -> Result<Walk> {
        let (_, header) = store_keys::load(store).await?;
        let primary = self.sealer().primary();
        let done = Rekeyed { primary, seen: 0, moved: 0, unreadable: 0, finished: false };
        Ok(Walk { header, after: None, done })
    }

    /// Where an earlier run under the same keys ended, or the start. What cannot be read is started over.
    async fn resume(&self, store: &dyn Store) -> Result<Walk> {
        let start = self.start(store).await?;
        let kept = store.get(&key()?).await?;
        let kept = kept.and_then(|record| serde_json::from_slice::<Kept>(record.payload.as_bytes()).ok());
        Ok(kept.and_then(|kept| kept.check(&start)).unwrap_or(start))
    }
}

/// Whether the record is at fault, not the store.
fn is_of_the_record(kind: ErrorKind) -> bool {
    use ErrorKind::{Corrupt, Downgrade, MissingKey, Newer, TooLarge, WrongKey};
    matches!(kind, Corrupt | Downgrade | MissingKey | Newer | TooLarge | WrongKey)
}

async fn page(store: &dyn Store, after: Option<Cursor>) -> Result<Page> {
    store.scan(Scan { after, ..Scan::new(Select::Prefix(KeyPrefix::all()), PAGE) }).await
}

/// Stores how far it came, or removes that at the end.
async fn keep(handle: &Handle, walk: &Walk) -> Result<()> {
    let write = match &walk.after {
        Some(cursor) => Write::Put {
            payload: Payload::from(Kept::new(cursor, walk).encode()?),
            expiry: Keep::Set(Expiry::NEVER),
            tags: Keep::Set(Tags::none()),
        },
        None => Write::Remove,
    };
    header::commit(&**handle.store(), key()?, Guard::Any, write, handle.clock().now()).await
}

#[cold]
fn still_used(id: KeyId, found: u64) -> Error {
    Error::new(
        ErrorKind::Invalid,
        "retire key",
        format!("{found} records are still sealed under key {id}; rekey first, then retire it"),
    )
}

fn key() -> Result<Key> {
    Key::system("rekey")
}

/// The progress as it is stored, in plain JSON.
#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    primary: String,
    header: u64,
    after: String,
    seen: u64,
    moved: u64,
    unreadable: u64,
}

impl Kept {
    fn new(cursor: &Cursor, walk: &Walk) -> Self {
        let Rekeyed { primary, seen, moved, unreadable, .. } = walk.done;
        let after = STANDARD.encode(cursor.as_bytes());
        let (primary, header) = (primary.to_string(), walk.header.get());
        Self { format: FORMAT, primary, header, after, seen, moved, unreadable }
    }

    fn encode(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|error| {
            Error::new(ErrorKind::Other, "rekey", "its progress has no JSON form").because(error)
        })
    }

    /// The progress, if it is that of a walk which would now start so.
    fn check(self, start: &Walk) -> Option<Walk> {
        let Self { format, seen, moved, unreadable, .. } = self;
        let (header, primary) = (start.header, start.done.primary);
        let same =
            format == FORMAT && parse_id(&self.primary) == Some(primary) && self.header == header.get();
        let after = Some(Cursor::new(STANDARD.decode(&self.after).ok()?));
        let done = Rekeyed { primary, seen, moved, unreadable, finished: false };
        same.then_some(Walk { header, after, done })
    }
}
