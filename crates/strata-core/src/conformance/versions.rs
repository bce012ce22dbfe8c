//! Versions: one for every real change, never given twice, across lives, keys and failed commits.

use std::collections::HashSet;

use crate::batch::{Guard, Write};
use crate::error::ErrorKind;
use crate::expiry::Expiry;
use crate::key::Tags;
use crate::record::Version;
use crate::store::Store;

use super::space::{NEVER_GIVEN, Space, any, at, op, put, put_with};

/// Lives of one key that are gone through.
const LIVES: u64 = 40;

/// A version is never given twice, and one of an earlier life fits no later one.
pub async fn versions(store: &dyn Store) {
    let space = Space::new(store, "versions");
    lives(&space).await;
    keys(&space).await;
    refused_commits(&space).await;
    harmless_writes(&space).await;
}

async fn lives(space: &Space<'_>) {
    let key = space.key("lives");
    let mut given = HashSet::new();
    let mut last: Option<Version> = None;
    for life in 0..LIVES {
        let now = at(life * 10);
        let write = put_with("life", Expiry::at(at(life * 10 + 5)), Tags::none());
        let created = space.apply(now, op(&key, Guard::Absent, write)).await.after;
        let created = created.expect("a create leaves a version");
        if let Some(last) = last {
            let stale = vec![op(&key, Guard::Version(last), put("from an earlier life"))];
            space.refused("the version of an earlier life", now, stale, ErrorKind::Conflict).await;
        }
        let changed = space.write(now, &key, put("changed")).await;
        let expired = space.write(now, &key, Write::Expire(Expiry::at(at(life * 10 + 9)))).await;
        for version in [created, changed, expired] {
            assert!(given.insert(version), "version {version} was given twice to `{key}`");
        }
        last = Some(expired);
        if life % 2 == 0 {
            space.apply(now, any(&key, Write::Remove)).await;
        }
    }
}

async fn keys(space: &Space<'_>) {
    let mut given = HashSet::new();
    for round in 0..8 {
        for name in ["one", "two", "three"] {
            let version = space.write(at(round), &space.key(name), put("key")).await;
            assert!(
                given.insert(version),
                "version {version} was given to two commits: the sequence is the store's"
            );
        }
    }
}

async fn refused_commits(space: &Space<'_>) {
    let key = space.key("refused");
    let first = space.write(at(0), &key, put("first")).await;
    for _ in 0..5 {
        let wrong = vec![op(&key, Guard::Version(NEVER_GIVEN), put("wrong"))];
        space.refused("a version that was never given", at(1), wrong, ErrorKind::Conflict).await;
    }
    assert_eq!(space.found(&key).await.version, first, "a refused commit changes no version");
    let second = space.apply(at(2), op(&key, Guard::Version(first), put("second"))).await;
    assert_ne!(second.after, Some(first), "the commit after refused ones has a new version");
}

/// Slides, checks and writes without an effect are no real changes.
async fn harmless_writes(space: &Space<'_>) {
    let key = space.key("harmless");
    let expiry = Expiry::idle(std::time::Duration::from_secs(10), at(0));
    let version = space.write(at(0), &key, put_with("harmless", expiry, Tags::none())).await;
    for write in [Write::Check, Write::Slide(at(12)), Write::Slide(at(11))] {
        space.apply(at(1), op(&key, Guard::Version(version), write.clone())).await;
        assert_eq!(space.found(&key).await.version, version, "{write:?} is no real change");
    }
    space.apply(at(1), op(&key, Guard::Version(version), put("after all"))).await;
}
