//! Values that no entry holds: where they are, what a crash leaves, what happens when the other store fails.

use std::sync::Arc;

use strata_adapter_keyring::KeyringStore;
use strata_core::conformance::{Fault, Faulty, every_call};
use strata_core::{
    Error, ErrorKind, Expiry, Guard, Key, KeyPrefix, ReferenceStore, Scan, Select, Store, Write,
};

use super::desk::{Act, Desk};
use super::{at, commit, get, key, opened, payload, put, tagged, written};

type Other = Arc<Faulty<Arc<ReferenceStore>>>;

async fn grounds() -> (Desk, Other, KeyringStore) {
    let desk = Desk::default();
    let other: Other = Arc::new(Faulty::new(Arc::new(ReferenceStore::new())));
    let store = opened(desk.config().max_entry(2560).overflow(Arc::clone(&other) as Arc<dyn Store>)).await;
    (desk, other, store)
}

/// The names of blobs in the other store.
async fn blobs(other: &Other) -> Vec<Key> {
    let page = other.inner().scan(Scan::new(Select::Prefix(KeyPrefix::all()), 100)).await.expect("a walk");
    page.entries.into_iter().map(|(key, _)| key).collect()
}

const LARGE: [u8; 5000] = [b'L'; 5000];
const LARGER: [u8; 6000] = [b'M'; 6000];

#[tokio::test]
async fn a_large_value_lies_sealed_elsewhere_and_its_key_in_the_keyring() {
    let (desk, other, store) = grounds().await;
    written(&store, "a", &LARGE).await;
    assert_eq!(payload(&store, "a").await, LARGE);
    let [name] = &blobs(&other).await[..] else { panic!("one blob") };
    assert!(name.is_system(), "no caller of the other store can name it: {name}");
    let blob = other.inner().get(name).await.expect("a read").expect("there").payload;
    assert!(!blob.as_bytes().windows(8).any(|window| window == b"LLLLLLLL"), "it is sealed");
    assert!(desk.all()[0].len() < 300, "the entry holds no more than where it is");
    written(&store, "a", &LARGER).await;
    assert!(blobs(&other).await.len() == 1 && payload(&store, "a").await == LARGER, "the old blob is gone");
    commit(&store, "a", Guard::Present, Write::Expire(Expiry::at(at(50)))).await.expect("another life");
    assert_eq!(payload(&store, "a").await, LARGER, "a change of expiry leaves the value alone");
    written(&store, "a", b"small").await;
    assert!(blobs(&other).await.is_empty() && payload(&store, "a").await == b"small");
    written(&store, "a", &LARGE).await;
    commit(&store, "a", Guard::Any, Write::Remove).await.expect("removed");
    assert!(blobs(&other).await.is_empty() && desk.all().is_empty());
}

#[tokio::test]
async fn tags_can_push_a_value_out() {
    let (_, other, store) = grounds().await;
    commit(&store, "a", Guard::Any, tagged(&[7; 1800], 4)).await.expect("pushed out at once");
    assert_eq!(blobs(&other).await.len(), 1);
    commit(&store, "b", Guard::Any, tagged(b"x", 4)).await.expect("small");
    commit(&store, "b", Guard::Present, put(&[7; 1800])).await.expect("it fits but for the tags it keeps");
    assert_eq!(blobs(&other).await.len(), 2);
    let record = get(&store, "b").await.expect("there");
    assert!(record.payload.len() == 1800 && record.tags.as_slice().len() == 4);
}

#[tokio::test]
async fn a_refused_change_leaves_no_blob() {
    let (_, other, store) = grounds().await;
    written(&store, "a", &LARGE).await;
    let refused = commit(&store, "a", Guard::Absent, put(&LARGER)).await.expect_err("it is there");
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert!(blobs(&other).await.len() == 1 && payload(&store, "a").await == LARGE);
}

#[tokio::test]
async fn s35_every_call_to_the_other_store_fails_once() {
    for (fault, expected) in [(Fault::Unavailable, 4), (Fault::LostAnswer, 4)] {
        let (_, other, store) = grounds().await;
        let failed = every_call(&other, fault, async |_| {
            written_if_it_can(&store, &LARGE).await;
            let changed = commit(&store, "a", Guard::Any, put(&LARGER)).await;
            let found = store.get(&key("a")).await;
            other.disarm();
            match changed {
                Ok(_) => assert!(found.is_err() || payload(&store, "a").await == LARGER),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable),
            }
            let now = get(&store, "a").await.map(|record| record.payload.len());
            assert!(matches!(now, None | Some(5000 | 6000)), "whole, or not there: {now:?}");
            written(&store, "a", &LARGE).await;
            assert_eq!(blobs(&other).await.len(), 1, "what was left behind goes with the next large value");
            commit(&store, "a", Guard::Any, Write::Remove).await.expect("removed");
        })
        .await;
        assert!(failed >= expected, "{fault:?}: {failed}");
    }
}

async fn written_if_it_can(store: &KeyringStore, bytes: &[u8]) {
    let done = commit(store, "a", Guard::Any, put(bytes)).await;
    assert!(done.is_ok() || done.is_err_and(|error| error.kind() == ErrorKind::Unavailable));
}

#[tokio::test]
async fn a_lost_answer_of_the_keyring_never_loses_the_blob_its_entry_names() {
    for nth in 1..=2 {
        let (desk, other, store) = grounds().await;
        written(&store, "a", &LARGE).await;
        desk.arm(nth, Act::LostAnswer);
        let error = commit(&store, "a", Guard::Any, put(&LARGER)).await.expect_err("lost");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let now = payload(&store, "a").await;
        assert_eq!(now.len(), if nth == 1 { 5000 } else { 6000 }, "the entry decides");
        written(&store, "a", &LARGE).await;
        assert_eq!(blobs(&other).await.len(), 1);
    }
}

#[tokio::test]
async fn a_lost_blob_and_a_missing_store_are_told() {
    let (desk, other, store) = grounds().await;
    written(&store, "a", &LARGE).await;
    let without = opened(desk.config()).await;
    assert!(get(&without, "a").await.is_none(), "another service");
    let alone = opened(rename(&desk, &store)).await;
    assert_eq!(alone.get(&key("a")).await.expect_err("no overflow").kind(), ErrorKind::Unsupported);
    for name in blobs(&other).await {
        let op = strata_core::Op { key: name, guard: Guard::Any, write: Write::Remove };
        let batch = strata_core::Batch::one(at(0), strata_core::Durability::Volatile, op);
        other.inner().commit(batch).await.expect("removed");
    }
    let error: Error = store.get(&key("a")).await.expect_err("the blob is gone");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    commit(&store, "a", Guard::Any, Write::Remove).await.expect("and can be cleared away");
}

/// The same entries, without the other store.
fn rename(desk: &Desk, store: &KeyringStore) -> strata_adapter_keyring::KeyringConfig {
    strata_adapter_keyring::KeyringConfig::new(store.keyring().service())
        .platform("desk", Arc::new(desk.clone()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_values_of_two_writers_do_not_harm_each_other() {
    let (_, other, store) = grounds().await;
    let writers = (0..4_u8).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            for _ in 0..20 {
                written(&store, "a", &[number; 5000]).await;
                let found = payload(&store, "a").await;
                assert!(
                    found.len() == 5000 && found.iter().all(|byte| *byte == found[0]),
                    "one writer's, whole"
                );
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("no writer met half a value");
    }
    assert_eq!(blobs(&other).await.len(), 1);
}
