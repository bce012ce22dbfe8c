//! Basic sessions: create, open, set, get, update, list, rotate, revoke and destroy, on disk and across a restart.
//!
//! Run it with `cargo run -p strata --example basic_session`. It keeps its data in a fresh folder and removes it.

use std::path::Path;

use serde::{Deserialize, Serialize};
use strata::prelude::*;
use strata::session::{SessionKind, SessionToken, Sessions};
use strata::{ErrorKind, Keys, Policy, Result};

#[derive(Debug, Serialize, Deserialize)]
struct Cart {
    items: Vec<(String, u32)>,
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    // A program of yours would write `strata::open("./data")`; a key of its own keeps this one from touching yours.
    let cookie = first_run(folder.path()).await?;
    second_run(folder.path(), &cookie).await?;
    Ok(())
}

async fn open(folder: &Path) -> Result<(Strata, Sessions)> {
    let db = strata::builder().sled(folder.join("data")).keys(Keys::file(folder.join("key"))).open().await?;
    println!("{}", db.report());
    // Half an hour of idleness, a day at the latest: a policy within AAL2 of NIST SP 800-63B-4.
    let policy = Policy::aal2().idle(30.minutes())?;
    let sessions = Sessions::builder(&db).lifetime(policy).kind(SessionKind::Persistent).build()?;
    Ok((db, sessions))
}

/// A visitor comes, fills a cart and signs in. What is returned is all that the client keeps.
async fn first_run(folder: &Path) -> Result<String> {
    let (db, sessions) = open(folder).await?;

    let (visitor, mut session) = sessions.create().await?;
    println!("session {} begins", session.id());
    session.set("cart", &Cart { items: vec![("tea".to_owned(), 2)] }).await?;
    session.set("theme", &"dark".to_owned()).await?;
    session.update("visits", |count: Option<u32>| Some(count.unwrap_or(0) + 1)).await?;

    // Two tasks change different values of one session: neither is lost.
    let (one, two) = (session.clone(), session.clone());
    let (first, second) = tokio::join!(one.set("left", &1_u32), two.set("right", &2_u32));
    first.and(second)?;
    println!("it holds {:?}", session.list().await?);

    // Signing in is a change of privilege: a new token, and the old one opens nothing.
    let token = session.rotate().await?;
    assert!(sessions.open(&visitor).await?.is_none());
    println!("after the sign-in the visitor's token opens nothing");

    let cookie = token.expose().to_string();
    drop((session, sessions));
    db.close().await?;
    Ok(cookie)
}

/// The program starts again; the client comes back, and signs out.
async fn second_run(folder: &Path, cookie: &str) -> Result<()> {
    let (db, sessions) = open(folder).await?;

    let token = SessionToken::parse(cookie)?;
    let session = sessions.open(&token).await?.expect("the session outlived the restart");
    println!("still signed in, with {:?}", session.get::<Cart>("cart").await?);

    let misread = session.get::<u64>("theme").await.expect_err("a text is no number");
    println!("reading it as another type: {misread}");

    // Operators see public ids, which open nothing, and can end any session by its own.
    for id in sessions.ids().collect().await? {
        let left = sessions.info(id).await?.and_then(|info| info.expiry.remaining(db.clock().now()));
        println!("alive: {id}, without activity for another {:.0?}", left.unwrap_or_default());
    }

    session.destroy().await?;
    let late = session.set("theme", &"light".to_owned()).await.expect_err("it has ended");
    assert_eq!(late.kind(), ErrorKind::Gone);
    println!("signed out: {late}");

    drop((session, sessions));
    db.close().await
}
