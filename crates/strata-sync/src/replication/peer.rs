//! One member of a group whose stores are separate: [`Peer`], a state machine without a runtime. It is told what happens (a change here, a
//! message, somebody who joins, time that passes) and leaves messages to be sent in its outbox.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use strata_core::{
    Atomicity, Batch, Coherence, Error, ErrorKind, Guard, GuardScope, Handle, Key, KeyPrefix, Listing, Needs,
    Protection, Result, Scan, Select, Timestamp,
};

use super::config::ReplicationConfig;
use super::contact::Contacts;
use super::index::Index;
use super::journal::{self, News, Recorder};
use super::message::{Body, Item, Letter};
use super::record::{Identity, PREFIX, Role, Stored, decode, encode, self_key};
use super::report::{MemberReport, Refusal, ReplicationReport};
use crate::link::Member;

/// How often a change is tried again that others were faster with.
pub(super) const ATTEMPTS: usize = 64;

/// A message to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// To whom; `None` for everybody.
    pub to: Option<Member>,
    /// What. It holds values that anybody can read: seal it.
    pub bytes: Arc<[u8]>,
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outgoing {{ to: {:?}, {} bytes }}", self.to, self.bytes.len())
    }
}

/// Somebody who can be reached.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) origin: Option<u64>,
    pub(super) agreed: Option<Timestamp>,
    pub(super) in_step: bool,
    /// How many of our questions it has not answered yet.
    pub(super) awaited: u32,
    /// Whether its answers changed anything.
    pub(super) gained: bool,
    /// Whether it says that it was apart from everybody for too long.
    pub(super) apart: bool,
}

/// Keeps one store in step with those of other peers.
///
/// Drive it with one task: every method runs to its end before the next is called. A method that fails has left the store whole; what was
/// lost on the way is repaired at the next digest.
pub struct Peer {
    pub(super) handle: Handle,
    pub(super) recorder: Arc<Recorder>,
    pub(super) config: ReplicationConfig,
    pub(super) identity: Identity,
    pub(super) contacts: Contacts,
    pub(super) index: Index,
    pub(super) members: BTreeMap<Member, Known>,
    pub(super) outbox: Vec<Outgoing>,
    pub(super) dropped: BTreeMap<Refusal, u64>,
    pub(super) untold: u64,
    pub(super) withheld: u64,
    pub(super) failures: u64,
    pub(super) pruned: Timestamp,
    /// Where lists too long for one answer begin: elsewhere each time.
    pub(super) turn: usize,
}

impl Peer {
    /// Opens replication over `handle`, whose journal and bus `recorder` is: reads the states the store holds, settles what a crash left,
    /// and takes up records that were there before.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a store that cannot commit several keys or be walked, or a handle without randomness; what the store reports.
    pub async fn open(handle: Handle, recorder: Arc<Recorder>, config: ReplicationConfig) -> Result<Self> {
        handle.require(&Needs {
            atomicity: Atomicity::Batch,
            guards: GuardScope::Process,
            coherence: Coherence::Strong,
            listing: Listing::Indexed,
            protection: Protection::Plaintext,
        })?;
        if !handle.prefix().is_empty() {
            return Err(Error::new(
                ErrorKind::Invalid,
                "open replication",
                "replication is about whole names; give it the root handle, and a scope for what to replicate",
            ));
        }
        let mut peer = Self {
            handle,
            recorder,
            config,
            identity: Identity::default(),
            contacts: Contacts::default(),
            index: Index::new(),
            members: BTreeMap::new(),
            outbox: Vec::new(),
            dropped: BTreeMap::new(),
            untold: 0,
            withheld: 0,
            failures: 0,
            pruned: Timestamp::EPOCH,
            turn: 0,
        };
        peer.restore().await?;
        Ok(peer)
    }

    /// What this store's stamps are told by.
    pub fn origin(&self) -> u64 {
        self.identity.origin
    }

    /// The messages to be sent by now.
    pub fn take_outgoing(&mut self) -> Vec<Outgoing> {
        std::mem::take(&mut self.outbox)
    }

    /// Something changed here: settles it and tells the peers. Call it when [`Recorder::changed`] resolves.
    pub async fn on_change(&mut self) -> Result<()> {
        let mut news = self.recorder.take();
        self.tell(&mut news).await
    }

    /// Somebody can be reached: both compare what they hold.
    pub async fn on_joined(&mut self, member: Member) -> Result<()> {
        self.members.entry(member).or_default();
        self.on_change().await?;
        self.send_digest(Some(member), &[])
    }

    /// Somebody cannot be reached any more.
    pub fn on_left(&mut self, member: Member) {
        self.members.remove(&member);
    }

    /// Messages were lost: both sides compare what they hold.
    pub async fn on_missed(&mut self) -> Result<()> {
        self.on_change().await?;
        self.send_digest(None, &[])
    }

    /// A message. What is wrong with it is counted and never an error; an error is the store's.
    pub async fn on_message(&mut self, from: Member, bytes: &[u8]) -> Result<()> {
        let letter = match Letter::decode(bytes, self.config.max_message) {
            Ok(letter) => letter,
            Err(refusal) => {
                self.refuse(refusal);
                return Ok(());
            }
        };
        if self.recorder.clock.is_ahead(letter.stamp, self.config.max_ahead) {
            self.refuse(Refusal::Ahead);
            return Ok(());
        }
        if letter.origin == self.identity.origin {
            return self.part_from_twin(&letter.body).await;
        }
        self.recorder.clock.witness(letter.stamp);
        let known = self.members.entry(from).or_default();
        (known.origin, known.apart) = (Some(letter.origin), letter.apart);
        match letter.body {
            Body::Digest { prefix, parts } => {
                self.on_digest(from, (letter.origin, letter.stamp), &prefix, &parts).await
            }
            Body::Keys { first, last, states } => {
                self.on_keys(from, letter.origin, (first, last), &states).await
            }
            Body::Want(names) => self.on_want(from, letter.origin, &names).await,
            Body::Records { items, answer } => self.on_records(from, letter.origin, &items, answer).await,
            Body::Ask(lives) => self.on_ask(from, &lives).await,
            Body::Alive(lives) => self.on_alive(from, &lives).await,
        }
    }

    /// Time has passed: call it every [`interval`](ReplicationConfig::interval), give or take a tenth at random.
    pub async fn on_tick(&mut self) -> Result<()> {
        for known in self.members.values_mut() {
            // Questions or answers were lost.
            known.awaited = 0;
        }
        self.on_change().await?;
        self.prune().await?;
        self.ask_for_activity().await?;
        self.send_digest(None, &[])
    }

    /// Declares that what is held here is right, although this store was out of touch for longer than removals are remembered. For the
    /// last store that is left of a group; elsewhere it can bring back what was removed meanwhile.
    pub async fn vouch(&mut self) -> Result<()> {
        self.contacts.forget();
        self.write_identity().await
    }

    /// How far peers are in step.
    pub fn report(&self) -> ReplicationReport {
        let (now, after) = (self.handle.clock().now(), self.config.stale_after());
        let members = self.members.iter().map(|(member, known)| MemberReport {
            member: *member,
            origin: known.origin,
            agreed: known.agreed,
            in_step: known.in_step,
            stale: known.origin.is_some_and(|origin| self.contacts.stale(origin, now, after).is_some()),
        });
        ReplicationReport {
            origin: self.identity.origin,
            members: members.collect(),
            pending: self.recorder.waiting(),
            keys: self.index.len(),
            tombstones: self.index.tombstones(),
            untold: self.untold,
            withheld: self.withheld,
            failures: self.failures,
            dropped: self.dropped.clone(),
        }
    }

    pub(super) fn refuse(&mut self, refusal: Refusal) {
        *self.dropped.entry(refusal).or_default() += 1;
    }

    async fn tell(&mut self, news: &mut News) -> Result<()> {
        if news.lost {
            let found = self.settle_marks().await?;
            news.changed.extend(found);
            news.lost = false;
        }
        let mut items = Vec::new();
        let mut size = 0;
        for key in &news.changed {
            self.settle(key).await?;
            if self.members.is_empty() {
                continue;
            }
            let item = self.item(key).await?;
            size += item.as_ref().map_or(0, Item::size);
            items.extend(item);
            if size > self.config.max_message {
                size = 0;
                self.push(std::mem::take(&mut items))?;
            }
        }
        news.changed.clear();
        self.push(items)
    }

    /// Tells peers of changes, each peer what it may hear.
    fn push(&mut self, items: Vec<Item>) -> Result<()> {
        if items.is_empty() {
            return Ok(());
        }
        let met: Vec<(Member, u64)> =
            self.members.iter().filter_map(|(member, known)| Some((*member, known.origin?))).collect();
        let (now, after) = (self.handle.clock().now(), self.config.stale_after());
        let trusted = |origin| self.contacts.stale(origin, now, after).is_none();
        if met.len() == self.members.len() && met.iter().all(|(_, origin)| trusted(*origin)) {
            return self.send_items(None, items, false);
        }
        for (member, origin) in met {
            let items = self.presentable(origin, items.clone());
            self.send_items(Some(member), items, false)?;
        }
        Ok(())
    }

    /// Whether this store was in step with somebody once, and with nobody for too long.
    pub(super) fn is_apart(&self) -> bool {
        self.contacts.is_apart(self.handle.clock().now(), self.config.stale_after())
    }

    fn says_apart(&self, origin: u64) -> bool {
        self.members.values().any(|known| known.origin == Some(origin) && known.apart)
    }

    /// Whether of two that were out of touch it was the other who was away: what it lacks has died there.
    pub(super) fn prevails(&self, origin: u64) -> bool {
        !self.is_apart() && self.contacts.knows(origin) && self.says_apart(origin)
    }

    /// Whether of two that were out of touch it was this one who was away: what the other has is right.
    pub(super) fn defers(&self, origin: u64) -> bool {
        self.is_apart() && !self.says_apart(origin)
    }

    /// What a peer may hear of `items`: after a long absence no life from before it, for it may have ended elsewhere.
    pub(super) fn presentable(&mut self, origin: u64, items: Vec<Item>) -> Vec<Item> {
        let (now, after) = (self.handle.clock().now(), self.config.stale_after());
        let Some(base) = self.contacts.stale(origin, now, after) else { return items };
        if self.prevails(origin) {
            return items;
        }
        let mut items = items;
        for item in &mut items {
            if item.life.as_ref().is_some_and(|life| life.life.birth <= base) {
                item.life = None;
                self.withheld += 1;
            }
        }
        items.retain(|item| !item.state().is_empty());
        items
    }

    /// Sends items in messages of bounded size; those too large for one are counted.
    pub(super) fn send_items(&mut self, to: Option<Member>, items: Vec<Item>, answer: bool) -> Result<()> {
        let room = self.config.item_room();
        let mut batch = Vec::new();
        let mut size = 0;
        for item in items {
            if item.size() > room {
                self.untold += 1;
                continue;
            }
            if size + item.size() > room || batch.len() == super::message::MOST {
                self.send(to, Body::Records { items: std::mem::take(&mut batch), answer })?;
                size = 0;
            }
            size += item.size();
            batch.push(item);
        }
        if batch.is_empty() && !answer {
            Ok(())
        } else {
            self.send(to, Body::Records { items: batch, answer })
        }
    }

    pub(super) fn send(&mut self, to: Option<Member>, body: Body) -> Result<()> {
        if self.members.is_empty() {
            return Ok(());
        }
        if let (Some(to), Body::Keys { .. } | Body::Want(_)) = (to, &body) {
            self.members.entry(to).or_default().awaited += 1;
        }
        let origin = self.identity.origin;
        let (stamp, apart) = (self.recorder.clock.stamp(origin), self.is_apart());
        let letter = Letter { origin, stamp, apart, body };
        let bytes = letter.encode(self.config.max_message)?;
        self.outbox.push(Outgoing { to, bytes: Arc::from(bytes) });
        Ok(())
    }

    /// Somebody uses our origin: a copy of this store. The two part, so that their stamps never tie.
    async fn part_from_twin(&mut self, body: &Body) -> Result<()> {
        if matches!(body, Body::Digest { .. }) {
            self.identity.origin = self.draw_origin()?;
            self.write_identity().await?;
        }
        Ok(())
    }

    fn draw_origin(&self) -> Result<u64> {
        let mut bytes = [0; 8];
        self.handle.random().fill(&mut bytes)?;
        // Zero stands in marks for an origin not known yet.
        Ok(u64::from_le_bytes(bytes).max(1))
    }

    async fn restore(&mut self) -> Result<()> {
        let identity_key = self_key()?;
        if let Some(record) = self.handle.store().get(&identity_key).await? {
            self.identity = decode(&identity_key, &record)?;
            self.contacts = Contacts::restored(&self.identity.contacts);
        }
        if self.identity.origin == 0 {
            self.identity.origin = self.draw_origin()?;
            self.write_identity().await?;
        }
        self.load().await?;
        self.settle_marks().await?;
        if self.identity.adopted.as_deref() != Some(self.recorder.scope.text()) {
            self.adopt().await?;
            self.identity.adopted = Some(self.recorder.scope.text().to_owned());
            self.write_identity().await?;
        }
        Ok(())
    }

    async fn load(&mut self) -> Result<()> {
        let mut scan = Scan::new(Select::Prefix(KeyPrefix::new(PREFIX)?), Scan::MAX_LIMIT);
        loop {
            let page = self.handle.store().scan(scan.clone()).await?;
            for (name, record) in &page.entries {
                if Role::of(name) != Some(Role::State) {
                    continue;
                }
                let stored: Stored = decode(name, record)?;
                let key = Key::new(&stored.name)?;
                stored.state().stamps().for_each(|stamp| self.recorder.clock.witness(stamp));
                if self.recorder.scope.covers(&key) {
                    self.index.put(&key, &stored);
                }
            }
            match page.next {
                Some(next) => scan.after = Some(next),
                None => return Ok(()),
            }
        }
    }

    pub(super) async fn write_identity(&mut self) -> Result<()> {
        self.identity.contacts = self.contacts.to_stored();
        let op = journal::put(self_key()?, Guard::Any, encode(&self.identity)?);
        let batch = Batch::one(self.handle.clock().now(), self.handle.durability(), op);
        self.handle.store().commit(batch).await?;
        self.contacts.written(self.index.root());
        Ok(())
    }
}

#[cold]
pub(super) fn contended(key: &Key) -> Error {
    Error::new(
        ErrorKind::Conflict,
        "replicate",
        format!(
            "`{key}` was changed by others {ATTEMPTS} times in a row; it is tried again at the next digest"
        ),
    )
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("origin", &format_args!("{:x}", self.identity.origin))
            .field("keys", &self.index.len())
            .field("members", &self.members.len())
            .finish_non_exhaustive()
    }
}
