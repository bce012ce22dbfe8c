//! Peers with stores, clocks and a network of their own, all moved by hand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use strata_core::conformance::{Faulty, block_on};
use strata_core::{
    Clock, Handle, KeyPrefix, ManualClock, Random, ReferenceStore, Result, Scan, Select, Store, Tags,
};
use strata_sync::replication::Peer;
use strata_sync::{Member, Recorder, ReplicationConfig, Scope};

/// Numbers that never come twice.
#[derive(Debug)]
pub(crate) struct Serial {
    pub(crate) next: AtomicU64,
    pub(crate) step: u64,
}

impl Random for Serial {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        let word = self.next.fetch_add(self.step, Ordering::SeqCst).to_le_bytes();
        for (byte, next) in bytes.iter_mut().zip(word) {
            *byte = next;
        }
        Ok(())
    }
}

/// What a living record looks like to a reader: value, expiry words, tags.
pub(crate) type Seen = (Option<(u64, u64)>, [u64; 3], Tags);

/// One peer, which can be restarted over its store.
pub(crate) struct Node {
    pub(crate) store: Arc<Faulty>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) db: Handle,
    pub(crate) peer: Peer,
    pub(crate) config: ReplicationConfig,
    pub(crate) scope: Scope,
}

impl Node {
    pub(crate) fn over(
        store: Arc<Faulty>,
        clock: Arc<ManualClock>,
        random: Arc<dyn Random>,
        config: ReplicationConfig,
        scope: Scope,
    ) -> Self {
        let (recorder, db) = handle(&store, &clock, &random, &scope);
        let peer = block_on(Peer::open(db.clone(), Arc::clone(&recorder), config.clone())).expect("a peer");
        Self { store, clock, random, recorder, db, peer, config, scope }
    }

    /// The process dies: only its store is left.
    pub(crate) fn restart(&mut self) {
        self.store.disarm();
        let (recorder, db) = handle(&self.store, &self.clock, &self.random, &self.scope);
        let peer =
            block_on(Peer::open(db.clone(), Arc::clone(&recorder), self.config.clone())).expect("a peer");
        (self.recorder, self.db, self.peer) = (recorder, db, peer);
    }

    /// What lives here.
    pub(crate) fn seen(&self) -> BTreeMap<String, Seen> {
        let page =
            block_on(self.store.scan(Scan::new(Select::Prefix(KeyPrefix::all()), 1024))).expect("scan");
        let now = self.clock.now();
        let living =
            page.entries.into_iter().filter(|(key, record)| !key.is_system() && !record.is_dead(now));
        living
            .map(|(key, record)| {
                let value = block_on(self.db.peek::<(u64, u64)>(key.as_str())).ok().flatten();
                (key.as_str().to_owned(), (value, record.expiry.to_words(), record.tags))
            })
            .collect()
    }

    /// The names of replication's own records.
    pub(crate) fn system(&self) -> Vec<String> {
        let select = Select::Prefix(KeyPrefix::new("~strata:").expect("prefix"));
        let page = block_on(self.store.scan(Scan::new(select, 1024))).expect("scan");
        page.entries.into_iter().map(|(key, _)| key.as_str().to_owned()).collect()
    }

    pub(crate) fn get(&self, key: &str) -> Option<(u64, u64)> {
        block_on(self.db.peek(key)).expect("peek")
    }
}

pub(crate) fn handle(
    store: &Arc<Faulty>,
    clock: &Arc<ManualClock>,
    random: &Arc<dyn Random>,
    scope: &Scope,
) -> (Arc<Recorder>, Handle) {
    let recorder = Recorder::new(Arc::clone(clock) as _, scope.clone());
    let db = Handle::builder(Arc::clone(store) as _, Arc::clone(clock) as _)
        .random(Arc::clone(random))
        .journal(Arc::clone(&recorder) as _)
        .bus(Arc::clone(&recorder) as _)
        .build()
        .expect("a handle");
    (recorder, db)
}

/// A message on its way.
#[derive(Clone)]
pub(crate) struct Flying {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) bytes: Arc<[u8]>,
}

/// Peers and the messages between them.
pub(crate) struct World {
    pub(crate) nodes: Vec<Node>,
    pub(crate) flying: Vec<Flying>,
    /// Which side of a partition each peer is on.
    pub(crate) side: Vec<u8>,
    pub(crate) random: Arc<dyn Random>,
}

pub(crate) fn config() -> ReplicationConfig {
    ReplicationConfig::default().interval(Duration::from_secs(1)).retention(Duration::from_hours(24))
}

impl World {
    pub(crate) fn new(peers: usize) -> Self {
        Self::with(peers, &config(), &Scope::all())
    }

    pub(crate) fn with(peers: usize, config: &ReplicationConfig, scope: &Scope) -> Self {
        let random: Arc<dyn Random> = Arc::new(Serial { next: AtomicU64::new(1), step: 1 });
        let mut world = Self { nodes: Vec::new(), flying: Vec::new(), side: Vec::new(), random };
        for _ in 0..peers {
            world.add(config, scope);
        }
        world
    }

    /// Adds a peer with an empty store.
    pub(crate) fn add(&mut self, config: &ReplicationConfig, scope: &Scope) -> usize {
        let now = self.nodes.iter().map(|node| node.clock.now()).max();
        let clock = now.map_or_else(ManualClock::default, ManualClock::at);
        let store = Arc::new(Faulty::new(Arc::new(ReferenceStore::new()) as Arc<dyn Store>));
        let node =
            Node::over(store, Arc::new(clock), Arc::clone(&self.random), config.clone(), scope.clone());
        self.nodes.push(node);
        self.side.push(0);
        let last = self.nodes.len() - 1;
        self.meet(last);
        last
    }

    pub(crate) fn reach(&self, one: usize, other: usize) -> bool {
        one != other && self.side[one] == self.side[other]
    }

    /// `index` and all it reaches hear that they joined.
    pub(crate) fn meet(&mut self, index: usize) {
        for other in 0..self.nodes.len() {
            if self.reach(index, other) {
                self.run(index, async |peer| peer.on_joined(Member::new(other as u64)).await);
                self.run(other, async |peer| peer.on_joined(Member::new(index as u64)).await);
            }
        }
    }

    /// `index` is cut off from all others.
    pub(crate) fn leave(&mut self, index: usize, side: u8) {
        self.side[index] = side;
        for other in 0..self.nodes.len() {
            if other != index && !self.reach(index, other) {
                self.nodes[index].peer.on_left(Member::new(other as u64));
                self.nodes[other].peer.on_left(Member::new(index as u64));
            }
        }
        let side = self.side.clone();
        self.flying.retain(|flying| side[flying.from] == side[flying.to]);
    }

    pub(crate) fn rejoin(&mut self, index: usize, side: u8) {
        self.side[index] = side;
        self.meet(index);
    }

    /// Lets a peer do something and takes what it sends. Errors are the store's, which the test armed.
    pub(crate) fn run(&mut self, index: usize, act: impl AsyncFnOnce(&mut Peer) -> Result<()>) {
        let done = block_on(act(&mut self.nodes[index].peer));
        let armed = self.nodes[index].store.disarm();
        assert!(done.is_ok() || armed > 0, "{:?}", done.err());
        for out in self.nodes[index].peer.take_outgoing() {
            let to: Vec<usize> = match out.to {
                Some(member) => vec![usize::try_from(member.get()).expect("a peer")],
                None => (0..self.nodes.len()).collect(),
            };
            for to in to {
                if self.reach(index, to) {
                    self.flying.push(Flying { from: index, to, bytes: Arc::clone(&out.bytes) });
                }
            }
        }
    }

    pub(crate) fn deliver(&mut self, flying: &Flying) {
        if self.reach(flying.from, flying.to) {
            let from = Member::new(flying.from as u64);
            self.run(flying.to, async |peer| peer.on_message(from, &flying.bytes).await);
        }
    }

    /// Peers tell their changes, and every message arrives, until none is left.
    pub(crate) fn flow(&mut self) {
        for index in 0..self.nodes.len() {
            self.run(index, async |peer| peer.on_change().await);
        }
        let mut delivered = 0;
        while !self.flying.is_empty() {
            let flying = self.flying.remove(0);
            self.deliver(&flying);
            delivered += 1;
            assert!(delivered < 20_000, "peers never stop talking");
        }
    }

    /// Every peer ticks, and every message arrives.
    pub(crate) fn tick(&mut self) {
        for index in 0..self.nodes.len() {
            self.run(index, async |peer| peer.on_tick().await);
        }
        self.flow();
    }

    pub(crate) fn advance(&self, by: Duration) {
        for node in &self.nodes {
            node.clock.advance(by);
        }
    }

    /// All clocks show the latest of them.
    pub(crate) fn agree_on_time(&self) {
        let latest = self.nodes.iter().map(|node| node.clock.now()).max().expect("peers");
        for node in &self.nodes {
            node.clock.set(latest);
        }
    }
}
