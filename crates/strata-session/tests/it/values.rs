//! Values of a session: typed, bounded, all of one life.

use serde::{Deserialize, Serialize};
use strata_core::conformance::block_on;
use strata_core::{Codec, ErrorKind};
use strata_session::{Limits, Sessions};

use crate::{created, kind_of, opened, world};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Cart {
    items: Vec<(String, u32)>,
}

fn cart() -> Cart {
    Cart { items: vec![("tea".to_owned(), 2), ("cup".to_owned(), 1)] }
}

#[test]
fn values_of_any_type_come_back_as_they_were_set() {
    block_on(async {
        let world = world();
        let (token, session) = world.sessions.create().await.expect("create");
        assert!(session.list().await.expect("list").is_empty());
        session.set("cart", &cart()).await.expect("set");
        session.set("visits", &3_u32).await.expect("set");
        session.set_as(Codec::Json, "note", &serde_note()).await.expect("set");
        let again = world.sessions.open(&token).await.expect("open").expect("alive");
        assert_eq!(again.id(), session.id());
        assert_eq!(again.list().await.expect("list"), ["cart", "note", "visits"]);
        assert_eq!(again.get::<Cart>("cart").await.expect("get"), Some(cart()));
        assert_eq!(again.get::<u32>("visits").await.expect("get"), Some(3));
        assert_eq!(again.get("note").await.expect("get"), Some(serde_note()));
        assert_eq!(again.get::<u32>("nothing").await.expect("get"), None);
        session.set("visits", &4_u32).await.expect("set");
        assert_eq!(again.get::<u32>("visits").await.expect("get"), Some(4));
        assert!(again.remove("cart").await.expect("remove"));
        assert!(!session.remove("cart").await.expect("remove"));
        assert_eq!(again.clear().await.expect("clear"), 2);
        assert!(session.list().await.expect("list").is_empty());
        assert!(opened(&world.sessions, &token).is_some(), "an emptied session is a session");
    });
}

fn serde_note() -> (String, Option<bool>) {
    ("é\u{1f375}".to_owned(), Some(true))
}

#[test]
fn update_creates_changes_and_removes() {
    block_on(async {
        let (_, session) = created(&world().sessions);
        session.update("n", |found: Option<u32>| Some(found.unwrap_or(10) + 1)).await.expect("create");
        session.update("n", |found: Option<u32>| found.map(|n| n * 2)).await.expect("change");
        assert_eq!(session.get::<u32>("n").await.expect("get"), Some(22));
        session.update("n", |_: Option<u32>| None).await.expect("remove");
        assert!(session.list().await.expect("list").is_empty());
        session.set_as(Codec::Json, "j", &1_u32).await.expect("set");
        session.update("j", |found: Option<u32>| found.map(|n| n + 1)).await.expect("change");
        assert_eq!(session.get::<u32>("j").await.expect("get"), Some(2));
    });
}

#[test]
fn a_value_is_not_read_as_another_type() {
    block_on(async {
        let (_, session) = created(&world().sessions);
        session.set("pair", &(1_u64, 2_u64)).await.expect("set");
        assert_eq!(kind_of(session.get::<(i64, i64)>("pair").await), ErrorKind::Mismatch);
        assert_eq!(kind_of(session.get::<Cart>("pair").await), ErrorKind::Mismatch);
        let update = session.update("pair", |found: Option<Cart>| found);
        assert_eq!(kind_of(update.await), ErrorKind::Mismatch);
        assert_eq!(session.get("pair").await.expect("get"), Some((1_u64, 2_u64)), "and it is still there");
    });
}

#[test]
fn limits_hold_for_names_values_counts_and_totals() {
    block_on(async {
        let world = world();
        let limits = Limits::default().values(2).name_bytes(8).value_bytes(40).total_bytes(60);
        let sessions = Sessions::builder(&world.db).limits(limits).build().expect("a manager");
        let (_, session) = sessions.create().await.expect("create");
        for bad in ["", "a\nb", "\u{85}"] {
            assert_eq!(kind_of(session.set(bad, &1_u8).await), ErrorKind::Invalid, "{bad:?}");
            assert_eq!(kind_of(session.update(bad, |_| Some(1_u8)).await), ErrorKind::Invalid, "{bad:?}");
        }
        session.set("12345678", &1_u8).await.expect("a name of eight bytes");
        assert_eq!(kind_of(session.set("123456789", &1_u8).await), ErrorKind::TooLarge);
        assert_eq!(kind_of(session.set("b", &"x".repeat(40)).await), ErrorKind::TooLarge, "41 bytes encoded");
        session.set("b", &"x".repeat(39)).await.expect("40 bytes");
        session.set("b", &"y".repeat(39)).await.expect("replacing one counts it once");
        assert_eq!(kind_of(session.set("c", &1_u8).await), ErrorKind::TooLarge, "a third one");
        assert_eq!(kind_of(session.update("c", |_| Some(1_u8)).await), ErrorKind::TooLarge);
        let error = session.set("12345678", &"z".repeat(20)).await.expect_err("over the total");
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(error.message().contains("at most 60"), "{error}");
        assert_eq!(
            session.get::<u8>("12345678").await.expect("get"),
            Some(1),
            "a refusal leaves what was there"
        );
        session.update("12345678", |_: Option<u8>| None).await.expect("there is room again");
        session.set("c", &1_u8).await.expect("for another");
    });
}

#[test]
fn setting_what_is_there_already_writes_nothing() {
    block_on(async {
        let (_, session) = created(&world().sessions);
        session.set("n", &7_u32).await.expect("set");
        let before = session.info().await.expect("info").version;
        session.set("n", &7_u32).await.expect("set");
        session.update("n", |found: Option<u32>| found).await.expect("update");
        assert_eq!(session.info().await.expect("info").version, before);
    });
}
