//! Random histories of several clients and one server: edits, syncs that get lost, doubled, replayed or delayed, clocks at random, programs
//! that start again, changes by the server. However they go, all agree in the end, and on the right thing.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use strata_core::conformance::block_on;
use strata_session::document::{Path, Policies, Policy, SyncFailure, merge};

use super::{Device, Fate, Scene, document, here, in_step, pending, scene};

const CLIENTS: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    Set(usize, &'static str, i64),
    Remove(usize, &'static str),
    Add(usize, i64),
    Tag(usize, u8, bool),
    Sync(usize, Option<Fate>),
    Restart(usize),
    Clock(usize, u64),
    Server(&'static str, Option<i64>),
}

/// Places under every policy, at several depths.
const PLACES: [&str; 8] =
    ["ui.theme", "ui.size", "user.name", "cart.tea", "cart.box.cups", "word", "authorship", "deep.a.b.c"];

fn step() -> impl Strategy<Value = Step> {
    let client = || 0..CLIENTS;
    let place = || prop::sample::select(PLACES.to_vec());
    let fate = prop_oneof![
        4 => Just(None),
        1 => Just(Some(Fate::LoseRequest)),
        2 => Just(Some(Fate::LoseAnswer)),
        1 => Just(Some(Fate::Double)),
        1 => Just(Some(Fate::Replay)),
        1 => Just(Some(Fate::Fails(SyncFailure::OFFLINE))),
    ];
    prop_oneof![
        4 => (client(), place(), 0..5_i64).prop_map(|(who, place, value)| Step::Set(who, place, value)),
        2 => (client(), place()).prop_map(|(who, place)| Step::Remove(who, place)),
        2 => (client(), 1..4_i64).prop_map(|(who, by)| Step::Add(who, by)),
        2 => (client(), 0..4_u8, any::<bool>()).prop_map(|(who, tag, there)| Step::Tag(who, tag, there)),
        6 => (client(), fate).prop_map(|(who, fate)| Step::Sync(who, fate)),
        1 => client().prop_map(Step::Restart),
        1 => (client(), any::<u64>()).prop_map(|(who, at)| Step::Clock(who, at)),
        1 => (place(), prop::option::of(0..5_i64)).prop_map(|(place, value)| Step::Server(place, value)),
    ]
}

fn policies() -> Policies {
    Policies::default()
        .at("n", Policy::Sum)
        .and_then(|policies| policies.at("tags", Policy::Set))
        .expect("policies")
}

/// Clients of one document, and what they did to its sum.
struct History {
    scene: Scene,
    devices: Vec<Device>,
    added: i64,
}

impl History {
    fn new() -> Self {
        let scene = scene();
        let devices =
            (0..CLIENTS).map(|_| scene.device_with(|builder| builder.policies(policies()))).collect();
        Self { scene, devices, added: 0 }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Set(who, place, value) => super::set(&self.devices[who].client, place, json!(value)),
            Step::Remove(who, place) => {
                block_on(self.devices[who].client.remove(place)).expect("remove");
            }
            Step::Add(who, by) => {
                let client = &self.devices[who].client;
                let n = block_on(client.get::<i64>("n")).expect("get").unwrap_or(0);
                super::set(client, "n", json!(n + by));
                self.added += by;
            }
            Step::Tag(who, tag, there) => {
                let client = &self.devices[who].client;
                let mut tags = block_on(client.get::<Vec<u8>>("tags")).expect("get").unwrap_or_default();
                tags.retain(|known| *known != tag);
                tags.extend(there.then_some(tag));
                super::set(client, "tags", json!(tags));
            }
            Step::Sync(who, fate) => {
                let device = &self.devices[who];
                if let Some(fate) = fate {
                    device.wire.then(fate);
                }
                super::sync(&device.client);
                // What a conflict left over strikes nobody else.
                device.wire.fates.lock().expect("lock").clear();
            }
            Step::Restart(who) => {
                let device = &mut self.devices[who];
                device.client = super::builder(&device.home.db, &device.wire)
                    .policies(policies())
                    .build()
                    .expect("a client");
            }
            Step::Clock(who, at) => {
                self.devices[who].home.clock.set(strata_core::Timestamp::from_millis(at));
            }
            Step::Server(place, value) => {
                let path = Path::parse(place).expect("a path");
                let edit = self.scene.server.edit("ada", |document| {
                    let Some(value) = value else {
                        document.remove(&path);
                        return Ok(());
                    };
                    document.set(&path, &value)
                });
                block_on(edit).expect("edit");
            }
        }
    }

    /// All sync: what was asked before, what was edited since, and what others did.
    fn settle(&self) -> Value {
        for _ in 0..3 {
            self.devices.iter().for_each(|device| in_step(&device.client));
        }
        let end = self.scene.at_server();
        for device in &self.devices {
            assert!(pending(&device.client).is_empty());
            assert_eq!(here(&device.client), end, "a client differs from the server");
        }
        end
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever gets lost, doubled or replayed, in whatever order: all agree, and each addition counts once.
    #[test]
    fn all_agree_in_the_end(steps in vec(step(), 1..60)) {
        let mut history = History::new();
        for step in steps {
            history.take(step);
        }
        let end = history.settle();
        prop_assert_eq!(end.get("n").and_then(Value::as_i64).unwrap_or(0), history.added);
        prop_assert_eq!(history.settle(), end, "settled means settled");
    }

    /// What one client removes last, with nobody changing it, is gone everywhere, however its syncs go.
    #[test]
    fn removals_survive(steps in vec(step(), 1..40), place in prop::sample::select(PLACES.to_vec()), fates in vec(step(), 0..6)) {
        let mut history = History::new();
        for step in steps {
            history.take(step);
        }
        history.settle();
        block_on(history.devices[0].client.remove(place)).expect("remove");
        for fate in fates {
            if let Step::Sync(..) = fate {
                history.take(fate);
            }
        }
        // A removal at a place of the server's own is not the client's to make.
        let own = place.starts_with("user.");
        let before = history.scene.at_server();
        let end = history.settle();
        let pointer = format!("/{}", place.replace('.', "/"));
        if own {
            prop_assert_eq!(end.pointer(&pointer), before.pointer(&pointer));
        } else {
            prop_assert_eq!(end.pointer(&pointer), None);
        }
    }

    /// Per-path policies in one conflict between two clients, at random values.
    #[test]
    fn policies_hold(values in vec(0..3_i64, 24), who_first in any::<bool>()) {
        let mut history = History::new();
        let mut sides = vec![BTreeMap::new(); 2];
        for (number, place) in PLACES.iter().enumerate() {
            history.take(Step::Set(0, place, values[number]));
        }
        history.settle();
        let base = history.scene.at_server();
        for (side, known) in sides.iter_mut().enumerate() {
            for (number, place) in PLACES.iter().enumerate() {
                let value = values[8 * (side + 1) + number];
                history.take(Step::Set(side, place, value));
                known.insert(*place, value);
            }
        }
        let (first, second) = if who_first { (0, 1) } else { (1, 0) };
        in_step(&history.devices[first].client);
        in_step(&history.devices[second].client);
        let end = history.settle();
        for place in PLACES {
            let pointer = format!("/{}", place.replace('.', "/"));
            let was = base.pointer(&pointer).and_then(Value::as_i64);
            let is = end.pointer(&pointer).and_then(Value::as_i64);
            let (one, two) = (Some(sides[first][place]), Some(sides[second][place]));
            // The server's own stays. Elsewhere the later one changed it, or else the first: of edits that knew the same, the last to
            // arrive is the latest, and under local wins it is the local one.
            let right = if place.starts_with("user.") { was } else if two == was { one } else { two };
            prop_assert_eq!(is, right, "{}", place);
        }
    }

    /// The pure function: nothing changed, nothing merged; one side's changes are its own; to merge again changes nothing.
    #[test]
    fn merging_has_its_laws(base in tree(), local in tree(), server in tree()) {
        let policies = policies();
        let (base, local, server) = (document(base), document(local), document(server));
        prop_assert_eq!(&merge(&base, &base, &server, &policies), &server);
        prop_assert_eq!(&merge(&base, &local, &base, &policies), &local);
        prop_assert_eq!(&merge(&base, &local, &local, &Policies::default()), &local, "both did the same");
        let merged = merge(&base, &local, &server, &policies);
        prop_assert_eq!(&merge(&server, &merged, &server, &policies), &merged, "sent, and taken");
        prop_assert_eq!(&merge(&merged, &merged, &merged, &policies), &merged);
    }
}

/// Small trees whose names collide.
fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        (0..3_i64).prop_map(Value::from),
        "[ab]".prop_map(Value::from),
        vec((0..3_i64).prop_map(Value::from), 0..3).prop_map(Value::from),
    ];
    let name = || prop::sample::select(vec!["a", "b", "n", "tags", "user", "ui"]);
    let inner = leaf.prop_recursive(3, 16, 3, move |inner| {
        prop::collection::btree_map(name().prop_map(str::to_owned), inner, 0..3)
            .prop_map(|members| Value::Object(members.into_iter().collect()))
    });
    prop::collection::btree_map(name().prop_map(str::to_owned), inner, 0..4)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

/// Time is no part of it: a day's pause is the longest anybody can ask for.
#[test]
fn a_day_is_the_longest_pause() {
    let scene = scene();
    scene.wire.then(Fate::Fails(SyncFailure::Offline { retry_after: Some(Duration::MAX) }));
    super::sync(&scene.client);
    scene.home.clock.advance(Duration::from_hours(24));
    in_step(&scene.client);
}
