//! Refresh tokens over the stores the umbrella opens: in memory and on disk, plain and sealed, and across a restart.
#![cfg(all(feature = "memory", feature = "sled", feature = "crypto", feature = "ttl", feature = "session"))]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use strata::session::refresh::{RefreshToken, RefreshTokens, Rotation, Verdict};
use strata::{Builder, Keys, ManualClock, Strata};
use tokio::task::JoinSet;

const KEY: [u8; 32] = *b"0123456789abcdefghijklmnopqrstuv";
const DAY: Duration = Duration::from_hours(24);

fn keys() -> Keys {
    Keys::bytes(&KEY).expect("a key")
}

/// The same store under each way of keeping it.
fn stores(folder: &Path) -> Vec<(&'static str, Builder)> {
    vec![
        ("memory", strata::builder().memory().plaintext()),
        ("memory, sealed", strata::builder().memory().keys(keys())),
        ("sled", strata::builder().sled(folder.join("plain")).plaintext()),
        ("sled, sealed", strata::builder().sled(folder.join("sealed")).keys(keys())),
    ]
}

async fn opened(builder: Builder, clock: &Arc<ManualClock>) -> (Strata, RefreshTokens) {
    let db = builder.clock(Arc::clone(clock) as _).without_sweeper().open().await.expect("open");
    let tokens = db.refresh_tokens().expect("refresh tokens");
    (db, tokens)
}

async fn granted(tokens: &RefreshTokens, presented: &RefreshToken) -> RefreshToken {
    tokens.rotate(presented).await.expect("rotate").granted().expect("granted").0
}

async fn refused(tokens: &RefreshTokens, presented: &RefreshToken) -> Verdict {
    tokens.rotate(presented).await.expect("rotate").granted().expect_err("refused")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s23_a_whole_life_over_every_store() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, builder) in stores(folder.path()) {
        let clock = Arc::new(ManualClock::default());
        let (db, tokens) = opened(builder, &clock).await;
        let (first, _) = tokens.issue("ada", "phone").await.expect(name);
        let second = granted(&tokens, &first).await;
        assert!(matches!(tokens.rotate(&first).await.expect(name), Rotation::Retried { .. }), "{name}");
        let third = granted(&tokens, &second).await;
        assert_eq!(refused(&tokens, &first).await, Verdict::StaleLineage, "{name}");
        assert_eq!(refused(&tokens, &third).await, Verdict::Unknown, "{name}");
        let (last, _) = tokens.issue("ada", "phone").await.expect(name);
        clock.advance(30 * DAY);
        assert_eq!(refused(&tokens, &last).await, Verdict::Unknown, "{name}: at its cap");
        // The roster is kept a minute longer than what it lists.
        clock.advance(Duration::from_mins(1));
        assert_eq!(db.sweep().await.expect(name).removed, 2, "{name}: the family and the roster");
        drop(tokens);
        db.close().await.expect(name);
    }
}

/// The answer to a rotation is lost with the process: after the restart the client's retry has the successor.
#[tokio::test]
async fn s23_a_retry_after_a_restart_has_the_same_successor() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(ManualClock::default());
    let open = || opened(strata::builder().sled(folder.path().join("data")).keys(keys()), &clock);
    let (db, tokens) = open().await;
    let (first, _) = tokens.issue("ada", "phone").await.expect("issue");
    let lost = granted(&tokens, &first).await.expose();
    drop(tokens);
    db.close().await.expect("close");

    let (db, tokens) = open().await;
    let again = granted(&tokens, &first).await;
    assert_eq!(again.expose(), lost);
    granted(&tokens, &again).await;
    assert_eq!(tokens.list("ada").await.expect("list")[0].generation, 2);
    assert_eq!(refused(&tokens, &first).await, Verdict::StaleLineage);
    drop(tokens);
    db.close().await.expect("close");
}

/// Tasks on a runtime, all with one token, and then each with what it got: one line, as long as the window is open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s23_tasks_with_one_token_share_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(ManualClock::default());
    for (name, builder) in stores(folder.path()) {
        let (db, tokens) = opened(builder, &clock).await;
        let (first, _) = tokens.issue("ada", "phone").await.expect(name);
        let first = Arc::new(first);
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let (tokens, first) = (tokens.clone(), Arc::clone(&first));
            tasks.spawn(async move { granted(&tokens, &first).await.expose() });
        }
        let mut texts = tasks.join_all().await;
        texts.dedup();
        assert_eq!(texts.len(), 1, "{name}: one successor for all");
        drop(tokens);
        db.close().await.expect(name);
    }
}

/// The bytes of base64url without padding.
fn decoded(text: &str) -> Vec<u8> {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let value = |digit| alphabet.find(digit).expect("base64url");
    let bits_of = |digit| (0..6).rev().map(move |bit| value(digit) >> bit & 1);
    let bits: Vec<_> = text.chars().flat_map(bits_of).collect();
    let byte = |bits: &[usize]| bits.iter().fold(0, |byte, bit| byte << 1 | bit);
    bits.chunks_exact(8).map(|bits| u8::try_from(byte(bits)).expect("eight bits")).collect()
}

/// Nothing of a token's secret part is in the files of a store that is not even sealed.
#[tokio::test]
async fn s02_no_file_holds_a_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(ManualClock::default());
    let (db, tokens) = opened(strata::builder().sled(folder.path().join("data")).plaintext(), &clock).await;
    let (first, family) = tokens.issue("ada", "a label to find").await.expect("issue");
    let second = granted(&tokens, &first).await;
    drop(tokens);
    db.close().await.expect("close");
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder.path().join("data")).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            bytes.extend(std::fs::read(path).expect("a file"));
        }
    }
    let found = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    assert!(found(b"a label to find") && found(family.id.to_string().as_bytes()), "what is stored is found");
    assert_eq!(decoded("_-8"), [0xff, 0xef]);
    for token in [&first, &second] {
        let text = token.expose();
        for part in text.split('.').skip(2) {
            assert!(!found(part.as_bytes()) && !found(&decoded(part)), "a part of a token is in a file");
        }
    }
}
