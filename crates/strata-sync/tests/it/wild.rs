//! Groups over a link that loses, repeats, delays and reorders: whatever it does, no message is handed out twice, and none is missing without
//! its receiver having been told after it was sent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use proptest::prelude::*;
use strata_sync::{Group, Heard, Link, Member, Received, Topic};

use crate::support::{Beats, drain, key, member};

const MEMBERS: usize = 3;
const NEWS: Topic = Topic::new(700);

/// What happens to the message that waits at some place.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Arrives,
    IsLost,
    ArrivesAndStays,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Say(usize),
    SayTo(usize, usize),
    Beat(usize),
    Read(usize),
    Post(usize, Fate),
    Forget(usize, usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let who = || 0..MEMBERS;
    let fate = prop_oneof![
        6 => Just(Fate::Arrives),
        2 => Just(Fate::IsLost),
        1 => Just(Fate::ArrivesAndStays)
    ];
    let act = prop_oneof![
        6 => who().prop_map(Act::Say),
        4 => (who(), who()).prop_map(|(from, to)| Act::SayTo(from, to)),
        2 => who().prop_map(Act::Beat),
        6 => who().prop_map(Act::Read),
        24 => (any::<usize>(), fate).prop_map(|(place, fate)| Act::Post(place, fate)),
        1 => (who(), who()).prop_map(|(one, other)| Act::Forget(one, other)),
    ];
    prop::collection::vec(act, 0..250)
}

/// What is on its way, and what has arrived.
#[derive(Debug, Default)]
struct Post {
    under_way: Vec<(usize, usize, Arc<[u8]>)>,
    arrived: [VecDeque<Heard>; MEMBERS],
}

impl Post {
    fn arrive(&mut self, from: usize, to: usize, bytes: Arc<[u8]>) {
        self.arrived[to].push_back(Heard::Message { from: Member::new(from as u64), bytes });
    }
}

#[derive(Clone, Debug)]
struct Wild {
    me: usize,
    post: Arc<Mutex<Post>>,
}

#[async_trait]
impl Link for Wild {
    fn broadcast(&self, message: Arc<[u8]>) {
        let others = (0..MEMBERS).filter(|to| *to != self.me).map(|to| (self.me, to, Arc::clone(&message)));
        self.post.lock().expect("lock").under_way.extend(others);
    }

    fn send(&self, to: Member, message: Arc<[u8]>) {
        let to = usize::try_from(to.get()).expect("small");
        self.post.lock().expect("lock").under_way.push((self.me, to, message));
    }

    async fn next(&self) -> Option<Heard> {
        let arrived = self.post.lock().expect("lock").arrived[self.me].pop_front();
        match arrived {
            Some(heard) => Some(heard),
            None => std::future::pending().await,
        }
    }
}

/// Three groups, what they said, and what they heard.
struct World {
    post: Arc<Mutex<Post>>,
    groups: [Group; MEMBERS],
    beats: [Beats; MEMBERS],
    /// Counts what happens.
    time: u64,
    /// When a message, whose number is its place here, was said, and to whom.
    said: Vec<(u64, usize, Vec<usize>)>,
    heard: [Vec<(u64, Received)>; MEMBERS],
}

impl World {
    fn new() -> Self {
        let post = Arc::<Mutex<Post>>::default();
        let beats: [Beats; MEMBERS] = Default::default();
        let groups =
            std::array::from_fn(|me| member(Wild { me, post: Arc::clone(&post) }, &key(), &beats[me]));
        Self { post, groups, beats, time: 0, said: Vec::new(), heard: Default::default() }
    }

    fn act(&mut self, act: Act) {
        self.time += 1;
        let body = u64::try_from(self.said.len()).expect("few").to_be_bytes();
        match act {
            Act::Say(from) => {
                self.groups[from].broadcast(NEWS, &body).expect("sent");
                self.said.push((self.time, from, (0..MEMBERS).filter(|to| *to != from).collect()));
            }
            Act::SayTo(from, to) => {
                // Whoever does not know the other is told so, and then nothing was said.
                if self.groups[from].send(self.groups[to].id(), NEWS, &body).is_ok() {
                    self.said.push((self.time, from, vec![to]));
                }
            }
            Act::Beat(who) => self.beats[who].tell(),
            Act::Read(who) => self.read(who),
            Act::Post(place, fate) => self.deliver(place, fate),
            Act::Forget(one, other) => {
                let left = Heard::Left(Member::new(other as u64));
                self.post.lock().expect("lock").arrived[one].push_back(left);
            }
        }
    }

    fn read(&mut self, who: usize) {
        let time = self.time;
        self.heard[who].extend(drain(&self.groups[who]).into_iter().map(|event| (time, event)));
    }

    fn deliver(&mut self, place: usize, fate: Fate) {
        let mut post = self.post.lock().expect("lock");
        if post.under_way.is_empty() {
            return;
        }
        let place = place % post.under_way.len();
        let (from, to, bytes) = match fate {
            Fate::ArrivesAndStays => post.under_way[place].clone(),
            Fate::Arrives | Fate::IsLost => post.under_way.remove(place),
        };
        if !matches!(fate, Fate::IsLost) {
            post.arrive(from, to, bytes);
        }
    }

    /// From here on all arrives, in order; and time passes.
    fn heal(&mut self) {
        for _ in 0..5 {
            for round in 0..6 {
                self.time += 1;
                for who in 0..MEMBERS {
                    if round == 0 {
                        self.beats[who].tell();
                    }
                    self.read(who);
                }
                let mut post = self.post.lock().expect("lock");
                for (from, to, bytes) in std::mem::take(&mut post.under_way) {
                    post.arrive(from, to, bytes);
                }
            }
        }
    }

    fn check(&self) {
        for (number, (when, from, to)) in self.said.iter().enumerate() {
            let body = u64::try_from(number).expect("few").to_be_bytes();
            let sender = self.groups[*from].id();
            for to in to {
                let times = self.heard[*to].iter().filter(
                    |(_, event)| matches!(event, Received::Message { body: heard, .. } if **heard == body),
                );
                let told = self.heard[*to].iter().any(|(time, event)| {
                    time >= when
                        && match event {
                            Received::Joined(id) => *id == sender,
                            Received::Missed { from, .. } => from.is_none_or(|id| id == sender),
                            _ => false,
                        }
                });
                match times.count() {
                    0 => assert!(told, "{number} from {from} to {to} is missing, and nobody was told"),
                    count => assert_eq!(count, 1, "{number} from {from} to {to} was handed out again"),
                }
            }
        }
        for group in &self.groups {
            assert_eq!(group.peers().len(), MEMBERS - 1, "all are here in the end");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_handed_out_twice_and_nothing_is_missing_untold(acts in acts()) {
        let mut world = World::new();
        for act in acts {
            world.act(act);
        }
        world.heal();
        world.check();
    }
}
