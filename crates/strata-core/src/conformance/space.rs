//! One subject's own corner of the store under test, [`Space`], and the few verbs the checks are written in.

use std::time::Duration;

use crate::batch::{Batch, Committed, Durability, Guard, Keep, Op, Outcome, Write};
use crate::error::{ErrorKind, Result};
use crate::expiry::Expiry;
use crate::key::{Key, KeyPrefix, Tag, Tags};
use crate::record::{Payload, Record, Version};
use crate::scan::{Scan, Select};
use crate::store::{Atomicity, Listing, Store};
use crate::time::Timestamp;

/// 2026-01-01T00:00:00Z, when every subject begins.
pub(super) const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// A version that no store has given: sequences start low and end with the universe.
pub(super) const NEVER_GIVEN: Version = Version::new(u64::MAX);

/// What every payload of the suite begins with, so that errors and `Debug` can be searched for it.
pub(super) const MARK: &str = "payload-of-the-suite";

/// More pages than any walk of the suite has: reaching it means that the walk goes in circles.
const MANY_PAGES: usize = 100_000;

/// The instant `seconds` after [`NOW`].
pub(super) fn at(seconds: u64) -> Timestamp {
    NOW.saturating_add(Duration::from_secs(seconds))
}

/// The instant `millis` before `instant`.
pub(super) fn before(instant: Timestamp, millis: u64) -> Timestamp {
    instant.saturating_sub(Duration::from_millis(millis))
}

/// Bytes that begin with [`MARK`].
pub(super) fn payload(name: &str) -> Payload {
    Payload::from([MARK, ":", name].concat().into_bytes())
}

/// A write that keeps expiry and tags.
pub(super) fn put(name: &str) -> Write {
    Write::Put { payload: payload(name), expiry: Keep::Keep, tags: Keep::Keep }
}

/// A write that sets expiry and tags.
pub(super) fn put_with(name: &str, expiry: Expiry, tags: Tags) -> Write {
    Write::Put { payload: payload(name), expiry: Keep::Set(expiry), tags: Keep::Set(tags) }
}

/// An operation.
pub(super) fn op(key: &Key, guard: Guard, write: Write) -> Op {
    Op { key: key.clone(), guard, write }
}

/// An operation without a guard.
pub(super) fn any(key: &Key, write: Write) -> Op {
    op(key, Guard::Any, write)
}

/// A set of tags.
pub(super) fn tags(of: &[&Tag]) -> Tags {
    Tags::new(of.iter().map(|&tag| tag.clone())).expect("the suite uses few tags")
}

/// The value, or the end of the check with what was being done.
pub(super) fn must<T>(what: &str, result: Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("{what} failed: {error:?}"))
}

/// Keys and tags of one subject, and how it speaks to the store.
#[derive(Clone, Copy)]
pub(super) struct Space<'a> {
    pub(super) store: &'a dyn Store,
    subject: &'static str,
}

impl<'a> Space<'a> {
    pub(super) fn new(store: &'a dyn Store, subject: &'static str) -> Self {
        Self { store, subject }
    }

    /// What the names of the subject begin with, up to and with `name`.
    pub(super) fn text(&self, name: &str) -> String {
        format!("conformance:{}:{name}", self.subject)
    }

    pub(super) fn key(&self, name: &str) -> Key {
        Key::new(&self.text(name)).expect("names of the suite are valid")
    }

    pub(super) fn tag(&self, name: &str) -> Tag {
        Tag::new(&self.text(name)).expect("tags of the suite are valid")
    }

    pub(super) fn prefix(&self, name: &str) -> Select {
        Select::Prefix(KeyPrefix::new(&self.text(name)).expect("prefixes of the suite are valid"))
    }

    /// Whether the store answers selections other than named keys.
    pub(super) fn lists(&self) -> bool {
        self.store.capabilities().listing == Listing::Indexed
    }

    /// Whether the store takes batches of several keys.
    pub(super) fn batches(&self) -> bool {
        self.store.capabilities().atomicity == Atomicity::Batch
    }

    /// Commits at the store's own level, at most [`Durability::Relaxed`]: the suite's speed is not a disk's.
    pub(super) async fn commit(&self, now: Timestamp, ops: Vec<Op>) -> Result<Committed> {
        let durability = Durability::Relaxed.min(self.store.capabilities().durability);
        self.store.commit(Batch { now, durability, ops: ops.into() }).await
    }

    /// Commits one operation that has to be made.
    pub(super) async fn apply(&self, now: Timestamp, op: Op) -> Outcome {
        let what = format!("{:?} of `{}` under {:?}", op.write, op.key, op.guard);
        let committed = must(&what, self.commit(now, vec![op]).await);
        assert_eq!(committed.outcomes.len(), 1, "{what}: one operation has one outcome");
        committed.outcomes[0]
    }

    /// Commits a write without a guard that leaves a record; its version.
    pub(super) async fn write(&self, now: Timestamp, key: &Key, write: Write) -> Version {
        let outcome = self.apply(now, any(key, write)).await;
        outcome.after.unwrap_or_else(|| panic!("the write of `{key}` left no version: {outcome:?}"))
    }

    /// Commits operations one by one, in batches where the store has them.
    pub(super) async fn fill(&self, now: Timestamp, ops: Vec<Op>) {
        let capabilities = self.store.capabilities();
        let most = if self.batches() { capabilities.max_batch.min(256) } else { 1 };
        for chunk in ops.chunks(most.max(1)) {
            must("filling the store", self.commit(now, chunk.to_vec()).await);
        }
    }

    /// A batch that has to be refused as `kind`, with an error that names the store and shows no payload.
    pub(super) async fn refused(&self, what: &str, now: Timestamp, ops: Vec<Op>, kind: ErrorKind) {
        match self.commit(now, ops).await {
            Ok(committed) => panic!("{what} has to be refused as {kind}, but: {committed:?}"),
            Err(error) => {
                assert_eq!(error.kind(), kind, "{what}: the wrong situation: {error:?}");
                assert!(error.store().is_some(), "{what}: the error does not name its store: {error:?}");
                assert!(!format!("{error:?} {error}").contains(MARK), "{what}: the error shows a payload");
            }
        }
    }

    pub(super) async fn get(&self, key: &Key) -> Option<Record> {
        must(&format!("get of `{key}`"), self.store.get(key).await)
    }

    /// The record, which has to be there.
    pub(super) async fn found(&self, key: &Key) -> Record {
        self.get(key).await.unwrap_or_else(|| panic!("`{key}` has to be there"))
    }

    /// A whole walk, page by page; ends the check when it can't end.
    pub(super) async fn walk(&self, select: Select, limit: usize) -> Vec<(Key, Record)> {
        let mut scan = Scan::new(select, limit);
        let mut entries = Vec::new();
        for _ in 0..MANY_PAGES {
            let page = must(&format!("a page of {:?}", scan.select), self.store.scan(scan.clone()).await);
            let (found, limit) = (page.entries.len(), scan.limit());
            assert!(found <= limit, "a page of at most {limit} has {found} records");
            entries.extend(page.entries);
            let Some(next) = page.next else { return entries };
            assert_ne!(Some(&next), scan.after.as_ref(), "a page ends where it began: the walk never ends");
            scan.after = Some(next);
        }
        panic!("the walk over {:?} goes in circles", scan.select)
    }

    /// The keys of a whole walk that belong to this subject.
    pub(super) async fn keys(&self, select: Select) -> Vec<Key> {
        let own = self.text("");
        let entries = self.walk(select, Scan::MAX_LIMIT).await;
        entries.into_iter().map(|(key, _)| key).filter(|key| key.as_str().starts_with(&own)).collect()
    }

    /// Checks that the record, named look-up, prefix, tags (of which `labels` are tried) and deadline index all say
    /// that `key` is `wanted`.
    pub(super) async fn agrees(&self, what: &str, key: &Key, wanted: Option<&Record>, labels: &[&Tag]) {
        let found = self.get(key).await;
        assert_eq!(found.as_ref(), wanted, "{what}: the record of `{key}`");
        let one: Vec<_> = wanted.map(|record| (key.clone(), record.clone())).into_iter().collect();
        let named = self.walk(Select::Keys(vec![key.clone()]), 1).await;
        assert_eq!(named, one, "{what}: `{key}` by name");
        if !self.lists() {
            return;
        }
        let prefix = KeyPrefix::new(key.as_str()).expect("a key is a prefix");
        let mut listed = self.walk(Select::Prefix(prefix), 16).await;
        listed.retain(|(other, _)| other == key);
        assert_eq!(listed, one, "{what}: `{key}` by prefix");
        for &label in labels {
            let mut listed = self.walk(Select::Tag(label.clone()), 16).await;
            listed.retain(|(other, _)| other == key);
            let tagged = wanted.is_some_and(|record| record.tags.contains(label));
            let expected = if tagged { one.as_slice() } else { &[] };
            assert_eq!(listed, expected, "{what}: `{key}` by the tag `{label}`");
        }
        self.agrees_when_due(what, key, wanted).await;
    }

    async fn agrees_when_due(&self, what: &str, key: &Key, wanted: Option<&Record>) {
        let times = |keys: Vec<Key>| keys.iter().filter(|&other| other == key).count();
        let Some(deadline) = wanted.and_then(|record| record.expiry.deadline()) else {
            let listed = times(self.keys(Select::Due(Timestamp::MAX)).await);
            return assert_eq!(listed, 0, "{what}: `{key}` never dies or is not there, yet it is due");
        };
        let listed = times(self.keys(Select::Due(deadline)).await);
        assert_eq!(listed, 1, "{what}: `{key}` is due at its deadline, exactly once");
        if deadline > Timestamp::EPOCH {
            let listed = times(self.keys(Select::Due(before(deadline, 1))).await);
            assert_eq!(listed, 0, "{what}: `{key}` is due a millisecond before its deadline");
        }
    }
}
