//! Pages: their size, what cursors survive, and named keys in the order given.

use std::collections::HashMap;

use crate::batch::Write;
use crate::expiry::Expiry;
use crate::key::{Key, Tag};
use crate::scan::{Cursor, Page, Scan, Select};
use crate::store::Store;

use super::space::{Space, any, at, must, put, put_with, tags};

/// A walk sees every key that is there throughout exactly once, whatever the size of its pages and whatever is
/// written between them.
pub async fn paging(store: &dyn Store) {
    let space = Space::new(store, "paging");
    named_keys(&space).await;
    if !space.lists() {
        return;
    }
    sizes(&space).await;
    full_page(&space).await;
    let tag = space.tag("moving");
    let selections = [
        ("prefix", space.prefix("moving-prefix:")),
        ("tag", Select::Tag(tag.clone())),
        ("due", Select::Due(at(90))),
    ];
    for (name, select) in selections {
        between_pages(&space, name, &select, &tag).await;
    }
    cursors_keep(&space).await;
}

async fn named_keys(space: &Space<'_>) {
    let names = ["d", "b", "a", "c"];
    let keys: Vec<Key> = names.iter().map(|name| space.key(&format!("named:{name}"))).collect();
    for key in &keys {
        space.write(at(0), key, put("named")).await;
    }
    let missing = |number: usize| space.key(&format!("named:missing{number}"));
    for limit in [1, 2, 3, 4, 100] {
        let asked =
            vec![missing(0), keys[0].clone(), keys[1].clone(), missing(1), keys[2].clone(), keys[3].clone()];
        let found = space.walk(Select::Keys(asked), limit).await;
        let found: Vec<Key> = found.into_iter().map(|(key, _)| key).collect();
        assert_eq!(found, keys, "named keys come in the order given, {limit} at a time");
    }
    assert_eq!(
        space.walk(Select::Keys(vec![missing(2), missing(3)]), 1).await,
        [],
        "named keys that are not there"
    );
    assert_eq!(space.walk(Select::Keys(Vec::new()), 1).await, [], "no keys at all");
}

async fn sizes(space: &Space<'_>) {
    let keys: Vec<Key> = (0..23).map(|number| space.key(&format!("sizes:{number:02}"))).collect();
    space.fill(at(0), keys.iter().map(|key| any(key, put("sizes"))).collect()).await;
    for limit in [0, 1, 2, 5, 22, 23, 24, Scan::MAX_LIMIT, usize::MAX] {
        let found = space.walk(space.prefix("sizes:"), limit).await;
        let found: Vec<Key> = found.into_iter().map(|(key, _)| key).collect();
        assert_eq!(found, keys, "a walk with pages of {limit}");
    }
    assert_eq!(space.walk(space.prefix("sizes:none"), 5).await, [], "a walk over nothing");
}

/// More records than the largest page may have.
async fn full_page(space: &Space<'_>) {
    let count = Scan::MAX_LIMIT + 3;
    let keys: Vec<Key> = (0..count).map(|number| space.key(&format!("full:{number:04}"))).collect();
    space.fill(at(0), keys.iter().map(|key| any(key, put("full"))).collect()).await;
    let found = space.walk(space.prefix("full:"), usize::MAX).await;
    assert!(found.iter().map(|(key, _)| key).eq(&keys), "a walk over {count} records lost or repeated some");
    space.fill(at(1), keys.iter().map(|key| any(key, Write::Remove)).collect()).await;
    assert_eq!(space.walk(space.prefix("full:"), usize::MAX).await, [], "after all of them were removed");
}

/// Writes before, at and after the cursor between any two pages.
async fn between_pages(space: &Space<'_>, name: &str, select: &Select, tag: &Tag) {
    let key = |text: &str| space.key(&format!("moving-{name}:{text}"));
    let record = || put_with("moving", Expiry::at(at(50)), tags(&[tag]));
    let staying: Vec<Key> = (0..30).map(|number| key(&format!("{number:02}"))).collect();
    let leaving: Vec<Key> = (0..30).map(|number| key(&format!("{number:02}-leaves"))).collect();
    space.fill(at(0), staying.iter().chain(&leaving).map(|key| any(key, record())).collect()).await;

    let mut seen: HashMap<Key, usize> = HashMap::new();
    let mut scan = Scan::new(select.clone(), 4);
    let mut pages = 0;
    loop {
        let Page { entries, next } = must("a page", space.store.scan(scan.clone()).await);
        for (key, _) in &entries {
            *seen.entry(key.clone()).or_default() += 1;
        }
        // The last key of the page is where the cursor stands: it goes, if it is not one that stays.
        for gone in entries.iter().map(|(key, _)| key).filter(|key| leaving.contains(key)) {
            space.apply(at(1), any(gone, Write::Remove)).await;
        }
        if pages < 100 {
            space.write(at(1), &key(&format!("00-new{pages:02}")), record()).await;
            space.write(at(1), &key(&format!("99-new{pages:02}")), put("without tag or deadline")).await;
        }
        pages += 1;
        assert!(pages < 1000, "the walk by {name} never ends");
        let Some(next) = next else { break };
        scan.after = Some(next);
    }
    for key in staying {
        let times = seen.get(&key).copied().unwrap_or(0);
        assert_eq!(times, 1, "`{key}` was there throughout a walk by {name} and was seen {times} times");
    }
    let own = space.text(&format!("moving-{name}:"));
    let twice = seen.iter().find(|(key, times)| **times > 1 && key.as_str().starts_with(&own));
    assert_eq!(twice, None, "a walk by {name} saw a key twice");
    let every = Select::Prefix(crate::key::KeyPrefix::new(&own).expect("a valid prefix"));
    let rest = space.keys(every).await;
    space.fill(at(2), rest.iter().map(|key| any(key, Write::Remove)).collect()).await;
}

/// A cursor is a value: used twice it gives the same page; taken apart and put together it is itself.
async fn cursors_keep(space: &Space<'_>) {
    let keys: Vec<Key> = (0..9).map(|number| space.key(&format!("keep:{number}"))).collect();
    space.fill(at(0), keys.iter().map(|key| any(key, put("keep"))).collect()).await;
    let mut scan = Scan::new(space.prefix("keep:"), 4);
    let first = must("a first page", space.store.scan(scan.clone()).await);
    let cursor = first.next.expect("nine records do not fit a page of four");
    scan.after = Some(Cursor::new(cursor.as_bytes()));
    let second = must("a second page", space.store.scan(scan.clone()).await);
    let again = must("a second page, again,", space.store.scan(scan).await);
    assert_eq!(second.entries, again.entries, "a cursor used twice gives two pages");
    assert_eq!(second.next, again.next, "a cursor used twice leads to two places");
}
