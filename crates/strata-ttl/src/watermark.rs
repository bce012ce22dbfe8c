//! The latest time a store is known to have lived through: [`Watermark`], a system record beside the data. A clock that
//! starts from it revives nothing after a restart under a wall that was set back.

use std::fmt;
use std::sync::Arc;

use strata_core::{
    Batch, Durability, Error, ErrorKind, Expiry, Guard, Handle, Keep, Key, Op, Payload, Result, Store, Tags,
    Timestamp, Write,
};

/// The number of the record's layout: this byte, then the milliseconds since the epoch in eight bytes, least first.
const FORMAT: u8 = 1;
/// How often a raise is tried while others raise it, too.
const ATTEMPTS: usize = 64;

/// The watermark of one store. Clones of the store share it.
///
/// It is plaintext and not authenticated: it keeps honest machines from reviving sessions, not whoever can write the store.
/// A program reads it when it opens, before it has a clock; a [`Sweeper`](crate::Sweeper) raises it as time passes.
///
/// # What it does not cover
/// Time that passed after the last raise. If a process is killed and the wall is set back before the next start, sessions that
/// died after that raise live again, for as long as they had to live at it. With a sweeper that is at most its interval (longer
/// while its sweeps fail) and the store's [window](strata_core::Capabilities::relaxed_window) for relaxed commits; without one,
/// all the time since the open or since whoever raised it last. An orderly end leaves no gap if it raises the watermark, as
/// `Strata::close` of the umbrella crate does.
#[derive(Clone)]
pub struct Watermark {
    store: Arc<dyn Store>,
    key: Key,
}

impl Watermark {
    /// The watermark of a store.
    pub fn of(store: Arc<dyn Store>) -> Self {
        // The name is not empty, has no control character, and is short.
        let key = Key::system("watermark").expect("a valid name");
        Self { store, key }
    }

    /// The watermark of the store under `handle`.
    pub fn under(handle: &Handle) -> Self {
        Self::of(Arc::clone(handle.store()))
    }

    /// The watermark, if one was ever written.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for a damaged record; [`Watermark::reset`] replaces it. What the store reports.
    pub async fn read(&self) -> Result<Option<Timestamp>> {
        let record = self.store.get(&self.key).await?;
        record.map(|record| self.parse(record.payload.as_bytes())).transpose()
    }

    /// Raises it to `now` if that is later, and says where it stands. Relaxed durability: a crash may take it back by the
    /// store's window, which a restart makes up for from the wall.
    pub async fn raise(&self, now: Timestamp) -> Result<Timestamp> {
        for _ in 0..ATTEMPTS {
            let guard = match self.store.get(&self.key).await? {
                None => Guard::Absent,
                Some(record) => {
                    let stands = self.parse(record.payload.as_bytes())?;
                    if stands >= now {
                        return Ok(stands);
                    }
                    Guard::Version(record.version)
                }
            };
            match self.put(now, guard, Durability::Relaxed).await {
                Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Gone) => {}
                done => return done.map(|()| now),
            }
        }
        Err(Error::new(ErrorKind::Conflict, "raise watermark", "others raise it all the time; retry")
            .in_store(&self.store))
    }

    /// Puts it at an instant, earlier ones included: the operator's way out of a future that never was. Durable as
    /// [`Durability::Process`] where the store has that.
    ///
    /// Stop the programs that use the store first: their clocks still are in that future, and their sweepers would raise the
    /// watermark to it again.
    pub async fn reset(&self, to: Timestamp) -> Result<()> {
        self.put(to, Guard::Any, Durability::Process).await
    }

    async fn put(&self, to: Timestamp, guard: Guard, durability: Durability) -> Result<()> {
        let mut bytes = vec![FORMAT];
        bytes.extend_from_slice(&to.as_millis().to_le_bytes());
        let write = Write::Put {
            payload: Payload::from(bytes),
            expiry: Keep::Set(Expiry::NEVER),
            tags: Keep::Set(Tags::none()),
        };
        let durability = durability.min(self.store.capabilities().durability);
        let op = Op { key: self.key.clone(), guard, write };
        self.store.commit(Batch::one(to, durability, op)).await.map(drop)
    }

    fn parse(&self, bytes: &[u8]) -> Result<Timestamp> {
        let millis = bytes.split_first().and_then(|(format, rest)| {
            let rest: [u8; 8] = rest.try_into().ok()?;
            (*format == FORMAT).then(|| u64::from_le_bytes(rest))
        });
        millis.map(Timestamp::from_millis).ok_or_else(|| {
            Error::new(
                ErrorKind::Corrupt,
                "read watermark",
                "the watermark is damaged; reset it to the present time with the programs of this store stopped",
            )
            .in_store(&self.store)
        })
    }
}

impl fmt::Debug for Watermark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watermark").field("store", &format_args!("{}", self.store)).finish_non_exhaustive()
    }
}
