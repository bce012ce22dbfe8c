//! The keys of other stores: kept, changed, given back, never lost to a second opener.

use strata_adapter_keyring::KeyringKeys;
use strata_core::{ErrorKind, KeyProvider, Protection, StoreId};

use super::desk::{Act, Desk};

const STORE: StoreId = StoreId::new([7; 16]);
const OTHER: StoreId = StoreId::new([8; 16]);

fn keys(desk: &Desk) -> KeyringKeys {
    KeyringKeys::new(desk.config()).expect("a configuration")
}

async fn load(keys: &KeyringKeys, store: StoreId) -> Option<String> {
    keys.load(store).await.expect("load").map(|text| text.to_string())
}

#[tokio::test]
async fn keys_are_kept_changed_and_discarded_for_each_store() {
    let desk = Desk::default();
    let keys = keys(&desk);
    assert_eq!(desk.calls(), 0, "nothing is asked before it is needed");
    assert_eq!((keys.name(), keys.protection()), ("os-keyring", Protection::OsKeyring));
    assert!(keys.place(STORE).starts_with("desk, entry `~strata:keys:0707"), "{}", keys.place(STORE));
    assert_eq!(load(&keys, STORE).await, None);
    keys.create(STORE, "one").await.expect("create");
    keys.create(OTHER, "other").await.expect("create");
    assert_eq!(keys.create(STORE, "two").await.expect_err("taken").kind(), ErrorKind::Conflict);
    assert_eq!(load(&keys, STORE).await.as_deref(), Some("one"));
    assert_eq!(keys.replace(STORE, "two", "three").await.expect_err("changed").kind(), ErrorKind::Conflict);
    keys.replace(STORE, "one", "two").await.expect("replace");
    assert_eq!(load(&keys, STORE).await.as_deref(), Some("two"));
    keys.discard(STORE).await.expect("discard");
    keys.discard(STORE).await.expect("discarded already");
    assert_eq!((load(&keys, STORE).await, load(&keys, OTHER).await.as_deref()), (None, Some("other")));
    assert_eq!(keys.replace(STORE, "two", "three").await.expect_err("gone").kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn s35_every_call_fails_once_and_no_keys_are_taken_for_missing() {
    for (act, kind) in [
        (Act::Away, ErrorKind::Unavailable),
        (Act::Locked, ErrorKind::Locked),
        (Act::ShowBytes, ErrorKind::Corrupt),
        (Act::LostAnswer, ErrorKind::Unavailable),
    ] {
        let desk = Desk::default();
        let keys = keys(&desk);
        keys.create(STORE, "one").await.expect("create");
        desk.arm(1, act);
        assert_eq!(keys.load(STORE).await.expect_err("failed").kind(), kind);
        for nth in 1..=3 {
            desk.arm(nth, act);
            let error = keys.create(OTHER, "other").await.expect_err("failed");
            assert_eq!(error.kind(), kind, "{act:?} at {nth}: {error}");
            keys.discard(OTHER).await.expect("discard");
            desk.arm(nth, act);
            assert_eq!(keys.replace(STORE, "one", "two").await.expect_err("failed").kind(), kind);
            let now = load(&keys, STORE).await.expect("one or the other, never none");
            assert!(now == "one" || now == "two");
            keys.replace(STORE, &now, "one").await.expect("replace");
        }
    }
}

#[tokio::test]
async fn a_keyring_that_keeps_nothing_is_not_trusted_with_keys() {
    let desk = Desk::default();
    desk.forget_writes();
    let error = keys(&desk).create(STORE, "one").await.expect_err("not kept");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("keep them elsewhere"), "{error}");
}

#[tokio::test]
async fn what_is_no_text_is_no_keyset() {
    let desk = Desk::default();
    let keys = keys(&desk);
    keys.create(STORE, "one").await.expect("create");
    desk.tamper(|bytes| *bytes = vec![0xff; 40]);
    let error = keys.load(STORE).await.expect_err("no text");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("40 bytes"), "{error}");
}

#[tokio::test]
async fn two_openers_of_one_fresh_store_do_not_overwrite_each_other() {
    let desk = Desk::default();
    let (first, second) = (keys(&desk), keys(&desk));
    let (first, second) = tokio::join!(first.create(STORE, "first"), second.create(STORE, "second"));
    assert!(first.is_ok() && second.is_ok(), "each of its own service");
    let config = desk.config();
    let [first, second] =
        [config.clone(), config].map(|config| KeyringKeys::new(config).expect("a configuration"));
    let (one, two) = tokio::join!(first.create(STORE, "first"), second.create(STORE, "second"));
    assert_eq!(u8::from(one.is_ok()) + u8::from(two.is_ok()), 1, "one wins");
    let kept = load(&first, STORE).await;
    assert_eq!(kept.as_deref(), Some(if one.is_ok() { "first" } else { "second" }));
}
