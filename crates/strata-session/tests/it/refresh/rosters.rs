//! Rosters that cannot be read, and families that died while a rotation was on its way.

use std::sync::Arc;
use strata_core::conformance::{Stepped, Task, World as Meeting, block_on, every_schedule};
use strata_core::{ErrorKind, Handle, Lifetime, ReferenceStore, Store};
use strata_session::refresh::RefreshTokens;

use super::{HOUR, ground, ground_over};
use crate::{kind_of, raw, world_over};

async fn spoil_roster(db: &Handle) {
    let rosters = db.namespace("refresh").and_then(|home| home.namespace("roster")).expect("a namespace");
    let name = rosters.keys("*").next().await.expect("one").expect("name");
    rosters.set(&name, &"something else".to_owned()).await.expect("set");
}

#[test]
fn s14_a_roster_that_cannot_be_read_keeps_no_family_alive() {
    for ending in ["end", "revoke", "revoke user", "revoke all"] {
        let ground = ground();
        let tokens = &ground.tokens;
        block_on(async {
            let (token, family) = tokens.issue("ada", "laptop").await.expect("issued");
            tokens.issue("ada", "phone").await.expect("issued");
            spoil_roster(&ground.world.db).await;
            assert_eq!(kind_of(tokens.issue("ada", "tablet").await), ErrorKind::Mismatch);
            let ended = match ending {
                "end" => tokens.end(&token).await.map(u64::from),
                "revoke" => tokens.revoke(family.id).await.map(u64::from),
                "revoke user" => tokens.revoke_user("ada").await,
                _ => tokens.revoke_all().await,
            };
            let all = ["revoke user", "revoke all"].contains(&ending);
            assert_eq!(ended.expect(ending), 1 + u64::from(all), "{ending}");
            assert!(tokens.rotate(&token).await.expect("asked").granted().is_err(), "{ending}");
            tokens.revoke_user("ada").await.expect("revoked");
            assert!(raw(&*ground.world.faulty).await.is_empty(), "{ending}");
            tokens.issue("ada", "tablet").await.expect("the roster is made anew");
        });
    }
}

/// Two stores in step by replication keep the later of two rosters: a family may live and be in none.
#[test]
fn s14_the_end_of_all_ends_what_the_roster_lost() {
    let ground = ground();
    let tokens = &ground.tokens;
    block_on(async {
        let (lost, _) = tokens.issue("ada", "laptop").await.expect("issued");
        let home = ground.world.db.namespace("refresh").expect("a namespace");
        home.namespace("roster").expect("a namespace").select().clear().await.expect("cleared");
        assert_eq!(tokens.revoke_user("ada").await.expect("revoked"), 1, "no roster at all");
        assert!(tokens.rotate(&lost).await.expect("asked").granted().is_err());
        let (lost, _) = tokens.issue("ada", "laptop").await.expect("issued");
        home.namespace("roster").expect("a namespace").select().clear().await.expect("cleared");
        let (listed, _) = tokens.issue("ada", "phone").await.expect("issued");
        let (bob, _) = tokens.issue("bob", "phone").await.expect("issued");
        assert_eq!(tokens.revoke_user("ada").await.expect("revoked"), 2);
        for token in [lost, listed] {
            assert!(tokens.rotate(&token).await.expect("asked").granted().is_err());
        }
        assert!(tokens.rotate(&bob).await.expect("asked").granted().is_ok());
    });
}

/// No version of a roster guards this end of all: a family that begins meanwhile is before it or after it all the same.
#[test]
fn s14_a_first_family_and_the_end_of_all_do_not_race_past_each_other() {
    let count = every_schedule(|| {
        let store = Stepped::over(Arc::new(ReferenceStore::new()));
        let ground = ground_over(Arc::clone(&store) as Arc<dyn Store>);
        let (begins, ends) = (ground.tokens.clone(), ground.tokens.clone());
        let tasks: Vec<Task> = vec![
            Box::pin(async move { drop(begins.issue("ada", "phone").await.expect("issued")) }),
            Box::pin(async move { _ = ends.revoke_user("ada").await.expect("revoked") }),
        ];
        let check = Box::new(move || {
            let left = block_on(raw(&*ground.world.faulty)).len();
            assert!([0, 2].contains(&left), "a family and its roster, or neither: {left}");
        });
        Meeting { store, tasks, check }
    });
    assert!(count >= 6, "{count} schedules");
}

/// A rotation that began before its family died of idleness does not bring it back unlisted when a sign-in has taken its place.
#[test]
fn s13_a_family_that_died_is_not_revived_beside_the_roster() {
    let count = every_schedule(|| {
        let store = Stepped::over(Arc::new(ReferenceStore::new()));
        let world = world_over(Arc::clone(&store) as Arc<dyn Store>);
        let life = Lifetime::idle(HOUR).at_most(10 * HOUR);
        let tokens =
            RefreshTokens::builder(&world.db).lifetime(life).max_families(1).build().expect("a manager");
        let (token, _) = block_on(tokens.issue("ada", "laptop")).expect("issued");
        world.clock.advance(HOUR / 2);
        let rotates: Task = Box::pin({
            let tokens = tokens.clone();
            async move { _ = tokens.rotate(&token).await.expect("asked") }
        });
        let signs_in: Task = Box::pin({
            let (tokens, clock) = (tokens.clone(), Arc::clone(&world.clock));
            async move {
                clock.advance(HOUR / 2);
                tokens.issue("ada", "phone").await.expect("issued");
            }
        });
        let check = move || {
            let alive = block_on(tokens.list("ada")).expect("list").len();
            assert!(alive <= 1, "{alive} families where one is allowed");
            let revoked = block_on(tokens.revoke_user("ada")).expect("revoked");
            assert_eq!(revoked, alive as u64, "who lives is listed");
            assert!(block_on(tokens.list("ada")).expect("list").is_empty());
        };
        Meeting { store, tasks: vec![rotates, signs_in], check: Box::new(check) }
    });
    assert!(count >= 10, "{count} orders");
}
