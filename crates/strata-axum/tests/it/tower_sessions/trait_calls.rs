//! What the trait of a store asks.

use std::time::Duration;

use serde_json::json;
use tower_sessions::cookie::time::OffsetDateTime;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::ExpiredDeletion as _;
use tower_sessions::{CachingSessionStore, SessionStore};

use super::{HOUR, world, world_over};

#[tokio::test]
async fn what_is_created_is_loaded_as_it_was() {
    let world = world();
    let nested = json!({ "n": 1, "big": u64::MAX, "f": 0.5, "list": [null, true, "x"], "none": null });
    let mut record = world.record("tea");
    record.data.insert("nested".to_owned(), nested);
    record.expiry_date += Duration::from_nanos(123_456);
    SessionStore::create(&world.store, &mut record).await.expect("created");
    let loaded = SessionStore::load(&world.store, &record.id).await.expect("loaded");
    assert_eq!(loaded.as_ref(), Some(&record), "to the nanosecond");
    for bit in [0, 63, 64, 127] {
        let other = Id(record.id.0 ^ (1 << bit));
        assert_eq!(SessionStore::load(&world.store, &other).await.expect("loaded"), None, "bit {bit}");
    }
}

#[tokio::test]
async fn what_is_saved_replaces_values_and_expiry() {
    let world = world();
    let mut record = world.record("tea");
    SessionStore::create(&world.store, &mut record).await.expect("created");
    record.data = [("other".to_owned(), json!("milk"))].into();
    record.expiry_date = world.later(2 * HOUR);
    SessionStore::save(&world.store, &record).await.expect("saved");
    world.clock.advance(HOUR + HOUR / 2);
    assert_eq!(SessionStore::load(&world.store, &record.id).await.expect("loaded"), Some(record.clone()));
    world.clock.advance(HOUR / 2);
    assert_eq!(SessionStore::load(&world.store, &record.id).await.expect("loaded"), None, "it has expired");
}

#[tokio::test]
async fn an_identifier_that_is_taken_is_replaced() {
    let world = world();
    let mut first = world.record("first");
    SessionStore::create(&world.store, &mut first).await.expect("created");
    let mut second = Record { id: first.id, ..world.record("second") };
    SessionStore::create(&world.store, &mut second).await.expect("created under another");
    assert_ne!(first.id, second.id);
    for record in [first, second] {
        assert_eq!(SessionStore::load(&world.store, &record.id).await.expect("loaded"), Some(record));
    }
}

#[tokio::test]
async fn a_date_that_has_passed_ends_a_session() {
    let world = world();
    let past = OffsetDateTime::UNIX_EPOCH;
    let mut dead = Record { expiry_date: past, ..world.record("tea") };
    SessionStore::create(&world.store, &mut dead).await.expect("nothing to keep");
    assert_eq!(SessionStore::load(&world.store, &dead.id).await.expect("loaded"), None);
    let mut record = world.record("tea");
    SessionStore::create(&world.store, &mut record).await.expect("created");
    record.expiry_date = past - HOUR;
    SessionStore::save(&world.store, &record).await.expect("saved");
    assert_eq!(SessionStore::load(&world.store, &record.id).await.expect("loaded"), None);
    assert_eq!(world.records().await, 0);
}

#[tokio::test]
async fn deleting_twice_is_deleting() {
    let world = world();
    let mut record = world.record("tea");
    SessionStore::create(&world.store, &mut record).await.expect("created");
    for _ in 0..2 {
        SessionStore::delete(&world.store, &record.id).await.expect("deleted");
        assert_eq!(SessionStore::load(&world.store, &record.id).await.expect("loaded"), None);
    }
}

#[tokio::test]
async fn expired_sessions_are_deleted_and_others_stay() {
    let world = world();
    for _ in 0..300 {
        SessionStore::create(&world.store, &mut world.record("tea")).await.expect("created");
    }
    world.clock.advance(HOUR);
    let mut living = world.record("tea");
    SessionStore::create(&world.store, &mut living).await.expect("created");
    world.db.set("another", &1_u8).await.expect("set");
    world.store.delete_expired().await.expect("deleted");
    assert_eq!(world.records().await, 2, "more than one page of dead ones is gone");
    assert!(SessionStore::load(&world.store, &living.id).await.expect("loaded").is_some());
}

#[tokio::test]
async fn the_stores_names_and_bytes_sign_nobody_in() {
    let world = world();
    let mut record = world.record("a secret value");
    SessionStore::create(&world.store, &mut record).await.expect("created");
    let names = world.store.handle().keys("*").collect().await.expect("names");
    assert_eq!(names.len(), 1);
    assert!(!names[0].contains(&record.id.to_string()));
    let scan = strata_core::Scan::new(strata_core::Select::Prefix(strata_core::KeyPrefix::all()), 8);
    let page = world.db.store().scan(scan).await.expect("scan");
    let holds = |needle: &[u8]| {
        page.entries.iter().any(|(key, stored)| {
            [key.as_bytes(), stored.payload.as_bytes()]
                .iter()
                .any(|bytes| bytes.windows(needle.len()).any(|window| window == needle))
        })
    };
    assert!(!holds(b"secret value") && !holds(&record.id.0.to_le_bytes()));
    assert!(!format!("{:?}", world.store).contains(&record.id.to_string()));
}

#[tokio::test]
async fn a_cache_before_it_works() {
    let (cache, world) = (world(), world());
    let store = CachingSessionStore::new(cache.store.clone(), world.store.clone());
    let mut record = world.record("tea");
    store.create(&mut record).await.expect("created");
    assert_eq!(store.load(&record.id).await.expect("loaded"), Some(record.clone()));
    cache.store.handle().clear().await.expect("the cache is emptied");
    assert_eq!(store.load(&record.id).await.expect("loaded"), Some(record.clone()), "from the store");
    store.delete(&record.id).await.expect("deleted");
    assert_eq!(store.load(&record.id).await.expect("loaded"), None);
}

#[tokio::test]
async fn sessions_on_disk_are_there_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let open =
        || std::sync::Arc::new(strata_adapter_sled::SledConfig::new(folder.path()).open().expect("a store"));
    let world = world_over(open());
    let mut record = world.record("tea");
    SessionStore::create(&world.store, &mut record).await.expect("created");
    assert_eq!(SessionStore::load(&world.store, &record.id).await.expect("loaded"), Some(record));
}
