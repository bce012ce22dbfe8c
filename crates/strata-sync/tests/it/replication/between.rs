//! Local writes that land while a peer's change is taken up, at every point where they can: none is lost unseen.

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use strata_core::conformance::{Faulty, block_on};
use strata_core::{
    Batch, Capabilities, Committed, Handle, Key, ManualClock, Page, Record, ReferenceStore, Result, Scan,
    Store,
};
use strata_sync::Scope;

use super::world::{Node, World, config};

type Deed = Box<dyn FnOnce() + Send>;

/// A store in which something happens just before its nth call.
#[derive(Default)]
struct Interposed {
    inner: Arc<ReferenceStore>,
    plan: Mutex<Option<(u32, Deed)>>,
}

impl Interposed {
    fn before(&self, nth: u32, deed: Deed) {
        *self.plan.lock().expect("lock") = Some((nth, deed));
    }

    /// Whether what was planned has happened.
    fn happened(&self) -> bool {
        self.plan.lock().expect("lock").take().is_none()
    }

    fn call(&self) {
        let mut plan = self.plan.lock().expect("lock");
        let due = match &mut *plan {
            Some((left, _)) => {
                *left -= 1;
                *left == 0
            }
            None => false,
        };
        let deed = if due { plan.take() } else { None };
        drop(plan);
        if let Some((_, deed)) = deed {
            deed();
        }
    }
}

impl fmt::Debug for Interposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interposed")
    }
}

impl fmt::Display for Interposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "interposed over {}", self.inner)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for Interposed {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        self.call();
        self.inner.get(key).await
    }

    async fn commit(&self, batch: Batch) -> Result<Committed> {
        self.call();
        self.inner.commit(batch).await
    }

    async fn scan(&self, scan: Scan) -> Result<Page> {
        self.call();
        self.inner.scan(scan).await
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}

#[derive(Clone, Copy, Debug)]
enum Local {
    Modify,
    Remove,
    RemoveAndCreate,
    CreateAndRemove,
    Touch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remote {
    Create,
    Modify,
    Remove,
}

async fn act(db: &Handle, local: Local) {
    let modified = db.modify("key", |value: &mut (u64, u64)| value.0 = 20);
    match local {
        Local::Modify => drop(modified.await),
        Local::Remove => drop(db.remove("key").await),
        Local::Touch => drop(db.touch("key").await),
        Local::RemoveAndCreate => {
            drop(db.remove("key").await);
            drop(db.set("key", &(30_u64, 0_u64)).if_absent().await);
        }
        Local::CreateAndRemove => {
            drop(db.set("key", &(40_u64, 0_u64)).if_absent().await);
            drop(db.remove("key").await);
        }
    }
}

/// Whether the local deed landed at call `nth`, which is after the last call if not.
fn lands(local: Local, remote: Remote, nth: u32) -> bool {
    let mut world = World::new(1);
    let store = Arc::new(Interposed::default());
    let clock = Arc::new(ManualClock::default());
    let faulty = Arc::new(Faulty::new(Arc::clone(&store) as Arc<dyn Store>));
    world.nodes.push(Node::over(faulty, clock, Arc::clone(&world.random), config(), Scope::all()));
    world.side.push(0);
    world.meet(1);
    if remote != Remote::Create {
        block_on(async {
            let set = world.nodes[0].db.set("key", &(1_u64, 0_u64));
            set.idle(std::time::Duration::from_mins(1)).await.expect("set");
        });
    }
    world.flow();
    world.advance(std::time::Duration::from_secs(5));
    block_on(async {
        match remote {
            Remote::Modify => {
                world.nodes[0].db.modify("key", |value: &mut (u64, u64)| value.0 = 10).await.expect("modify");
            }
            Remote::Create => drop(world.nodes[0].db.set("key", &(10_u64, 0_u64)).await.expect("set")),
            Remote::Remove => assert!(world.nodes[0].db.remove("key").await.expect("remove")),
        }
    });
    world.run(0, async |peer| peer.on_change().await);
    // Later than what the peer did.
    world.nodes[1].clock.advance(std::time::Duration::from_secs(1));
    let db = world.nodes[1].db.clone();
    store.before(nth, Box::new(move || block_on(act(&db, local))));
    let told = world.flying.remove(0);
    world.deliver(&told);
    let landed = store.happened();
    world.tick();
    world.tick();
    let values = [0, 1].map(|peer| world.nodes[peer].get("key").map(|(value, _)| value));
    assert_eq!(values[0], values[1], "{local:?} meets {remote:?} at call {nth}");
    let allowed: &[Option<u64>] = match (local, remote) {
        _ if !landed => &[Some(10), None],
        (Local::Remove | Local::CreateAndRemove, _) | (Local::Modify | Local::Touch, Remote::Remove) => {
            &[None]
        }
        (Local::RemoveAndCreate, _) => &[Some(30)],
        (Local::Modify, _) => &[Some(20)],
        (Local::Touch, _) => &[Some(10)],
    };
    assert!(allowed.contains(&values[0]), "{local:?} meets {remote:?} at call {nth}: {values:?}");
    landed
}

#[test]
fn s13_a_local_write_between_reading_and_committing_is_not_lost() {
    let mut meetings = vec![(Local::CreateAndRemove, Remote::Create)];
    for local in [Local::Modify, Local::Remove, Local::RemoveAndCreate, Local::Touch] {
        meetings.extend([(local, Remote::Modify), (local, Remote::Remove)]);
    }
    for (local, remote) in meetings {
        let calls = (1..100).find(|nth| !lands(local, remote, *nth)).expect("a last call");
        assert!(calls > 2, "at least a read and a commit");
    }
}
