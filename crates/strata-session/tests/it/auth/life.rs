//! How long a session lives: what counts as activity and what does not.

use std::time::Duration;

use strata_core::conformance::block_on;
use strata_core::{ErrorKind, Timestamp};
use strata_session::auth::{AtLimit, AuthSessions};
use strata_ttl::Policy;

use super::{Claims, ada, audited, auth, opened, sign_in};
use crate::{MINUTE, grounds, kind_of, world};

const HOUR: Duration = Duration::from_hours(1);
const MILLI: Duration = Duration::from_millis(1);

#[test]
fn s07_a_session_dies_by_idleness() {
    grounds::each(|world| {
        block_on(async {
            let auth = auth(&world);
            let (token, session) = sign_in(&auth, &ada());
            world.clock.advance(HOUR.saturating_sub(MILLI));
            assert!(session.is_authenticated().await.expect("asked"));
            world.clock.advance(MILLI);
            assert!(!session.is_authenticated().await.expect("asked"));
            assert!(opened(&auth, &token).is_none());
            assert_eq!(kind_of(session.touch().await), ErrorKind::Gone);
        });
    });
}

#[test]
fn s08_constant_activity_ends_at_the_cap() {
    grounds::each(|world| {
        block_on(async {
            let (_, session) = sign_in(&auth(&world), &ada());
            for _ in 0..47 {
                world.clock.advance(30 * MINUTE);
                session.touch().await.expect("alive");
            }
            world.clock.advance((30 * MINUTE).saturating_sub(MILLI));
            session.set("n", &1_u8).await.expect("alive");
            assert_eq!(
                session.extend(HOUR).await.expect("alive"),
                session.info().await.expect("info").latest
            );
            world.clock.advance(MILLI);
            assert_eq!(kind_of(session.touch().await), ErrorKind::Gone);
            assert_eq!(kind_of(session.extend(HOUR).await), ErrorKind::Gone);
        });
    });
}

#[test]
fn s09_activity_resets_idleness_and_authentication_both() {
    grounds::each(|world| {
        block_on(async {
            let auth = auth(&world);
            let (old, mut session) = sign_in(&auth, &ada());
            let begun = world.db.clock().now();
            for _ in 0..30 {
                world.clock.advance(45 * MINUTE);
                session.touch().await.expect("alive");
            }
            let info = session.info().await.expect("info");
            assert_eq!(info.latest, begun.saturating_add(24 * HOUR), "the cap stays");
            let token = session.reauthenticate().await.expect("authenticate");
            let (now, info) = (world.db.clock().now(), session.info().await.expect("info"));
            assert_eq!(info.latest, now.saturating_add(24 * HOUR), "the cap starts anew");
            assert_eq!(info.expires, now.saturating_add(HOUR));
            assert_eq!((info.created, info.authenticated), (begun, now));
            audited(&world.db);
            assert!(opened(&auth, &old).is_none() && opened(&auth, &token).is_some());
            for _ in 0..30 {
                world.clock.advance(45 * MINUTE);
                session.touch().await.expect("alive past the first cap");
            }
            audited(&world.db);
        });
    });
}

#[test]
fn s10_remembered_sessions_live_by_their_own_profile() {
    block_on(async {
        let world = world();
        let auth = auth(&world);
        let (token, session) = auth.login(&ada()).remember().await.expect("login");
        world.clock.advance((30 * 24 * HOUR).saturating_sub(MILLI));
        assert!(session.is_authenticated().await.expect("asked"), "no idle time");
        session.touch().await.expect("alive");
        audited(&world.db);
        world.clock.advance(MILLI);
        assert!(opened(&auth, &token).is_none());
    });
}

/// Where no deadline moves, activity is written down all the same: else a list would call a session in daily use forgotten, and the
/// limit would end it.
#[test]
fn activity_without_an_idle_time_is_known_to_the_hour() {
    grounds::each(|world| {
        block_on(async {
            let auth =
                AuthSessions::<Claims>::builder(&world.db).parallel(2, AtLimit::EndLeastActive).build();
            let auth = auth.expect("a manager");
            let (token, session) = auth.login(&ada()).remember().await.expect("login");
            let (forgotten, _) = auth.login(&ada()).remember().await.expect("login");
            let begun = world.db.clock().now();
            world.clock.advance(HOUR.saturating_sub(MILLI));
            session.touch().await.expect("touch");
            assert_eq!(session.info().await.expect("info").last_active, begun, "at most once an hour");
            world.clock.advance(MILLI);
            session.touch().await.expect("touch");
            let info = session.info().await.expect("info");
            assert_eq!(info.last_active, begun.saturating_add(HOUR));
            assert_eq!(info.latest, begun.saturating_add(30 * 24 * HOUR), "it prolongs nothing");
            sign_in(&auth, &ada());
            assert!(opened(&auth, &token).is_some() && opened(&auth, &forgotten).is_none());
        });
    });
}

#[test]
fn s11_the_effective_policy_prints_as_a_document() {
    let world = world();
    let text = auth(&world).describe().to_string();
    assert_eq!(
        text,
        "ordinary sessions\n\
         \x20 profile: AAL2 (NIST SP 800-63B-4)\n\
         \x20 ends after idleness of: 1 h (profile: 1 h)\n\
         \x20 ends at the latest after: 1 d (profile: 1 d)\n\
         \x20 activity is written down at most every: 6 min\n\
         \x20 within its profile\n\
         remembered sessions\n\
         \x20 profile: AAL1 (NIST SP 800-63B-4)\n\
         \x20 ends after idleness of: no limit (profile: no limit)\n\
         \x20 ends at the latest after: 30 d (profile: 30 d)\n\
         \x20 within its profile\n\
         parallel sessions of a user: 100, then the oldest ends\n"
    );
    let loose = Policy::aal2().loosened("night shift", Some(8 * HOUR), 24 * HOUR).expect("a reason");
    let auth = AuthSessions::<Claims>::builder(&world.db).policy(loose).build().expect("a manager");
    assert!(auth.describe().to_string().contains("looser than its profile because: night shift"));
}

/// A clock that is set back or forward by ten years revives nothing, and displaces nobody who signed in last.
#[test]
fn s12_a_clock_that_jumps_revives_nothing_and_displaces_nobody() {
    const TEN_YEARS: Duration = Duration::from_hours(10 * 365 * 24);
    grounds::each(|world| {
        block_on(async {
            world.clock.advance(2 * TEN_YEARS);
            let then = world.db.clock().now();
            let builder = AuthSessions::<Claims>::builder(&world.db).parallel(2, AtLimit::EndOldest);
            let auth = builder.build().expect("a manager");
            let (first, session) = sign_in(&auth, &ada());
            let expires = session.info().await.expect("info").expires;
            world.clock.set(then.saturating_sub(TEN_YEARS));
            assert_eq!(kind_of(session.require_fresh(Duration::MAX).await), ErrorKind::StepUp);
            session.touch().await.expect("touch");
            session.extend(HOUR).await.expect("extend");
            session.set("n", &1_u8).await.expect("set");
            assert!(session.info().await.expect("info").latest <= expires.saturating_add(23 * HOUR));
            let (second, _) = sign_in(&auth, &ada());
            let (third, _) = sign_in(&auth, &ada());
            assert!(opened(&auth, &first).is_none(), "it began first, whatever the clock said then");
            assert!(opened(&auth, &second).is_some() && opened(&auth, &third).is_some());
            audited(&world.db);
            world.clock.set(then.saturating_add(TEN_YEARS));
            assert!(opened(&auth, &second).is_none() && opened(&auth, &third).is_none());
            assert!(auth.list("ada").await.expect("list").is_empty());
            let (_, mut late) = sign_in(&auth, &ada());
            late.reauthenticate().await.expect("authenticate");
            world.clock.set(Timestamp::MAX);
            assert_eq!(kind_of(late.touch().await), ErrorKind::Gone);
            assert_eq!(kind_of(auth.login(&ada()).await), ErrorKind::Invalid, "past the year 9999");
        });
    });
}
