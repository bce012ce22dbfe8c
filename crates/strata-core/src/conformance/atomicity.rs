//! Batches: all or nothing, judged on what was there before, also when the caller goes away in the middle.

use std::pin::pin;
use std::task::Poll;

use std::time::Duration;

use crate::batch::{Before, Guard, Op, Outcome, Write};
use crate::error::ErrorKind;
use crate::expiry::Expiry;
use crate::key::{Key, Tag};
use crate::record::Record;
use crate::store::Store;
use crate::time::Timestamp;

use super::space::{NEVER_GIVEN, Space, any, at, must, op, put, put_with, tags};

/// A batch with one guard that fails changes no record and no index; outcomes come in order; guards are judged on
/// what the batch found.
pub async fn atomicity(store: &dyn Store) {
    let space = Space::new(store, "atomicity");
    if !space.batches() {
        // That such a store refuses batches whole is checked among the refusals.
        return;
    }
    one_broken_guard(&space).await;
    every_outcome(&space).await;
    judged_before(&space).await;
}

/// Five records and one operation of each kind on them.
struct Scene {
    keys: Vec<Key>,
    label: Tag,
}

impl Scene {
    fn new(space: &Space<'_>, name: &str) -> Self {
        let keys = ["put", "create", "slide", "expire", "remove"];
        let keys = keys.iter().map(|key| space.key(&format!("{name}:{key}"))).collect();
        Self { keys, label: space.tag(name) }
    }

    /// All but the record to be created are there, alive, until 50.
    async fn set(&self, space: &Space<'_>) {
        for (number, key) in self.keys.iter().enumerate() {
            if number == 1 {
                space.apply(at(0), any(key, Write::Remove)).await;
            } else {
                space
                    .write(
                        at(0),
                        key,
                        put_with("before", Expiry::idle(Duration::from_secs(50), at(0)), tags(&[])),
                    )
                    .await;
            }
        }
    }

    fn ops(&self) -> Vec<Op> {
        let tagged = || put_with("after", Expiry::at(at(70)), tags(&[&self.label]));
        vec![
            op(&self.keys[0], Guard::Present, tagged()),
            op(&self.keys[1], Guard::Absent, tagged()),
            op(&self.keys[2], Guard::Present, Write::Slide(at(60))),
            op(&self.keys[3], Guard::Present, Write::Expire(Expiry::at(at(80)))),
            op(&self.keys[4], Guard::Present, Write::Remove),
        ]
    }

    async fn records(&self, space: &Space<'_>) -> Vec<Option<Record>> {
        let mut records = Vec::new();
        for key in &self.keys {
            records.push(space.get(key).await);
        }
        records
    }
}

async fn one_broken_guard(space: &Space<'_>) {
    let scene = Scene::new(space, "broken");
    scene.set(space).await;
    let before = scene.records(space).await;
    let (absent, present) = (space.key("absent"), space.key("present"));
    space.write(at(0), &present, put("present")).await;
    let broken = [
        (op(&absent, Guard::Present, Write::Check), ErrorKind::Gone),
        (op(&absent, Guard::Version(NEVER_GIVEN), put("no")), ErrorKind::Gone),
        (op(&present, Guard::Absent, put("no")), ErrorKind::Conflict),
        (op(&present, Guard::Version(NEVER_GIVEN), Write::Remove), ErrorKind::Conflict),
    ];
    for (bad, kind) in broken {
        for place in 0..=scene.keys.len() {
            let mut ops = scene.ops();
            ops.insert(place, bad.clone());
            let what = format!("a batch whose guard {:?} at place {place} fails", bad.guard);
            space.refused(&what, at(1), ops, kind).await;
            for (key, record) in scene.keys.iter().zip(&before) {
                space.agrees(&what, key, record.as_ref(), &[&scene.label]).await;
            }
        }
    }
}

async fn every_outcome(space: &Space<'_>) {
    let scene = Scene::new(space, "outcome");
    scene.set(space).await;
    let before = scene.records(space).await;
    let committed = must("a batch of every kind", space.commit(at(1), scene.ops()).await);
    let after = scene.records(space).await;
    assert_eq!(committed.outcomes.len(), scene.keys.len(), "one outcome per operation");
    for (number, outcome) in committed.outcomes.iter().enumerate() {
        let (was, is) = (&before[number], &after[number]);
        let wanted = Outcome {
            before: was.as_ref().map_or(Before::Absent, |record| Before::Live(record.version)),
            after: is.as_ref().map(|record| record.version),
        };
        assert_eq!(*outcome, wanted, "the outcome at place {number}, `{}`", scene.keys[number]);
        space.agrees("after a batch", &scene.keys[number], is.as_ref(), &[&scene.label]).await;
    }
    let deadlines = after.iter().map(|record| record.as_ref().and_then(|record| record.expiry.deadline()));
    let wanted = [Some(70), Some(70), Some(60), Some(80), None].map(|deadline: Option<u64>| deadline.map(at));
    assert!(deadlines.eq(wanted), "the batch was not made whole: {after:?}");
}

/// Guards hold of what the batch found, not of what its other operations make.
async fn judged_before(space: &Space<'_>) {
    let (a, b) = (space.key("judged-a"), space.key("judged-b"));
    space.write(at(0), &a, put("a")).await;
    let swap = |from: &Key, to: &Key| {
        vec![op(from, Guard::Present, Write::Remove), op(to, Guard::Absent, put("moved"))]
    };
    must("moving a record", space.commit(at(1), swap(&a, &b)).await);
    assert!(space.get(&a).await.is_none() && space.get(&b).await.is_some(), "the record was not moved");
    must("moving it back", space.commit(at(2), swap(&b, &a)).await);
    space.refused("moving what is not there", at(3), swap(&b, &a), ErrorKind::Gone).await;
    let checked = vec![op(&a, Guard::Present, Write::Check), op(&b, Guard::Absent, put("checked"))];
    must("a write that checks another key", space.commit(at(4), checked).await);
}

/// A commit whose future is dropped after any number of polls has happened wholly or not at all, and the store goes on.
pub async fn cancellation(store: &dyn Store) {
    let space = Space::new(store, "cancellation");
    for polls in 0..12 {
        let keys: Vec<Key> = ["a", "b"].iter().map(|name| space.key(&format!("{name}{polls}"))).collect();
        let keys = if space.batches() { keys.as_slice() } else { &keys[..1] };
        let creates = keys.iter().map(|key| op(key, Guard::Absent, put("perhaps"))).collect();
        abandon(space.commit(at(0), creates), polls).await;
        settled(&space, at(1), keys).await;
        for key in keys {
            space.apply(at(2), any(key, Write::Remove)).await;
            space.write(at(3), key, put("the store goes on")).await;
        }
    }
}

/// Polls `future` at most `polls` times and drops it.
async fn abandon<T>(future: impl Future<Output = T>, polls: usize) {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        while left > 0 {
            left -= 1;
            if future.as_mut().poll(context).is_ready() {
                break;
            }
        }
        Poll::Ready(())
    })
    .await;
}

/// All of `keys` are there or none is. What a dropped call left running may land between two questions, so both
/// are asked more than once.
async fn settled(space: &Space<'_>, now: Timestamp, keys: &[Key]) {
    let check = |guard| keys.iter().map(|key| op(key, guard, Write::Check)).collect();
    for _ in 0..100 {
        for guard in [Guard::Present, Guard::Absent] {
            if space.commit(now, check(guard)).await.is_ok() {
                return;
            }
        }
    }
    panic!("a dropped commit has happened in part");
}
