//! Guest to user: a visitor fills a cart, signs in, and has everything once, on disk and across a restart.
//!
//! Run it with `cargo run -p strata --example guest_migration`. It keeps its data in a fresh folder and
//! removes it.

use std::path::Path;

use strata::prelude::*;
use strata::session::SessionToken;
use strata::session::migration::{Cart, Preferences, Rules};
use strata::{ErrorKind, Keys, Result};

const ADA: &str = "ada";

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    // A program of yours would write `strata::open("./data")`; a key of its own keeps this one from touching
    // yours.
    let cookie = visit(folder.path()).await?;
    sign_in(folder.path(), &cookie).await?;
    Ok(())
}

async fn open(folder: &Path) -> Result<Strata> {
    strata::builder().sled(folder.join("data")).keys(Keys::file(folder.join("key"))).open().await
}

/// A visitor comes, without an account. What is returned is all that the client keeps.
async fn visit(folder: &Path) -> Result<String> {
    let db = open(folder).await?;
    let guests = db.guests()?;

    // What ada has from before.
    let mut cart = Cart::new();
    cart.add("tea", 1)?;
    cart.add("milk", 1)?;
    guests.user(ADA)?.set("cart", &cart).await?;
    let mut preferences = Preferences::new();
    preferences.set("theme", "dark")?;
    guests.user(ADA)?.set("preferences", &preferences).await?;

    let (token, session) = db.sessions()?.create().await?;
    let guest = guests.of(&session)?;
    guest.update("cart", |cart: Option<Cart>| Some(with_tea(cart, 2))).await?;
    let mut preferences = Preferences::new();
    preferences.set("theme", "light")?;
    preferences.set("size", 12)?;
    guest.set("preferences", &preferences).await?;
    guest.set("draft", &"a review".to_owned()).ttl(1.hours()).tag("draft").await?;
    guest.set("seen:tea", &true).await?;
    println!("guest {} has {:?}", guest.id(), guest.names().await?);

    let cookie = token.expose().to_string();
    drop((guest, guests, session));
    db.close().await?;
    Ok(cookie)
}

fn with_tea(cart: Option<Cart>, count: u32) -> Cart {
    let mut cart = cart.unwrap_or_default();
    // Over the bound the cart stays as it is.
    let _ = cart.add("tea", count);
    cart
}

/// The program starts again; the visitor comes back, and signs in as ada.
async fn sign_in(folder: &Path, cookie: &str) -> Result<()> {
    let db = open(folder).await?;
    let (guests, sessions) = (db.guests()?, db.sessions()?);
    let token = SessionToken::parse(cookie)?;
    let mut session = sessions.open(&token).await?.expect("the session outlived the restart");
    let guest = guests.of(&session)?;

    let rules = Rules::standard().drop("seen:*");
    let migrated = guests.migrate(&mut session, ADA).rules(rules).await?;
    println!("signed in as {ADA}: {}", migrated.report);

    let user = guests.user(ADA)?;
    let cart: Cart = user.get("cart").await?.expect("merged");
    assert_eq!((cart.quantity("tea"), cart.quantity("milk")), (3, 1));
    println!("the cart has {:?}", cart.lines().collect::<Vec<_>>());
    let preferences: Preferences = user.get("preferences").await?.expect("merged");
    assert_eq!(preferences.get("theme"), Some(&"dark".into()));
    println!("the preferences are {:?}", preferences.iter().collect::<Vec<_>>());
    println!("the draft still ends in time: {:?}", user.ttl("draft").await?);
    assert!(!user.contains("seen:tea").await?);

    assert!(sessions.open(&token).await?.is_none());
    assert!(sessions.open(&migrated.token.expect("a new token")).await?.is_some());
    println!("the guest's token opens nothing any more, the new one opens the session");

    let late = guest.set("cart", &Cart::new()).await.expect_err("no guest any more");
    assert_eq!(late.kind(), ErrorKind::Gone);
    println!("a late write of the guest: {late}");

    let again = guests.migrate(&mut session, ADA).await?;
    let cart: Cart = user.get("cart").await?.expect("merged");
    assert_eq!(cart.quantity("tea"), 3);
    println!("run twice is run once: {}", again.report);

    drop((guest, guests, session, sessions, user));
    db.close().await
}
