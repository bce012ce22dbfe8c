//! A save and a deletion that meet, and two changes of one session.

use tower_sessions::SessionStore;

use super::{HOUR, world};

#[tokio::test]
async fn a_save_that_comes_after_the_logout_revives_nothing() {
    let world = world();
    let mut record = world.record("tea");
    SessionStore::create(&world.store, &mut record).await.expect("created");
    let mut loaded = SessionStore::load(&world.store, &record.id).await.expect("loaded").expect("there");
    SessionStore::delete(&world.store, &record.id).await.expect("logged out by another request");
    loaded.data.insert("late".to_owned(), serde_json::json!(true));
    SessionStore::save(&world.store, &loaded).await.expect("dropped, as the documentation says");
    assert_eq!(SessionStore::load(&world.store, &record.id).await.expect("loaded"), None);
    assert_eq!(world.records().await, 0);
}

#[tokio::test]
async fn a_save_that_comes_after_the_end_revives_nothing() {
    let world = world();
    let mut record = world.record("tea");
    SessionStore::create(&world.store, &mut record).await.expect("created");
    world.clock.advance(HOUR);
    record.expiry_date = world.later(HOUR);
    SessionStore::save(&world.store, &record).await.expect("dropped");
    assert_eq!(SessionStore::load(&world.store, &record.id).await.expect("loaded"), None);
}

#[tokio::test]
async fn an_operator_ends_all_sessions() {
    let world = world();
    let mut record = world.record("tea");
    SessionStore::create(&world.store, &mut record).await.expect("created");
    assert_eq!(world.store.handle().clear().await.expect("cleared"), 1);
    SessionStore::save(&world.store, &record).await.expect("dropped");
    assert_eq!(SessionStore::load(&world.store, &record.id).await.expect("loaded"), None);
}
