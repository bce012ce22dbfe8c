//! The handle over the reference store, with a seal that binds key and header but hides nothing worth hiding.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::*;
use crate::batch::{Batch, Committed, Guard, Keep, Op, Write};
use crate::change::{Bus, Change, ChangeKind, Event};
use crate::codec::Codec;
use crate::envelope::Header;
use crate::expiry::Expiry;
use crate::journal::Journal;
use crate::lifetime::Lifetime;
use crate::record::{Payload, Record};
use crate::reference::ReferenceStore;
use crate::scan::{Page, Scan, Select};
use crate::seal::KeyId;
use crate::time::{ManualClock, Timestamp};

mod extend;
mod many;
mod one;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Cart {
    owner: String,
    items: Vec<(String, u32)>,
}

fn cart(items: u32) -> Cart {
    Cart { owner: "ada".to_owned(), items: (0..items).map(|item| (format!("item {item}"), item)).collect() }
}

/// XOR and a checksum: enough to see whether the pipe hands over what it has to.
#[derive(Debug)]
struct Toy;

impl Toy {
    fn tag(key: &Key, head: &[u8], body: &[u8]) -> [u8; 8] {
        let parts = key.as_bytes().iter().chain(head).chain(body);
        parts
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
            })
            .to_le_bytes()
    }
}

impl Seal for Toy {
    fn room(&self) -> usize {
        4
    }

    fn seal(&self, with: Option<KeyId>, key: &Key, envelope: &mut Vec<u8>, header: usize) -> Result<()> {
        let body = header + self.room();
        envelope[header..body].copy_from_slice(&with.unwrap_or(self.primary()).get().to_le_bytes());
        envelope[body..].iter_mut().for_each(|byte| *byte ^= 0x5a);
        let tag = Self::tag(key, &envelope[..body], &envelope[body..]);
        envelope.extend_from_slice(&tag);
        Ok(())
    }

    fn open<'s>(
        &self,
        key: &Key,
        envelope: &[u8],
        header: usize,
        scratch: &'s mut Vec<u8>,
    ) -> Result<&'s [u8]> {
        let body = header + self.room();
        let end = envelope.len() - 8;
        if Self::tag(key, &envelope[..body], &envelope[body..end]) != envelope[end..] {
            return Err(Error::new(ErrorKind::Corrupt, "open value", "the tag does not fit"));
        }
        scratch.extend(envelope[body..end].iter().map(|byte| byte ^ 0x5a));
        Ok(scratch)
    }

    fn sealed_under(&self, envelope: &[u8], header: usize) -> Result<KeyId> {
        let bytes = envelope[header..header + 4].try_into().expect("four bytes");
        Ok(KeyId::new(u32::from_le_bytes(bytes)))
    }

    fn primary(&self) -> KeyId {
        KeyId::new(1)
    }

    fn protection(&self) -> Protection {
        Protection::Sealed
    }
}

struct World {
    store: Arc<ReferenceStore>,
    clock: Arc<ManualClock>,
    db: Handle,
}

fn world() -> World {
    let store = Arc::new(ReferenceStore::new());
    let clock = Arc::new(ManualClock::default());
    let db = Handle::builder(Arc::clone(&store) as _, Arc::clone(&clock) as _)
        .seal(Arc::new(Toy))
        .build()
        .expect("handle");
    World { store, clock, db }
}

impl World {
    async fn raw(&self, name: &str) -> Record {
        self.store.get(&Key::new(name).expect("key")).await.expect("get").expect("record")
    }

    async fn put_raw(&self, name: &str, payload: Payload, expiry: Expiry) {
        let write = Write::Put { payload, expiry: Keep::Set(expiry), tags: Keep::Keep };
        let op = Op { key: Key::new(name).expect("key"), guard: Guard::Any, write };
        self.store.commit(Batch::one(self.clock.now(), Durability::Volatile, op)).await.expect("commit");
    }
}

/// A store whose commits fail as told.
#[derive(Debug)]
struct Failing {
    inner: ReferenceStore,
    fails: fn(&Batch) -> bool,
    commits: AtomicUsize,
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failing({})", self.inner)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for Failing {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        self.inner.get(key).await
    }

    async fn commit(&self, batch: Batch) -> Result<Committed> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        if (self.fails)(&batch) {
            return Err(Error::new(ErrorKind::Unavailable, "commit", "told to fail"));
        }
        self.inner.commit(batch).await
    }

    async fn scan(&self, scan: Scan) -> Result<Page> {
        self.inner.scan(scan).await
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}
