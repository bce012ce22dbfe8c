//! Authentication sessions: sign in, be remembered, permissions, step-up, devices, the parallel limit, signing out everywhere; on disk
//! and across a restart.
//!
//! Run it with `cargo run -p strata --example auth_session`. It keeps its data in a fresh folder and removes it.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use strata::prelude::*;
use strata::session::SessionToken;
use strata::session::auth::{AtLimit, AuthSession, AuthSessions, Device, Fresh, User};
use strata::{ErrorKind, Keys, ManualClock, Policy, Result};

/// What this application knows of its users, beside what every application does.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    tenant: String,
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let clock = Arc::new(ManualClock::default());
    let cookie = first_run(folder.path(), &clock).await?;
    clock.advance(7.days());
    second_run(folder.path(), &clock, &cookie).await?;
    Ok(())
}

async fn open(folder: &Path, clock: &Arc<ManualClock>) -> Result<(Strata, AuthSessions<Claims>)> {
    // A program of yours would write `strata::open("./data")`; a clock that is moved shows here what takes minutes.
    let (keys, clock) = (Keys::file(folder.join("key")), Arc::clone(clock));
    let db = strata::builder().sled(folder.join("data")).keys(keys).clock(clock).open().await?;
    // Stricter than AAL2 of NIST SP 800-63B-4 asks for; three devices at a time.
    let auth = AuthSessions::builder(&db)
        .policy(Policy::aal2().idle(30.minutes())?.at_most(8.hours())?)
        .parallel(3, AtLimit::EndLeastActive)
        .build()?;
    Ok((db, auth))
}

fn ada() -> User<Claims> {
    User::new("u-1815")
        .named("Ada")
        .role("editor")
        .permission("page:write")
        .claims(Claims { tenant: "acme".to_owned() })
}

/// Ada signs in on her laptop, and asks to be remembered. What is returned is all that the client keeps.
async fn first_run(folder: &Path, clock: &Arc<ManualClock>) -> Result<String> {
    let (db, auth) = open(folder, clock).await?;
    print!("{}", auth.describe());

    let laptop = Device::new().label("laptop").agent("Firefox").address("192.0.2.7");
    let (token, session) = auth.login(&ada()).remember().device(laptop).await?;
    println!("signed in: session {}", session.id());
    session.set("theme", &"dark".to_owned()).await?;

    let cookie = token.expose().to_string();
    drop((session, auth));
    db.close().await?;
    Ok(cookie)
}

/// The program starts again; the client comes back.
async fn second_run(folder: &Path, clock: &Arc<ManualClock>, cookie: &str) -> Result<()> {
    let (db, auth) = open(folder, clock).await?;
    let mut events = auth.events();

    let token = SessionToken::parse(cookie)?;
    let mut session = auth.open(&token).await?.expect("she asked to be remembered");
    let user = session.user().await?;
    println!("still signed in: {} of {}", user.name.unwrap_or_default(), user.claims.tenant);

    // Asking writes nothing and prolongs nothing; a denial is an error that `?` carries out of a handler.
    session.require_permission("page:write").await?;
    let denied = session.require_permission("page:delete").await.expect_err("she may not");
    println!("{denied}");

    step_up(&auth, &mut session, &token, clock).await?;
    devices(&auth, &session, clock).await?;

    session.logout_everywhere().await?;
    let late = session.has_permission("page:write").await.expect_err("it has ended");
    assert_eq!(late.kind(), ErrorKind::Gone);
    println!("signed out everywhere: {late}");

    while let Some(Ok(event)) = events.try_next() {
        println!("log: {event}");
    }
    drop((session, auth, events));
    db.close().await
}

/// Can only be called with a proof of a recent authentication.
fn change_password(proof: &Fresh) {
    println!("{} authenticated {:.0?} ago: the password is changed", proof.user(), proof.age());
}

/// A sensitive act asks for a recent authentication; every authentication gives the session a new token.
async fn step_up(
    auth: &AuthSessions<Claims>,
    session: &mut AuthSession<Claims>,
    before: &SessionToken,
    clock: &ManualClock,
) -> Result<()> {
    let stale = session.require_fresh(5.minutes()).await.expect_err("she signed in a week ago");
    assert_eq!(stale.kind(), ErrorKind::StepUp);
    println!("{stale}");
    // Here the program checks the password or passkey; then:
    let renewed = session.reauthenticate().await?;
    assert!(auth.open(before).await?.is_none(), "the token from before opens nothing");
    assert!(auth.open(&renewed).await?.is_some());
    clock.advance(1.minutes());
    change_password(&session.require_fresh(5.minutes()).await?);
    Ok(())
}

/// At the limit the least active session ends; a list shows the others, and any of them can be ended by its public id.
async fn devices(
    auth: &AuthSessions<Claims>,
    session: &AuthSession<Claims>,
    clock: &ManualClock,
) -> Result<()> {
    for label in ["phone", "tablet", "television"] {
        clock.advance(1.minutes());
        // A change is activity; for a request that changes nothing there is `touch`.
        session.set("page", &label.to_owned()).await?;
        auth.login(&ada()).device(Device::new().label(label)).await?;
    }
    let list = session.siblings().await?;
    assert_eq!(list.len(), 3, "as many as are allowed");
    for info in &list {
        let label = info.device.label.as_deref().unwrap_or("unknown");
        println!("device: {label}{}, session {}", if info.current { " (this one)" } else { "" }, info.id);
    }
    let other = list.iter().find(|info| !info.current).expect("another one");
    assert!(auth.revoke(other.id).await?);
    println!("{} others signed out", session.logout_others().await?);
    Ok(())
}
