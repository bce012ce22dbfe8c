//! Random schedules of writes, deliveries, losses, partitions, restarts and failures of stores: after healing, all peers hold one state, and
//! nothing that was removed lives.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use strata_core::conformance::{Fault, block_on};
use strata_core::{ErrorKind, Lifetime, Result};

use super::world::{Node, Seen, World};

const KEYS: [&str; 3] = ["session:a", "session:b", "cart:a"];

#[derive(Clone, Debug)]
enum Step {
    /// A user's doing at a peer.
    Do(usize, usize, Deed),
    /// A peer tells what changed.
    Tell(usize),
    Tick(usize),
    /// Some message on its way arrives, is lost, or comes twice: the order is anybody's guess.
    Deliver(usize),
    Lose(usize),
    Repeat(usize),
    /// Time passes, for all or for one.
    Wait(u64),
    Skew(usize, u64),
    /// Peers part; they find together again.
    Part(usize),
    Heal(usize),
    /// A process dies, and what it was about to tell dies with it.
    Restart(usize),
    /// A call of a peer's store fails in the middle of its work.
    Fail(usize, u64, Fault),
}

#[derive(Clone, Copy, Debug)]
enum Deed {
    Create(Life),
    Upsert,
    Modify,
    Remove,
    /// Another life, perhaps a shorter one.
    Expire(Life),
    Touch,
    Sweep,
}

#[derive(Clone, Copy, Debug)]
enum Life {
    Forever,
    Ttl(u64),
    Idle(u64),
    Capped(u64, u64),
}

impl Life {
    fn lifetime(self) -> Lifetime {
        let seconds = Duration::from_secs;
        match self {
            Self::Forever => Lifetime::FOREVER,
            Self::Ttl(ttl) => Lifetime::ttl(seconds(ttl)),
            Self::Idle(idle) => Lifetime::idle(seconds(idle)),
            Self::Capped(idle, cap) => Lifetime::idle(seconds(idle)).at_most(seconds(cap)),
        }
    }
}

fn lives() -> impl Strategy<Value = Life> {
    prop_oneof![
        4 => Just(Life::Forever),
        1 => (2..60_u64).prop_map(Life::Ttl),
        1 => (2..20_u64).prop_map(Life::Idle),
        1 => (2..20_u64, 20..60_u64).prop_map(|(idle, cap)| Life::Capped(idle, cap)),
    ]
}

fn deeds() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => lives().prop_map(Deed::Create),
        2 => Just(Deed::Upsert),
        5 => Just(Deed::Modify),
        4 => Just(Deed::Remove),
        1 => lives().prop_map(Deed::Expire),
        2 => Just(Deed::Touch),
        1 => Just(Deed::Sweep),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    let peer = || 0..5_usize;
    prop_oneof![
        20 => (peer(), 0..KEYS.len(), deeds()).prop_map(|(peer, key, deed)| Step::Do(peer, key, deed)),
        10 => peer().prop_map(Step::Tell),
        3 => peer().prop_map(Step::Tick),
        20 => any::<usize>().prop_map(Step::Deliver),
        4 => any::<usize>().prop_map(Step::Lose),
        3 => any::<usize>().prop_map(Step::Repeat),
        4 => (1..8_000_u64).prop_map(Step::Wait),
        2 => (peer(), 1..2_000_u64).prop_map(|(peer, by)| Step::Skew(peer, by)),
        2 => peer().prop_map(Step::Part),
        3 => peer().prop_map(Step::Heal),
        2 => peer().prop_map(Step::Restart),
        2 => (peer(), 1..12_u64, prop::sample::select(Fault::ALL.to_vec()))
            .prop_map(|(peer, nth, fault)| Step::Fail(peer, nth, fault)),
    ]
}

/// What users did: each life has a number of its own, and each value says which life it is of.
#[derive(Default)]
struct History {
    next: u64,
    removed: BTreeSet<u64>,
}

impl History {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn act(&mut self, node: &Node, key: &str, deed: Deed) {
        let (life, change) = (self.number(), self.number());
        let there = node.get(key).map(|(life, _)| life);
        let done: Result<()> = block_on(async {
            match deed {
                Deed::Create(expiry) => {
                    let set = node.db.set(key, &(life, change)).if_absent().lifetime(expiry.lifetime());
                    set.tag(&format!("user:{life}")).await.map(drop)
                }
                Deed::Upsert => node.db.set(key, &(there.unwrap_or(life), change)).await.map(drop),
                Deed::Modify => node.db.modify(key, |value: &mut (u64, u64)| value.1 = change).await,
                Deed::Remove => {
                    let removed = node.db.remove(key).await?;
                    assert_eq!(removed, there.is_some(), "a removal tells what was there");
                    self.removed.extend(there);
                    Ok(())
                }
                Deed::Expire(expiry) => node.db.expire(key, expiry.lifetime()).await.map(drop),
                Deed::Touch => node.db.touch(key).await.map(drop),
                Deed::Sweep => node.db.purge(None, 64).await.map(drop),
            }
        });
        if let Err(error) = done {
            assert!(matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Gone), "{error:?}");
        }
    }
}

fn take(world: &mut World, step: &Step, history: &mut History) {
    let peers = world.nodes.len();
    let flying = |world: &World, index: usize| (!world.flying.is_empty()).then(|| index % world.flying.len());
    match *step {
        Step::Do(peer, key, deed) => history.act(&world.nodes[peer % peers], KEYS[key], deed),
        Step::Tell(peer) => world.run(peer % peers, async |peer| peer.on_change().await),
        Step::Tick(peer) => world.run(peer % peers, async |peer| peer.on_tick().await),
        Step::Deliver(index) => {
            if let Some(index) = flying(world, index) {
                let message = world.flying.remove(index);
                world.deliver(&message);
            }
        }
        Step::Lose(index) => {
            if let Some(index) = flying(world, index) {
                world.flying.remove(index);
            }
        }
        Step::Repeat(index) => {
            if let Some(index) = flying(world, index) {
                let message = world.flying[index].clone();
                world.deliver(&message);
            }
        }
        Step::Wait(millis) => world.advance(Duration::from_millis(millis)),
        Step::Skew(peer, by) => world.nodes[peer % peers].clock.advance(Duration::from_millis(by)),
        Step::Part(peer) => world.leave(peer % peers, 1),
        Step::Heal(peer) => world.rejoin(peer % peers, 0),
        Step::Restart(peer) => {
            let peer = peer % peers;
            world.nodes[peer].restart();
            world.flying.retain(|flying| flying.to != peer);
            world.meet(peer);
        }
        Step::Fail(peer, nth, fault) => {
            world.nodes[peer % peers].store.arm(nth, fault);
            world.run(peer % peers, async |peer| peer.on_tick().await);
        }
    }
}

/// Peers find together, clocks agree, and a few intervals pass.
fn heal(world: &mut World) {
    world.agree_on_time();
    for index in 0..world.nodes.len() {
        world.side[index] = 0;
    }
    for index in 0..world.nodes.len() {
        world.meet(index);
    }
    for _ in 0..4 {
        world.tick();
    }
}

/// What a reader sees, but for how long activity keeps it alive: that is made known when it matters.
fn settled(node: &Node) -> BTreeMap<String, Seen> {
    let mut seen = node.seen();
    for (_, [deadline, idle, _], _) in seen.values_mut() {
        if *idle != 0 {
            *deadline = 0;
        }
    }
    seen
}

fn converges(peers: usize, steps: &[Step]) {
    let mut world = World::new(peers);
    let mut history = History::default();
    for step in steps {
        take(&mut world, step, &mut history);
    }
    heal(&mut world);
    let first = settled(&world.nodes[0]);
    for node in &world.nodes {
        assert_eq!(settled(node), first, "all peers hold one state");
        for (key, (value, ..)) in settled(node) {
            let (life, _) = value.expect("a value that can be read");
            assert!(!history.removed.contains(&life), "`{key}` lives on after its removal");
        }
        let report = node.peer.report();
        assert!(report.members.len() == peers - 1 && report.pending == 0, "{report:?}");
        assert!(report.members.iter().all(|member| member.in_step), "{report:?}");
        assert!(report.dropped.is_empty(), "{report:?}");
    }
}

proptest! {
    // 96 schedules of up to 120 steps.
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn s13_any_schedule_ends_in_one_state_and_no_logout_is_undone(
        peers in 3..=5_usize,
        steps in prop::collection::vec(steps(), 1..120),
    ) {
        converges(peers, &steps);
    }
}
