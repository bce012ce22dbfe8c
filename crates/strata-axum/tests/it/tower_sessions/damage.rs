//! Stores that fail and records that are damaged: errors, never an absence, and nothing secret in them.

use strata_core::conformance::Fault;
use tower_sessions::session_store::{Error, ExpiredDeletion as _};
use tower_sessions::{Session, SessionStore};

use super::{HOUR, world};

#[tokio::test]
async fn a_store_that_is_away_is_an_error() {
    let world = world();
    let mut record = world.record("tea");
    SessionStore::create(&world.store, &mut record).await.expect("created");
    world.faulty.arm_from(1, Fault::Unavailable);
    let answers = [
        SessionStore::load(&world.store, &record.id).await.map(drop),
        SessionStore::save(&world.store, &record).await,
        SessionStore::create(&world.store, &mut world.record("milk")).await,
        SessionStore::delete(&world.store, &record.id).await,
        world.store.delete_expired().await,
    ];
    for answer in answers {
        assert!(matches!(answer, Err(Error::Backend(_))), "{answer:?}");
    }
    let session = Session::new(Some(record.id), std::sync::Arc::new(world.store.clone()), None);
    session.get::<String>("key").await.expect_err("no session is not what an outage is");
    world.faulty.disarm();
    assert_eq!(session.get::<String>("key").await.expect("read").as_deref(), Some("tea"));
}

/// Whether the first of the dead stays or a later one.
#[tokio::test]
async fn a_deletion_that_failed_does_not_claim_to_be_done() {
    for nth in 1.. {
        let world = world();
        for _ in 0..150 {
            SessionStore::create(&world.store, &mut world.record("tea")).await.expect("created");
        }
        world.clock.advance(HOUR);
        world.faulty.arm(nth, Fault::Unavailable);
        let done = world.store.delete_expired().await;
        world.faulty.disarm();
        let left = world.records().await;
        assert_eq!(done.is_ok(), left == 0, "{left} are left when call {nth} fails");
        if left == 0 {
            assert!(nth > 3, "one look, and a deletion of a part at least twice: {nth}");
            break;
        }
    }
}

#[tokio::test]
async fn a_record_of_another_kind_is_no_session() {
    let world = world();
    let mut record = world.record("tea");
    SessionStore::create(&world.store, &mut record).await.expect("created");
    let names = world.store.handle().keys("*").collect().await.expect("names");
    world.store.handle().set(&names[0], &7_u64).ttl(HOUR).await.expect("written over");
    let error = SessionStore::load(&world.store, &record.id).await.expect_err("refused");
    assert!(matches!(error, Error::Decode(_)), "{error:?}");
    assert!(!format!("{error:?}").contains(&record.id.to_string()));
}

#[tokio::test]
async fn a_session_that_is_too_large_is_refused() {
    let world = world();
    let mut record = world.record(&"x".repeat(300 * 1024));
    let error = SessionStore::create(&world.store, &mut record).await.expect_err("refused");
    assert!(matches!(error, Error::Encode(_)), "{error:?}");
}
