//! An open store: [`Strata`], a [`Handle`] with what belongs to it: keys, clock, background work.

use std::fmt;
use std::ops::Deref;

use strata_core::{Batch, Codec, Durability, Error, ErrorKind, Handle, Ops, Result, Timestamp};

use crate::check::Check;
use crate::engine::Engine;
use crate::protect::Protected;
use crate::report::{Report, Stats};
use crate::time::Time;

/// An open store. Everything a [`Handle`] does it does; beside that it owns the sweeper and knows its keys.
///
/// Dropping it stops the background work; [`Strata::close`] also writes down the time, and waits for the work and for the disk.
/// Handles and collections cloned from it stay usable and keep the store open.
///
/// # Time over restarts
/// With the system's clocks, the latest instant is written down in the store at opening, at each sweep and by
/// [`Strata::close`], and the next open starts no earlier: a wall that was set back meanwhile revives nothing that had died by
/// then. What died after that and before a kill lives again under such a wall: with the sweeper, what died within its last
/// interval; with [`Builder::without_sweeper`](crate::Builder::without_sweeper), all that died since the open or the last
/// [`Strata::sweep`].
///
/// # Giving up on a future
/// Each commit is made wholly or not at all, also when its future is dropped. But a commit that the store had begun may be made
/// without being announced, whether its caller gave up (a `set` under a timeout) or the sweeper was stopped: subscribers
/// then hear [`Event::Lagged`](crate::Event::Lagged) in place of the changes, and read anew what matters to them.
#[must_use = "background work stops when this is dropped"]
pub struct Strata {
    #[cfg(feature = "ttl")]
    pub(crate) sweeping: crate::sweeping::Sweeping,
    pub(crate) handle: Handle,
    pub(crate) engine: Engine,
    pub(crate) protected: Protected,
    pub(crate) time: Time,
    /// Where the watermark was left by the open.
    pub(crate) stood: Option<Timestamp>,
}

impl Strata {
    /// Starts a builder, as [`crate::builder`].
    pub fn builder() -> crate::Builder {
        crate::builder()
    }

    /// The handle, to be cloned into tasks.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// How the store is protected and kept, and what clock and sweeper met.
    pub fn report(&self) -> Report {
        let capabilities = self.handle.capabilities();
        Report {
            store: self.handle.store().to_string(),
            protection: self.handle.protection(),
            #[cfg(feature = "crypto")]
            keys: self.protected.report.clone(),
            durability: self.handle.durability(),
            highest_durability: capabilities.durability,
            relaxed_window: capabilities.relaxed_window,
            #[cfg(feature = "ttl")]
            clock: self.time.reports(),
            #[cfg(feature = "ttl")]
            sweeps: self.sweeping.report(),
        }
    }

    /// How much the store holds. `None` where it does not count. Reads no records.
    pub async fn stats(&self) -> Result<Option<Stats>> {
        self.engine.stats().await
    }

    /// The keys that values are sealed under, to list, add, promote and retire them. `None` for plaintext.
    #[cfg(feature = "crypto")]
    pub fn keyset(&self) -> Option<&strata_crypto::StoreKeys> {
        self.protected.keys.as_ref()
    }

    /// Basic sessions in the namespace `session`, each of which ends after 30 minutes without activity, and 12 hours after it was
    /// created at the latest, however active it is. [`Sessions::builder`](strata_session::Sessions::builder) makes others.
    #[cfg(feature = "session")]
    pub fn sessions(&self) -> Result<strata_session::Sessions> {
        strata_session::Sessions::new(&self.handle)
    }

    /// Records visits in the namespace `analytics`, each of which ends after 30 minutes without activity, and after 24 hours at the
    /// latest. [`Recorder::builder`](strata_session::analytics::Recorder::builder) makes others;
    /// [`Insights`](strata_session::analytics::Insights) tells what they come to.
    #[cfg(feature = "session")]
    pub fn analytics(&self) -> Result<strata_session::analytics::Recorder> {
        strata_session::analytics::Recorder::new(&self.handle)
    }

    /// Removes what is dead now and announces it, as the background sweeper does.
    #[cfg(feature = "ttl")]
    pub async fn sweep(&self) -> Result<strata_ttl::Swept> {
        self.sweeping.sweep().await
    }

    /// Compares the store's indexes with its records and opens every living value; values in JSON are also decoded. Takes time
    /// in proportion to the store; others go on meanwhile. `progress` hears how many values have been opened.
    ///
    /// Damage is in the result. Errors are failures of reading itself.
    pub async fn check(&self, mut progress: impl FnMut(u64)) -> Result<Check> {
        let mut check = self.engine.check().await?.unwrap_or_default();
        let mut values = self.handle.select().export_plaintext();
        while let Some(found) = values.next().await {
            match found.and_then(|record| decode(&record)) {
                Ok(()) => check.opened += 1,
                Err(error) if is_damage(error.kind()) => check.add(error),
                // Damaged files have ended the handle, and are in the result already.
                Err(error) if error.kind() == ErrorKind::Poisoned && !check.is_clean() => break,
                Err(error) => return Err(error),
            }
            progress(check.opened);
        }
        Ok(check)
    }

    /// Waits until everything acknowledged so far is as durable as the store can make it.
    pub async fn flush(&self) -> Result<()> {
        let durability = self.handle.capabilities().durability;
        flush(&self.handle, durability).await
    }

    /// Stops the background work, waits for it, writes down the time, and flushes. When nothing cloned from the handle is
    /// left, the store is closed and another process may open it.
    ///
    /// # Errors
    /// What the store reports, the first of it. It is closed all the same.
    pub async fn close(self) -> Result<()> {
        let Self { handle, .. } = self;
        #[cfg(feature = "ttl")]
        self.sweeping.stop().await;
        let kept = self.time.keep(&self.engine, self.stood).await;
        let durability = handle.capabilities().durability;
        let flushed = flush(&handle, durability).await;
        drop((handle, self.protected, self.time));
        // Closing a store on disk waits for it.
        let engine = self.engine;
        crate::engine::blocking(move || drop(engine)).await?;
        kept.and(flushed)
    }
}

/// An empty batch is a barrier.
async fn flush(handle: &Handle, durability: Durability) -> Result<()> {
    let batch = Batch { now: handle.clock().now(), durability, ops: Ops::new() };
    handle.store().commit(batch).await.map(drop)
}

/// Whether a value reads as what it says it is, as far as that can be told without its type.
fn decode(record: &strata_core::Exported) -> Result<()> {
    let strata_core::Body::Plain { codec, bytes, .. } = &record.body else { return Ok(()) };
    if Codec::from_id(*codec)? != Codec::Json {
        return Ok(());
    }
    Codec::Json.decode::<serde::de::IgnoredAny>(bytes).map(drop).map_err(|error| {
        let message =
            format!("the value of `{}` is no JSON although it says so; restore or remove it", record.key);
        Error::new(ErrorKind::Corrupt, "check", message).because(error)
    })
}

/// Errors that are about one record and not about reaching the store.
fn is_damage(kind: ErrorKind) -> bool {
    use ErrorKind::{Corrupt, Downgrade, Foreign, Mismatch, MissingKey, Newer, WrongKey};
    matches!(kind, Corrupt | Downgrade | Foreign | MissingKey | Mismatch | Newer | WrongKey)
}

impl Deref for Strata {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

impl fmt::Debug for Strata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Strata").field("handle", &self.handle).finish_non_exhaustive()
    }
}
