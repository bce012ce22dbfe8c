//! Fingerprints over the stores the umbrella opens: sealed in memory and on disk, across a restart, and never in plaintext by accident.
#![cfg(all(feature = "memory", feature = "sled", feature = "crypto", feature = "ttl", feature = "session"))]

use std::path::Path;

use strata::session::fingerprint::{Features, Fingerprints, Verdict};
use strata::session::{SessionToken, Sessions};
use strata::{Builder, ErrorKind, Keys};

const KEY: [u8; 32] = *b"0123456789abcdefghijklmnopqrstuv";
const ZONE: &str = "antarctica/troll_zone_nobody_has";

fn keys() -> Keys {
    Keys::bytes(&KEY).expect("a key")
}

fn laptop() -> Features {
    Features::builder().zone(ZONE).platform("Plan9FromAnywhere").cores(8).build().expect("features")
}

fn on_disk(folder: &Path) -> Builder {
    strata::builder().sled(folder.join("data")).keys(keys())
}

#[tokio::test]
async fn features_lie_sealed_and_are_there_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let db = on_disk(folder.path()).open().await.expect("open");
    let (token, session) = db.sessions().expect("sessions").create().await.expect("create");
    db.fingerprints().expect("fingerprints").bind(&session, &laptop()).await.expect("bind");
    let cookie = token.expose().to_string();
    drop(session);
    db.close().await.expect("close");

    let mut bytes = 0;
    for entry in std::fs::read_dir(folder.path().join("data")).expect("the data") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            let content = std::fs::read(&path).expect("a file");
            bytes += content.len();
            for value in [ZONE.as_bytes(), b"plan9fromanywhere", b"~fingerprint"] {
                assert!(!content.windows(value.len()).any(|window| window == value), "{}", path.display());
            }
        }
    }
    assert!(bytes > 0, "something was looked at");

    let db = on_disk(folder.path()).open().await.expect("open");
    let token = SessionToken::parse(&cookie).expect("a token");
    let session = db.sessions().expect("sessions").open(&token).await.expect("open").expect("alive");
    let prints = db.fingerprints().expect("fingerprints");
    assert_eq!(prints.check(&session, &laptop()).await.expect("check"), Verdict::Match);
    drop((session, prints));
    db.close().await.expect("close");
}

/// Neither the manager's own store nor that of the session may be a plain one unless that is said.
#[tokio::test]
async fn s30_plaintext_is_a_downgrade() {
    let plain = strata::builder().memory().plaintext().open().await.expect("open");
    let sealed = strata::builder().memory().keys(keys()).open().await.expect("open");
    assert_eq!(plain.fingerprints().expect_err("refused").kind(), ErrorKind::Downgrade);

    let (_, session) = plain.sessions().expect("sessions").create().await.expect("create");
    let prints = sealed.fingerprints().expect("fingerprints");
    for refused in [prints.bind(&session, &laptop()).await, prints.adopt(&session, &laptop()).await] {
        assert_eq!(refused.expect_err("refused").kind(), ErrorKind::Downgrade);
    }
    assert!(matches!(prints.check(&session, &laptop()).await, Ok(Verdict::Unknown(_))), "nothing was bound");

    let allowed = Fingerprints::builder(&plain).allow_plaintext().build().expect("said");
    allowed.bind(&session, &laptop()).await.expect("bind");
    assert_eq!(allowed.check(&session, &laptop()).await.expect("check"), Verdict::Match);

    // Sessions of any namespace and store, under one manager.
    let sessions = Sessions::builder(&sealed).namespace("guests").build().expect("sessions");
    let (_, guest) = sessions.create().await.expect("create");
    prints.bind(&guest, &laptop()).await.expect("bind");
    assert_eq!(prints.check(&guest, &laptop()).await.expect("check"), Verdict::Match);
}
