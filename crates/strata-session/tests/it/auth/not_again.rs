//! The defects of the system this one takes the place of: each test would fail on it.

use std::time::Duration;

use strata_core::ErrorKind;
use strata_core::conformance::block_on;

use super::{ada, auth, opened, sign_in};
use crate::{MINUTE, grounds, kind_of, raw};

const DAY: Duration = Duration::from_hours(24);

/// There two expiries disagreed, and a permission was granted by the one on a session that had expired by the other.
#[test]
fn no_permission_is_granted_on_an_expired_session() {
    grounds::each(|world| {
        block_on(async {
            let (_, session) = sign_in(&auth(&world), &ada().role("admin"));
            world.clock.advance(60 * MINUTE);
            assert!(!raw(&*world.faulty).await.is_empty(), "nobody has swept it");
            assert_eq!(kind_of(session.has_permission("page:write").await), ErrorKind::Gone);
            assert_eq!(kind_of(session.has_any_permission(&["page:write"]).await), ErrorKind::Gone);
            assert_eq!(kind_of(session.has_all_permissions(&[]).await), ErrorKind::Gone);
            assert_eq!(kind_of(session.has_role("admin").await), ErrorKind::Gone);
            assert_eq!(kind_of(session.has_any_role(&["admin"]).await), ErrorKind::Gone);
            assert_eq!(kind_of(session.has_all_roles(&[]).await), ErrorKind::Gone);
            assert_eq!(kind_of(session.require_permission("page:write").await), ErrorKind::Gone);
            assert_eq!(kind_of(session.user().await), ErrorKind::Gone);
            assert!(!session.is_authenticated().await.expect("asked"));
        });
    });
}

/// There each check wrote the session and prolonged it: a page that polled kept it alive for ever.
#[test]
fn background_polls_neither_write_nor_keep_a_session_alive() {
    grounds::each(|world| {
        block_on(async {
            let auth = auth(&world);
            let (token, session) = sign_in(&auth, &ada());
            session.set("n", &1_u8).await.expect("set");
            let before = raw(&*world.faulty).await;
            for _ in 0..59 {
                world.clock.advance(MINUTE);
                let polled = auth.open(&token).await.expect("open").expect("alive");
                assert!(polled.is_authenticated().await.expect("asked"));
                assert!(polled.has_permission("page:write").await.expect("asked"));
                assert!(polled.has_role("editor").await.expect("asked"));
                polled.user().await.expect("user");
                polled.get::<u8>("n").await.expect("get");
                polled.list().await.expect("list");
                polled.info().await.expect("info");
                polled.siblings().await.expect("siblings");
                let _ = polled.require_fresh(MINUTE).await;
            }
            assert_eq!(raw(&*world.faulty).await, before, "not a byte was written, no deadline moved");
            world.clock.advance(MINUTE);
            assert!(opened(&auth, &token).is_none(), "an hour without activity");
        });
    });
}

/// There extending wrote a fixed hour, whatever was left, and could be repeated without end.
#[test]
fn extending_never_shortens_and_never_passes_the_cap() {
    grounds::each(|world| {
        block_on(async {
            let auth = auth(&world);
            let (_, remembered) = auth.login(&ada()).remember().await.expect("login");
            let latest = remembered.info().await.expect("info").latest;
            assert_eq!(latest, world.db.clock().now().saturating_add(30 * DAY));
            for by in [60 * MINUTE, Duration::ZERO, 90 * DAY, Duration::MAX] {
                assert_eq!(remembered.extend(by).await.expect("extend"), latest, "30 days stay 30 days");
            }
            let (_, session) = sign_in(&auth, &ada());
            let hour = world.db.clock().now().saturating_add(60 * MINUTE);
            assert_eq!(session.extend(MINUTE).await.expect("extend"), hour, "an hour stays an hour");
            world.clock.advance(50 * MINUTE);
            let now = world.db.clock().now();
            assert_eq!(session.extend(20 * MINUTE).await.expect("extend"), now.saturating_add(20 * MINUTE));
            assert_eq!(session.extend(DAY).await.expect("extend"), now.saturating_add(60 * MINUTE));
            let cap = session.info().await.expect("info").latest;
            while session.extend(DAY).await.expect("extend") < cap {
                world.clock.advance(50 * MINUTE);
            }
            world.clock.set(cap.saturating_sub(Duration::from_millis(1)));
            assert_eq!(session.extend(DAY).await.expect("extend"), cap);
            world.clock.set(cap);
            assert_eq!(kind_of(session.extend(DAY).await), ErrorKind::Gone);
        });
    });
}

/// There a check that was under way wrote the session back after the logout. `orders` tries every order; this is the plain story.
#[test]
fn no_session_comes_back_after_logout() {
    grounds::each(|world| {
        block_on(async {
            let auth = auth(&world);
            let (token, session) = sign_in(&auth, &ada());
            let mut elsewhere = session.clone();
            session.logout().await.expect("logout");
            assert_eq!(kind_of(elsewhere.touch().await), ErrorKind::Gone);
            assert_eq!(kind_of(elsewhere.extend(60 * MINUTE).await), ErrorKind::Gone);
            assert_eq!(kind_of(elsewhere.set("n", &1_u8).await), ErrorKind::Gone);
            assert_eq!(kind_of(elsewhere.rotate().await), ErrorKind::Gone);
            assert_eq!(kind_of(elsewhere.reauthenticate().await), ErrorKind::Gone);
            assert_eq!(kind_of(elsewhere.change_user(|user| user.claims.level = 9).await), ErrorKind::Gone);
            assert_eq!(kind_of(elsewhere.logout_others().await), ErrorKind::Gone);
            assert!(opened(&auth, &token).is_none());
            assert!(raw(&*world.faulty).await.is_empty(), "nothing is left to come back");
        });
    });
}

/// There activity dropped the expiry, the tags and the encryption of a session: it never died.
#[test]
fn activity_keeps_cap_and_tags() {
    grounds::each(|world| {
        block_on(async {
            let auth = auth(&world);
            let (token, mut session) = sign_in(&auth, &ada());
            let info = |what: &'static str| {
                let (handle, name) = (auth.handle().clone(), token.id().to_string());
                async move { handle.info(&name).await.expect(what).expect(what) }
            };
            let begun = info("begun").await;
            assert_eq!(begun.tags.iter().count(), 1);
            world.clock.advance(30 * MINUTE);
            session.touch().await.expect("touch");
            session.set("n", &1_u8).await.expect("set");
            session.rotate().await.expect("rotate");
            let after = info("after").await;
            assert_eq!((&after.tags, after.expiry.not_after()), (&begun.tags, begun.expiry.not_after()));
            session.reauthenticate().await.expect("authenticate");
            assert_eq!(info("authenticated").await.tags, begun.tags);
        });
    });
}
