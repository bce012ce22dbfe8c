//! What a user may do, how that changes, and step-up.

use std::time::Duration;

use strata_core::ErrorKind;
use strata_core::conformance::block_on;
use strata_session::auth::Fresh;

use super::{ada, audited, auth, opened, sign_in};
use crate::{MINUTE, grounds, kind_of, world};

#[test]
fn roles_and_permissions_are_asked_of_the_store() {
    grounds::each(|world| {
        block_on(async {
            let (_, session) = sign_in(&auth(&world), &ada().role("author").permission("page:read"));
            assert!(session.has_role("editor").await.expect("asked"));
            assert!(!session.has_role("Editor").await.expect("asked"));
            assert!(session.has_any_role(&["admin", "author"]).await.expect("asked"));
            assert!(!session.has_any_role(&[]).await.expect("asked"));
            assert!(session.has_all_roles(&["editor", "author"]).await.expect("asked"));
            assert!(!session.has_all_roles(&["editor", "admin"]).await.expect("asked"));
            assert!(session.has_permission("page:write").await.expect("asked"));
            assert!(session.has_any_permission(&["x", "page:read"]).await.expect("asked"));
            assert!(session.has_all_permissions(&["page:read", "page:write"]).await.expect("asked"));
            assert!(!session.has_all_permissions(&["page:read", "x"]).await.expect("asked"));
            session.require_permission("page:read").await.expect("granted");
            assert_eq!(kind_of(session.require_permission("page").await), ErrorKind::Denied);
        });
    });
}

#[test]
fn s04_every_change_of_privilege_mints_a_token_and_ends_the_old_one() {
    grounds::each(|world| {
        block_on(async {
            let auth = auth(&world);
            let (mut old, mut session) = sign_in(&auth, &ada());
            let elsewhere = session.clone();
            session.set("cart", &"tea".to_owned()).await.expect("set");
            for step in ["rotate", "reauthenticate", "change"] {
                let new = match step {
                    "rotate" => session.rotate().await,
                    "reauthenticate" => session.reauthenticate().await,
                    _ => session.change_user(|user| user.claims.level = 9).await,
                }
                .expect(step);
                assert_eq!(new.id(), old.id(), "the public id stays");
                assert!(opened(&auth, &old).is_none() && opened(&auth, &new).is_some(), "{step}");
                assert_eq!(kind_of(elsewhere.user().await), ErrorKind::Gone, "{step}");
                assert_eq!(kind_of(elsewhere.logout().await), ErrorKind::Gone, "{step}: it ends nothing");
                assert!(!elsewhere.is_authenticated().await.expect("asked"));
                old = new;
            }
            assert_eq!(session.get::<String>("cart").await.expect("get").as_deref(), Some("tea"));
            assert_eq!(session.user().await.expect("user").claims.level, 9);
            audited(&world.db);
        });
    });
}

#[test]
fn a_session_never_changes_hands() {
    block_on(async {
        let world = world();
        let auth = auth(&world);
        let (token, mut session) = sign_in(&auth, &ada());
        let other = session.change_user(|user| user.id = "eve".to_owned()).await;
        assert_eq!(kind_of(other), ErrorKind::Invalid);
        let bad = session.change_user(|user| user.name = Some("a\nb".to_owned())).await;
        assert_eq!(kind_of(bad), ErrorKind::Invalid);
        assert!(opened(&auth, &token).is_some(), "the token is what it was");
        assert_eq!(session.user().await.expect("user"), ada(), "and so is the user");
    });
}

/// Only what has the proof can be called.
fn change_password(proof: &Fresh) -> String {
    proof.user().to_owned()
}

#[test]
fn s17_freshness_counts_from_the_last_authentication() {
    grounds::each(|world| {
        block_on(async {
            let (token, mut session) = sign_in(&auth(&world), &ada());
            let most = 5 * MINUTE;
            let proof = session.require_fresh(most).await.expect("just signed in");
            assert_eq!((change_password(&proof).as_str(), proof.session()), ("ada", token.id()));
            world.clock.advance(most);
            assert_eq!(session.require_fresh(most).await.expect("still fresh").age(), most);
            world.clock.advance(Duration::from_millis(1));
            // Nothing that is not an authentication makes it fresh.
            session.touch().await.expect("touch");
            session.set("n", &1_u8).await.expect("set");
            session.extend(60 * MINUTE).await.expect("extend");
            session.rotate().await.expect("rotate");
            session.change_user(|user| user.claims.level = 2).await.expect("change");
            assert_eq!(kind_of(session.require_fresh(most).await), ErrorKind::StepUp);
            session.reauthenticate().await.expect("authenticate");
            assert_eq!(session.require_fresh(most).await.expect("fresh").age(), Duration::ZERO);
            world.clock.advance(61 * MINUTE);
            assert_eq!(kind_of(session.require_fresh(90 * MINUTE).await), ErrorKind::Gone, "dead, not stale");
        });
    });
}
