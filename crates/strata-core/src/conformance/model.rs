//! The model-based test: any sequence of commits, moves of the clock and walks gives the same on a store as on the
//! [`ReferenceStore`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::batch::{Batch, Before, Committed, Durability, Guard, Keep, Op, Outcome, Write};
use crate::error::{ErrorKind, Result};
use crate::expiry::Expiry;
use crate::key::{Key, KeyPrefix, Tag, Tags};
use crate::record::{Payload, Record, Version};
use crate::reference::ReferenceStore;
use crate::scan::{Scan, Select};
use crate::store::{Atomicity, Listing, Store};
use crate::time::Timestamp;

use super::Drive;
use super::drive::value;
use super::space::{NEVER_GIVEN, NOW};

/// What names of the model begin with.
const SPACE: &str = "conformance:model:";
/// Few keys, so that operations meet; some are prefixes of others.
const KEYS: [&str; 5] = ["a", "a:1", "ab", "b", "é"];
const PREFIXES: [&str; 6] = ["", "a", "a:", "ab", "b", "zz"];
const TAGS: [&str; 3] = ["x", "x:y", "z"];
/// More pages than a walk over [`KEYS`] has.
const MANY_PAGES: usize = 1000;

/// How long the test goes on and where it starts.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    cases: u32,
    steps: usize,
    seed: u64,
}

impl Default for Model {
    fn default() -> Self {
        Self { cases: 128, steps: 40, seed: 0x5742_4154_4120_2026 }
    }
}

/// Sequences of commits, moved clocks and walks, on a fresh store each, against the reference store. The same
/// sequences each time; [`Model`] has more. `make` gives a fresh store.
pub fn model(make: impl Fn() -> Arc<dyn Store>, drive: Drive) {
    Model::default().run(make, drive);
}

impl Model {
    /// How many sequences are tried, 128 by default.
    #[must_use]
    pub fn cases(self, cases: u32) -> Self {
        Self { cases, ..self }
    }

    /// The most steps of one sequence, 40 by default.
    #[must_use]
    pub fn steps(self, steps: usize) -> Self {
        Self { steps, ..self }
    }

    /// Which sequences are tried. The same seed gives the same ones.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Tries them; panics with the shortest sequence found that differs.
    pub fn run(&self, make: impl Fn() -> Arc<dyn Store>, drive: Drive) {
        let config = Config {
            cases: self.cases,
            failure_persistence: None,
            max_shrink_iters: 4096,
            ..Config::default()
        };
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let mut runner = TestRunner::new_with_rng(config, random);
        let outcome = runner.run(&vec(step(), 1..=self.steps.max(1)), |steps| {
            let store = make();
            value(drive, Run::new(&*store).all(&steps)).map_err(TestCaseError::fail)
        });
        match outcome {
            Ok(()) => {}
            Err(TestError::Fail(reason, steps)) => {
                panic!("the store differs from the reference: {reason}\nafter the steps {steps:#?}")
            }
            Err(TestError::Abort(reason)) => panic!("the model was not run: {reason}"),
        }
    }
}

/// One step of a sequence. Keys, prefixes and tags are numbers of the lists above; times are milliseconds from now.
#[derive(Clone, Debug)]
enum Step {
    Commit { acts: Vec<Act>, firm: bool },
    Move(i64),
    Walk { over: Over, limit: usize },
}

#[derive(Clone, Debug)]
struct Act {
    key: usize,
    want: Want,
    does: Does,
}

#[derive(Clone, Debug)]
enum Want {
    Any,
    Absent,
    Present,
    Current,
    Past(usize),
    NeverGiven,
}

#[derive(Clone, Debug)]
enum Does {
    Put { byte: u8, expiry: Option<Life>, tags: Option<u8> },
    Slide(i64),
    Expire(Life),
    Remove,
    Check,
}

#[derive(Clone, Debug)]
enum Life {
    Never,
    Until(i64),
    Idle(u64),
    Capped(u64, i64),
}

#[derive(Clone, Debug)]
enum Over {
    Prefix(usize),
    Tag(usize),
    Due(i64),
    Keys(Vec<usize>),
}

fn step() -> impl Strategy<Value = Step> {
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

/// What has to hold, else the sequence is a counterexample.
type Held<T = ()> = std::result::Result<T, String>;

/// One sequence, on the store and on the reference at once.
struct Run<'a> {
    store: &'a dyn Store,
    reference: ReferenceStore,
    now: Timestamp,
    versions: Versions,
}

impl<'a> Run<'a> {
    fn new(store: &'a dyn Store) -> Self {
        Self { store, reference: ReferenceStore::new(), now: NOW, versions: Versions::default() }
    }

    async fn all(mut self, steps: &[Step]) -> Held {
        for (number, step) in steps.iter().enumerate() {
            self.one(step).await.map_err(|reason| format!("step {number}: {reason}"))?;
        }
        for over in (0..TAGS.len()).map(Over::Tag).chain([Over::Prefix(0), Over::Due(i64::MAX)]) {
            self.walk(&over, 3).await.map_err(|reason| format!("at the end: {reason}"))?;
        }
        Ok(())
    }

    async fn one(&mut self, step: &Step) -> Held {
        match step {
            Step::Move(millis) => {
                self.now = self.at(*millis);
                Ok(())
            }
            Step::Walk { over, limit } => self.walk(over, *limit).await,
            Step::Commit { acts, firm } => {
                let single = self.store.capabilities().atomicity < Atomicity::Batch;
                let acts = if single { &acts[..acts.len().min(1)] } else { acts };
                self.commit(acts, *firm).await?;
                self.same_records().await
            }
        }
    }

    fn at(&self, millis: i64) -> Timestamp {
        let by = Duration::from_millis(millis.unsigned_abs());
        if millis < 0 { self.now.saturating_sub(by) } else { self.now.saturating_add(by) }
    }

    async fn commit(&mut self, acts: &[Act], firm: bool) -> Held {
        let highest = self.store.capabilities().durability;
        let durability = if firm { highest } else { highest.min(Durability::Relaxed) };
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for act in acts {
            let write = self.write(&act.does);
            let (known, given) = self.guards(act).await?;
            theirs.push(Op { key: key(act.key), guard: known, write: write.clone() });
            ours.push(Op { key: key(act.key), guard: given, write });
        }
        let refusals = self.refusals(&theirs).await?;
        let batch = |durability, ops: Vec<Op>| Batch { now: self.now, durability, ops: ops.into() };
        let wanted = self.reference.commit(batch(Durability::Volatile, theirs)).await;
        let found = self.store.commit(batch(durability, ours)).await;
        match (wanted, found) {
            (Ok(wanted), Ok(found)) => self.same_outcomes(acts, &wanted, &found),
            (Err(_), Err(error)) if refusals.contains(&error.kind()) => Ok(()),
            (wanted, found) => {
                Err(format!("a commit gave {found:?}, not {wanted:?} (or one of {refusals:?})"))
            }
        }
    }

    /// The situations a commit may be refused with: which of several broken guards is named is the store's choice.
    async fn refusals(&self, ops: &[Op]) -> Held<Vec<ErrorKind>> {
        let twice =
            ops.iter().enumerate().any(|(number, op)| ops[..number].iter().any(|other| other.key == op.key));
        if twice {
            return Ok(vec![ErrorKind::Invalid]);
        }
        let mut kinds = Vec::new();
        for op in ops {
            let record = said(self.reference.get(&op.key).await)?;
            kinds.extend(op.guard.judge(&op.key, record.as_ref(), self.now).err().map(|error| error.kind()));
        }
        Ok(kinds)
    }

    /// The guard for the reference and for the store.
    async fn guards(&self, act: &Act) -> Held<(Guard, Guard)> {
        let both = |(known, given)| (Guard::Version(known), Guard::Version(given));
        let never = (NEVER_GIVEN, NEVER_GIVEN);
        let past = self.versions.of(act.key);
        Ok(match act.want {
            Want::Any => (Guard::Any, Guard::Any),
            Want::Absent => (Guard::Absent, Guard::Absent),
            Want::Present => (Guard::Present, Guard::Present),
            Want::NeverGiven => both(never),
            Want::Past(number) => both(past.get(number % past.len().max(1)).copied().unwrap_or(never)),
            Want::Current => {
                let record = said(self.reference.get(&key(act.key)).await)?;
                let pair = record.and_then(|record| past.iter().find(|pair| pair.0 == record.version));
                both(pair.copied().unwrap_or(never))
            }
        })
    }

    fn write(&self, does: &Does) -> Write {
        match does {
            Does::Put { byte, expiry, tags } => Write::Put {
                payload: Payload::from(vec![*byte; usize::from(byte % 4) * 5]),
                expiry: expiry.as_ref().map_or(Keep::Keep, |life| Keep::Set(self.expiry(life))),
                tags: tags.map_or(Keep::Keep, |bits| Keep::Set(tag_set(bits))),
            },
            Does::Slide(millis) => Write::Slide(self.at(*millis)),
            Does::Expire(life) => Write::Expire(self.expiry(life)),
            Does::Remove => Write::Remove,
            Does::Check => Write::Check,
        }
    }

    fn expiry(&self, life: &Life) -> Expiry {
        let idle = |millis: u64| Expiry::idle(Duration::from_millis(millis), self.now);
        match *life {
            Life::Never => Expiry::NEVER,
            Life::Until(millis) => Expiry::at(self.at(millis)),
            Life::Idle(millis) => idle(millis),
            Life::Capped(millis, cap) => idle(millis).capped(self.at(cap)),
        }
    }

    fn same_outcomes(&mut self, acts: &[Act], wanted: &Committed, found: &Committed) -> Held {
        let differ = || Err(format!("outcomes {:?}, not {:?}", found.outcomes, wanted.outcomes));
        if wanted.outcomes.len() != acts.len() || found.outcomes.len() != acts.len() {
            return differ();
        }
        for ((act, wanted), found) in acts.iter().zip(&wanted.outcomes).zip(&found.outcomes) {
            match pairs(wanted, found) {
                Some(pairs) => pairs.into_iter().try_for_each(|pair| self.versions.meet(act.key, pair))?,
                None => return differ(),
            }
        }
        Ok(())
    }

    async fn same_records(&mut self) -> Held {
        for number in 0..KEYS.len() {
            let name = key(number);
            let (wanted, found) =
                (said(self.reference.get(&name).await)?, said(self.store.get(&name).await)?);
            match (wanted, found) {
                (None, None) => {}
                (Some(wanted), Some(found)) => self.same_record(number, &wanted, &found)?,
                (wanted, found) => return Err(format!("`{name}` is {found:?}, not {wanted:?}")),
            }
        }
        Ok(())
    }

    fn same_record(&mut self, number: usize, wanted: &Record, found: &Record) -> Held {
        self.versions.meet(number, (wanted.version, found.version))?;
        let same = Record { version: wanted.version, ..found.clone() } == *wanted;
        if same { Ok(()) } else { Err(format!("`{}` is {found:?}, not {wanted:?}", key(number))) }
    }

    async fn walk(&mut self, over: &Over, limit: usize) -> Held {
        let listing = self.store.capabilities().listing == Listing::Indexed;
        if !listing && !matches!(over, Over::Keys(_)) {
            return Ok(());
        }
        let select = self.select(over);
        let mut wanted = walk(&self.reference, select.clone(), limit).await?;
        let mut found = walk(self.store, select.clone(), limit).await?;
        if let Over::Due(_) = over {
            // The order of what is due is the store's.
            wanted.sort_by(|a, b| a.0.cmp(&b.0));
            found.sort_by(|a, b| a.0.cmp(&b.0));
        }
        let names =
            |entries: &[(Key, Record)]| entries.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
        let (names, asked) = (names(&found), names(&wanted));
        if names != asked {
            return Err(format!("a walk over {select:?} gave {names:?}, not {asked:?}"));
        }
        for ((name, wanted), (_, found)) in wanted.iter().zip(&found) {
            let number = (0..KEYS.len()).find(|&number| key(number) == *name);
            self.same_record(number.expect("only keys of the model are walked"), wanted, found)?;
        }
        Ok(())
    }

    fn select(&self, over: &Over) -> Select {
        match over {
            Over::Prefix(number) => {
                let text = [SPACE, PREFIXES[*number]].concat();
                Select::Prefix(KeyPrefix::new(&text).expect("prefixes of the model are valid"))
            }
            Over::Tag(number) => Select::Tag(tag(*number)),
            Over::Due(millis) => Select::Due(self.at(*millis)),
            Over::Keys(numbers) => {
                let mut keys: Vec<Key> = Vec::new();
                for name in numbers.iter().map(|&number| key(number)) {
                    if !keys.contains(&name) {
                        keys.push(name);
                    }
                }
                Select::Keys(keys)
            }
        }
    }
}

/// Which version of the store is which of the reference: for one key each stands for exactly one other; over all keys
/// one of the store belongs to one commit.
#[derive(Default)]
struct Versions {
    pairs: Vec<(usize, (Version, Version))>,
    commit_of: HashMap<Version, Version>,
}

impl Versions {
    fn meet(&mut self, key: usize, pair: (Version, Version)) -> Held {
        let (known, given) = pair;
        if *self.commit_of.entry(given).or_insert(known) != known {
            return Err(format!("version {given} was given to two changes, in one place to `{}`", KEYS[key]));
        }
        match self.pairs.iter().find(|(other, (seen, _))| *other == key && *seen == known) {
            None => self.pairs.push((key, pair)),
            Some((_, (_, same))) if *same == given => {}
            Some((_, (_, other))) => {
                return Err(format!(
                    "`{}` has version {given} where it had {other}, without a change",
                    KEYS[key]
                ));
            }
        }
        Ok(())
    }

    fn of(&self, key: usize) -> Vec<(Version, Version)> {
        self.pairs.iter().filter(|(other, _)| *other == key).map(|(_, pair)| *pair).collect()
    }
}

/// The versions that correspond in two outcomes, unless the outcomes differ otherwise.
fn pairs(wanted: &Outcome, found: &Outcome) -> Option<Vec<(Version, Version)>> {
    let before = match (wanted.before, found.before) {
        (Before::Absent, Before::Absent) => None,
        (Before::Live(wanted), Before::Live(found)) | (Before::Dead(wanted), Before::Dead(found)) => {
            Some((wanted, found))
        }
        _ => return None,
    };
    let after = match (wanted.after, found.after) {
        (None, None) => None,
        (Some(wanted), Some(found)) => Some((wanted, found)),
        _ => return None,
    };
    Some(before.into_iter().chain(after).collect())
}

/// A whole walk; only records of the model.
async fn walk(store: &dyn Store, select: Select, limit: usize) -> Held<Vec<(Key, Record)>> {
    let mut scan = Scan::new(select, limit);
    let mut entries = Vec::new();
    for _ in 0..MANY_PAGES {
        let page = said(store.scan(scan.clone()).await)?;
        if page.entries.len() > limit {
            return Err(format!("a page of {limit} has {} records", page.entries.len()));
        }
        entries.extend(page.entries.into_iter().filter(|(key, _)| key.as_str().starts_with(SPACE)));
        let Some(next) = page.next else { return Ok(entries) };
        scan.after = Some(next);
    }
    Err(format!("a walk over {:?} never ends", scan.select))
}

fn said<T>(result: Result<T>) -> Held<T> {
    result.map_err(|error| format!("a call failed: {error:?}"))
}

fn key(number: usize) -> Key {
    Key::new(&[SPACE, KEYS[number]].concat()).expect("keys of the model are valid")
}

fn tag(number: usize) -> Tag {
    Tag::new(&[SPACE, TAGS[number]].concat()).expect("tags of the model are valid")
}

fn tag_set(bits: u8) -> Tags {
    let chosen = (0..TAGS.len()).filter(|number| bits >> number & 1 == 1).map(tag);
    Tags::new(chosen).expect("the model has few tags")
}
