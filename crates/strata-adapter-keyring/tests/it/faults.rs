//! A keyring that fails, in each call of each operation in turn; foreign and damaged entries; bad configurations.

use std::time::Duration;

use strata_adapter_keyring::{Keyring, KeyringConfig, KeyringStore};
use strata_core::{ErrorKind, Expiry, Guard, Keep, Store, Tags, Write};

use super::desk::{Act, Desk};
use super::{at, commit, get, key, opened, payload, put, written};

/// One write over an entry that is there, and what the entry then is.
fn writes() -> Vec<(Write, Option<&'static [u8]>)> {
    let whole = Write::Put {
        payload: b"two"[..].into(),
        expiry: Keep::Set(Expiry::NEVER),
        tags: Keep::Set(Tags::none()),
    };
    vec![
        (whole, Some(b"two")),
        (Write::Expire(Expiry::at(at(50))), Some(b"one")),
        (Write::Slide(at(8)), Some(b"one")),
        (Write::Remove, None),
        (Write::Check, Some(b"one")),
    ]
}

#[tokio::test]
async fn s35_every_call_of_every_change_fails_once_and_leaves_no_half_state() {
    let mut failed = 0;
    for act in [Act::Away, Act::LostAnswer, Act::Locked, Act::ShowBytes, Act::Panic] {
        for (write, after) in writes() {
            for nth in 1.. {
                let desk = Desk::default();
                let store = opened(desk.config()).await;
                let first = Write::Put {
                    payload: b"one"[..].into(),
                    expiry: Keep::Set(Expiry::idle(Duration::from_secs(5), at(0))),
                    tags: Keep::Keep,
                };
                commit(&store, "a", Guard::Absent, first).await.expect("the first");
                desk.arm(nth, act);
                let done = commit(&store, "a", Guard::Present, write.clone()).await;
                if desk.disarm() {
                    done.expect("nothing failed");
                    break;
                }
                failed += 1;
                let error = done.expect_err("a call failed");
                let kinds = match act {
                    Act::Locked => ErrorKind::Locked,
                    Act::ShowBytes => ErrorKind::Corrupt,
                    _ => ErrorKind::Unavailable,
                };
                assert_eq!(error.kind(), kinds, "{act:?} at {nth}: {error}");
                // The keyring goes on, and the record is the old one or the new one.
                let found = get(&store, "a").await.map(|record| record.payload.as_bytes().to_vec());
                let (old, new) = (Some(b"one".to_vec()), after.map(<[u8]>::to_vec));
                assert!(found == old || found == new, "{act:?} at {nth} of {write:?}: {found:?}");
                written(&store, "a", b"three").await;
            }
        }
    }
    // Two calls in each but the check, which has one; each fails in five ways.
    assert_eq!(failed, 5 * (4 * 2 + 1));
}

#[tokio::test]
async fn a_read_fails_as_the_keyring_does_and_never_as_nothing_there() {
    let desk = Desk::default();
    let store = opened(desk.config()).await;
    written(&store, "a", b"one").await;
    for (act, kind) in [
        (Act::Away, ErrorKind::Unavailable),
        (Act::LostAnswer, ErrorKind::Unavailable),
        (Act::Locked, ErrorKind::Locked),
        (Act::ShowBytes, ErrorKind::Corrupt),
        (Act::Panic, ErrorKind::Unavailable),
    ] {
        desk.arm(1, act);
        assert_eq!(store.get(&key("a")).await.expect_err("failed").kind(), kind);
        desk.arm(1, act);
        assert_eq!(store.get(&key("none")).await.expect_err("failed").kind(), kind, "{act:?}");
        assert_eq!(payload(&store, "a").await, b"one", "and it comes back");
    }
}

#[tokio::test]
async fn s32_damaged_and_foreign_entries_are_told_and_not_replaced() {
    let desk = Desk::default();
    let store = opened(desk.config()).await;
    written(&store, "a", b"some value").await;
    let whole = desk.all().remove(0);
    for bytes in [b"hunter2".to_vec(), Vec::new(), whole[..whole.len() - 1].to_vec(), vec![0xff; 64]] {
        desk.tamper(|entry| entry.clone_from(&bytes));
        assert_eq!(store.get(&key("a")).await.expect_err("damaged").kind(), ErrorKind::Corrupt);
        for write in [put(b"x"), Write::Remove, Write::Check] {
            let refused = commit(&store, "a", Guard::Any, write).await.expect_err("damaged");
            assert_eq!(refused.kind(), ErrorKind::Corrupt);
            assert!(!refused.to_string().contains("hunter2"));
        }
        assert_eq!(desk.all(), [bytes], "it is left as it was");
    }
    desk.tamper(|entry| entry[6] = b'2');
    desk.tamper(|entry| *entry = [b"strata2.", &whole[8..]].concat());
    assert_eq!(store.get(&key("a")).await.expect_err("newer").kind(), ErrorKind::Newer);
    desk.tamper(|entry| *entry = whole);
    assert_eq!(payload(&store, "a").await, b"some value");
}

#[test]
fn s38_configurations_that_cannot_be_meant_are_refused() {
    let long = "x".repeat(129);
    for (config, says) in [
        (KeyringConfig::new(""), "empty"),
        (KeyringConfig::new("a\nb"), "control"),
        (KeyringConfig::new(long), "at most 128"),
        (KeyringConfig::new("a").timeout(Duration::ZERO), "zero"),
        (KeyringConfig::new("a").max_entry(100), "at least 1536"),
    ] {
        let error = Keyring::new(config).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[tokio::test]
async fn a_lock_file_that_cannot_be_made_fails_changes_and_not_reads() {
    let desk = Desk::default();
    let folder = tempfile::tempdir().expect("a folder");
    let store = opened(desk.config().lock_file(folder.path().join("missing/lock"))).await;
    let error = commit(&store, "a", Guard::Any, put(b"x")).await.expect_err("no lock");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("lock"), "{error}");
    assert!(get(&store, "a").await.is_none());
}

#[tokio::test]
async fn a_change_waits_for_whoever_holds_the_lock_file() {
    let desk = Desk::default();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("lock");
    let store = opened(desk.config().timeout(Duration::from_millis(50)).lock_file(&path)).await;
    written(&store, "a", b"one").await;
    // As another process would: a handle of its own.
    let other = std::fs::File::open(&path).expect("it was made");
    other.lock().expect("free");
    let asked = desk.calls();
    let error = commit(&store, "a", Guard::Any, put(b"two")).await.expect_err("it is held");
    assert_eq!((error.kind(), desk.calls()), (ErrorKind::Unavailable, asked), "nothing was read or written");
    other.unlock().expect("held");
    while store.get(&key("a")).await.is_err() {
        tokio::task::yield_now().await;
    }
    written(&store, "a", b"three").await;
    assert_eq!(payload(&store, "a").await, b"three");
}

#[tokio::test]
async fn versions_of_a_later_life_are_new() {
    let desk = Desk::default();
    let store: KeyringStore = opened(desk.config()).await;
    let mut given = std::collections::HashSet::new();
    for _ in 0..50 {
        let created = written(&store, "a", b"x").await.outcomes[0].after.expect("a version");
        assert!(given.insert(created) && created.get() < 1 << 63 && created.get() > 0);
        commit(&store, "a", Guard::Version(created), Write::Remove).await.expect("removed");
    }
}
