//! Policies at work: idle time, cap, and reads without a sweeper.

use std::sync::Arc;
use std::time::Duration;

use strata_core::conformance::block_on;
use strata_core::{Lifetime, Ttl};
use strata_ttl::Policy;

use crate::{HOUR, MINUTE, SECOND, reference, world};

const MILLISECOND: Duration = Duration::from_millis(1);

#[test]
fn s07_an_idle_session_dies_and_is_served_by_no_read() {
    block_on(async {
        let (db, clock) = world(reference());
        for policy in [Policy::aal2(), Policy::aal3()] {
            let idle = policy.idle_time().expect("an idle time");
            db.set("s", &1_u32).lifetime(policy.into()).await.expect("set");
            clock.advance(idle.saturating_sub(MILLISECOND));
            assert_eq!(db.get::<u32>("s").await.expect("get"), Some(1), "alive to the last millisecond");
            clock.advance(idle);
            assert_eq!(db.get::<u32>("s").await.expect("get"), None);
        }
    });
}

#[test]
fn s08_constant_activity_does_not_pass_the_cap() {
    block_on(async {
        for policy in [Policy::aal2(), Policy::aal3()] {
            let (db, clock) = world(reference());
            db.set("s", &0_u32).lifetime(Lifetime::from(&policy)).await.expect("set");
            let (step, mut lived) = (MINUTE, Duration::ZERO);
            while lived + step < policy.cap() {
                clock.advance(step);
                lived += step;
                assert!(db.get::<u32>("s").await.expect("get").is_some(), "{lived:?} of {:?}", policy.cap());
                assert!(db.touch("s").await.expect("touch"));
                db.modify("s", |count: &mut u32| *count += 1).await.expect("modify");
            }
            clock.advance(policy.cap().saturating_sub(lived + MILLISECOND));
            assert_eq!(db.ttl("s").await.expect("ttl"), Ttl::Left(MILLISECOND));
            clock.advance(MILLISECOND);
            assert_eq!(db.get::<u32>("s").await.expect("get"), None);
            clock.advance(MILLISECOND);
            assert!(!db.touch("s").await.expect("touch"), "dead at the cap and a millisecond later");
        }
    });
}

#[test]
fn s09_activity_moves_the_idle_deadline_and_never_the_cap() {
    block_on(async {
        let (db, clock) = world(reference());
        db.set("s", &0_u32).lifetime(Policy::aal3().into()).await.expect("set");
        let cap = db.info("s").await.expect("info").expect("alive").expiry.not_after();
        clock.advance(10 * MINUTE);
        assert!(db.touch("s").await.expect("touch"));
        let expiry = db.info("s").await.expect("info").expect("alive").expiry;
        assert_eq!((expiry.remaining(db.clock().now()), expiry.not_after()), (Some(15 * MINUTE), cap));
    });
}

#[test]
fn without_a_sweeper_no_operation_serves_a_dead_value() {
    block_on(async {
        let store = reference();
        let (db, clock) = world(Arc::clone(&store));
        for name in ["a", "b", "c"] {
            db.set(name, &1_u32).ttl(HOUR).tag("t").await.expect("set");
        }
        clock.advance(HOUR + SECOND);
        assert_eq!(db.get::<u32>("a").await.expect("get"), None);
        assert_eq!(db.peek::<u32>("a").await.expect("peek"), None);
        assert_eq!(db.view("a", |view| view.bytes().len()).await.expect("view"), None);
        assert!(!db.contains("a").await.expect("contains"));
        assert_eq!(db.info("a").await.expect("info"), None);
        assert_eq!(db.ttl("a").await.expect("ttl"), Ttl::Missing);
        assert!(!db.touch("a").await.expect("touch"));
        assert!(!db.persist("a").await.expect("persist"));
        assert!(db.keys("*").collect().await.expect("keys").is_empty());
        assert!(db.entries::<u32>("*").collect().await.expect("entries").is_empty());
        assert_eq!(db.select().tag("t").count().await.expect("count"), 0);
        assert!(db.modify("a", |value: &mut u32| *value += 1).await.is_err());
        assert!(!db.remove("b").await.expect("remove"), "there was no living value");
        let there = store.get(&db.key("c").expect("key")).await.expect("get");
        assert!(there.is_some(), "the remains are still in the store: nobody swept");
    });
}
