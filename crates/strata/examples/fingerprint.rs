//! Fingerprints: bind the features of a device to a session, check later ones against them, step up, adopt. A risk signal, never an
//! authenticator.
//!
//! Run it with `cargo run -p strata --example fingerprint`. It keeps its data in a fresh folder and removes it.

use std::path::Path;

use strata::session::fingerprint::{
    Action, Feature, Features, FingerprintPolicy, Fingerprints, Unknown, Verdict,
};
use strata::session::{Session, SessionToken};
use strata::{ErrorKind, Keys, Result, Strata};

const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0";

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let cookie = sign_in(folder.path()).await?;
    come_back(folder.path(), &cookie).await?;
    Ok(())
}

async fn open(folder: &Path) -> Result<Strata> {
    strata::builder().sled(folder.join("data")).keys(Keys::file(folder.join("key"))).open().await
}

/// What a request tells, and a script in the page.
fn laptop(agent: &str) -> Result<Features> {
    Features::builder()
        .agent(agent)
        .platform(agent)
        .language("de-AT,de;q=0.9,en;q=0.8")
        .address([192, 0, 2, 7].into())
        .screen(1920, 1080)
        .zone("Europe/Vienna")
        .build()
}

fn stranger() -> Result<Features> {
    Features::builder()
        .agent(FIREFOX)
        .platform(FIREFOX)
        .language("fr")
        .address([198, 51, 100, 9].into())
        .build()
}

/// A user signs in; what the device looks like becomes the session's reference.
async fn sign_in(folder: &Path) -> Result<String> {
    let db = open(folder).await?;
    let (token, session) = db.sessions()?.create().await?;
    let prints = db.fingerprints()?;
    let laptop = laptop(CHROME)?;
    println!("kept of the agent: {:?}", laptop.get(&Feature::AGENT).unwrap_or_default());

    assert_eq!(prints.check(&session, &laptop).await?, Verdict::Unknown(Unknown::NoReference));
    prints.bind(&session, &laptop).await?;
    println!("bound to session {}: {}", session.id(), prints.check(&session, &laptop).await?);

    let again = prints.bind(&session, &stranger()?).await.expect_err("a reference is bound once");
    assert_eq!(again.kind(), ErrorKind::Conflict);
    println!("bound to another device: {again}");

    let cookie = token.expose().to_string();
    drop((session, prints));
    db.close().await?;
    Ok(cookie)
}

/// The program starts again, and requests come with the same token.
async fn come_back(folder: &Path, cookie: &str) -> Result<()> {
    let db = open(folder).await?;
    let session = db.sessions()?.open(&SessionToken::parse(cookie)?).await?.expect("alive");
    let prints = db.fingerprints()?;

    let updated = laptop(&CHROME.replace("126", "127"))?;
    for (what, found) in [("the same", laptop(CHROME)?), ("updated", updated.clone())] {
        assert_eq!(prints.enforce(&session, &found).await?, Action::Allow);
        println!("{what}: {}, so go on", prints.check(&session, &found).await?);
    }
    judge_a_stranger(&prints, &session).await?;

    // The user authenticated again on the updated browser: now, and only now, it becomes the reference.
    prints.adopt(&session, &updated).await?;
    assert_eq!(prints.check(&session, &updated).await?, Verdict::Match);
    println!("adopted: {}", prints.check(&session, &updated).await?);

    // A stricter program ends the session; that is its own act.
    let strict = Fingerprints::builder(&db).policy(FingerprintPolicy::strict()).build()?;
    if strict.enforce(&session, &stranger()?).await? == Action::End {
        session.destroy().await?;
        println!("ended, and the reference with it");
    }
    let late = strict.check(&session, &updated).await.expect_err("it has ended");
    assert_eq!(late.kind(), ErrorKind::Gone);

    drop((session, prints, strict));
    db.close().await
}

/// Somebody comes with the token and another machine.
async fn judge_a_stranger(prints: &Fingerprints, session: &Session) -> Result<()> {
    let mut events = prints.log().subscribe();
    let verdict = prints.check(session, &stranger()?).await?;
    assert!(matches!(verdict, Verdict::Mismatch { .. }));
    println!("a stranger: {verdict}");
    assert_eq!(prints.policy().action(&verdict), Action::StepUp);
    let event = events.try_next().expect("a mismatch is told").expect("none missed");
    println!("told to the log: {event}");
    assert_eq!(prints.check(session, &laptop(CHROME)?).await?, Verdict::Match, "the reference is as it was");
    Ok(())
}
