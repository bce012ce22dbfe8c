//! Groups: who is believed, what is dropped and counted, what is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use strata_core::{Error, ErrorKind, ManualClock, Random, Result};
use strata_sync::{
    Group, GroupKey, GroupReport, InProcess, InProcessLink, Link as _, Member, PeerId, Queue, Received, Topic,
};

use crate::support::{Beats, Switched, System, Tapped, drain, key, member, poll, settle};

const NEWS: Topic = Topic::new(700);
/// Where the parts of a message before its sealed one end: format, name of the key, salt, nonce.
const PARTS: [usize; 4] = [1, 9, 41, 53];

fn message(from: PeerId, body: &[u8]) -> Received {
    Received::Message { from, topic: NEWS, body: body.to_vec() }
}

/// Bob's received messages, whatever else he heard.
fn bodies(events: &[Received]) -> Vec<&[u8]> {
    events
        .iter()
        .filter_map(|event| match event {
            Received::Message { body, .. } => Some(&**body),
            _ => None,
        })
        .collect()
}

/// Ada's link can be listened to and held back; Bob hears her; Eve is on the link and has no key.
struct World {
    tap: Tapped,
    hub: InProcess,
    beats: Beats,
    ada: Group,
    bob: Group,
    eve: InProcessLink,
    bobs: Member,
}

fn world() -> World {
    let hub = InProcess::new();
    let beats = Beats::default();
    let tap = Tapped::new(hub.join());
    let ada = member(tap.clone(), &key(), &beats);
    let link = hub.join();
    let bobs = link.member();
    let bob = member(link, &key(), &beats);
    let eve = hub.join();
    assert_eq!(settle([&ada, &bob]), [[Received::Joined(bob.id())], [Received::Joined(ada.id())]]);
    World { tap, hub, beats, ada, bob, eve, bobs }
}

impl World {
    /// What Ada sends now, which nobody receives.
    fn held_back(&self, say: impl FnOnce(&Group)) -> Arc<[u8]> {
        self.tap.only(|_| false);
        say(&self.ada);
        self.tap.only(|_| true);
        self.tap.sent().pop().expect("she sent it")
    }

    /// What Bob makes of bytes from Eve.
    fn bob_gets(&self, bytes: &[u8]) -> Vec<Received> {
        self.eve.send(self.bobs, bytes.into());
        drain(&self.bob)
    }
}

#[test]
fn peers_prove_themselves_and_hear_each_other() {
    let hub = InProcess::new();
    let beats = Beats::default();
    let [ada, bob, eve] = std::array::from_fn(|_| member(hub.join(), &key(), &beats));
    let joined = settle([&ada, &bob, &eve]);
    for (group, events) in [&ada, &bob, &eve].into_iter().zip(joined) {
        assert_eq!(events.len(), 2, "each hears of two others: {events:?}");
        assert!(events.iter().all(|event| matches!(event, Received::Joined(id) if *id != group.id())));
        assert_eq!((group.report().dropped(), group.peers().len()), (0, 2));
    }
    ada.broadcast(NEWS, b"for all").expect("sent");
    ada.send(eve.id(), NEWS, b"for eve").expect("sent");
    let [none, bobs, eves] = settle([&ada, &bob, &eve]);
    assert_eq!(none, []);
    assert_eq!(bobs, [message(ada.id(), b"for all")]);
    assert_eq!(eves, [message(ada.id(), b"for all"), message(ada.id(), b"for eve")]);
    let gone = bob.id();
    drop(bob);
    assert_eq!(settle([&ada, &eve]), [[Received::Left(gone)], [Received::Left(gone)]]);
    assert_eq!(ada.send(gone, NEWS, b"late").expect_err("gone").kind(), ErrorKind::Gone);
}

#[test]
fn whoever_has_joined_can_be_answered_at_once() {
    let hub = InProcess::new();
    let beats = Beats::default();
    let groups: [Group; 4] = std::array::from_fn(|_| member(hub.join(), &key(), &beats));
    let mut heard: [BTreeSet<PeerId>; 4] = Default::default();
    // One event at a time, so that each order of greetings and answers has its chance to go wrong.
    let mut idle = 0;
    while heard.iter().any(|heard| heard.len() < 3) {
        idle += 1;
        assert!(idle < 20, "somebody waits for ever: {heard:?}");
        for (group, heard) in groups.iter().zip(&mut heard) {
            match poll(group.next()).flatten() {
                Some(Received::Joined(id)) => group.send(id, NEWS, b"welcome").expect("sent"),
                Some(Received::Message { from, .. }) => assert!(heard.insert(from)),
                None => continue,
                other => panic!("{other:?}"),
            }
            idle = 0;
        }
    }
    for group in &groups {
        assert_eq!(group.report().dropped(), 0);
    }
}

#[test]
fn members_with_another_key_are_counted_and_never_join() {
    let World { hub, beats, ada, bob, .. } = world();
    let other = GroupKey::generate(&System).expect("a key");
    let mallory = member(hub.join(), &other, &beats);
    let [adas, bobs, none] = settle([&ada, &bob, &mallory]);
    mallory.broadcast(NEWS, b"let me in").expect("sent");
    ada.broadcast(NEWS, b"secret").expect("sent");
    let [_, news, nothing] = settle([&ada, &bob, &mallory]);
    assert_eq!([adas, bobs, none, nothing].concat(), []);
    assert_eq!(news, [message(ada.id(), b"secret")]);
    for group in [&ada, &bob, &mallory] {
        let report = group.report();
        assert!(report.other_key > 0 && report.dropped() == report.other_key, "{report:?}");
    }
}

#[test]
fn bytes_altered_or_cut_anywhere_are_dropped_by_their_reason() {
    let world = world();
    let genuine = world.held_back(|ada| ada.broadcast(NEWS, b"tea").expect("sent"));
    let mut expected = world.bob.report();
    for place in 0..genuine.len() {
        let mut altered = genuine.to_vec();
        altered[place] ^= 0x40;
        assert_eq!(world.bob_gets(&altered), [], "byte {place}");
        let reason = match PARTS.iter().position(|end| place < *end) {
            Some(0) => &mut expected.other_version,
            Some(1) => &mut expected.other_key,
            _ => &mut expected.damaged,
        };
        *reason += 1;
        assert_eq!(world.bob_gets(&genuine[..place]), [], "cut at {place}");
        expected.damaged += 1;
        assert_eq!(world.bob.report(), expected, "byte {place}");
    }
    let mut longer = genuine.to_vec();
    longer.push(0);
    assert_eq!(world.bob_gets(&longer), []);
    assert_eq!(
        world.bob_gets(&genuine),
        [message(world.ada.id(), b"tea")],
        "the genuine one was not spoiled"
    );
}

#[test]
fn a_message_over_the_bound_is_refused_here_and_dropped_there() {
    let world = world();
    let largest = vec![7; 1 << 20];
    world.ada.broadcast(NEWS, &largest).expect("sent");
    assert_eq!(settle([&world.ada, &world.bob])[1], [message(world.ada.id(), &largest)]);
    let larger = vec![7; (1 << 20) + 1];
    assert_eq!(world.ada.broadcast(NEWS, &larger).expect_err("too large").kind(), ErrorKind::TooLarge);
    assert_eq!(
        world.ada.send(world.bob.id(), NEWS, &larger).expect_err("too large").kind(),
        ErrorKind::TooLarge
    );
    assert_eq!(world.bob_gets(&vec![1; (1 << 20) + 4096]), []);
    assert_eq!(world.bob.report().too_large, 1);
}

#[test]
fn a_recording_is_played_to_nobody_twice() {
    let world = world();
    world.ada.broadcast(NEWS, b"logout").expect("sent");
    world.ada.send(world.bob.id(), NEWS, b"for bob").expect("sent");
    assert_eq!(bodies(&settle([&world.ada, &world.bob])[1]).len(), 2);
    let recorded = world.tap.sent();
    let before = world.bob.report();
    for bytes in &recorded {
        assert_eq!(world.bob_gets(bytes), []);
    }
    let after = world.bob.report();
    assert_eq!((after.replayed, after.accepted), (before.replayed + 2, before.accepted));
}

/// What is for one only is not for whom somebody on the link sends it on to.
#[test]
fn a_message_for_one_is_nothing_to_another() {
    let world = world();
    let carol = member(world.hub.join(), &key(), &world.beats);
    settle([&world.ada, &world.bob, &carol]);
    let sent = world.held_back(|ada| ada.send(carol.id(), NEWS, b"for carol").expect("sent"));
    let before = world.bob.report();
    assert_eq!(world.bob_gets(&sent), []);
    assert_eq!(world.bob.report(), before, "it does not even count as a sign of life");
}

#[test]
fn what_is_older_than_the_window_is_dropped_and_what_is_late_is_not() {
    let world = world();
    let first = world.held_back(|ada| ada.broadcast(NEWS, b"first").expect("sent"));
    let second = world.held_back(|ada| ada.broadcast(NEWS, b"second").expect("sent"));
    for _ in 0..63 {
        world.ada.broadcast(NEWS, b"more").expect("sent");
    }
    let more = &settle([&world.ada, &world.bob])[1];
    let missed = Received::Missed { from: Some(world.ada.id()), at_least: 2 };
    assert_eq!((more.len(), &more[0]), (64, &missed));
    assert_eq!(world.bob_gets(&second), [message(world.ada.id(), b"second")], "late");
    assert_eq!(world.bob_gets(&first), [], "too late");
    assert_eq!(world.bob.report().too_old, 1);
}

#[test]
fn a_recording_of_an_earlier_life_is_only_asked_a_question() {
    let mut world = world();
    world.ada.broadcast(NEWS, b"old news").expect("sent");
    settle([&world.ada, &world.bob]);
    let recorded = world.tap.sent();
    // Bob starts again; Ada is gone for good.
    let link = world.hub.join();
    world.bobs = link.member();
    world.bob = member(link, &key(), &world.beats);
    let World { tap, hub, beats, ada, bob, eve, bobs } = world;
    drop((ada, tap));
    drain(&bob);
    for bytes in recorded.iter().chain(&recorded) {
        eve.send(bobs, Arc::clone(bytes));
        assert_eq!(drain(&bob), [], "a recording spoke");
    }
    assert!(bob.report().unproved > 0);
    assert_eq!((bob.report().accepted, bob.report().peers), (0, 0));
    // It costs at most one question for each answer that does not come.
    assert!(bob.report().sent <= recorded.len() as u64 * 2 + 4, "{:?}", bob.report());
    drop((hub, beats));
}

#[test]
fn a_recording_does_not_bring_back_who_left() {
    let World { tap, ada, bob, eve, bobs, .. } = world();
    ada.broadcast(NEWS, b"old news").expect("sent");
    settle([&ada, &bob]);
    let recorded = tap.sent();
    let gone = ada.id();
    drop((ada, tap));
    assert_eq!(drain(&bob), [Received::Left(gone)]);
    for bytes in recorded.iter().chain(&recorded) {
        eve.send(bobs, Arc::clone(bytes));
        assert_eq!(drain(&bob), [], "a recording spoke");
    }
    assert_eq!(bob.peers(), []);
}

#[test]
fn a_gap_is_told_before_what_follows_it() {
    let world = world();
    world.held_back(|ada| ada.broadcast(NEWS, b"lost").expect("sent"));
    world.held_back(|ada| ada.send(world.bob.id(), NEWS, b"lost").expect("sent"));
    world.ada.broadcast(NEWS, b"next").expect("sent");
    world.ada.send(world.bob.id(), NEWS, b"next").expect("sent");
    let missed = Received::Missed { from: Some(world.ada.id()), at_least: 1 };
    let next = message(world.ada.id(), b"next");
    assert_eq!(settle([&world.ada, &world.bob])[1], [missed.clone(), next.clone(), missed, next]);
}

#[test]
fn not_again_the_last_message_of_a_burst_is_missed_at_the_next_beat() {
    let sayings: [fn(&World); 2] = [
        |world| drop(world.held_back(|ada| ada.broadcast(NEWS, b"last").expect("sent"))),
        |world| drop(world.held_back(|ada| ada.send(world.bob.id(), NEWS, b"last").expect("sent"))),
    ];
    for say in sayings {
        let world = world();
        world.ada.broadcast(NEWS, b"first").expect("sent");
        say(&world);
        assert_eq!(settle([&world.ada, &world.bob])[1], [message(world.ada.id(), b"first")]);
        world.beats.tell();
        let missed = Received::Missed { from: Some(world.ada.id()), at_least: 1 };
        assert_eq!(settle([&world.ada, &world.bob])[1], [missed]);
        assert_eq!(world.bob.report().missed, 1);
    }
}

#[test]
fn the_last_word_to_one_who_was_forgotten_meanwhile_is_missed_too() {
    let hub = InProcess::new();
    let beats = Beats::default();
    let (adas, bobs) = (Tapped::new(hub.join()), Tapped::new(hub.join()));
    let (ada, bob) = (member(adas.clone(), &key(), &beats), member(bobs.clone(), &key(), &beats));
    settle([&ada, &bob]);
    // Bob falls silent to Ada, who forgets him; what she sends to him alone is lost from before her last beat on.
    bobs.only(|_| false);
    for _ in 0..2 {
        beats.tell();
        settle([&ada, &bob]);
    }
    adas.only(|bytes| bytes.len() < 85); // a beat for all is shorter, one for Bob is longer
    ada.send(bob.id(), NEWS, b"last").expect("sent");
    beats.tell();
    assert_eq!(settle([&ada, &bob]), [vec![Received::Left(bob.id())], vec![]]);
    adas.only(|_| true);
    bobs.only(|_| true);
    beats.tell();
    assert_eq!(settle([&ada, &bob]), [vec![Received::Joined(bob.id())], vec![]]);
    beats.tell();
    let missed = settle([&ada, &bob])[1].clone();
    assert!(matches!(missed[..], [Received::Missed { from: Some(id), .. }] if id == ada.id()), "{missed:?}");
}

#[test]
fn a_full_queue_is_told() {
    let hub = InProcess::with_queue(Queue { messages: 4, bytes: 1 << 20 });
    let beats = Beats::default();
    let (ada, bob) = (member(hub.join(), &key(), &beats), member(hub.join(), &key(), &beats));
    settle([&ada, &bob]);
    for _ in 0..50 {
        ada.broadcast(NEWS, b"much").expect("sent");
    }
    let events = drain(&bob);
    assert!(events.contains(&Received::Missed { from: None, at_least: 1 }), "{events:?}");
    assert_eq!(bodies(&events).len(), 4);
    assert_eq!(bob.report().losses, 1);
}

#[test]
fn one_greeting_is_enough_for_both() {
    let hub = InProcess::new();
    let beats = Beats::default();
    let ada = member(hub.join(), &key(), &beats);
    let shy = Tapped::new(hub.join());
    let mut said = 0;
    shy.only(move |_| {
        said += 1;
        said > 2 // neither to all nor to Ada
    });
    let bob = member(shy, &key(), &beats);
    assert_eq!(settle([&ada, &bob]), [[Received::Joined(bob.id())], [Received::Joined(ada.id())]]);
}

#[test]
fn who_is_silent_for_three_beats_has_left_and_is_welcome_again() {
    let world = world();
    world.ada.send(world.bob.id(), NEWS, b"early").expect("sent");
    let early = world.tap.sent().pop().expect("sent");
    assert_eq!(bodies(&settle([&world.ada, &world.bob])[1]), [b"early"]);
    world.tap.only(|_| false);
    for beat in 0..3 {
        assert_eq!(world.bob.peers(), [world.ada.id()], "beat {beat}");
        world.beats.tell();
        let [_, bobs] = settle([&world.ada, &world.bob]);
        assert_eq!(bobs, if beat == 2 { vec![Received::Left(world.ada.id())] } else { vec![] });
    }
    world.tap.only(|_| true);
    world.beats.tell();
    let [_, bobs] = settle([&world.ada, &world.bob]);
    assert_eq!(bobs, [Received::Joined(world.ada.id())], "she never forgot him, so only he asked");
    assert_eq!(world.bob_gets(&early), [], "a recording of before");
    world.ada.send(world.bob.id(), NEWS, b"hello again").expect("sent");
    world.bob.send(world.ada.id(), NEWS, b"hello again").expect("sent");
    let [adas, bobs] = settle([&world.ada, &world.bob]);
    assert_eq!(bodies(&adas), [b"hello again"]);
    assert_eq!(bobs, [message(world.ada.id(), b"hello again")], "her numbers for him go on where they were");
}

#[test]
fn who_was_forgotten_by_one_side_only_is_still_heard_by_the_other() {
    let world = world();
    world.bob.send(world.ada.id(), NEWS, b"one").expect("sent");
    settle([&world.ada, &world.bob]);
    world.tap.only(|_| false);
    for _ in 0..3 {
        world.beats.tell();
        settle([&world.ada, &world.bob]);
    }
    assert_eq!(world.bob.peers(), []);
    world.tap.only(|_| true);
    world.beats.tell();
    settle([&world.ada, &world.bob]);
    world.bob.send(world.ada.id(), NEWS, b"two").expect("sent");
    let [adas, _] = settle([&world.ada, &world.bob]);
    assert_eq!(bodies(&adas), [b"two"], "his numbers for her did not go back");
}

#[test]
fn a_link_that_was_down_says_so_and_peers_join_again() {
    let hub = InProcess::new();
    let beats = Beats::default();
    let switch = Switched::new(hub.join());
    let (ada, bob) = (member(switch.clone(), &key(), &beats), member(hub.join(), &key(), &beats));
    settle([&ada, &bob]);
    switch.turn(true);
    assert_eq!(drain(&ada), [Received::Left(bob.id()), Received::Down]);
    let GroupReport { peers, down_since, .. } = ada.report();
    assert_eq!((peers, down_since.is_some()), (0, true));
    bob.broadcast(NEWS, b"unheard").expect("sent");
    assert_eq!(settle([&ada, &bob]), [[], []]);
    switch.turn(false);
    let [adas, bobs] = settle([&ada, &bob]);
    assert_eq!(adas[0], Received::Up);
    assert_eq!(ada.report().down_since, None);
    beats.tell();
    let later = settle([&ada, &bob]);
    assert!([adas, later[0].clone()].concat().contains(&Received::Joined(bob.id())));
    drop(bobs);
    bob.broadcast(NEWS, b"heard").expect("sent");
    assert_eq!(bodies(&settle([&ada, &bob])[0]), [b"heard"]);
}

#[test]
fn two_who_forgot_each_other_go_on_behind_all_that_was_recorded() {
    let hub = InProcess::new();
    let beats = Beats::default();
    let tap = Tapped::new(hub.join());
    let switch = Switched::new(tap.clone());
    let link = hub.join();
    let (eve, bobs) = (hub.join(), link.member());
    let (ada, bob) = (member(switch.clone(), &key(), &beats), member(link, &key(), &beats));
    settle([&ada, &bob]);
    ada.send(bob.id(), NEWS, b"early").expect("sent");
    let early = tap.sent().pop().expect("sent");
    assert_eq!(bodies(&settle([&ada, &bob])[1]), [b"early"]);
    switch.turn(true);
    for _ in 0..3 {
        beats.tell();
        settle([&ada, &bob]);
    }
    assert_eq!((ada.peers(), bob.peers()), (vec![], vec![]));
    switch.turn(false);
    let [_, again] = settle([&ada, &bob]);
    assert_eq!(again, [Received::Joined(ada.id())]);
    eve.send(bobs, early);
    assert_eq!(drain(&bob), [], "a recording of before");
    ada.send(bob.id(), NEWS, b"late").expect("sent");
    assert_eq!(settle([&ada, &bob])[1], [message(ada.id(), b"late")]);
}

#[test]
fn a_key_seals_no_more_than_it_may_and_peers_follow_to_the_next() {
    let hub = InProcess::new();
    let beats = Beats::default();
    let tap = Tapped::new(hub.join());
    let clock = Arc::new(ManualClock::default());
    let ada = Group::builder(tap.clone(), &key(), Arc::new(System), clock, Arc::new(beats.clone()))
        .messages_per_key(16)
        .build()
        .expect("a group");
    let bob = member(hub.join(), &key(), &beats);
    settle([&ada, &bob]);
    let first = ada.id();
    for number in 0..40_u8 {
        ada.broadcast(NEWS, &[number]).expect("sent");
        let [_, bobs] = settle([&ada, &bob]);
        // It arrives, or Bob is told that somebody came whose earlier messages he did not get.
        let told = bobs.iter().any(|event| matches!(event, Received::Joined(id) if *id == ada.id()));
        assert!(told || bodies(&bobs) == [[number]], "{number}: {bobs:?}");
        assert_eq!(bob.peers(), [ada.id()]);
    }
    assert_ne!(ada.id(), first);
    let mut sealed = BTreeMap::<Vec<u8>, usize>::new();
    for bytes in tap.sent() {
        *sealed.entry(bytes[PARTS[1]..PARTS[2]].to_vec()).or_default() += 1;
    }
    assert!(sealed.len() > 2 && sealed.values().all(|count| *count <= 16), "{:?}", sealed.values());
}

#[test]
fn s27_no_sender_uses_a_nonce_twice_and_no_two_share_a_key() {
    let hub = InProcess::new();
    let beats = Beats::default();
    let taps: [Tapped; 3] = std::array::from_fn(|_| Tapped::new(hub.join()));
    let groups = taps.each_ref().map(|tap| member(tap.clone(), &key(), &beats));
    settle(groups.each_ref());
    for group in groups.iter().cycle().take(600) {
        group.broadcast(NEWS, b"the same").expect("sent");
    }
    let mut pairs = BTreeSet::new();
    let mut salts = BTreeSet::new();
    for bytes in taps.iter().flat_map(Tapped::sent) {
        salts.insert(bytes[PARTS[1]..PARTS[2]].to_vec());
        assert!(pairs.insert(bytes[PARTS[1]..PARTS[3]].to_vec()), "a key and nonce came twice");
    }
    assert_eq!(salts.len(), 3);
}

/// The system's generator, which gives nothing when it is told to.
#[derive(Debug, Default)]
struct Failing(AtomicBool);

impl Random for Failing {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        if self.0.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "draw", "nothing came"));
        }
        System.fill(bytes)
    }
}

#[test]
fn a_message_without_a_nonce_is_not_sent_and_is_missed() {
    let hub = InProcess::new();
    let beats = Beats::default();
    let random = Arc::new(Failing::default());
    let clock = Arc::new(ManualClock::default());
    let ada = Group::builder(hub.join(), &key(), Arc::clone(&random) as _, clock, Arc::new(beats.clone()))
        .build()
        .expect("a group");
    let bob = member(hub.join(), &key(), &beats);
    settle([&ada, &bob]);
    random.0.store(true, Ordering::SeqCst);
    assert_eq!(ada.broadcast(NEWS, b"tea").expect_err("no nonce").kind(), ErrorKind::Unavailable);
    random.0.store(false, Ordering::SeqCst);
    beats.tell();
    assert_eq!(settle([&ada, &bob])[1], [Received::Missed { from: Some(ada.id()), at_least: 1 }]);
}

#[test]
fn s05_nothing_of_a_message_or_key_is_seen_on_the_link_or_printed() {
    let World { tap, ada, bob, .. } = world();
    ada.broadcast(NEWS, b"auth:session:ada").expect("sent");
    let on_the_link = tap.sent().concat();
    assert!(!on_the_link.windows(4).any(|four| four == b"auth"), "a name is readable");
    let exposed = key().expose();
    assert!(!on_the_link.windows(8).any(|eight| eight == &exposed[..8]));
    let printed = format!("{:?} {ada:?} {bob:?}", key());
    let [a, b, c, d] = *exposed.first_chunk().expect("32 bytes");
    let hex = format!("{a:02x}{b:02x}{c:02x}{d:02x}");
    let listed = format!("{:?}", &exposed[..4]);
    assert!(!printed.contains(&hex) && !printed.contains(listed.trim_matches(['[', ']'])), "{printed}");
}

#[test]
fn groups_that_could_not_live_are_refused() {
    let clock = Arc::new(ManualClock::default());
    let builder = || {
        let link = InProcess::new().join();
        Group::builder(link, &key(), Arc::new(System), Arc::clone(&clock) as _, Arc::new(Beats::default()))
    };
    for builder in [builder().beat(Duration::ZERO), builder().messages_per_key(15)] {
        assert_eq!(builder.build().expect_err("refused").kind(), ErrorKind::Invalid);
    }
    let random = Arc::new(Failing(AtomicBool::new(true)));
    let timer = Arc::new(Beats::default());
    let without = Group::builder(InProcess::new().join(), &key(), random, Arc::clone(&clock) as _, timer);
    assert_eq!(without.build().expect_err("no salt").kind(), ErrorKind::Unavailable);
}

#[test]
fn keys_that_are_none_are_refused_with_the_way_out() {
    for bytes in [&[0; 32][..], &[7; 32], b"short", &[1; 33], b""] {
        let error = GroupKey::from_bytes(bytes).expect_err("no key");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.message().contains("GroupKey::generate"), "{error}");
    }
    let key = GroupKey::generate(&System).expect("a key");
    assert_eq!(*GroupKey::from_bytes(&*key.expose()).expect("the same").expose(), *key.expose());
}
