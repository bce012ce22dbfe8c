//! Who is connected to whom: [`Mesh`]. A pair has two connections, each written by the one that opened it; a peer is here while both stand,
//! and when one breaks, both are given up. To make one anew at once is only ever the answer to one that came in, everything else waits a
//! little; so two that break each other's connections keep nobody busy.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::folder::Name;
use super::outbox::Outbox;
use crate::link::inbox::Inbox;
use crate::link::{Heard, Member, Queue};

/// How long a connection may last: until the sender is dropped.
pub(super) type Life = watch::Receiver<()>;

#[derive(Debug)]
pub(super) struct Mesh {
    pub(super) inbox: Inbox,
    state: Mutex<State>,
    queue: Queue,
    /// The most peers.
    most: usize,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    peers: BTreeMap<Name, Peer>,
}

#[derive(Debug)]
struct Peer {
    member: Member,
    /// Our connection to it.
    out: Out,
    /// It opened one to us.
    heard: bool,
    outbox: Arc<Outbox>,
    /// How long what we write to it lasts, and what we read from it.
    writing: watch::Sender<()>,
    reading: watch::Sender<()>,
}

/// A connection that this process opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Out {
    None,
    Opening,
    Open,
}

/// A connection of a peer.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) name: Name,
    pub(super) member: Member,
    pub(super) outbox: Arc<Outbox>,
    pub(super) life: Life,
}

impl Mesh {
    pub(super) fn new(queue: Queue, most: usize) -> Self {
        Self { inbox: Inbox::new(queue), state: Mutex::default(), queue, most }
    }

    /// Somebody to connect to: `None` if that is done or under way, or there is no room.
    pub(super) fn reach(&self, name: Name) -> Option<Ticket> {
        let mut state = self.state.lock();
        let peer = state.peer(name, self.queue, self.most).filter(|peer| peer.out == Out::None)?;
        peer.out = Out::Opening;
        Some(peer.ticket(name, &peer.writing))
    }

    /// Our connection to it stands.
    pub(super) fn reached(&self, ticket: &Ticket) {
        self.state.lock().change(ticket.name, ticket.member, &self.inbox, |peer| peer.out = Out::Open);
    }

    /// It connected to us. If it had, it noticed sooner than we did that the connection broke: what was under way may be lost. `None` if
    /// there is no room.
    pub(super) fn heard(&self, name: Name) -> Option<Ticket> {
        let mut state = self.state.lock();
        let peer = state.peer(name, self.queue, self.most)?;
        if peer.heard {
            peer.reading = watch::Sender::new(());
            self.inbox.notice(Heard::Lost);
        }
        let ticket = peer.ticket(name, &peer.reading);
        state.change(name, ticket.member, &self.inbox, |peer| peer.heard = true);
        Some(ticket)
    }

    /// A connection of it broke: the other is given up too. Whether it was here.
    pub(super) fn lose(&self, ticket: &Ticket) -> bool {
        self.state.lock().drop_peer(ticket.name, ticket.member, &self.inbox)
    }

    /// Everybody, those included whose connections are under way: they will get what is said meanwhile.
    pub(super) fn outboxes(&self) -> Vec<Arc<Outbox>> {
        self.state.lock().peers.values().map(|peer| Arc::clone(&peer.outbox)).collect()
    }

    pub(super) fn outbox(&self, member: Member) -> Option<Arc<Outbox>> {
        let state = self.state.lock();
        let peer = state.peers.values().find(|peer| peer.member == member)?;
        Some(Arc::clone(&peer.outbox))
    }

    /// How many are here.
    pub(super) fn len(&self) -> usize {
        self.state.lock().peers.values().filter(|peer| peer.is_here()).count()
    }
}

impl State {
    /// The peer of this name, begun if there is room.
    fn peer(&mut self, name: Name, queue: Queue, most: usize) -> Option<&mut Peer> {
        if !self.peers.contains_key(&name) && self.peers.len() >= most {
            return None;
        }
        let last = &mut self.last;
        Some(self.peers.entry(name).or_insert_with(|| {
            *last += 1;
            Peer {
                member: Member::new(*last),
                out: Out::None,
                heard: false,
                outbox: Arc::new(Outbox::new(queue)),
                writing: watch::Sender::new(()),
                reading: watch::Sender::new(()),
            }
        }))
    }

    /// Changes a peer that may have gone meanwhile, and tells if it is here now.
    fn change(&mut self, name: Name, member: Member, inbox: &Inbox, change: impl FnOnce(&mut Peer)) {
        if let Some(peer) = self.peers.get_mut(&name).filter(|peer| peer.member == member) {
            let before = peer.is_here();
            change(peer);
            if peer.is_here() && !before {
                inbox.notice(Heard::Joined(member));
            }
        }
    }

    fn drop_peer(&mut self, name: Name, member: Member, inbox: &Inbox) -> bool {
        let here = match self.peers.get(&name) {
            Some(peer) if peer.member == member => peer.is_here(),
            _ => return false,
        };
        self.peers.remove(&name);
        if here {
            inbox.notice(Heard::Left(member));
        }
        here
    }
}

impl Peer {
    fn is_here(&self) -> bool {
        self.out == Out::Open && self.heard
    }

    fn ticket(&self, name: Name, connection: &watch::Sender<()>) -> Ticket {
        let outbox = Arc::clone(&self.outbox);
        Ticket { name, member: self.member, outbox, life: connection.subscribe() }
    }
}
