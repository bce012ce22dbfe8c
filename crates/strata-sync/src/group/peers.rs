//! Who is here: peers that proved themselves, and those that were asked to. [`Peers`]

use std::collections::{BTreeMap, VecDeque};

use strata_core::Timestamp;

use super::PeerId;
use super::window::Window;
use super::wire::{Challenge, Cipher};
use crate::link::Member;

/// Somebody who answered a challenge of ours.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) cipher: Cipher,
    /// Where its last fresh message came from.
    pub(crate) route: Member,
    pub(crate) broadcasts: Window,
    pub(crate) directs: Window,
    /// The last number of what we sent to it alone.
    pub(crate) sent: u64,
    /// Whether anything may have been, in this contact or one before.
    pub(crate) addressed: bool,
    /// When it was last heard.
    pub(crate) heard: Timestamp,
    /// How many beats of ours passed since.
    pub(crate) silent: u32,
}

impl Peer {
    /// One that has just proved to be here. Its numbers, for all and for us, follow those of the windows, ours for it follow `base`.
    pub(crate) const fn new(
        cipher: Cipher,
        route: Member,
        windows: [Window; 2],
        base: u64,
        now: Timestamp,
    ) -> Self {
        let [broadcasts, directs] = windows;
        Self { cipher, route, broadcasts, directs, sent: base, addressed: base > 0, heard: now, silent: 0 }
    }
}

/// Somebody who may be a recording, until it answers.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) id: PeerId,
    pub(crate) challenge: Challenge,
    /// Where numbers for it alone begin.
    pub(crate) base: u64,
    /// Whether a beat of ours passed since it was asked.
    pub(crate) aged: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Peers {
    known: BTreeMap<PeerId, Peer>,
    asked: VecDeque<Asked>,
}

impl Peers {
    /// More would be no group; who comes later waits until one leaves.
    pub(crate) const MAX_KNOWN: usize = 1024;
    /// The oldest question is forgotten for the newest.
    const MAX_ASKED: usize = 256;

    pub(crate) fn get(&mut self, id: PeerId) -> Option<&mut Peer> {
        self.known.get_mut(&id)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = PeerId> {
        self.known.keys().copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Peer> {
        self.known.values()
    }

    /// Those that something may have been sent to alone.
    pub(crate) fn addressed(&self) -> impl Iterator<Item = PeerId> {
        self.known.iter().filter(|(_, peer)| peer.addressed).map(|(id, _)| *id)
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// What it was asked and has not answered.
    pub(crate) fn asked(&self, id: PeerId) -> Option<&Asked> {
        self.asked.iter().find(|asked| asked.id == id)
    }

    pub(crate) fn ask(&mut self, id: PeerId, challenge: Challenge, base: u64) {
        if self.asked.len() == Self::MAX_ASKED {
            self.asked.pop_front();
        }
        self.asked.push_back(Asked { id, challenge, base, aged: false });
    }

    /// Takes back the question that this answers, if there was one.
    pub(crate) fn answered(&mut self, id: PeerId, challenge: &Challenge) -> Option<Asked> {
        let place = self.asked.iter().position(|asked| asked.id == id && asked.challenge == *challenge)?;
        self.asked.remove(place)
    }

    pub(crate) fn admit(&mut self, id: PeerId, peer: Peer) {
        self.known.insert(id, peer);
    }

    pub(crate) fn forget(&mut self, id: PeerId) -> bool {
        self.known.remove(&id).is_some()
    }

    /// Forgets who was last heard from there.
    pub(crate) fn forget_route(&mut self, route: Member) -> Vec<PeerId> {
        self.forget_if(|peer| peer.route == route)
    }

    pub(crate) fn forget_all(&mut self) -> Vec<PeerId> {
        self.asked.clear();
        self.forget_if(|_| true)
    }

    /// A beat passed: gives who has been silent for as many as `most`, forgotten, and drops questions nobody answered.
    pub(crate) fn beat(&mut self, most: u32) -> Vec<PeerId> {
        self.asked.retain_mut(|asked| !std::mem::replace(&mut asked.aged, true));
        self.known.values_mut().for_each(|peer| peer.silent += 1);
        self.forget_if(|peer| peer.silent >= most)
    }

    fn forget_if(&mut self, gone: impl Fn(&Peer) -> bool) -> Vec<PeerId> {
        self.known.extract_if(.., |_, peer| gone(peer)).map(|(id, _)| id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_strangers_takes_a_bounded_place() {
        let mut peers = Peers::default();
        let id = |number: usize| PeerId::of(&std::array::from_fn(|place| number.to_be_bytes()[place % 8]));
        for number in 0..1000 {
            peers.ask(id(number), [1; 16], 0);
        }
        assert_eq!(peers.asked.len(), Peers::MAX_ASKED);
        assert!(peers.answered(id(0), &[1; 16]).is_none(), "the oldest was forgotten");
        assert!(peers.answered(id(999), &[2; 16]).is_none(), "another answer");
        assert!(peers.answered(id(999), &[1; 16]).is_some(), "the newest is known");
        assert!(peers.answered(id(999), &[1; 16]).is_none(), "once");
        assert_eq!(peers.beat(3), []);
        assert_eq!(peers.asked.len(), Peers::MAX_ASKED - 1, "they have until the next beat");
        assert_eq!(peers.beat(3), []);
        assert_eq!(peers.asked.len(), 0);
    }
}
