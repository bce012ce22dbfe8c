//! Tokens at both ends: a client that keeps, refreshes and gives up its tokens, and the server that issues and rotates them.
//!
//! Run it with `cargo run -p strata --example secure_tokens`. The client's tokens lie in a keyring, as they should, but in one in memory: an
//! example leaves nothing in yours, and asks you for no password. A program of yours has `KeyringConfig::new("my-program")` and no
//! `platform`, or `strata::builder().keyring("my-program")` for one process. The server keeps its data in a fresh folder, which is removed; the
//! clock is moved by hand, so that a quarter of an hour takes no time.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use strata::keyring::keyring_core::{CredentialStore, mock};
use strata::prelude::*;
use strata::session::refresh::{RefreshToken, RefreshTokens};
use strata::session::tokens::{
    RefreshFailure, RefreshRequest, RefreshTransport, RevokeRequest, TokenAnswer, Tokens,
};
use strata::{Clock, ErrorKind, KeyringConfig, Keys, ManualClock, Protection, Result};

/// The way to the server. In a program of yours this is HTTPS; here it is a call.
#[derive(Debug)]
struct Wire {
    server: RefreshTokens,
    calls: AtomicU32,
    is_down: AtomicBool,
}

impl Wire {
    fn call(&self) -> Result<u32, RefreshFailure> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(RefreshFailure::OFFLINE);
        }
        Ok(self.calls.fetch_add(1, Ordering::SeqCst) + 1)
    }
}

#[async_trait]
impl RefreshTransport for Wire {
    async fn refresh(&self, request: RefreshRequest<'_>) -> Result<TokenAnswer, RefreshFailure> {
        let number = self.call()?;
        let presented = RefreshToken::parse(request.token()).map_err(|_| RefreshFailure::Invalid)?;
        let rotation = self.server.rotate(&presented).await.map_err(|_| RefreshFailure::Unanswered)?;
        let (token, family) = rotation.granted().map_err(|_| RefreshFailure::Invalid)?;
        Ok(answer(number, &token).subject(family.user))
    }

    async fn revoke(&self, request: RevokeRequest<'_>) -> Result<(), RefreshFailure> {
        self.call()?;
        let token = RefreshToken::parse(request.token()).map_err(|_| RefreshFailure::Invalid)?;
        self.server.end(&token).await.map(drop).map_err(|_| RefreshFailure::OFFLINE)
    }
}

/// What the server answers. Its access tokens are nobody's business here.
fn answer(number: u32, refresh: &RefreshToken) -> TokenAnswer {
    TokenAnswer::new(format!("access-{number}")).refresh(refresh.expose().as_str()).expires_in(15.minutes())
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let clock = Arc::new(ManualClock::default());
    let server = open_server(folder.path(), &clock).await?;
    let keyring: Arc<CredentialStore> = mock::Store::new()?;
    let keyring = KeyringConfig::new("secure-tokens")
        .lock_file(folder.path().join("tokens.lock")) // among the processes of this program
        .platform("a keyring in memory", keyring);
    let client = open_client(keyring.clone(), &clock).await?;

    let issuer = server.refresh_tokens()?;
    let wire = Arc::new(Wire { server: issuer, calls: AtomicU32::new(0), is_down: AtomicBool::new(false) });
    let tokens = client.tokens(Arc::clone(&wire) as Arc<dyn RefreshTransport>)?;

    sign_in(&tokens, &wire).await?;
    many_callers(&tokens, &wire, &clock).await?;
    let other = open_client(keyring, &clock).await?;
    another_process(&other, &tokens, &wire, &clock).await?;
    no_network(&tokens, &wire, &clock).await?;
    theft(&tokens, &wire, &clock).await?;
    sign_out(&tokens, &wire, &clock).await?;

    drop((tokens, wire));
    other.close().await?;
    client.close().await?;
    server.close().await?;
    Ok(())
}

/// The server's store: on disk and sealed.
async fn open_server(folder: &Path, clock: &Arc<ManualClock>) -> Result<Strata> {
    strata::builder()
        .sled(folder.join("server"))
        .keys(Keys::file(folder.join("server-key")))
        .clock(Arc::clone(clock) as Arc<dyn Clock>)
        .without_sweeper()
        .open()
        .await
}

/// The client's store: the system's keyring, or memory where there is none; never a disk. Which it is, the program says.
async fn open_client(keyring: KeyringConfig, clock: &Arc<ManualClock>) -> Result<Strata> {
    let builder = strata::builder().keyring_with(keyring).or_memory();
    let client = builder.clock(Arc::clone(clock) as Arc<dyn Clock>).open().await?;
    println!("{}", client.report());
    assert_eq!(client.report().protection, Protection::OsKeyring);
    Ok(client)
}

/// The user signed in at the server, by whatever means; the client keeps what it was given.
async fn sign_in(tokens: &Tokens, wire: &Wire) -> Result<()> {
    let (refresh, family) = wire.server.issue("ada", "laptop").await?;
    tokens.store("ada@example.org", answer(0, &refresh).subject("ada")).await?;
    let access = tokens.access_token("ada@example.org").await?;
    println!("signed in as {}, with {access:?}", family.user);
    assert_eq!(access.expose(), "access-0");
    Ok(())
}

/// Fourteen minutes later the token is due. A hundred tasks want it, the server hears of one.
async fn many_callers(tokens: &Tokens, wire: &Wire, clock: &ManualClock) -> Result<()> {
    clock.advance(14.minutes());
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let tokens = tokens.clone();
            tokio::spawn(async move { tokens.access_token("ada@example.org").await })
        })
        .collect();
    for caller in callers {
        let token = caller.await.expect("no caller panics")?;
        assert_eq!(token.generation(), 2);
    }
    println!("a hundred callers, {} call to the server", wire.calls.load(Ordering::SeqCst));
    assert_eq!(wire.calls.load(Ordering::SeqCst), 1);
    Ok(())
}

/// A second process of the program finds the same tokens in the keyring, and takes what the first obtained, or the other way round.
async fn another_process(
    other: &Strata,
    tokens: &Tokens,
    wire: &Arc<Wire>,
    clock: &ManualClock,
) -> Result<()> {
    let sibling = other.tokens(Arc::clone(wire) as Arc<dyn RefreshTransport>)?;
    assert_eq!(sibling.accounts().await?, ["ada@example.org"]);
    clock.advance(14.minutes());
    let (one, two) =
        tokio::join!(tokens.access_token("ada@example.org"), sibling.access_token("ada@example.org"));
    assert_eq!(one?.expose(), two?.expose());
    assert_eq!(wire.calls.load(Ordering::SeqCst), 2);
    println!("two processes, one more call; both have the same token");
    Ok(())
}

/// Without a network the token is used to its end; then the error says so, and nobody is signed out.
async fn no_network(tokens: &Tokens, wire: &Wire, clock: &ManualClock) -> Result<()> {
    wire.is_down.store(true, Ordering::SeqCst);
    clock.advance(14.minutes());
    assert_eq!(tokens.access_token("ada@example.org").await?.generation(), 3);
    clock.advance(1.minutes());
    let offline = tokens.access_token("ada@example.org").await.expect_err("it has expired");
    assert_eq!(offline.kind(), ErrorKind::Unavailable);
    println!("offline: {offline}");
    wire.is_down.store(false, Ordering::SeqCst);
    clock.advance(1.minutes());
    assert_eq!(tokens.access_token("ada@example.org").await?.generation(), 4);
    println!("online again, and still signed in");
    Ok(())
}

/// Somebody presents a refresh token that was rotated out: the server ends the family, and the client learns it.
async fn theft(tokens: &Tokens, wire: &Wire, clock: &ManualClock) -> Result<()> {
    let (stolen, _) = wire.server.issue("eve", "phone").await?;
    let stolen_text = stolen.expose();
    tokens.store("eve@example.org", answer(0, &stolen).subject("eve")).await?;
    clock.advance(14.minutes());
    tokens.access_token("eve@example.org").await?;
    clock.advance(1.minutes());
    let refused = wire.server.rotate(&RefreshToken::parse(&stolen_text)?).await?.granted();
    println!("a stolen token is presented: {:?}", refused.expect_err("it was rotated out"));
    clock.advance(14.minutes());
    let gone = tokens.access_token("eve@example.org").await.expect_err("the family has ended");
    assert_eq!(gone.kind(), ErrorKind::Gone);
    assert_eq!(tokens.accounts().await?, ["ada@example.org"]);
    println!("its owner has to sign in again: {gone}");
    Ok(())
}

/// Signing out takes no network. The server is told when there is one.
async fn sign_out(tokens: &Tokens, wire: &Wire, clock: &ManualClock) -> Result<()> {
    wire.is_down.store(true, Ordering::SeqCst);
    assert!(tokens.clear("ada@example.org").await?);
    assert!(tokens.accounts().await?.is_empty());
    assert_eq!(tokens.revoke_pending().await?.left, 1);
    println!("signed out offline; the server does not know yet");
    wire.is_down.store(false, Ordering::SeqCst);
    clock.advance(1.minutes());
    assert_eq!(tokens.revoke_pending().await?.revoked, 1);
    assert!(wire.server.list("ada").await?.is_empty());
    println!("now it does, and ada's family has ended there");
    Ok(())
}
