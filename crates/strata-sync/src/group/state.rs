//! What a group does when it hears something, and when a beat passes: [`State`]. Knows no waiting.
//!
//! A sender is believed once it answered a challenge that was drawn for it after it was first heard, so a recording of an earlier life, ours
//! or its, is never more than a question asked. From then on its numbers tell what is new, what was there before, and what never came.

use std::collections::VecDeque;
use std::sync::Arc;

use strata_core::{Clock, Error, ErrorKind, Random, Result, Timestamp};

use super::key::GroupKey;
use super::peers::{Asked, Peer, Peers};
use super::report::GroupReport;
use super::window::{Verdict, Window};
use super::wire::{Challenge, Cipher, Head, Instance, OVERHEAD, Unreadable, What, sender};
use super::{PeerId, Received, Topic};
use crate::link::{Heard, Link, Member};

/// How many beats a peer may be silent.
const MOST_SILENT: u32 = 3;

#[derive(Debug)]
pub(crate) struct State {
    link: Arc<dyn Link>,
    key: GroupKey,
    random: Arc<dyn Random>,
    clock: Arc<dyn Clock>,
    instance: Instance,
    limit: u64,
    max_body: usize,
    /// The last number of what we sent to everybody.
    broadcasts: u64,
    /// At least the last number of what we sent to any single peer: where numbers for one begin, so that they never go back.
    directs: u64,
    peers: Peers,
    events: VecDeque<Received>,
    report: GroupReport,
}

/// What a [`State`] is made of.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) link: Arc<dyn Link>,
    pub(crate) key: GroupKey,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limit: u64,
    pub(crate) max_body: usize,
}

impl State {
    pub(crate) fn start(ground: Ground) -> Result<Self> {
        let Ground { link, key, random, clock, limit, max_body } = ground;
        let instance = Instance::draw(&key, &*random, limit)?;
        let mut state = Self {
            link,
            key,
            random,
            clock,
            instance,
            limit,
            max_body,
            broadcasts: 0,
            directs: 0,
            peers: Peers::default(),
            events: VecDeque::new(),
            report: GroupReport::default(),
        };
        state.greet(None)?;
        Ok(state)
    }

    pub(crate) fn id(&self) -> PeerId {
        self.instance.id()
    }

    pub(crate) fn max_body(&self) -> usize {
        self.max_body
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn peers(&self) -> Vec<PeerId> {
        self.peers.ids().collect()
    }

    pub(crate) fn event(&mut self) -> Option<Received> {
        self.events.pop_front()
    }

    pub(crate) fn report(&self) -> GroupReport {
        let now = self.clock.now();
        let heard = self.peers.iter().map(|peer| peer.heard).min().unwrap_or(now);
        let heard_up_to = self.report.down_since.is_none().then_some(heard).or(self.report.heard_up_to);
        GroupReport { peers: self.peers.len(), heard_up_to, ..self.report }
    }

    /// Sends to everybody. What could not be sealed has its number all the same: peers learn at the next beat that they miss it.
    pub(crate) fn broadcast(&mut self, what: What, body: &[u8]) -> Result<()> {
        self.check_len(body)?;
        self.make_ready()?;
        self.broadcasts += 1;
        let head = Head::Broadcast { number: self.broadcasts, what };
        let bytes = self.instance.seal(&head, body, &*self.random)?;
        self.report.sent += 1;
        self.link.broadcast(bytes);
        Ok(())
    }

    /// Sends to one that is known.
    pub(crate) fn send(&mut self, to: PeerId, what: What, body: &[u8]) -> Result<()> {
        self.check_len(body)?;
        self.make_ready()?;
        let peer = self.peers.get(to).ok_or_else(|| gone(to))?;
        peer.sent += 1;
        peer.addressed = true;
        self.directs += 1;
        let (number, route) = (peer.sent, peer.route);
        let bytes = self.instance.seal(&Head::Direct { to, number, what }, body, &*self.random)?;
        self.report.sent += 1;
        self.link.send(route, bytes);
        Ok(())
    }

    /// Takes in what the link heard.
    pub(crate) fn on_heard(&mut self, heard: Heard) {
        match heard {
            Heard::Message { from, bytes } => self.on_message(from, &bytes),
            // Whoever is not greeted now, because the generator failed, hears the next beat.
            Heard::Joined(member) => drop(self.greet(Some(member))),
            Heard::Left(member) => {
                let gone = self.peers.forget_route(member);
                self.tell_left(gone);
            }
            Heard::Lost => {
                self.report.losses += 1;
                self.events.push_back(Received::Missed { from: None, at_least: 1 });
            }
            Heard::Down => self.on_down(),
            Heard::Up => self.on_up(),
        }
    }

    /// A beat passed.
    pub(crate) fn on_beat(&mut self) {
        // A failure is the generator's, and the next beat's to mend.
        let _ = self.broadcast(What::Beat, &[]);
        let addressed: Vec<PeerId> = self.peers.addressed().collect();
        for id in addressed {
            let _ = self.send(id, What::Beat, &[]);
        }
        let gone = self.peers.beat(MOST_SILENT);
        self.tell_left(gone);
    }

    fn on_down(&mut self) {
        if self.report.down_since.is_none() {
            self.report.heard_up_to = self.report().heard_up_to;
            self.report.down_since = Some(self.clock.now());
            let gone = self.peers.forget_all();
            self.tell_left(gone);
            self.events.push_back(Received::Down);
        }
    }

    fn on_up(&mut self) {
        if self.report.down_since.take().is_some() {
            self.events.push_back(Received::Up);
            let _ = self.greet(None);
        }
    }

    fn on_message(&mut self, from: Member, bytes: &[u8]) {
        if bytes.len() > self.max_body + OVERHEAD {
            self.report.too_large += 1;
        } else if let Err(why) = self.read(from, bytes) {
            self.report.unreadable(why);
        }
    }

    fn read(&mut self, from: Member, bytes: &[u8]) -> Result<(), Unreadable> {
        let salt = sender(bytes, self.instance.name())?;
        let id = PeerId::of(&salt);
        if salt == *self.instance.cipher.salt() {
            return Ok(()); // our own, as some links give it back
        }
        if let Some(peer) = self.peers.get(id) {
            let (head, body) = peer.cipher.open(bytes)?;
            self.on_known(id, from, &head, body);
        } else {
            let cipher = Cipher::derive(&self.key, salt);
            let (head, _) = cipher.open(bytes)?;
            // Only the generator can fail here; the stranger is asked again when it is heard again.
            let _ = self.on_stranger(id, from, cipher, &head);
        }
        Ok(())
    }

    /// A genuine message of one who proved to be here; it may be a recording all the same.
    fn on_known(&mut self, id: PeerId, from: Member, head: &Head, body: Vec<u8>) {
        match *head {
            Head::Ask { to, challenge } if to == self.id() => {
                let _ = self.answer(id, from, challenge, None);
            }
            Head::Broadcast { number, what } => {
                let verdict = self.peers.get(id).map(|peer| peer.broadcasts.admit(number));
                self.on_numbered(id, from, verdict, what, body);
            }
            Head::Direct { to, number, what } if to == self.id() => {
                let verdict = self.peers.get(id).map(|peer| peer.directs.admit(number));
                self.on_numbered(id, from, verdict, what, body);
            }
            Head::Hello | Head::Ask { .. } | Head::Answer { .. } | Head::Direct { .. } => {}
        }
    }

    fn on_numbered(&mut self, id: PeerId, from: Member, verdict: Option<Verdict>, what: What, body: Vec<u8>) {
        let missed = match verdict {
            Some(Verdict::Fresh { missed }) => missed,
            Some(Verdict::TooOld) => return self.report.too_old += 1,
            Some(Verdict::Replayed) | None => return self.report.replayed += 1,
        };
        self.report.accepted += 1;
        self.heard_from(id, from);
        if missed > 0 {
            self.report.missed = self.report.missed.saturating_add(missed);
            self.events.push_back(Received::Missed { from: Some(id), at_least: missed });
        }
        match what {
            What::Beat => {}
            What::Bye => {
                if self.peers.forget(id) {
                    self.tell_left([id]);
                }
            }
            What::Data(topic) => {
                self.events.push_back(Received::Message { from: id, topic: Topic::new(topic), body });
            }
        }
    }

    fn heard_from(&mut self, id: PeerId, from: Member) {
        let now = self.clock.now();
        if let Some(peer) = self.peers.get(id) {
            peer.route = from;
            peer.silent = 0;
            peer.heard = now;
        }
    }

    /// A genuine message of one who may be a recording.
    fn on_stranger(&mut self, id: PeerId, from: Member, cipher: Cipher, head: &Head) -> Result<()> {
        let me = self.id();
        match *head {
            Head::Answer { to, challenge, ask, broadcast, direct } if to == me => {
                if let Some(Asked { base, .. }) = self.peers.answered(id, &challenge) {
                    let peer = Peer::new(
                        cipher,
                        from,
                        [broadcast, direct].map(Window::after),
                        base,
                        self.clock.now(),
                    );
                    return self.admit(id, peer, ask);
                }
                self.report.unproved += 1;
                self.ask(id, from)
            }
            Head::Ask { to, challenge } if to == me => {
                let back = self.question(id)?;
                self.answer(id, from, challenge, Some(back))
            }
            Head::Broadcast { .. } => {
                self.report.unproved += 1;
                self.ask(id, from)
            }
            Head::Direct { to, .. } if to == me => {
                self.report.unproved += 1;
                self.ask(id, from)
            }
            Head::Hello => self.ask(id, from),
            Head::Ask { .. } | Head::Answer { .. } | Head::Direct { .. } => Ok(()), // among others
        }
    }

    /// Asks a stranger, once until it answers or the question is forgotten.
    fn ask(&mut self, id: PeerId, from: Member) -> Result<()> {
        if self.peers.asked(id).is_some() {
            return Ok(());
        }
        let challenge = self.question(id)?;
        self.control(from, &Head::Ask { to: id, challenge })
    }

    fn admit(&mut self, id: PeerId, peer: Peer, ask: Option<Challenge>) -> Result<()> {
        if self.peers.len() >= Peers::MAX_KNOWN {
            self.report.turned_away += 1;
            return Ok(());
        }
        let route = peer.route;
        self.peers.admit(id, peer);
        self.report.accepted += 1;
        self.events.push_back(Received::Joined(id));
        // Before anything that our reader sends it: so it knows us when that comes.
        ask.map_or(Ok(()), |challenge| self.answer(id, route, challenge, None))
    }

    fn answer(
        &mut self,
        id: PeerId,
        route: Member,
        challenge: Challenge,
        ask: Option<Challenge>,
    ) -> Result<()> {
        let broadcast = self.broadcasts;
        let base = self.peers.asked(id).map_or(self.directs, |asked| asked.base);
        let direct = self.peers.get(id).map_or(base, |peer| peer.sent);
        self.control(route, &Head::Answer { to: id, challenge, ask, broadcast, direct })
    }

    /// What a stranger is asked: the same until it answers or a beat or two have passed.
    fn question(&mut self, id: PeerId) -> Result<Challenge> {
        if let Some(asked) = self.peers.asked(id) {
            return Ok(asked.challenge);
        }
        let mut challenge = Challenge::default();
        self.random.fill(&mut challenge)?;
        self.peers.ask(id, challenge, self.directs);
        Ok(challenge)
    }

    fn greet(&mut self, member: Option<Member>) -> Result<()> {
        self.make_ready()?;
        let bytes = self.instance.seal(&Head::Hello, &[], &*self.random)?;
        self.report.sent += 1;
        match member {
            Some(member) => self.link.send(member, bytes),
            None => self.link.broadcast(bytes),
        }
        Ok(())
    }

    fn control(&mut self, to: Member, head: &Head) -> Result<()> {
        let bytes = self.instance.seal(head, &[], &*self.random)?;
        self.report.sent += 1;
        self.link.send(to, bytes);
        Ok(())
    }

    fn tell_left(&mut self, gone: impl IntoIterator<Item = PeerId>) {
        self.events.extend(gone.into_iter().map(Received::Left));
    }

    fn check_len(&self, body: &[u8]) -> Result<()> {
        if body.len() <= self.max_body {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::TooLarge,
            "send to group",
            format!("{} bytes at once, at most {} are allowed; split them", body.len(), self.max_body),
        ))
    }

    /// Draws another instance before this one's key is used up. Peers see one go and one come.
    fn make_ready(&mut self) -> Result<()> {
        if self.instance.left() > 2 {
            return Ok(());
        }
        let next = Instance::draw(&self.key, &*self.random, self.limit)?;
        let bye = Head::Broadcast { number: self.broadcasts + 1, what: What::Bye };
        // Used up all the same: without a farewell, peers notice the silence.
        if let Ok(bytes) = self.instance.seal(&bye, &[], &*self.random) {
            self.link.broadcast(bytes);
        }
        self.instance = next;
        self.broadcasts = 0;
        self.greet(None)
    }
}

#[cold]
fn gone(to: PeerId) -> Error {
    Error::new(
        ErrorKind::Gone,
        "send to peer",
        format!("peer {to} is not here any more; wait until it has joined again"),
    )
}
