//! Stores with one deliberate mistake each, and the subjects that have to catch it. A suite that cannot fail proves
//! nothing.

use std::collections::HashSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use strata_core::conformance;
use strata_core::{
    Batch, Before, Capabilities, Committed, Cursor, Error, ErrorKind, Guard, Keep, Key, Op, Outcome, Page,
    Record, ReferenceStore, Result, Scan, Select, Store, Version, Write,
};

use crate::legal::pause;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    /// `Present` is not judged.
    DropsAGuard,
    /// A version guard only asks whether there is a record.
    IgnoresVersions,
    /// A slide gives a dead record a new deadline.
    SlidesTheDead,
    /// A put that keeps metadata keeps that of a dead record.
    InheritsFromTheDead,
    /// The index has no entry for the last of several tags.
    LosesATag,
    /// A page begins with the last record of the one before.
    RepeatsAKey,
    /// A page leaves out its last record.
    SkipsAKey,
    /// A cursor is the number of records seen.
    CountsInsteadOfCursors,
    /// A record is due a millisecond after its deadline.
    IsDueLate,
    /// A prefix is taken for whole segments.
    CutsPrefixesAtColons,
    /// Operations are made one after the other.
    TearsBatches,
    /// A future dropped in the middle leaves half a batch.
    TearsWhenDropped,
    /// Guards are judged in one step, writes made in another.
    ChecksThenActs,
    /// A version is the instant of the change.
    TakesVersionsFromTheClock,
    /// A slide takes the record's entry out of the index of deadlines and puts none in.
    LosesSlidDeadlines,
    /// A slide is a real change.
    CountsSlidesAsChanges,
    /// A level that is too high is refused after the write.
    WritesBeforeItRefuses,
}

struct Broken {
    inner: ReferenceStore,
    mistake: Mistake,
    /// Commits between judging and writing, for [`Mistake::ChecksThenActs`].
    between: AtomicUsize,
    /// Keys of slides, for [`Mistake::LosesSlidDeadlines`].
    slid: Mutex<HashSet<Key>>,
}

impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({})", self.mistake, self.inner)
    }
}

impl Broken {
    /// The operation with the mistake in it.
    async fn spoil(&self, batch: &Batch, op: Op) -> Result<Op> {
        let existing = self.inner.get(&op.key).await?;
        let dead = existing.as_ref().filter(|record| record.is_dead(batch.now));
        let Op { key, mut guard, mut write } = op;
        match (self.mistake, &write, dead) {
            (Mistake::SlidesTheDead, Write::Slide(target), Some(record)) => {
                let mut expiry = record.expiry;
                expiry.slide_to(*target);
                let (payload, tags) = (record.payload.clone(), Keep::Set(record.tags.clone()));
                write = Write::Put { payload, expiry: Keep::Set(expiry), tags };
            }
            (
                Mistake::InheritsFromTheDead,
                Write::Put { payload, expiry: Keep::Keep, tags: Keep::Keep },
                Some(record),
            ) => {
                let (payload, tags) = (payload.clone(), Keep::Set(record.tags.clone()));
                write = Write::Put { payload, expiry: Keep::Keep, tags };
            }
            (Mistake::LosesSlidDeadlines, Write::Slide(_), None) => {
                self.slid.lock().expect("no holder panics").insert(key.clone());
            }
            (Mistake::CountsSlidesAsChanges, Write::Slide(target), None) => {
                if let Some(mut expiry) = existing.as_ref().map(|record| record.expiry)
                    && expiry.slide_to(*target)
                {
                    write = Write::Expire(expiry);
                }
            }
            _ => {}
        }
        match (self.mistake, guard) {
            (Mistake::DropsAGuard, Guard::Present) => guard = Guard::Any,
            (Mistake::IgnoresVersions, Guard::Version(_)) => guard = Guard::Present,
            (Mistake::TakesVersionsFromTheClock, Guard::Version(version)) => {
                let same = existing.filter(|record| record.updated.as_millis() == version.get());
                guard = Guard::Version(same.map_or(Version::new(u64::MAX), |record| record.version));
            }
            _ => {}
        }
        Ok(Op { key, guard, write })
    }

    /// One operation after the other, perhaps with a pause between them.
    async fn one_by_one(&self, batch: Batch) -> Result<Committed> {
        batch.validate(&self.capabilities(), self)?;
        let mut outcomes = Vec::new();
        for op in batch.ops {
            let done = self.inner.commit(Batch::one(batch.now, batch.durability, op)).await?;
            outcomes.extend(done.outcomes);
            if self.mistake == Mistake::TearsWhenDropped {
                pause().await;
            }
        }
        Ok(Committed { outcomes: outcomes.into() })
    }

    async fn judge(&self, batch: &Batch) -> Result<()> {
        for op in &batch.ops {
            let record = self.inner.get(&op.key).await?;
            op.guard.judge(&op.key, record.as_ref(), batch.now).map_err(|error| error.in_store(self))?;
        }
        Ok(())
    }

    /// Waits a little for somebody else to be at the same place.
    fn meet_others(&self) {
        self.between.fetch_add(1, Ordering::SeqCst);
        for _ in 0..1000 {
            if self.between.load(Ordering::SeqCst) > 1 {
                break;
            }
            std::thread::yield_now();
        }
    }

    async fn check_then_act(&self, mut batch: Batch) -> Result<Committed> {
        self.judge(&batch).await?;
        if batch.ops.iter().all(|op| matches!(op.write, Write::Check)) {
            return self.inner.commit(batch).await;
        }
        self.meet_others();
        for op in &mut batch.ops {
            op.guard = Guard::Any;
        }
        let committed = self.inner.commit(batch).await;
        self.between.fetch_sub(1, Ordering::SeqCst);
        committed
    }

    /// A clock's version in place of the store's.
    fn shown(&self, mut record: Record) -> Record {
        if self.mistake == Mistake::TakesVersionsFromTheClock {
            record.version = Version::new(record.updated.as_millis());
        }
        record
    }

    async fn restamped(&self, batch: Batch) -> Result<Committed> {
        let mut found = Vec::new();
        for op in &batch.ops {
            found.push(self.inner.get(&op.key).await?.map(|record| record.updated.as_millis()));
        }
        let keys: Vec<Key> = batch.ops.iter().map(|op| op.key.clone()).collect();
        let mut committed = self.inner.commit(batch).await?;
        for ((outcome, key), was) in committed.outcomes.iter_mut().zip(keys).zip(found) {
            let is = self.inner.get(&key).await?.map(|record| Version::new(record.updated.as_millis()));
            let was = Version::new(was.unwrap_or_default());
            let before = match outcome.before {
                Before::Absent => Before::Absent,
                Before::Dead(_) => Before::Dead(was),
                Before::Live(_) => Before::Live(was),
            };
            *outcome = Outcome { before, after: outcome.after.and(is) };
        }
        Ok(committed)
    }

    /// Pages by counting what was seen.
    async fn counted(&self, mut scan: Scan) -> Result<Page> {
        let limit = scan.limit();
        let seen = scan.after.take().map_or(0, |cursor| {
            usize::from_le_bytes(cursor.as_bytes().try_into().expect("a cursor of this store"))
        });
        scan.limit = Scan::MAX_LIMIT;
        let all = self.inner.scan(scan).await?.entries;
        let entries: Vec<_> = all.iter().skip(seen).take(limit).cloned().collect();
        let end = seen + entries.len();
        let next = (end < all.len()).then(|| Cursor::new(end.to_le_bytes()));
        Ok(Page { entries, next })
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for Broken {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        Ok(self.inner.get(key).await?.map(|record| self.shown(record)))
    }

    async fn commit(&self, mut batch: Batch) -> Result<Committed> {
        let ops = std::mem::take(&mut batch.ops);
        for op in ops {
            let op = self.spoil(&batch, op).await?;
            batch.ops.push(op);
        }
        match self.mistake {
            Mistake::TearsBatches => self.one_by_one(batch).await,
            Mistake::TearsWhenDropped => {
                self.judge(&batch).await?;
                self.one_by_one(batch).await
            }
            Mistake::ChecksThenActs => self.check_then_act(batch).await,
            Mistake::TakesVersionsFromTheClock => self.restamped(batch).await,
            Mistake::WritesBeforeItRefuses if batch.durability > self.capabilities().durability => {
                batch.durability = self.capabilities().durability;
                self.inner.commit(batch).await?;
                Err(Error::new(ErrorKind::Unsupported, "commit", "too much was asked for; ask for less"))
            }
            _ => self.inner.commit(batch).await,
        }
    }

    async fn scan(&self, scan: Scan) -> Result<Page> {
        let select = scan.select.clone();
        if self.mistake == Mistake::CountsInsteadOfCursors {
            return self.counted(scan).await;
        }
        let mut page = self.inner.scan(scan).await?;
        let entries = &mut page.entries;
        match (self.mistake, &select) {
            (Mistake::LosesATag, Select::Tag(tag)) => {
                entries.retain(|(_, record)| {
                    record.tags.as_slice().len() < 2 || record.tags.as_slice().last() != Some(tag)
                });
            }
            (Mistake::IsDueLate, Select::Due(instant)) => {
                entries.retain(|(_, record)| record.expiry.deadline() < Some(*instant));
            }
            (Mistake::LosesSlidDeadlines, Select::Due(_)) => {
                let slid = self.slid.lock().expect("no holder panics");
                entries.retain(|(key, _)| !slid.contains(key));
            }
            (Mistake::CutsPrefixesAtColons, Select::Prefix(prefix)) => {
                let prefix = prefix.as_str();
                entries.retain(|(key, _)| {
                    let rest = &key.as_str()[prefix.len()..];
                    prefix.is_empty() || prefix.ends_with(':') || rest.is_empty() || rest.starts_with(':')
                });
            }
            (Mistake::RepeatsAKey, Select::Prefix(_) | Select::Tag(_))
                if page.next.is_some() && entries.len() > 1 =>
            {
                page.next = Some(Cursor::new(entries[entries.len() - 2].0.as_bytes()));
            }
            (Mistake::SkipsAKey, Select::Prefix(_) | Select::Tag(_))
                if page.next.is_some() && entries.len() > 1 =>
            {
                entries.pop();
            }
            _ => {}
        }
        page.entries = page.entries.into_iter().map(|(key, record)| (key, self.shown(record))).collect();
        Ok(page)
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}

/// Whether the subject called `name` fails on a store with the mistake.
fn catches(name: &str, mistake: Mistake) -> bool {
    let make = || -> Arc<dyn Store> {
        Arc::new(Broken {
            inner: ReferenceStore::new(),
            mistake,
            between: AtomicUsize::new(0),
            slid: Mutex::default(),
        })
    };
    catch_unwind(AssertUnwindSafe(|| conformance::check(name, make, conformance::parked))).is_err()
}

macro_rules! caught {
    ($($test:ident: $mistake:ident by $($subject:literal)+;)+) => {
        $(
            #[test]
            fn $test() {
                $(assert!(catches($subject, Mistake::$mistake), "`{}` misses {:?}", $subject, Mistake::$mistake);)+
            }
        )+
    };
}

caught! {
    a_dropped_guard: DropsAGuard by "guards" "slides" "atomicity" "model";
    ignored_versions: IgnoresVersions by "guards" "versions" "atomicity" "lost_updates" "model";
    slides_of_the_dead: SlidesTheDead by "guards" "slides" "due" "model";
    metadata_of_the_dead: InheritsFromTheDead by "guards" "tags" "model";
    a_lost_tag: LosesATag by "basics" "guards" "tags" "model";
    a_repeated_key: RepeatsAKey by "paging" "prefixes" "tags" "paging_under_writers" "model";
    a_skipped_key: SkipsAKey by "paging" "prefixes" "tags" "paging_under_writers" "model";
    counted_pages: CountsInsteadOfCursors by "paging" "due";
    late_deadlines: IsDueLate by "basics" "guards" "slides" "due" "model";
    prefixes_of_segments: CutsPrefixesAtColons by "prefixes" "model";
    torn_batches: TearsBatches by "atomicity" "torn_batches" "model";
    batches_torn_by_a_drop: TearsWhenDropped by "cancellation";
    checks_before_acts: ChecksThenActs by "lost_updates" "one_winner" "torn_batches";
    versions_of_a_clock: TakesVersionsFromTheClock by "versions" "model";
    lost_deadlines: LosesSlidDeadlines by "guards" "slides" "due" "model";
    slides_that_count: CountsSlidesAsChanges by "guards" "slides" "versions" "model";
    writes_before_refusals: WritesBeforeItRefuses by "refusals";
}
