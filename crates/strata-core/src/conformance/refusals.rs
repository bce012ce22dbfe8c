//! What a store says it cannot do, it refuses before anything is written; what it says it can, it does.

use crate::batch::{Batch, Durability};
use crate::error::ErrorKind;
use crate::scan::{Scan, Select};
use crate::store::{Atomicity, Store};
use crate::time::Timestamp;

use super::space::{Space, any, at, must, put};

const LEVELS: [Durability; 4] =
    [Durability::Volatile, Durability::Relaxed, Durability::Process, Durability::Power];

/// Capabilities are true: levels, barriers, batches and listing are given or refused as declared.
pub async fn refusals(store: &dyn Store) {
    let space = Space::new(store, "refusals");
    for level in LEVELS {
        durability(&space, level).await;
    }
    several_keys(&space).await;
    listing(&space).await;
}

/// A level up to the declared one is accepted, with work and as a barrier; a higher one is refused, nothing written.
async fn durability(space: &Space<'_>, level: Durability) {
    let key = space.key(&level.to_string());
    let write = Batch::one(at(0), level, any(&key, put("level")));
    let barrier = Batch { now: at(1), durability: level, ops: [].into_iter().collect() };
    if level <= space.store.capabilities().durability {
        must(&format!("a commit at `{level}`, which the store declares,"), space.store.commit(write).await);
        assert!(space.get(&key).await.is_some(), "a commit acknowledged at `{level}` is visible");
        let done = must(&format!("a barrier at `{level}`"), space.store.commit(barrier).await);
        assert!(done.outcomes.is_empty(), "a barrier has no outcomes");
        return;
    }
    for (what, batch) in [("commit", write), ("barrier", barrier)] {
        let error =
            space.store.commit(batch).await.expect_err("a level above the declared one has to be refused");
        assert_eq!(error.kind(), ErrorKind::Unsupported, "a {what} at `{level}`: {error:?}");
    }
    space.agrees("after a refused level", &key, None, &[]).await;
}

async fn several_keys(space: &Space<'_>) {
    let (a, b) = (space.key("a"), space.key("b"));
    let ops = vec![any(&a, put("a")), any(&b, put("b"))];
    let atomicity = space.store.capabilities().atomicity;
    match space.commit(at(0), ops).await {
        Ok(committed) => {
            assert_ne!(
                atomicity,
                Atomicity::Key,
                "two keys in one batch, by a store that is atomic over one"
            );
            let versions = committed.outcomes.iter().map(|outcome| outcome.after);
            let found = [space.found(&a).await.version, space.found(&b).await.version];
            assert!(versions.eq(found.map(Some)), "outcomes are in the order of operations: {committed:?}");
        }
        Err(error) => {
            assert_ne!(atomicity, Atomicity::Batch, "a store that takes batches refused one: {error:?}");
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
            for key in [&a, &b] {
                space.agrees("after a refused batch", key, None, &[]).await;
            }
        }
    }
}

async fn listing(space: &Space<'_>) {
    let key = space.key("listed");
    space.write(at(0), &key, put("listed")).await;
    let named = space.walk(Select::Keys(vec![space.key("missing"), key.clone()]), 8).await;
    assert!(named.len() == 1 && named[0].0 == key, "named keys can always be scanned");
    let selections = [space.prefix(""), Select::Tag(space.tag("t")), Select::Due(Timestamp::MAX)];
    for select in selections {
        let what = format!("{select:?}");
        match space.store.scan(Scan::new(select, 8)).await {
            Ok(_) => assert!(space.lists(), "{what} was answered by a store that declares no listing"),
            Err(error) => {
                assert!(!space.lists(), "{what} was refused by a store that declares listing: {error:?}");
                assert_eq!(error.kind(), ErrorKind::Unsupported, "{what}: {error:?}");
            }
        }
    }
}
