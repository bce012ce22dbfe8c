//! What a sequence is made of, [`Step`], how steps are drawn, and the few names they are about.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::key::{Key, Tag, Tags};

/// What names of the model begin with.
pub(super) const SPACE: &str = "conformance:model:";
/// Few keys, so that operations meet; some are prefixes of others.
pub(super) const KEYS: [&str; 5] = ["a", "a:1", "ab", "b", "é"];
pub(super) const PREFIXES: [&str; 6] = ["", "a", "a:", "ab", "b", "zz"];
pub(super) const TAGS: [&str; 3] = ["x", "x:y", "z"];

/// One step of a sequence. Keys, prefixes and tags are numbers of the lists above; times are milliseconds from now.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Commit { acts: Vec<Act>, firm: bool },
    Move(i64),
    Walk { over: Over, limit: usize },
}

#[derive(Clone, Debug)]
pub(super) struct Act {
    pub(super) key: usize,
    pub(super) want: Want,
    pub(super) does: Does,
}

#[derive(Clone, Debug)]
pub(super) enum Want {
    Any,
    Absent,
    Present,
    Current,
    Past(usize),
    NeverGiven,
}

#[derive(Clone, Debug)]
pub(super) enum Does {
    Put { byte: u8, expiry: Option<Life>, tags: Option<u8> },
    Slide(i64),
    Expire(Life),
    Remove,
    Check,
}

#[derive(Clone, Debug)]
pub(super) enum Life {
    Never,
    Until(i64),
    Idle(u64),
    Capped(u64, i64),
}

#[derive(Clone, Debug)]
pub(super) enum Over {
    Prefix(usize),
    Tag(usize),
    Due(i64),
    Keys(Vec<usize>),
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let commit = (vec(act(), 0..4), any::<bool>()).prop_map(|(acts, firm)| Step::Commit { acts, firm });
    let walk = (over(), 1..5_usize).prop_map(|(over, limit)| Step::Walk { over, limit });
    prop_oneof![6 => commit, 2 => (-10..25_i64).prop_map(Step::Move), 3 => walk]
}

fn act() -> impl Strategy<Value = Act> {
    (0..KEYS.len(), want(), does()).prop_map(|(key, want, does)| Act { key, want, does })
}

fn want() -> impl Strategy<Value = Want> {
    prop_oneof![
        6 => Just(Want::Any),
        2 => Just(Want::Absent),
        2 => Just(Want::Present),
        3 => Just(Want::Current),
        1 => (0..8_usize).prop_map(Want::Past),
        1 => Just(Want::NeverGiven),
    ]
}

fn does() -> impl Strategy<Value = Does> {
    let put = (any::<u8>(), proptest::option::of(life()), proptest::option::of(0..8_u8))
        .prop_map(|(byte, expiry, tags)| Does::Put { byte, expiry, tags });
    prop_oneof![
        6 => put,
        3 => (-5..40_i64).prop_map(Does::Slide),
        2 => life().prop_map(Does::Expire),
        2 => Just(Does::Remove),
        1 => Just(Does::Check),
    ]
}

fn life() -> impl Strategy<Value = Life> {
    prop_oneof![
        1 => Just(Life::Never),
        2 => (-2..20_i64).prop_map(Life::Until),
        2 => (1..20_u64).prop_map(Life::Idle),
        2 => (1..20_u64, 0..30_i64).prop_map(|(idle, cap)| Life::Capped(idle, cap)),
    ]
}

fn over() -> impl Strategy<Value = Over> {
    prop_oneof![
        (0..PREFIXES.len()).prop_map(Over::Prefix),
        (0..TAGS.len()).prop_map(Over::Tag),
        (-20..40_i64).prop_map(Over::Due),
        vec(0..KEYS.len(), 0..4).prop_map(Over::Keys),
    ]
}

pub(super) fn key(number: usize) -> Key {
    Key::new(&[SPACE, KEYS[number]].concat()).expect("keys of the model are valid")
}

pub(super) fn tag(number: usize) -> Tag {
    Tag::new(&[SPACE, TAGS[number]].concat()).expect("tags of the model are valid")
}

pub(super) fn tag_set(bits: u8) -> Tags {
    let chosen = (0..TAGS.len()).filter(|number| bits >> number & 1 == 1).map(tag);
    Tags::new(chosen).expect("the model has few tags")
}
