//! The life of one record: created, read, replaced, removed, created again; and what the store says of itself.

use crate::batch::{Before, Keep, Outcome, Write};
use crate::expiry::Expiry;
use crate::key::{Key, Tags};
use crate::record::{Payload, Record};
use crate::scan::{Scan, Select};
use crate::store::Store;

use super::space::{MARK, Space, any, at, payload, put, put_with, tags};

/// Sizes around the bounds of engines: inline, page, chunk and blob.
const SIZES: [usize; 10] = [0, 1, 62, 63, 4095, 4096, 6 << 10, 8192, 65_535, 65_537];

/// One record's life, payloads of every size, and what the store prints of itself.
pub async fn basics(store: &dyn Store) {
    let space = Space::new(store, "basics");
    life(&space).await;
    neighbours(&space).await;
    every_field_comes_back(&space).await;
    payloads(&space).await;
    description(&space).await;
}

async fn life(space: &Space<'_>) {
    let key = space.key("life");
    assert_eq!(space.get(&key).await, None, "nothing was written yet");
    let removed = space.apply(at(0), any(&key, Write::Remove)).await;
    assert_eq!(removed, Outcome { before: Before::Absent, after: None }, "removing nothing");

    let first = space.write(at(1), &key, put("one")).await;
    let created = Record {
        payload: payload("one"),
        version: first,
        created: at(1),
        updated: at(1),
        expiry: Expiry::NEVER,
        tags: Tags::none(),
    };
    space.agrees("after a first put", &key, Some(&created), &[]).await;

    let replaced = space.apply(at(2), any(&key, put("two"))).await;
    assert_eq!(replaced.before, Before::Live(first), "a put says what it replaced");
    let second = replaced.after.expect("a put leaves a record");
    assert_ne!(second, first, "a real change has its own version");
    let record = Record { payload: payload("two"), version: second, updated: at(2), ..created };
    space.agrees("after a second put", &key, Some(&record), &[]).await;

    let removed = space.apply(at(3), any(&key, Write::Remove)).await;
    assert_eq!(removed, Outcome { before: Before::Live(second), after: None }, "removing a living record");
    space.agrees("after a removal", &key, None, &[]).await;

    let third = space.write(at(4), &key, put("three")).await;
    let record =
        Record { payload: payload("three"), version: third, created: at(4), updated: at(4), ..record };
    space.agrees("in a second life", &key, Some(&record), &[]).await;
}

async fn neighbours(space: &Space<'_>) {
    let (here, there) = (space.key("neighbour"), space.key("neighbour2"));
    space.write(at(0), &here, put("here")).await;
    space.write(at(0), &there, put("there")).await;
    let before = space.found(&there).await;
    space.write(at(1), &here, put("changed")).await;
    space.apply(at(2), any(&here, Write::Remove)).await;
    space.agrees("after changes of another key", &there, Some(&before), &[]).await;
}

async fn every_field_comes_back(space: &Space<'_>) {
    let key = space.key("fields");
    let (a, b) = (space.tag("a"), space.tag("b"));
    let expiry = Expiry::idle(std::time::Duration::from_millis(1_234_567), at(0)).capped(at(5_000));
    let version = space.write(at(0), &key, put_with("fields", expiry, tags(&[&b, &a]))).await;
    let wanted = Record {
        payload: payload("fields"),
        version,
        created: at(0),
        updated: at(0),
        expiry,
        tags: tags(&[&a, &b]),
    };
    space.agrees("with every field set", &key, Some(&wanted), &[&a, &b]).await;
}

async fn payloads(space: &Space<'_>) {
    let most = space.store.capabilities().max_payload;
    for size in SIZES.into_iter().filter(|&size| size <= most) {
        let key = space.key(&format!("size{size}"));
        for salt in [3_u8, 7] {
            let payload = pattern(size, salt);
            let write = Write::Put { payload: payload.clone(), expiry: Keep::Keep, tags: Keep::Keep };
            space.write(at(0), &key, write).await;
            let found = space.found(&key).await.payload;
            assert!(found == payload, "a payload of {size} bytes came back as another of {}", found.len());
        }
        shrinks(space, &key, size).await;
    }
}

/// A shorter payload leaves nothing of a longer one.
async fn shrinks(space: &Space<'_>, key: &Key, size: usize) {
    let short = pattern(size / 2, 11);
    let write = Write::Put { payload: short.clone(), expiry: Keep::Keep, tags: Keep::Keep };
    space.write(at(1), key, write).await;
    assert!(
        space.found(key).await.payload == short,
        "half of {size} bytes over {size} bytes came back as another"
    );
    let listed = space.walk(Select::Keys(vec![key.clone()]), Scan::MAX_LIMIT).await;
    assert!(listed.len() == 1 && listed[0].1.payload == short, "a scan gives another payload than a get");
}

/// All values of a byte, at places that depend on `salt`.
fn pattern(size: usize, salt: u8) -> Payload {
    let bytes: Vec<u8> = (0..=u8::MAX).cycle().map(|byte| byte.wrapping_mul(salt)).take(size).collect();
    Payload::from(bytes)
}

async fn description(space: &Space<'_>) {
    let key = space.key("printed");
    space.write(at(0), &key, put("printed")).await;
    let name = space.store.to_string();
    assert!(!name.is_empty() && !name.contains('\n'), "the store's name is one line, not {name:?}");
    let debug = format!("{:?}", space.store);
    assert!(!debug.contains(MARK), "the store's Debug shows payloads");
    let capabilities = space.store.capabilities();
    assert_eq!(capabilities, space.store.capabilities(), "capabilities do not change");
    assert!(capabilities.max_batch >= 1, "a batch of one operation is always possible");
}
