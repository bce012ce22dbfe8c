//! What peers send that they should not: counted, dropped, and nothing changes.

use std::sync::Arc;

use strata_core::conformance::block_on;
use strata_core::{
    Body as Value, Clock, Exported, Handle, KeyPrefix, ManualClock, Random, ReferenceStore, Result, Scan,
    Select, Store, Timestamp,
};

use super::index::{FANOUT, NameHash};
use super::message::{Activity, Body, Item, ItemLife, Letter, MOST};
use super::stamp::Stamp;
use super::state::{Life, State};
use super::{Peer, Recorder, Refusal, ReplicationConfig, Scope};
use crate::link::Member;

#[derive(Debug)]
struct Seven;

impl Random for Seven {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        bytes.fill(7);
        Ok(())
    }
}

struct Victim {
    store: Arc<ReferenceStore>,
    clock: Arc<ManualClock>,
    peer: Peer,
}

const SENDER: u64 = 99;

impl Victim {
    fn new(scope: Scope) -> Self {
        let (store, clock) = (Arc::new(ReferenceStore::new()), Arc::new(ManualClock::default()));
        let recorder = Recorder::new(Arc::clone(&clock) as _, scope);
        let handle = Handle::builder(Arc::clone(&store) as _, Arc::clone(&clock) as _)
            .random(Arc::new(Seven))
            .journal(Arc::clone(&recorder) as _)
            .bus(Arc::clone(&recorder) as _)
            .max_value(1024)
            .build()
            .expect("a handle");
        let config = ReplicationConfig::default().max_message(64 * 1024);
        let peer = block_on(Peer::open(handle, recorder, config)).expect("a peer");
        Self { store, clock, peer }
    }

    fn hear(&mut self, bytes: &[u8]) {
        block_on(self.peer.on_message(Member::new(1), bytes)).expect("the store works");
    }

    fn told(&mut self, body: Body) {
        let letter = Letter { origin: SENDER, stamp: self.stamp(0), apart: false, body };
        let bytes = letter.encode(1 << 24).expect("encoded");
        self.hear(&bytes);
    }

    fn stamp(&self, later: u64) -> Stamp {
        Stamp::new(self.clock.now().as_millis() + later, 0, SENDER)
    }

    fn dropped(&self, refusal: Refusal) -> u64 {
        self.peer.report().dropped.get(&refusal).copied().unwrap_or_default()
    }

    /// Everything in the store but what says who it is.
    fn records(&self) -> Vec<String> {
        let page =
            block_on(self.store.scan(Scan::new(Select::Prefix(KeyPrefix::all()), 1024))).expect("scan");
        let names = page.entries.into_iter().map(|(key, _)| key.as_str().to_owned());
        names.filter(|name| !name.ends_with(":self")).collect()
    }

    fn item(&self, name: &str) -> Item {
        let stamp = self.stamp(0);
        let record = Exported {
            key: name.to_owned(),
            body: Value::Plain { codec: 2, shape: 0, bytes: b"1".to_vec() },
            created: 0,
            expiry: [u64::MAX, 0, u64::MAX],
            tags: Vec::new(),
        };
        let life =
            ItemLife { life: Life { birth: stamp, change: stamp }, latest: u64::MAX, record: Some(record) };
        Item { name: name.to_owned(), removed: None, life: Some(life) }
    }
}

fn told_record(item: &mut Item) -> &mut Exported {
    item.life.as_mut().and_then(|life| life.record.as_mut()).expect("a record")
}

fn told_life(item: &mut Item) -> &mut Life {
    &mut item.life.as_mut().expect("a life").life
}

#[test]
fn a_sound_item_is_taken() {
    let mut victim = Victim::new(Scope::all());
    let item = victim.item("a");
    victim.told(Body::Records { items: vec![item], answer: false });
    assert_eq!(victim.records(), ["a", "~strata:sync:state:=a"]);
    assert!(victim.peer.report().dropped.is_empty());
}

#[test]
fn s38_items_that_cannot_be_are_counted_and_change_nothing() {
    type Spoil = fn(&mut Item);
    let spoils: [(&str, Refusal, Spoil); 17] = [
        ("no name", Refusal::Invalid, |item| item.name.clear()),
        ("a control character", Refusal::Invalid, |item| item.name = "a\nb".to_owned()),
        ("a name of the store's", Refusal::Invalid, |item| item.name = "~strata:header".to_owned()),
        ("a name of sync's", Refusal::Invalid, |item| item.name = "~strata:sync:self".to_owned()),
        ("a name too long", Refusal::Invalid, |item| item.name = "x".repeat(513)),
        ("a key not replicated", Refusal::OutOfScope, |item| {
            item.name = "other".to_owned();
            told_record(item).key = "other".to_owned();
        }),
        ("a record of another name", Refusal::Invalid, |item| told_record(item).key = "cart:b".to_owned()),
        ("a sealed body", Refusal::Invalid, |item| told_record(item).body = Value::Sealed(vec![1, 2, 3])),
        ("an unknown codec", Refusal::Invalid, |item| {
            told_record(item).body = Value::Plain { codec: 77, shape: 1, bytes: vec![1] };
        }),
        ("JSON with a shape", Refusal::Invalid, |item| {
            told_record(item).body = Value::Plain { codec: 2, shape: 9, bytes: vec![1] };
        }),
        ("a deadline past the year 9999", Refusal::Invalid, |item| {
            told_record(item).expiry[0] = u64::MAX - 1;
        }),
        ("an idle time that moves nothing", Refusal::Invalid, |item| told_record(item).expiry[1] = 5),
        ("a tag that cannot be", Refusal::Invalid, |item| told_record(item).tags = vec!["\n".to_owned()]),
        ("too many tags", Refusal::TooLarge, |item| {
            told_record(item).tags = (0..33).map(|number| number.to_string()).collect();
        }),
        ("a value over the bound", Refusal::TooLarge, |item| {
            told_record(item).body = Value::Plain { codec: 2, shape: 0, bytes: vec![b'1'; 1025] };
        }),
        ("a change before the birth", Refusal::Invalid, |item| {
            told_life(item).change = Stamp::new(1, 0, SENDER);
        }),
        ("a life born before its removal", Refusal::Invalid, |item| {
            item.removed = Some(told_life(item).birth);
        }),
    ];
    for (what, refusal, spoil) in spoils {
        let mut victim = Victim::new(Scope::only(["cart:*"]).expect("globs"));
        let mut item = victim.item("cart:a");
        spoil(&mut item);
        victim.told(Body::Records { items: vec![item], answer: true });
        assert_eq!(victim.dropped(refusal), 1, "{what}: {:?}", victim.peer.report().dropped);
        assert_eq!(victim.records(), [""; 0], "{what}");
        assert_eq!(victim.peer.take_outgoing(), [], "{what} is answered by nothing");
    }
}

#[test]
fn stamps_of_the_year_9999_are_refused_and_poison_no_clock() {
    let mut victim = Victim::new(Scope::all());
    let far = Stamp::new(Timestamp::MAX.as_millis(), 0, SENDER);
    let (mut born, mut changed, mut removed) = (victim.item("a"), victim.item("b"), victim.item("c"));
    *told_life(&mut born) = Life { birth: far, change: far };
    told_life(&mut changed).change = far;
    removed = Item { removed: Some(far), life: None, ..removed };
    victim.told(Body::Records { items: vec![born, changed, removed], answer: false });
    assert_eq!(victim.dropped(Refusal::Ahead), 3);
    let hash = NameHash::FIRST;
    let states = vec![(hash, State::new(Some(far), None))];
    victim.told(Body::Keys { first: hash, last: NameHash::LAST, states });
    assert_eq!(victim.dropped(Refusal::Ahead), 4);
    let letter = Letter { origin: SENDER, stamp: far, apart: false, body: Body::Want(Vec::new()) };
    victim.hear(&letter.encode(1024).expect("encoded"));
    assert_eq!(victim.dropped(Refusal::Ahead), 5);
    assert_eq!(victim.records(), [""; 0]);
    let mine = victim.peer.recorder.clock.stamp(1);
    assert!(mine.millis() <= victim.clock.now().as_millis() + 1, "{mine:?}");
    // Just within the bound it is taken.
    let mut near = victim.item("d");
    let ahead = victim.stamp(victim.peer.config.max_ahead.as_secs() * 1000);
    *told_life(&mut near) = Life { birth: ahead, change: ahead };
    victim.told(Body::Records { items: vec![near], answer: false });
    assert_eq!(victim.records().len(), 2);
}

/// Told by a peer whose clock was years ahead for a while.
#[test]
fn activity_of_the_year_9999_keeps_nothing_alive_for_longer_than_activity_now() {
    let mut victim = Victim::new(Scope::all());
    let handle = victim.peer.handle.clone();
    let idle = std::time::Duration::from_mins(30);
    block_on(handle.set("a", &1_u8).idle(idle).into_future()).expect("set");
    block_on(victim.peer.on_change()).expect("settled");
    let hash = NameHash::of(&strata_core::Key::new("a").expect("key"));
    let birth = victim.peer.index.get(hash).and_then(|entry| entry.state.life).expect("a life").birth;
    let deadline = Timestamp::MAX.as_millis();
    victim.told(Body::Alive(vec![Activity { hash, birth, deadline }]));
    let item = block_on(victim.peer.item(&strata_core::Key::new("a").expect("key"))).expect("read");
    let mut item = item.expect("it lives");
    told_record(&mut item).expiry[0] = deadline;
    victim.told(Body::Records { items: vec![item], answer: false });
    assert!(victim.peer.report().dropped.is_empty());
    victim.clock.advance(idle);
    assert!(block_on(handle.contains("a")).expect("contains"), "it was active there");
    victim.clock.advance(victim.peer.config.max_ahead);
    assert!(!block_on(handle.contains("a")).expect("contains"));
}

#[test]
fn messages_damaged_anywhere_are_counted_or_harmless() {
    let mut victim = Victim::new(Scope::all());
    let bodies = [
        Body::Records { items: vec![victim.item("a")], answer: true },
        Body::Digest { prefix: vec![1], parts: vec![3; FANOUT] },
        Body::Keys {
            first: NameHash::FIRST,
            last: NameHash::LAST,
            states: vec![(NameHash::FIRST, State::default())],
        },
        Body::Want(vec![NameHash::FIRST, NameHash::LAST]),
        Body::Ask(vec![Activity { hash: NameHash::FIRST, birth: victim.stamp(0), deadline: u64::MAX }]),
        Body::Alive(vec![Activity { hash: NameHash::FIRST, birth: victim.stamp(0), deadline: u64::MAX }]),
    ];
    for body in bodies {
        let letter = Letter { origin: SENDER, stamp: victim.stamp(0), apart: false, body };
        let whole = letter.encode(64 * 1024).expect("encoded");
        for end in 0..whole.len() {
            let before = victim.dropped(Refusal::Garbage);
            victim.hear(&whole[..end]);
            assert_eq!(victim.dropped(Refusal::Garbage), before + 1, "cut after {end} bytes");
        }
        for place in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[place] ^= 1 << (place % 8);
            victim.hear(&damaged);
        }
        let before = victim.dropped(Refusal::OtherVersion);
        let mut other = whole.clone();
        other[0] = 2;
        victim.hear(&other);
        assert_eq!(victim.dropped(Refusal::OtherVersion), before + 1);
    }
}

#[test]
fn what_is_over_its_bound_is_not_looked_at() {
    let mut victim = Victim::new(Scope::all());
    let states = |count: u128| -> Vec<(NameHash, State)> {
        let names = std::iter::successors(Some(NameHash::FIRST), |hash| hash.next());
        names.take(usize::try_from(count).expect("few")).map(|hash| (hash, State::default())).collect()
    };
    let keys = |count| Body::Keys { first: NameHash::FIRST, last: NameHash::LAST, states: states(count) };
    victim.told(Body::Want(vec![NameHash::LAST; 100_000]));
    assert_eq!(victim.dropped(Refusal::TooLarge), 1, "a message of 1.6 MB");
    victim.told(keys(MOST as u128 + 1));
    assert_eq!(victim.dropped(Refusal::TooLarge), 2, "a list over the bound");
    victim.told(Body::Want(vec![NameHash::LAST; MOST + 1]));
    assert_eq!(victim.dropped(Refusal::TooLarge), 3);
    victim.told(keys(MOST as u128));
    assert_eq!(victim.dropped(Refusal::TooLarge), 3, "a full list is none");
    victim.told(Body::Digest { prefix: Vec::new(), parts: vec![0; FANOUT + 1] });
    victim.told(Body::Digest { prefix: vec![0; 3], parts: vec![0; FANOUT] });
    victim.told(Body::Keys { first: NameHash::LAST, last: NameHash::FIRST, states: Vec::new() });
    let twice = vec![(NameHash::FIRST, State::default()); 2];
    victim.told(Body::Keys { first: NameHash::FIRST, last: NameHash::LAST, states: twice });
    assert_eq!(victim.dropped(Refusal::Garbage), 4);
    // A length that the bytes do not have.
    let mut lie =
        Letter { origin: SENDER, stamp: victim.stamp(0), apart: false, body: Body::Want(Vec::new()) }
            .encode(1024)
            .expect("encoded");
    lie.pop();
    lie.extend([253, 255, 255, 255, 255, 255, 255, 255, 127]);
    victim.hear(&lie);
    assert_eq!(victim.dropped(Refusal::Garbage), 5);
}

#[test]
fn a_record_too_large_for_a_message_is_counted_and_keeps_no_other_back() {
    let mut victim = Victim::new(Scope::all());
    victim.peer.config.max_message = 600;
    victim.told(Body::Want(Vec::new()));
    assert_eq!(victim.peer.take_outgoing().len(), 1, "every question is answered");
    let handle = victim.peer.handle.clone();
    block_on(async {
        handle.set("large", &"x".repeat(900)).await.expect("set");
        handle.set("small", &1_u8).await.expect("set");
    });
    block_on(victim.peer.on_change()).expect("told");
    assert_eq!(victim.peer.take_outgoing().len(), 1);
    assert_eq!(victim.peer.report().untold, 1);
}

#[test]
fn debug_output_shows_no_value() {
    let mut victim = Victim::new(Scope::all());
    let mut item = victim.item("a");
    told_record(&mut item).body = Value::Plain { codec: 2, shape: 0, bytes: b"\"hunter2\"".to_vec() };
    assert!(!format!("{item:?}").contains("104, 117"), "{item:?}");
    victim.told(Body::Records { items: vec![item], answer: false });
    victim.told(Body::Want(vec![NameHash::of(&strata_core::Key::new("a").expect("key"))]));
    let sent = victim.peer.take_outgoing();
    let shown = format!("{:?} {sent:?}", victim.peer);
    assert!(!shown.contains("104, 117") && shown.contains("bytes"), "{shown}");
}
