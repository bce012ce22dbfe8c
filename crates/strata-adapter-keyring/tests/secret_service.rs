//! The adapter over a real Secret Service: open, locked, refusing, without a bus, killed half way. `cargo xtask test` starts a private
//! one in each state and runs the tests of the module with its name; a test that finds itself elsewhere fails.
#![cfg(all(unix, not(target_os = "macos")))]

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use strata_adapter_keyring::{Keyring, KeyringConfig, KeyringKeys, KeyringStore};
use strata_core::{
    Batch, BoxFuture, Committed, Durability, ErrorKind, Guard, Keep, Key, KeyProvider, Op, Payload, Result,
    Store, StoreId, Timestamp, Write,
};

/// The variable that says which state the service is in.
const STATE: &str = "STRATA_TEST_SECRET_SERVICE";
/// What the unlocked service is left with, for the locked one to refuse.
const LEFT: &str = "strata-test-left";
const LEFT_STORE: StoreId = StoreId::new([9; 16]);

/// Fails unless the private service is in this state, and is private: its bus lies in the home that was made for it.
fn in_state(state: &str) {
    let found = std::env::var(STATE).unwrap_or_default();
    assert_eq!(found, state, "these tests need a private Secret Service; run `cargo xtask test`");
    let [home, bus] =
        ["HOME", "DBUS_SESSION_BUS_ADDRESS"].map(|name| std::env::var(name).unwrap_or_default());
    assert!(
        bus.starts_with(&format!("unix:path={home}/")) && home.len() > 1,
        "`{bus}` is somebody's own bus"
    );
}

fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Runtime::new().expect("a runtime"))
}

fn on_tokio(future: BoxFuture<'_, ()>) {
    runtime().block_on(future);
}

/// Entries nobody else has. The daemon is slow on a busy machine; how long a call may take is tested elsewhere.
fn config() -> KeyringConfig {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = format!("strata-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    KeyringConfig::new(name).timeout(Duration::from_mins(2))
}

fn key(name: &str) -> Key {
    Key::new(name).expect("a valid key")
}

async fn put(store: &dyn Store, name: &str, payload: &[u8]) -> Result<Committed> {
    let write = Write::Put { payload: Payload::from(payload), expiry: Keep::Keep, tags: Keep::Keep };
    let op = Op { key: key(name), guard: Guard::Any, write };
    store.commit(Batch::one(Timestamp::from_millis(1), Durability::Process, op)).await
}

async fn payload(store: &dyn Store, name: &str) -> Result<Option<Vec<u8>>> {
    Ok(store.get(&key(name)).await?.map(|record| record.payload.as_bytes().to_vec()))
}

mod open {
    use super::*;

    fn fresh() -> Arc<dyn Store> {
        in_state("open");
        let store = runtime().block_on(KeyringStore::open(config())).expect("an unlocked service");
        Arc::new(store)
    }

    strata_core::conformance_suite!(fresh, on_tokio);

    #[tokio::test]
    async fn what_one_connection_wrote_another_finds() {
        in_state("open");
        let config = config();
        let store = KeyringStore::open(config.clone()).await.expect("open");
        assert_eq!(store.to_string(), format!("keyring(Secret Service, {})", store.keyring().service()));
        let large = vec![0xa5; store.capabilities().max_payload];
        for value in [&b"\x00\xff binary"[..], b"", &large] {
            put(&store, "token:ada", value).await.expect("put");
            let other = KeyringStore::open(config.clone()).await.expect("open");
            assert_eq!(payload(&other, "token:ada").await.expect("get").as_deref(), Some(value));
        }
        assert_eq!(payload(&store, "token:eve").await.expect("get"), None);
        assert_eq!(payload(&store, "token:Ada").await.expect("get"), None, "case counts");
    }

    #[tokio::test]
    async fn keys_are_kept_and_some_are_left_for_the_locked_service() {
        in_state("open");
        let keys = KeyringKeys::new(config()).expect("a configuration");
        let id = StoreId::new([1; 16]);
        assert!(keys.load(id).await.expect("load").is_none());
        keys.create(id, "one").await.expect("create");
        assert_eq!(keys.create(id, "two").await.expect_err("taken").kind(), ErrorKind::Conflict);
        keys.replace(id, "one", "two").await.expect("replace");
        assert_eq!(keys.load(id).await.expect("load").expect("kept").as_str(), "two");
        keys.discard(id).await.expect("discard");
        assert!(keys.load(id).await.expect("load").is_none());
        let left = KeyringKeys::new(KeyringConfig::new(LEFT)).expect("a configuration");
        left.discard(LEFT_STORE).await.expect("discard");
        left.create(LEFT_STORE, "left").await.expect("create");
    }

    /// Another program, over the crate `keyring`, sees what lies in the user's keyring by service and key.
    #[tokio::test]
    async fn entries_are_those_of_every_program_that_uses_the_keyring_crate() {
        in_state("open");
        let config = config();
        let store = KeyringStore::open(config.clone()).await.expect("open");
        put(&store, "token:ada", b"secret").await.expect("put");
        let entry = |user: &str| {
            let service = store.keyring().service().to_owned();
            let user = user.to_owned();
            // Its calls block.
            move || keyring::Entry::new(&service, &user).expect("an entry")
        };
        let named = entry("token:ada");
        let seen = tokio::task::spawn_blocking(move || named().get_password()).await.expect("task");
        assert!(seen.expect("found by its name").starts_with("strata1."), "and it is text");
        let named = entry("foreign");
        let set = tokio::task::spawn_blocking(move || named().set_password("hunter2")).await.expect("task");
        set.expect("written by the other program");
        let error = payload(&store, "foreign").await.expect_err("not ours");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        let named = entry("token:ada");
        let gone = tokio::task::spawn_blocking(move || named().delete_credential()).await.expect("task");
        gone.expect("removed by the other program");
        assert_eq!(payload(&store, "token:ada").await.expect("get"), None);
    }

    /// Names whatever a key may have in it.
    #[tokio::test]
    async fn hostile_names_do_not_meet() {
        in_state("open");
        let store = KeyringStore::open(config()).await.expect("open");
        let long = "k".repeat(Key::MAX_BYTES);
        let names = [
            "a",
            "A",
            "a ",
            " a",
            "a'b",
            "a\"b",
            "a\\b",
            "*",
            "?",
            "%00",
            "a@b",
            "a:b",
            "../a",
            "${HOME}",
            "\u{202e}a",
            "ä",
            "a\u{308}",
            "🔑",
            &long,
            &long[1..],
        ];
        for (number, name) in (0_u8..).zip(names) {
            put(&store, name, &[number]).await.expect(name);
        }
        for (number, name) in (0_u8..).zip(names) {
            assert_eq!(payload(&store, name).await.expect(name), Some(vec![number]), "{name:?}");
        }
    }

    /// In the child, how often it is to add.
    const ADD: &str = "STRATA_TEST_ADD";
    const PROCESSES: u32 = 3;
    const TIMES: u32 = 10;

    /// Adds one to the number in `n`, again and again while others are faster.
    async fn add(store: &dyn Store) {
        loop {
            let found = store.get(&key("n")).await.expect("get").expect("there");
            let number = u32::from_le_bytes(found.payload.as_bytes().try_into().expect("a number"));
            let write = Write::Put {
                payload: Payload::from(&(number + 1).to_le_bytes()[..]),
                expiry: Keep::Keep,
                tags: Keep::Keep,
            };
            let op = Op { key: key("n"), guard: Guard::Version(found.version), write };
            match store.commit(Batch::one(Timestamp::from_millis(1), Durability::Process, op)).await {
                Ok(_) => return,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}"),
            }
        }
    }

    #[tokio::test]
    async fn processes_that_share_a_lock_file_lose_no_update() {
        in_state("open");
        let home = std::env::var("HOME").expect("the private home");
        let service = "strata-test-processes";
        let config =
            KeyringConfig::new(service).timeout(Duration::from_mins(2)).lock_file(home + "/run/lock");
        let store = KeyringStore::open(config).await.expect("open");
        if std::env::var_os(ADD).is_some() {
            for _ in 0..TIMES {
                add(&store).await;
            }
            return;
        }
        put(&store, "n", &0_u32.to_le_bytes()).await.expect("put");
        let this = std::env::current_exe().expect("a program");
        let name = "open::processes_that_share_a_lock_file_lose_no_update";
        let child = || {
            let mut command = std::process::Command::new(&this);
            command.args(["--exact", name]).env(ADD, "1").stdout(std::process::Stdio::null());
            command.spawn().expect("a child")
        };
        let children: Vec<_> = (0..PROCESSES).map(|_| child()).collect();
        for mut child in children {
            assert!(child.wait().expect("it ends").success());
        }
        let sum = (PROCESSES * TIMES).to_le_bytes();
        assert_eq!(payload(&store, "n").await.expect("get").as_deref(), Some(&sum[..]));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sixteen_tasks_at_once() {
        in_state("open");
        let store = KeyringStore::open(config()).await.expect("open");
        let tasks = (0..16_u8).map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                let name = format!("task:{number}");
                put(&store, &name, &[number; 100]).await.expect("put");
                assert_eq!(payload(&store, &name).await.expect("get"), Some(vec![number; 100]));
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("a task");
        }
    }
}

mod locked {
    use super::*;

    #[tokio::test]
    async fn a_locked_keyring_is_neither_empty_nor_missing() {
        in_state("locked");
        let keyring = Keyring::open(config()).await.expect("there is a keyring");
        let error = put(&KeyringStore::over(keyring.clone()), "a", b"x").await.expect_err("locked");
        assert_eq!(error.kind(), ErrorKind::Locked, "{error:?}");
        let error =
            KeyringKeys::over(keyring).create(StoreId::new([1; 16]), "text").await.expect_err("locked");
        assert_eq!(error.kind(), ErrorKind::Locked, "{error:?}");
        let left = KeyringKeys::new(KeyringConfig::new(LEFT)).expect("a configuration");
        let error = left.load(LEFT_STORE).await.expect_err("there, but locked");
        assert_eq!(error.kind(), ErrorKind::Locked, "{error:?}");
        let error = left.discard(LEFT_STORE).await.expect_err("locked");
        assert_eq!(error.kind(), ErrorKind::Locked, "{error:?}");
    }
}

mod denied {
    use super::*;

    #[tokio::test]
    async fn a_keyring_that_lets_nobody_in_is_neither_locked_nor_missing() {
        in_state("denied");
        let error = Keyring::open(config()).await.expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
        let keys = KeyringKeys::new(config()).expect("nothing is asked yet");
        assert_eq!(keys.load(LEFT_STORE).await.expect_err("refused").kind(), ErrorKind::Denied);
        assert_eq!(keys.create(LEFT_STORE, "x").await.expect_err("refused").kind(), ErrorKind::Denied);
    }
}

mod no_bus {
    use super::*;

    #[tokio::test]
    async fn without_a_bus_there_is_no_keyring() {
        in_state("no_bus");
        for _ in 0..2 {
            let error = Keyring::open(config()).await.expect_err("no bus");
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
        }
        let keys = KeyringKeys::new(config()).expect("nothing is asked yet");
        assert_eq!(keys.load(LEFT_STORE).await.expect_err("no bus").kind(), ErrorKind::Unsupported);
        assert_eq!(keys.create(LEFT_STORE, "x").await.expect_err("no bus").kind(), ErrorKind::Unsupported);
    }
}

mod no_service {
    use super::*;

    #[tokio::test]
    async fn without_a_service_on_the_bus_there_is_no_keyring() {
        in_state("no_service");
        let error = Keyring::open(config()).await.expect_err("no service");
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    }
}

mod killed {
    use std::process::Command;

    use super::*;

    /// Sends a signal to a process that the suite started for this.
    fn signal(signal: &str, variable: &str) {
        let id = std::env::var(variable).expect("the suite names the process");
        assert!(Command::new("kill").args([signal, &id]).status().expect("kill runs").success());
    }

    #[tokio::test]
    async fn a_keyring_that_stops_answering_and_then_goes_away_is_unavailable() {
        in_state("killed");
        let store = KeyringStore::open(config()).await.expect("open");
        put(&store, "a", b"one").await.expect("put");
        let service = store.keyring().service().to_owned();
        let hasty = KeyringStore::open(KeyringConfig::new(service).timeout(Duration::from_millis(500))).await;
        let hasty = hasty.expect("open");
        signal("-STOP", "STRATA_TEST_DAEMON");
        for says in ["did not answer", "nothing was asked"] {
            let error = payload(&hasty, "a").await.expect_err("it does not answer");
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
            assert!(error.to_string().contains(says), "{error}");
        }
        signal("-CONT", "STRATA_TEST_DAEMON");
        assert_eq!(payload(&store, "a").await.expect("it goes on").as_deref(), Some(&b"one"[..]));
        signal("-KILL", "STRATA_TEST_DAEMON");
        for _ in 0..2 {
            let error = put(&store, "a", b"two").await.expect_err("the service is gone");
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
            let error = payload(&store, "a").await.expect_err("the service is gone");
            assert_eq!(error.kind(), ErrorKind::Unavailable, "never `nothing there`: {error:?}");
        }
        signal("-KILL", "STRATA_TEST_BUS");
        let error = payload(&store, "a").await.expect_err("the bus is gone");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        let error = Keyring::open(config()).await.expect_err("and now there is none");
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    }
}
