//! Where secrets come from, where they are not, and what opens nothing.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use strata_core::conformance::block_on;
use strata_core::{Error, ErrorKind, Handle, ManualClock, Random, ReferenceStore, Result, Ttl};
use strata_session::{SessionId, SessionToken, Sessions};

use crate::{MINUTE, World, created, hex, kind_of, opened, raw, world};

/// What an attacker who finds any of these would know of a secret.
fn forms_of(secret: &[u8]) -> Vec<Vec<u8>> {
    let hex = hex(secret);
    let list = format!("{secret:?}");
    [
        secret.to_vec(),
        URL_SAFE_NO_PAD.encode(secret).into_bytes(),
        STANDARD.encode(secret).into_bytes(),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
        list.trim_matches(['[', ']']).as_bytes().to_vec(),
    ]
    .into()
}

fn secret_of(token: &SessionToken) -> Vec<u8> {
    let text = token.expose();
    URL_SAFE_NO_PAD.decode(&text[SessionId::TEXT_LEN + 1..]).expect("base64url")
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn s01_id_and_secret_are_the_generators_bytes_and_nothing_else() {
    let world = world();
    let (token, mut session) = created(&world.sessions);
    let given = world.random.given.lock().expect("lock").clone();
    assert_eq!(given.iter().map(Vec::len).collect::<Vec<_>>(), [16, 32], "128 bits of id, 256 of secret");
    assert_eq!(token.id().to_string(), hex(&given[0]));
    assert_eq!(secret_of(&token), given[1]);
    let rotated = block_on(session.rotate()).expect("rotate");
    let given = world.random.given.lock().expect("lock").clone();
    assert_eq!((given.len(), &given[2]), (3, &secret_of(&rotated)));
}

#[derive(Debug)]
struct Broken;

impl Random for Broken {
    fn fill(&self, _bytes: &mut [u8]) -> Result<()> {
        Err(Error::new(ErrorKind::Unavailable, "draw random bytes", "the generator gave nothing"))
    }
}

#[test]
fn s01_without_randomness_there_is_no_session() {
    let store = Arc::new(ReferenceStore::new());
    let builder = || Handle::builder(Arc::clone(&store) as _, Arc::new(ManualClock::default()));
    let none = builder().build().expect("a handle");
    let broken = builder().random(Arc::new(Broken)).build().expect("a handle");
    for (db, kind) in [(none, ErrorKind::Unsupported), (broken, ErrorKind::Unavailable)] {
        let sessions = Sessions::new(&db).expect("a manager");
        assert_eq!(kind_of(block_on(sessions.create())), kind);
    }
    assert!(block_on(raw(&*store)).is_empty());
}

#[test]
fn s02_a_copied_store_opens_no_session() {
    block_on(async {
        let World { faulty, sessions, .. } = world();
        let (first, mut session) = sessions.create().await.expect("create");
        session.set("name", &"ada".to_owned()).await.expect("set");
        let second = session.rotate().await.expect("rotate");
        let records = raw(&*faulty).await;
        assert_eq!(records.len(), 1, "one session is one record");
        let bytes = records[0].payload.as_bytes();
        for token in [&first, &second] {
            for form in forms_of(&secret_of(token)) {
                assert!(!contains(bytes, &form), "the store holds the secret");
            }
        }
        // What is there, presented as if it were the secret: every run of 32 bytes, the hash among them.
        let mut tried = 0;
        for window in bytes.windows(32) {
            let text = format!("{}.{}", second.id(), URL_SAFE_NO_PAD.encode(window));
            let forged = SessionToken::parse(&text).expect("well formed");
            assert!(sessions.open(&forged).await.expect("open").is_none());
            tried += 1;
        }
        assert!(tried > 32, "{tried} runs of bytes");
        assert!(sessions.open(&second).await.expect("open").is_some(), "while the token itself does");
    });
}

#[test]
fn s03_a_token_that_was_never_issued_is_not_adopted() {
    block_on(async {
        let elsewhere = world();
        let world = world();
        // A generator that has gone further: other ids and secrets.
        created(&elsewhere.sessions);
        let (foreign, _) = created(&elsewhere.sessions);
        assert!(opened(&world.sessions, &foreign).is_none());
        let chosen = format!("{}.{}", "00".repeat(16), "A".repeat(43));
        let chosen = SessionToken::parse(&chosen).expect("well formed");
        assert!(opened(&world.sessions, &chosen).is_none());
        assert!(raw(&*world.faulty).await.is_empty(), "nothing was made of them");
    });
}

#[test]
fn s03_malformed_tokens_reach_no_store() {
    let world = world();
    let (token, _) = created(&world.sessions);
    let before = world.faulty.calls();
    let good = token.expose();
    for bad in
        ["", ".", &good[1..], &format!("{}=", &good[..75]), &good.replace('.', "-"), &token.id().to_string()]
    {
        assert_eq!(kind_of(SessionToken::parse(bad)), ErrorKind::Invalid);
    }
    assert_eq!(world.faulty.calls(), before);
    assert!(opened(&world.sessions, &SessionToken::parse(&good).expect("a token")).is_some());
}

#[test]
fn s05_nothing_that_prints_holds_a_secret() {
    block_on(async {
        let world = world();
        let (token, mut session) = world.sessions.create().await.expect("create");
        session.set("name", &"ada".to_owned()).await.expect("set");
        let rotated = session.rotate().await.expect("rotate");
        let builder = Sessions::builder(&world.db);
        let mut printed = format!(
            "{token:?} {rotated:#?} {session:?} {session:#?} {:?} {builder:?} {:?} {:?} {:?}",
            world.sessions,
            world.sessions.ids(),
            session.info().await,
            raw(&*world.faulty).await,
        );
        let wrong = SessionToken::parse(&format!("{}.{}", token.id(), "A".repeat(43))).expect("a token");
        assert!(opened(&world.sessions, &wrong).is_none());
        session.destroy().await.expect("destroy");
        for error in [
            SessionToken::parse(&token.expose()[1..]).expect_err("malformed"),
            SessionToken::parse(&format!("{}x", *token.expose())).expect_err("malformed"),
            session.get::<u8>("name").await.expect_err("gone"),
            session.set("name", &1_u8).await.expect_err("gone"),
            session.rotate().await.expect_err("gone"),
        ] {
            printed = format!("{printed} {error} {error:?}");
        }
        assert!(printed.contains(&token.id().to_string()), "ids are public");
        for token in [&token, &rotated] {
            for form in forms_of(&secret_of(token)).into_iter().skip(1) {
                assert!(!contains(printed.as_bytes(), &form), "printed in the form {}", form.len());
            }
        }
    });
}

#[test]
fn s06_a_public_id_opens_and_prolongs_nothing() {
    block_on(async {
        let world = world();
        let (token, session) = world.sessions.create().await.expect("create");
        let id = token.id();
        assert!(SessionToken::parse(&id.to_string()).is_err());
        world.clock.advance(20 * MINUTE);
        let digits = id.to_string();
        for guess in ["A".repeat(43), format!("{}{}", digits, "A".repeat(11))] {
            let guess = SessionToken::parse(&format!("{id}.{guess}")).expect("well formed");
            assert!(world.sessions.open(&guess).await.expect("open").is_none());
        }
        let left = world.sessions.handle().ttl(&digits).await.expect("ttl");
        assert_eq!(left, Ttl::Left(10 * MINUTE), "a wrong secret is no activity");
        world.sessions.info(id).await.expect("info");
        assert_eq!(world.sessions.handle().ttl(&digits).await.expect("ttl"), left, "nor is looking");
        assert!(session.list().await.expect("list").is_empty());
        assert_eq!(world.sessions.handle().ttl(&digits).await.expect("ttl"), Ttl::Left(30 * MINUTE));
    });
}
