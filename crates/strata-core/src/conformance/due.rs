//! The deadline index: exact to the millisecond, moved by every change of a deadline, and what a sweeper walks.

use std::time::Duration;

use crate::batch::{Guard, Keep, Write};
use crate::expiry::Expiry;
use crate::key::{Key, Tags};
use crate::scan::{Scan, Select};
use crate::store::Store;
use crate::time::Timestamp;

use super::space::{Space, any, at, before, op, payload, put, put_with};

/// Records are due from their deadline on, exactly; the index follows every change; a sweep finds all of them.
pub async fn due(store: &dyn Store) {
    let space = Space::new(store, "due");
    follows_changes(&space).await;
    ends_of_time(&space).await;
    if space.lists() {
        boundary(&space).await;
        crowded_instant(&space).await;
        sweep(&space).await;
    }
}

fn mortal(deadline: Timestamp) -> Write {
    put_with("mortal", Expiry::at(deadline), Tags::none())
}

/// Deadlines a millisecond apart, asked for at each.
async fn boundary(space: &Space<'_>) {
    let millis = |number: u64| at(100).saturating_add(Duration::from_millis(number));
    let mut keys = Vec::new();
    for number in 0..6 {
        let key = space.key(&format!("boundary{number}"));
        space.write(at(0), &key, mortal(millis(number))).await;
        keys.push(key);
    }
    space.write(at(0), &space.key("boundary-immortal"), put("immortal")).await;
    for number in 0..6 {
        let mut found = space.keys(Select::Due(millis(number as u64))).await;
        found.retain(|key| key.as_str().contains("boundary"));
        found.sort();
        assert_eq!(found, keys[..=number], "due {number} ms after the first deadline");
    }
    for key in keys {
        space.apply(at(0), any(&key, Write::Remove)).await;
    }
}

async fn follows_changes(space: &Space<'_>) {
    let key = space.key("changes");
    let idle = Expiry::idle(Duration::from_secs(10), at(0)).capped(at(40));
    let put = |expiry| Write::Put { payload: payload("changes"), expiry, tags: Keep::Keep };
    let steps = [
        ("created", put(Keep::Set(idle)), Some(at(10))),
        ("kept", put(Keep::Keep), Some(at(10))),
        ("slid", Write::Slide(at(15)), Some(at(15))),
        ("slid to its cap", Write::Slide(at(99)), Some(at(40))),
        ("kept after slides", put(Keep::Keep), Some(at(40))),
        ("brought forward", Write::Expire(Expiry::at(at(7))), Some(at(7))),
        ("made immortal", Write::Expire(Expiry::NEVER), None),
        ("slid while immortal", Write::Slide(at(99)), None),
        ("made mortal by a put", put(Keep::Set(Expiry::at(at(8)))), Some(at(8))),
        ("fixed, so it does not slide", Write::Slide(at(99)), Some(at(8))),
        ("dead on arrival", put(Keep::Set(Expiry::idle(Duration::from_secs(1), at(0)))), Some(at(1))),
        ("slid while dead", Write::Slide(at(99)), Some(at(1))),
        ("expired anew while dead", Write::Expire(Expiry::NEVER), Some(at(1))),
        ("replaced after death", put(Keep::Keep), None),
    ];
    for (what, write, deadline) in steps {
        space.apply(at(1), any(&key, write)).await;
        let record = space.found(&key).await;
        assert_eq!(record.expiry.deadline(), deadline, "the deadline, {what}");
        space.agrees(what, &key, Some(&record), &[]).await;
    }
    space.write(at(1), &key, mortal(at(5))).await;
    space.apply(at(1), any(&key, Write::Remove)).await;
    space.agrees("removed", &key, None, &[]).await;
}

/// The first and the last deadline there are, and the widest expiry.
async fn ends_of_time(space: &Space<'_>) {
    let widest = Expiry::idle(Duration::MAX, at(0)).capped(Timestamp::MAX);
    for (name, expiry) in [
        ("epoch", Expiry::at(Timestamp::EPOCH)),
        ("last", Expiry::at(Timestamp::MAX)),
        ("widest", widest),
        ("capped only", Expiry::NEVER.capped(at(9))),
    ] {
        let key = space.key(name);
        space.write(at(0), &key, put_with(name, expiry, Tags::none())).await;
        let record = space.found(&key).await;
        assert_eq!(record.expiry, expiry, "{name}: the expiry comes back");
        space.agrees(name, &key, Some(&record), &[]).await;
        space.apply(at(0), any(&key, Write::Remove)).await;
    }
}

/// Many records with one deadline, in pages smaller than their number.
async fn crowded_instant(space: &Space<'_>) {
    let keys: Vec<Key> = (0..50).map(|number| space.key(&format!("crowd{number:02}"))).collect();
    space.fill(at(0), keys.iter().map(|key| any(key, mortal(at(30)))).collect()).await;
    for limit in [1, 7, 50, 51] {
        let mut found: Vec<Key> =
            space.walk(Select::Due(at(30)), limit).await.into_iter().map(|(key, _)| key).collect();
        found.retain(|key| key.as_str().contains(":due:crowd"));
        found.sort();
        assert_eq!(found, keys, "fifty records due at once, {limit} at a time");
    }
    space.fill(at(0), keys.iter().map(|key| any(key, Write::Remove)).collect()).await;
}

/// What a sweeper does: walks what is due and removes it, page by page, while others come and go.
async fn sweep(space: &Space<'_>) {
    let keys: Vec<Key> = (0..40).map(|number| space.key(&format!("sweep{number:02}"))).collect();
    let deadline = |number: usize| at(20 + number as u64 % 3);
    let ops = keys.iter().enumerate().map(|(number, key)| any(key, mortal(deadline(number)))).collect();
    space.fill(at(0), ops).await;
    let spared = space.key("spared");
    space.write(at(0), &spared, mortal(at(31))).await;

    let mut swept = Vec::new();
    let mut scan = Scan::new(Select::Due(at(30)), 6);
    loop {
        let page = super::space::must("a page of what is due", space.store.scan(scan.clone()).await);
        for (key, record) in page.entries {
            if !key.as_str().contains(":due:sweep") {
                continue;
            }
            assert!(record.is_dead(at(30)), "`{key}` was given as due and is not");
            space.apply(at(30), op(&key, Guard::Any, Write::Remove)).await;
            swept.push(key);
        }
        let late = space.key(&format!("late{}", swept.len()));
        space.write(at(30), &late, mortal(at(35))).await;
        let Some(next) = page.next else { break };
        scan.after = Some(next);
    }
    swept.sort();
    assert_eq!(swept, keys, "a sweep finds everything due, once");
    let left = space.keys(Select::Due(at(30))).await;
    assert!(!left.iter().any(|key| key.as_str().contains("sweep")), "what was swept is still due: {left:?}");
    assert!(
        space.get(&spared).await.is_some() && before(at(31), 1) >= at(30),
        "what is not due is not swept"
    );
}
