//! Basic sessions over the stores the umbrella opens: in memory and on disk, plain and sealed, and across a restart.
#![cfg(all(feature = "memory", feature = "sled", feature = "crypto", feature = "ttl", feature = "session"))]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use strata::session::{Session, SessionId, SessionKind, SessionToken, Sessions};
use strata::{Builder, ErrorKind, Keys, ManualClock, Policy, Result};
use tokio::task::JoinSet;

const KEY: [u8; 32] = *b"0123456789abcdefghijklmnopqrstuv";
const MINUTE: Duration = Duration::from_mins(1);

/// The same store under each way of keeping it.
fn stores(folder: &Path) -> Vec<(&'static str, Builder)> {
    let keys = || Keys::bytes(&KEY).expect("a key");
    vec![
        ("memory", strata::builder().memory().plaintext()),
        ("memory, sealed", strata::builder().memory().keys(keys())),
        ("sled", strata::builder().sled(folder.join("plain")).plaintext()),
        ("sled, sealed", strata::builder().sled(folder.join("sealed")).keys(keys())),
    ]
}

async fn opened(sessions: &Sessions, token: &SessionToken) -> bool {
    sessions.open(token).await.expect("open").is_some()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_life_over_every_store() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, builder) in stores(folder.path()) {
        let clock = Arc::new(ManualClock::default());
        let db = builder.clock(Arc::clone(&clock) as _).without_sweeper().open().await.expect(name);
        let sessions = Sessions::builder(&db).lifetime(Policy::aal3()).build().expect(name);
        let (token, mut session) = sessions.create().await.expect(name);
        session.set("user", &"ada".to_owned()).await.expect(name);
        session.update("visits", |count: Option<u32>| Some(count.unwrap_or(0) + 1)).await.expect(name);
        assert_eq!(session.list().await.expect(name), ["user", "visits"], "{name}");

        let fresh = session.rotate().await.expect(name);
        assert!(!opened(&sessions, &token).await && opened(&sessions, &fresh).await, "{name}");
        assert_eq!(sessions.ids().collect().await.expect(name), [fresh.id()], "{name}");

        clock.advance(14 * MINUTE);
        assert!(opened(&sessions, &fresh).await, "{name}: activity");
        clock.advance(14 * MINUTE);
        assert_eq!(session.get::<u32>("visits").await.expect(name), Some(1), "{name}");
        clock.advance(15 * MINUTE);
        assert!(!opened(&sessions, &fresh).await, "{name}: idle for too long");
        assert_eq!(session.set("user", &0_u8).await.expect_err(name).kind(), ErrorKind::Gone, "{name}");
        assert_eq!(db.sweep().await.expect(name).removed, 1, "{name}");

        let (token, session) = sessions.create().await.expect(name);
        assert!(session.destroy().await.expect(name), "{name}");
        assert!(!opened(&sessions, &token).await, "{name}");
        drop((session, sessions));
        db.close().await.expect(name);
    }
}

const TASKS: u32 = 4;
const ROUNDS: u32 = 25;

async fn add(session: &Session) -> Result<()> {
    session.update("sum", |sum: Option<u32>| Some(sum.unwrap_or(0) + 1)).await
}

async fn add_and_set(session: Session, task: u32) -> Result<()> {
    for round in 0..ROUNDS {
        add(&session).await?;
        session.set(&format!("own {task}"), &round).await?;
    }
    Ok(())
}

async fn add_until_refused(session: Session) -> ErrorKind {
    loop {
        if let Err(error) = add(&session).await {
            return error.kind();
        }
    }
}

/// Tasks on several threads change one session; one of them ends it in the middle. Nothing is lost before, nothing comes
/// after.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s13_tasks_lose_no_change_and_bring_nothing_back() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, builder) in stores(folder.path()) {
        let db = builder.without_sweeper().open().await.expect(name);
        let sessions = db.sessions().expect(name);
        let (token, session) = sessions.create().await.expect(name);
        let mut workers = JoinSet::new();
        for task in 0..TASKS {
            workers.spawn(add_and_set(session.clone(), task));
        }
        for done in workers.join_all().await {
            done.expect(name);
        }
        assert_eq!(session.get::<u32>("sum").await.expect(name), Some(TASKS * ROUNDS), "{name}");
        for task in 0..TASKS {
            assert_eq!(
                session.get::<u32>(&format!("own {task}")).await.expect(name),
                Some(ROUNDS - 1),
                "{name}"
            );
        }

        let mut workers = JoinSet::new();
        for _ in 0..TASKS {
            workers.spawn(add_until_refused(session.clone()));
        }
        assert!(session.destroy().await.expect(name), "{name}");
        for refusal in workers.join_all().await {
            assert_eq!(refusal, ErrorKind::Gone, "{name}");
        }
        assert!(!opened(&sessions, &token).await, "{name}");
        assert!(sessions.ids().collect().await.expect(name).is_empty(), "{name}");
        drop((session, sessions));
        db.close().await.expect(name);
    }
}

/// Everything in the files under `folder`.
fn bytes_under(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            bytes.extend(bytes_under(&path));
        } else {
            bytes.extend(std::fs::read(&path).expect("a file"));
        }
    }
    bytes
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// The 32 bytes of a token's secret, decoded here from base64url.
fn secret_of(token: &SessionToken) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
    for character in token.expose()[SessionId::TEXT_LEN + 1..].bytes() {
        let sextet = ALPHABET.iter().position(|letter| *letter == character).expect("base64url");
        bits = bits << 6 | u32::try_from(sextet).expect("six bits");
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).expect("eight bits"));
        }
    }
    bytes
}

#[tokio::test]
async fn s02_the_files_on_disk_hold_no_secret_and_a_restart_keeps_the_session() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data");
    let open = async || strata::builder().sled(&path).plaintext().open().await.expect("open");
    let db = open().await;
    let sessions = Sessions::builder(&db).kind(SessionKind::Persistent).build().expect("a manager");
    let (old, mut session) = sessions.create().await.expect("create");
    session.set("name", &"a name to be found".to_owned()).await.expect("set");
    let token = session.rotate().await.expect("rotate");
    drop((session, sessions));
    db.close().await.expect("close");

    let bytes = bytes_under(&path);
    assert!(contains(&bytes, b"a name to be found"), "the values are there, in plaintext as asked");
    for token in [&old, &token] {
        let secret = secret_of(token);
        assert_eq!(secret.len(), 32);
        assert!(!contains(&bytes, &secret), "the secret's bytes");
        assert!(
            !contains(&bytes, &token.expose().as_bytes()[SessionId::TEXT_LEN + 1..]),
            "the secret's text"
        );
    }

    let db = open().await;
    let sessions = db.sessions().expect("a manager");
    assert!(!opened(&sessions, &old).await);
    let session = sessions.open(&token).await.expect("open").expect("still signed in");
    assert_eq!(session.get::<String>("name").await.expect("get").as_deref(), Some("a name to be found"));
    drop((session, sessions));
    db.close().await.expect("close");
}

#[tokio::test]
async fn kinds_fit_the_stores_they_name() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, builder) in stores(folder.path()) {
        let db = builder.without_sweeper().open().await.expect(name);
        let suits = |kind| Sessions::builder(&db).kind(kind).build().is_ok();
        let fits = [suits(SessionKind::Browser), suits(SessionKind::Persistent), suits(SessionKind::Secure)];
        let wanted = [name.starts_with("memory"), name.starts_with("sled"), name.ends_with("sealed")];
        assert_eq!(fits, wanted, "{name}");
        db.close().await.expect(name);
    }
}
