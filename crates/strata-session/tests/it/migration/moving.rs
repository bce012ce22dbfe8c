//! What is moved, and with what: values of any type with their life and tags, carts and preferences merged,
//! the session's new token.

use std::time::Duration;

use strata_core::conformance::block_on;
use strata_core::{Codec, ErrorKind, Lifetime, Ttl};
use strata_session::SessionToken;
use strata_session::migration::{Cart, Guests, Preferences, Rules};
use strata_session::security::SecurityEventKind;

use super::{ADA, Scene, batches, cart, each_kind, few, opens, per_key, preferences};
use crate::kind_of;

/// Not again (a): nothing is copied before it is merged, so the user's own is not destroyed.
#[test]
fn migration_a_the_users_cart_and_preferences_are_merged_not_overwritten() {
    each_kind(|mut scene| {
        scene.set("cart", &cart(&[("p1", 2)]));
        scene.give("cart", &cart(&[("p9", 1), ("p1", 1)]));
        scene.set("preferences", &preferences(&[("theme", "light"), ("size", "12")]));
        scene.give("preferences", &preferences(&[("theme", "dark")]));
        scene.set("draft", &"hello".to_owned());
        let migrated = scene.migrate();
        assert_eq!(migrated.report.to_string(), "moved: draft; merged: cart, preferences");
        assert_eq!(scene.users::<Cart>("cart"), Some(cart(&[("p1", 3), ("p9", 1)])));
        let expected = preferences(&[("size", "12"), ("theme", "dark")]);
        assert_eq!(scene.users::<Preferences>("preferences"), Some(expected), "the user's win");
        assert_eq!(scene.users::<String>("draft").as_deref(), Some("hello"));
        scene.assert_clean();
    });
}

/// Not again (b): life, tags, codec and sealing survive, and a value that dies midway is not moved as an
/// empty one.
#[test]
fn migration_b_life_tags_and_codec_survive() {
    each_kind(|mut scene| {
        let hour = Duration::from_hours(1);
        block_on(async {
            scene.guest.set_as(Codec::Json, "a", &7_u32).ttl(hour).tag("kept").tag("too").await?;
            let life = Lifetime::idle(hour).at_most(5 * hour);
            scene.guest.set("b", &(1_u8, "x".to_owned())).lifetime(life).await?;
            scene.guest.set("short", &1_u8).ttl(Duration::from_secs(1)).await?;
            scene.guest.set("plain", &1_u8).await
        })
        .expect("set");
        scene.world.clock.advance(hour / 4);
        let report = scene.migrate().report;
        assert_eq!(report.moved, ["a", "b", "plain"], "what had died is not there");
        let user = scene.user(ADA);
        let info = block_on(user.info("a")).expect("info").expect("moved");
        assert_eq!(info.codec, Codec::Json);
        assert_eq!(info.tags.iter().map(ToString::to_string).collect::<Vec<_>>(), ["kept", "too"]);
        assert_eq!(block_on(user.ttl("a")).expect("ttl"), Ttl::Left(hour * 3 / 4), "the deadline stands");
        let expiry = block_on(user.info("b")).expect("info").expect("moved").expiry;
        let now = scene.world.db.clock().now();
        assert_eq!(expiry.idle_time(), Some(hour));
        assert_eq!(expiry.remaining(now), Some(hour), "moving is activity");
        assert_eq!(expiry.not_after().map(|cap| cap.since(now)), Some(hour / 4 * 19), "the cap stands");
        assert_eq!(scene.users::<(u8, String)>("b"), Some((1, "x".to_owned())));
        let expiry = block_on(user.info("plain")).expect("info").expect("moved").expiry;
        assert_eq!(expiry.idle_time(), Some(Duration::from_hours(30 * 24)), "the default");
    });
}

/// What is merged lies in the user's record: its life, its tags, its codec.
#[test]
fn what_is_merged_keeps_the_users_life_tags_and_codec() {
    each_kind(|mut scene| {
        let hour = Duration::from_hours(1);
        let user = scene.user(ADA);
        block_on(async {
            user.set_as(Codec::Json, "cart", &cart(&[("tea", 1)])).ttl(hour).tag("hers").await?;
            scene.guest.set("cart", &cart(&[("tea", 1)])).ttl(3 * hour).tag("theirs").await
        })
        .expect("set");
        scene.migrate();
        let info = block_on(user.info("cart")).expect("info").expect("merged");
        assert_eq!(
            (info.codec, info.tags.iter().map(ToString::to_string).collect()),
            (Codec::Json, vec!["hers".to_owned()])
        );
        assert_eq!(block_on(user.ttl("cart")).expect("ttl"), Ttl::Left(hour));
        assert_eq!(scene.users::<Cart>("cart"), Some(cart(&[("tea", 2)])));
    });
}

/// Not again (c): run twice is run once.
#[test]
fn migration_c_run_twice_is_run_once() {
    each_kind(|mut scene| {
        scene.set("cart", &cart(&[("tea", 2)]));
        scene.give("cart", &cart(&[("tea", 1)]));
        let first = scene.migrate();
        let second = scene.migrate();
        assert_eq!(scene.users::<Cart>("cart"), Some(cart(&[("tea", 3)])));
        assert_eq!(second.report, first.report, "it says what the first did");
        assert!(!opens(&scene.world.sessions, &first.token.expect("a token")));
        assert!(opens(&scene.world.sessions, &second.token.expect("another token")));
    });
}

/// Not again (c): what a guest writes once the migration has begun is refused, not dropped.
#[test]
fn migration_c_a_late_guest_is_refused() {
    each_kind(|mut scene| {
        scene.set("draft", &1_u8);
        scene.migrate();
        let guest = scene.guest.clone();
        assert_eq!(kind_of(block_on(async { guest.set("draft", &2_u8).await })), ErrorKind::Gone);
        assert_eq!(kind_of(block_on(async { guest.set("new", &2_u8).await })), ErrorKind::Gone);
        let updated = block_on(guest.update("draft", |_: Option<u8>| Some(3)));
        assert_eq!(kind_of(updated), ErrorKind::Gone);
        assert_eq!(kind_of(block_on(guest.remove("draft"))), ErrorKind::Gone);
        assert_eq!(kind_of(block_on(guest.get::<u8>("draft"))), ErrorKind::Gone);
        assert_eq!(kind_of(block_on(guest.names())), ErrorKind::Gone);
        assert_eq!(scene.users::<u8>("draft"), Some(1));
        scene.assert_clean();
    });
}

/// A guest who had nothing is a user from then on, too.
#[test]
fn a_guest_with_nothing_moves_as_well() {
    each_kind(|mut scene| {
        assert!(scene.migrate().report.is_empty());
        assert_eq!(kind_of(block_on(async { scene.guest.set("late", &1_u8).await })), ErrorKind::Gone);
    });
}

/// Not again (d): no id of a user reaches into another's namespace, or is taken for a pattern.
#[test]
fn migration_d_ids_of_users_are_names_and_nothing_else() {
    let ids = [
        "a:b",
        "a",
        "b",
        "*",
        "?",
        "$&",
        "$1",
        "..",
        "../a",
        "a%3Ab",
        "%",
        "~strata:x",
        "\\",
        "ädä 👩‍🚀",
        " ",
        "guest",
    ];
    for kind in [batches, per_key, few] {
        let scene = Scene::over(kind());
        for (number, id) in ids.iter().enumerate() {
            let (_, mut session) = crate::created(&scene.world.sessions);
            let guest = scene.guests.of(&session).expect("a guest");
            block_on(async {
                guest.set("b:n", &number).await.expect("set");
                scene.guests.migrate(&mut session, id).await.expect("migrated");
            });
        }
        for (number, id) in ids.iter().enumerate() {
            let user = scene.user(id);
            assert_eq!(block_on(user.keys("*").collect()).expect("keys"), ["b:n"], "{id}");
            assert_eq!(block_on(user.peek::<usize>("b:n")).expect("peek"), Some(number), "{id}");
        }
        scene.assert_clean();
        for bad in ["", "a\nb", "\u{7}"] {
            assert_eq!(kind_of(scene.guests.user(bad)), ErrorKind::Invalid);
        }
        assert_eq!(kind_of(scene.guests.user(&"x".repeat(257))), ErrorKind::TooLarge);
    }
}

/// Not again (e): others' records, whose names begin alike, stay.
#[test]
fn migration_e_nothing_but_the_guests_own_is_removed() {
    each_kind(|mut scene| {
        scene.set("draft", &1_u8);
        let (_, other) = crate::created(&scene.world.sessions);
        let neighbour = scene.guests.of(&other).expect("a guest");
        block_on(async {
            neighbour.set("draft", &2_u8).await.expect("set");
            scene.world.db.set(&format!("guest:{}x:draft", scene.guest.id()), &3_u8).await.expect("set");
            scene.world.db.set("unrelated", &4_u8).await.expect("set");
        });
        scene.give("other", &5_u8);
        scene.migrate();
        assert_eq!(block_on(neighbour.get::<u8>("draft")).expect("get"), Some(2));
        let beside = block_on(scene.world.db.peek::<u8>(&format!("guest:{}x:draft", scene.guest.id())));
        assert_eq!(beside.expect("peek"), Some(3));
        assert_eq!(block_on(scene.world.db.peek::<u8>("unrelated")).expect("peek"), Some(4));
        assert_eq!((scene.users::<u8>("other"), scene.users::<u8>("draft")), (Some(5), Some(1)));
    });
}

/// Not again (f): signing in is a change of privilege, so the guest's token opens nothing any more (ASVS
/// 7.2.4).
#[test]
fn s04_migration_f_the_token_rotates_with_the_migration() {
    each_kind(|mut scene| {
        scene.set("draft", &1_u8);
        let twin = scene.session.clone();
        let token = scene.migrate().token.expect("a token");
        assert!(!opens(&scene.world.sessions, &scene.token));
        assert!(opens(&scene.world.sessions, &token));
        assert_eq!(token.id(), scene.session.id());
        assert_eq!(kind_of(block_on(twin.get::<u8>("x"))), ErrorKind::Gone, "clones are of the old token");
        block_on(scene.session.set("x", &1_u8)).expect("the session goes on");
        let again = SessionToken::parse(&token.expose()).expect("a token");
        assert!(opens(&scene.world.sessions, &again));
    });
}

/// The rotation of a session with a cap keeps the cap.
#[test]
fn s08_the_session_keeps_its_life() {
    each_kind(|mut scene| {
        let before = block_on(scene.session.info()).expect("alive").expiry;
        scene.world.clock.advance(Duration::from_mins(20));
        scene.migrate();
        let after = block_on(scene.session.info()).expect("alive").expiry;
        assert_eq!((after.not_after(), after.idle_time()), (before.not_after(), before.idle_time()));
    });
}

/// A program whose signing in made another session ends the guest's.
#[test]
fn s04_the_session_ends_with_the_migration_when_asked() {
    each_kind(|mut scene| {
        scene.set("draft", &1_u8);
        let migrated =
            block_on(async { scene.guests.migrate(&mut scene.session, ADA).ending_session().await });
        assert!(migrated.expect("migrated").token.is_none());
        assert!(!opens(&scene.world.sessions, &scene.token));
        assert_eq!(scene.users::<u8>("draft"), Some(1));
        let again = block_on(async { scene.guests.migrate(&mut scene.session, ADA).ending_session().await });
        assert_eq!(again.expect("once").report.moved, ["draft"], "after a lost answer it says what was done");
    });
}

/// A session in another store is no part of the commit, and rotates all the same.
#[test]
fn s04_a_session_of_another_store_rotates_too() {
    let (here, there) = (Scene::over(batches()), Scene::over(batches()));
    let mut session = there.session.clone();
    let guest = here.guests.of(&session).expect("a guest");
    block_on(async {
        guest.set("draft", &1_u8).await.expect("set");
        let migrated = here.guests.migrate(&mut session, ADA).await.expect("migrated");
        assert!(migrated.token.is_some());
    });
    assert!(!opens(&there.world.sessions, &there.token));
    assert_eq!(here.users::<u8>("draft"), Some(1));
}

/// Not again (h): whoever has not, or no longer, the session has nothing to give away.
#[test]
fn s13_migration_h_an_ended_session_gives_nothing_away() {
    each_kind(|scene| {
        scene.set("draft", &1_u8);
        let mut rotated = scene.session.clone();
        block_on(scene.session.clone().rotate()).expect("rotated");
        let refused = block_on(async { scene.guests.migrate(&mut rotated, ADA).await });
        assert_eq!(kind_of(refused), ErrorKind::Gone);
        block_on(scene.world.sessions.revoke(scene.session.id())).expect("revoked");
        let mut ended = scene.session.clone();
        for ends in [false, true] {
            let migrate = scene.guests.migrate(&mut ended, ADA);
            let migrate = if ends { migrate.ending_session() } else { migrate };
            assert_eq!(kind_of(block_on(async { migrate.await })), ErrorKind::Gone);
        }
        assert_eq!(scene.users::<u8>("draft"), None);
        assert_eq!(block_on(scene.guest.get::<u8>("draft")).expect("get"), Some(1), "nothing has begun");
        assert!(block_on(scene.guests.unfinished()).expect("a walk").is_empty());
    });
}

/// Not again (h): one guest becomes one user.
#[test]
fn s13_migration_h_a_guest_becomes_one_user_only() {
    each_kind(|mut scene| {
        scene.set("draft", &1_u8);
        scene.migrate();
        let mut events = scene.guests.log().subscribe();
        let other = block_on(async { scene.guests.migrate(&mut scene.session, "eve").await });
        assert_eq!(kind_of(other), ErrorKind::Denied);
        assert!(block_on(scene.user("eve").keys("*").collect()).expect("keys").is_empty());
        let event = events.try_next().expect("an event").expect("none missed");
        assert!(matches!(event.kind, SecurityEventKind::InvalidUse(_)));
    });
}

/// Not again (i): a manager has its store, or there is none.
#[test]
fn migration_i_a_manager_is_built_whole_or_not_at_all() {
    let scene = Scene::over(batches());
    let db = &scene.world.db;
    assert_eq!(kind_of(Guests::builder(db).users_in("guest").build()), ErrorKind::Invalid);
    assert_eq!(kind_of(Guests::builder(db).users_in("guest-root").build()), ErrorKind::Invalid);
    assert_eq!(kind_of(Guests::builder(db).guests_in("a:b").build()), ErrorKind::Invalid);
    assert_eq!(kind_of(Guests::builder(db).lifetime(Lifetime::FOREVER).build()), ErrorKind::Invalid);
    let zero = Lifetime::idle(Duration::ZERO);
    assert_eq!(kind_of(Guests::builder(db).lifetime(zero).build()), ErrorKind::Invalid);
    Guests::builder(db).guests_in("visitor").users_in("member").build().expect("a manager");
}

#[test]
fn s18_a_migration_is_an_event() {
    each_kind(|mut scene| {
        let mut events = scene.guests.log().subscribe();
        scene.set("draft", &1_u8);
        scene.migrate();
        scene.migrate();
        let event = events.try_next().expect("an event").expect("none missed");
        assert_eq!(event.kind, SecurityEventKind::GuestMigrated);
        assert_eq!((event.session, event.user.as_deref()), (Some(scene.guest.id()), Some(ADA)));
        assert!(events.try_next().is_none(), "once");
    });
}

/// Many values, in one commit where it holds them and in steps where it does not.
#[test]
fn many_values_are_moved() {
    each_kind(|mut scene| {
        let count = 150;
        for number in 0..count {
            scene.set(&format!("n{number:03}"), &number);
        }
        scene.give("n007", &1_000);
        let rules = Rules::new().merge("n*", |user: i32, guest: i32| Ok(user + guest));
        let migrated = block_on(async { scene.guests.migrate(&mut scene.session, ADA).rules(rules).await });
        let report = migrated.expect("migrated").report;
        assert_eq!((report.moved.len(), report.merged.as_slice()), (149, &["n007".to_owned()][..]));
        for number in 0..count {
            let expected = if number == 7 { 1_007 } else { number };
            assert_eq!(scene.users(&format!("n{number:03}")), Some(expected));
        }
        scene.assert_clean();
    });
}

/// Tasks on several threads over a real disk: the tea that guests were told is in the cart is the user's, and
/// no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s13_many_tasks_and_a_migration_on_disk() {
    let scene = Scene::over(crate::grounds::on_disk());
    let Scene { guests, guest, mut session, .. } = scene;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let guest = guest.clone();
        tasks.spawn(async move {
            let mut told = 0_u64;
            loop {
                let added = guest.update("cart", |cart: Option<Cart>| {
                    let mut cart = cart.unwrap_or_default();
                    cart.add("tea", 1).expect("room");
                    Some(cart)
                });
                match added.await {
                    Ok(()) => told += 1,
                    Err(error) if error.kind() == ErrorKind::Gone => return told,
                    Err(error) => panic!("{error:?}"),
                }
                tokio::task::yield_now().await;
            }
        });
    }
    while guest.get::<Cart>("cart").await.expect("get").is_none_or(|cart| cart.quantity("tea") < 50) {
        tokio::task::yield_now().await;
    }
    let migrated = guests.migrate(&mut session, ADA).await.expect("migrated");
    assert_eq!(migrated.report.moved, ["cart"]);
    let mut told = 0;
    while let Some(task) = tasks.join_next().await {
        told += task.expect("no panic");
    }
    let cart: Cart = guests.user(ADA).expect("a user").peek("cart").await.expect("peek").expect("moved");
    assert!(told >= 50);
    assert_eq!(cart.quantity("tea"), told);
}
