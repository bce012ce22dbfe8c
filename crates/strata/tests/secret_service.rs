//! `strata::open` and a keyring's store over a real Secret Service: open, locked, refusing, absent. `cargo xtask test` starts a private one in
//! each state and runs the tests of the module with its name; a test that finds itself elsewhere fails.
#![cfg(all(
    unix,
    not(target_os = "macos"),
    feature = "keyring",
    feature = "memory",
    feature = "sled",
    feature = "crypto",
    feature = "ttl"
))]

mod keyset;

use std::sync::Arc;
use std::time::Duration;

use strata::{Builder, ErrorKind, KeyringConfig, KeyringKeys, Protection};

/// The variable that says which state the service is in.
const STATE: &str = "STRATA_TEST_SECRET_SERVICE";
/// The folder, in the private home, of the store that the open service leaves for the locked one.
const LEFT: &str = "left-by-the-open-one";

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

fn home() -> std::path::PathBuf {
    std::path::PathBuf::from(std::env::var_os("HOME").expect("the private home"))
}

/// How long a call may take is tested elsewhere.
fn keyring(service: &str) -> Builder {
    strata::builder().keyring_with(KeyringConfig::new(service).timeout(Duration::from_mins(2)))
}

mod open {
    use super::*;

    #[tokio::test]
    async fn a_fresh_store_has_its_keys_in_the_keyring() {
        in_state("open");
        let data = home().join(LEFT);
        let db = strata::open(&data).await.expect("open");
        let report = db.report();
        let keys = report.keys.as_ref().expect("keys");
        assert!(keys.created && keys.provider == "os-keyring", "{report}");
        assert!(report.to_string().contains("Secret Service, entry `~strata:keys:"), "{report}");
        assert_eq!(report.protection, Protection::OsKeyring);
        db.set("a", &1_u32).await.expect("set");
        db.close().await.expect("close");
        let db = strata::open(&data).await.expect("open again");
        assert_eq!(db.get::<u32>("a").await.expect("get"), Some(1));
        assert!(!home().join("data/strata").exists(), "no key file was made");
    }

    #[tokio::test]
    async fn s28_a_keyset_lives_in_the_system_keyring_from_its_first_key_to_its_next() {
        in_state("open");
        let config = KeyringConfig::new("strata-test-keyset").timeout(Duration::from_mins(2));
        let keyring = KeyringKeys::new(config).expect("a configuration");
        keyset::lives(Arc::new(keyring), &home().join("keyset")).await;
    }

    #[tokio::test]
    async fn secrets_outlive_the_program_that_kept_them() {
        in_state("open");
        let db = keyring("strata-test-umbrella").or_memory().open().await.expect("open");
        assert!(db.report().instead.is_none(), "{}", db.report());
        db.set("token", &"secret".to_owned()).await.expect("set");
        db.close().await.expect("close");
        let db = keyring("strata-test-umbrella").open().await.expect("open again");
        assert_eq!(db.get::<String>("token").await.expect("get").as_deref(), Some("secret"));
    }
}

mod locked {
    use super::*;

    #[tokio::test]
    async fn a_locked_keyring_is_an_error_and_no_reason_for_a_file_or_for_memory() {
        in_state("locked");
        let error = strata::open(home().join(LEFT)).await.map(drop).expect_err("its keys are locked");
        assert_eq!(error.kind(), ErrorKind::Locked, "{error:?}");
        let error = strata::open(home().join("fresh")).await.map(drop).expect_err("no keys can be kept");
        assert_eq!(error.kind(), ErrorKind::Locked, "{error:?}");
        assert!(!home().join("data/strata").exists(), "no key file was made");
        let error = keyring("strata-test-umbrella").or_memory().open().await.map(drop).expect_err("locked");
        assert_eq!(error.kind(), ErrorKind::Locked, "{error:?}");
    }
}

mod denied {
    use super::*;

    #[tokio::test]
    async fn a_keyring_that_refuses_is_an_error_and_no_reason_for_a_file_or_for_memory() {
        in_state("denied");
        let error = strata::open(home().join("refused")).await.map(drop).expect_err("no keys can be kept");
        assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
        assert!(!home().join("data/strata").exists(), "no key file was made");
        let error = keyring("strata-test-umbrella").or_memory().open().await.map(drop).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
    }
}

mod no_bus {
    use super::*;

    #[tokio::test]
    async fn without_a_keyring_a_fresh_store_has_a_key_file_and_says_so() {
        in_state("no_bus");
        let data = home().join("without-a-keyring");
        let db = strata::open(&data).await.expect("open");
        let keys = db.report().keys.expect("keys");
        assert!(keys.created && keys.provider == "file", "{keys}");
        assert!(keys.place.as_ref().is_some_and(|place| place.contains("strata/keys")), "{keys}");
        db.close().await.expect("close");
        strata::open(&data).await.expect("open again").close().await.expect("close");
        let error = strata::open(home().join(LEFT)).await.map(drop).expect_err("its keys are in a keyring");
        assert_eq!(error.kind(), ErrorKind::Unsupported, "never another place: {error:?}");
        assert!(error.to_string().contains("no keyring here"), "{error}");
    }

    #[tokio::test]
    async fn memory_in_place_of_a_keyring_is_asked_for_and_said() {
        in_state("no_bus");
        let error = keyring("strata-test-umbrella").open().await.map(drop).expect_err("no keyring");
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
        let db = keyring("strata-test-umbrella").or_memory().open().await.expect("open");
        db.set("token", &"secret".to_owned()).await.expect("set");
        let report = db.report();
        assert_eq!(report.protection, Protection::Plaintext);
        assert!(report.instead.as_ref().is_some_and(|reason| reason.contains("no keyring here")), "{report}");
        assert!(report.to_string().contains("gone with the process"), "{report}");
        let least = keyring("strata-test-umbrella").or_memory().require(Protection::OsKeyring).open().await;
        assert_eq!(least.map(drop).expect_err("memory is less").kind(), ErrorKind::Downgrade);
    }
}
