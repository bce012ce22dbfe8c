//! What a guest can do before anything is migrated: values of any type, their life, their bounds, bad input.

use std::time::Duration;

use strata_core::conformance::block_on;
use strata_core::{ErrorKind, Lifetime, Result};
use strata_session::Limits;
use strata_session::migration::Guests;

use super::{Scene, batches, each_kind, per_key};
use crate::kind_of;

const DAY: Duration = Duration::from_hours(24);

#[test]
fn a_guest_sets_gets_updates_lists_and_removes() {
    each_kind(|scene| {
        let guest = &scene.guest;
        block_on(async {
            assert_eq!(guest.get::<u32>("n").await?, None);
            guest.set("n", &1_u32).await?;
            guest.set("n", &2_u32).await?;
            guest.update("n", |n: Option<u32>| n.map(|n| n + 1)).await?;
            guest.update("m", |m: Option<u32>| Some(m.unwrap_or(7))).await?;
            guest.update("none", |none: Option<u32>| none).await?;
            assert_eq!((guest.get("n").await?, guest.get("m").await?), (Some(3_u32), Some(7_u32)));
            assert_eq!(guest.names().await?, ["m", "n"]);
            assert!(guest.remove("n").await? && !guest.remove("n").await?);
            guest.update("m", |_: Option<u32>| None).await?;
            assert!(guest.names().await?.is_empty());
            Result::<()>::Ok(())
        })
        .expect("all of it");
        let misread = block_on(async {
            guest.set("n", &1_u32).await?;
            guest.get::<String>("n").await
        });
        assert_eq!(kind_of(misread), ErrorKind::Mismatch);
    });
}

#[test]
fn values_die_of_idleness_and_activity_prolongs_them() {
    each_kind(|scene| {
        scene.set("read", &1_u8);
        scene.set("written", &1_u8);
        scene.set("left", &1_u8);
        for _ in 0..3 {
            scene.world.clock.advance(20 * DAY);
            assert_eq!(block_on(scene.guest.get("read")).expect("get"), Some(1_u8));
            scene.set("written", &2_u8);
        }
        assert_eq!(block_on(scene.guest.names()).expect("names"), ["read", "written"]);
        scene.world.clock.advance(31 * DAY);
        assert!(block_on(scene.guest.names()).expect("names").is_empty());
        scene.set("again", &1_u8);
        assert_eq!(block_on(scene.guest.names()).expect("names"), ["again"]);
    });
}

#[test]
fn overwriting_keeps_life_and_tags_that_are_not_mentioned() {
    each_kind(|scene| {
        block_on(async {
            scene.guest.set("n", &1_u8).lifetime(Lifetime::ttl(DAY)).tag("kept").await?;
            scene.guest.set("n", &2_u8).await
        })
        .expect("set");
        let name = format!("guest:{}:n", scene.guest.id());
        let info = block_on(scene.world.db.info(&name)).expect("info").expect("alive");
        assert_eq!(info.expiry.remaining(scene.world.db.clock().now()), Some(DAY));
        assert_eq!(info.tags.iter().map(ToString::to_string).collect::<Vec<_>>(), ["kept"]);
        scene.world.clock.advance(DAY);
        assert_eq!(block_on(scene.guest.get::<u8>("n")).expect("get"), None);
    });
}

/// A guest's names reach neither another guest, nor a user, nor what says whose the values are.
#[test]
fn names_stay_within_the_guest() {
    each_kind(|mut scene| {
        let id = scene.guest.id();
        for name in ["a:b", "..", "*", ":", &format!("guest-root:{id}"), "user:ada:cart"] {
            scene.set(name, &1_u8);
        }
        assert_eq!(scene.guest.id(), scene.session.id());
        assert_eq!(scene.users::<u8>("cart"), None);
        assert_eq!(block_on(scene.guest.names()).expect("names").len(), 6);
        assert_eq!(scene.migrate().report.moved.len(), 6);
        assert_eq!(scene.users::<u8>("a:b"), Some(1));
        scene.assert_clean();
    });
}

#[test]
fn s38_what_a_guest_has_is_bounded() {
    for store in [batches, per_key] {
        let scene = Scene::over(store());
        let limits = Limits::default().values(2).name_bytes(8).value_bytes(16);
        let guests =
            Guests::builder(&scene.world.db).guests_in("few").limits(limits).build().expect("a manager");
        let guest = guests.of(&scene.session).expect("a guest");
        let set = |name: &'static str, value: String| {
            let guest = guest.clone();
            block_on(async move { guest.set(name, &value).await })
        };
        set("a", "x".to_owned()).expect("set");
        set("b", "x".to_owned()).expect("set");
        assert_eq!(kind_of(set("c", "x".to_owned())), ErrorKind::TooLarge);
        let created = block_on(guest.update("c", |_: Option<u8>| Some(1)));
        assert_eq!(kind_of(created), ErrorKind::TooLarge);
        set("b", "y".to_owned()).expect("no new one");
        assert_eq!(kind_of(set("a", "x".repeat(16))), ErrorKind::TooLarge);
        assert_eq!(kind_of(set("ninebytes", "x".to_owned())), ErrorKind::TooLarge);
        for name in ["", "a\nb", "~own"] {
            assert_eq!(kind_of(block_on(guest.update(name, |_: Option<u8>| Some(1)))), ErrorKind::Invalid);
        }
        assert_eq!(block_on(guest.names()).expect("names"), ["a", "b"]);
    }
}

#[test]
fn s38_tags_are_bounded_and_not_strata_s_own() {
    let scene = Scene::over(batches());
    let plan = kind_of(block_on(async { scene.guest.set("n", &1_u8).tag("~plan:x").await }));
    assert_eq!(plan, ErrorKind::Invalid);
    let tags: Vec<String> = (0..31).map(|number| number.to_string()).collect();
    let with = |count: usize| {
        let set = scene.guest.set("n", &1_u8);
        tags[..count].iter().fold(set, |set, tag| set.tag(tag))
    };
    assert_eq!(kind_of(block_on(async { with(31).await })), ErrorKind::TooLarge);
    block_on(async { with(30).await }).expect("set");
}

#[test]
fn s05_nothing_prints_a_value_or_a_secret() {
    let mut scene = Scene::over(batches());
    let secret = scene.token.expose();
    let secret = secret.split('.').nth(1).expect("a secret").to_owned();
    scene.set("note", &"payload".to_owned());
    let mut texts = vec![format!("{:?}", scene.guests), format!("{:?}", scene.guest)];
    texts.push(format!("{:?}", scene.guest.set("note", &"payload".to_owned())));
    texts.push(format!("{:?}", scene.guests.migrate(&mut scene.session, super::ADA)));
    let migrated = scene.migrate();
    let fresh = migrated.token.as_ref().expect("a token").expose();
    texts.push(format!("{migrated:?}"));
    for text in texts {
        assert!(!text.contains("payload") && !text.contains(&secret), "{text}");
        assert!(!text.contains(fresh.split('.').nth(1).expect("a secret")), "{text}");
    }
}
