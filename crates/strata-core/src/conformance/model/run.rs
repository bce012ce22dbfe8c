//! One sequence, on the store and on the reference at once: [`Run`].

use std::time::Duration;

use crate::batch::{Batch, Committed, Durability, Guard, Keep, Op, Write};
use crate::error::{ErrorKind, Result};
use crate::expiry::Expiry;
use crate::key::{Key, KeyPrefix};
use crate::record::{Payload, Record};
use crate::reference::ReferenceStore;
use crate::scan::{Scan, Select};
use crate::store::{Atomicity, Listing, Store};
use crate::time::Timestamp;

use super::super::space::{NEVER_GIVEN, NOW};
use super::steps::{Act, Does, KEYS, Life, Over, PREFIXES, SPACE, Step, TAGS, Want, key, tag, tag_set};
use super::versions::{Held, Versions, pairs};

/// More pages than a walk over the model's keys has.
const MANY_PAGES: usize = 1000;

/// One sequence, on the store and on the reference at once.
pub(super) struct Run<'a> {
    store: &'a dyn Store,
    reference: ReferenceStore,
    now: Timestamp,
    versions: Versions,
}

impl<'a> Run<'a> {
    pub(super) fn new(store: &'a dyn Store) -> Self {
        Self { store, reference: ReferenceStore::new(), now: NOW, versions: Versions::default() }
    }

    pub(super) async fn all(mut self, steps: &[Step]) -> Held {
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
