//! Tokens at the client, refreshed at the server half: once for many callers, and given up without a network.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use strata::native::TokioTimer;
use strata::session::refresh::{RefreshToken, RefreshTokens};
use strata::session::tokens::{
    RefreshFailure, RefreshRequest, RefreshTransport, RevokeRequest, TokenAnswer, Tokens,
};
use strata::{ErrorKind, Span as _};

use super::ground::Ground;
use super::{Told, held, refused};
use crate::failure::Failure;

/// How many ask at once.
const CALLERS: usize = 50;

/// A short way to the server half.
#[derive(Debug)]
struct Wire {
    server: RefreshTokens,
    calls: AtomicU32,
    is_down: AtomicBool,
}

impl Wire {
    fn call(&self, token: &str) -> Result<RefreshToken, RefreshFailure> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(RefreshFailure::OFFLINE);
        }
        self.calls.fetch_add(1, Ordering::SeqCst);
        RefreshToken::parse(token).map_err(|_| RefreshFailure::Invalid)
    }
}

#[async_trait]
impl RefreshTransport for Wire {
    async fn refresh(&self, request: RefreshRequest<'_>) -> Result<TokenAnswer, RefreshFailure> {
        let presented = self.call(request.token())?;
        let rotation = self.server.rotate(&presented).await.map_err(|_| RefreshFailure::Unanswered)?;
        let (token, family) = rotation.granted().map_err(|_| RefreshFailure::Invalid)?;
        Ok(TokenAnswer::new("fresh").refresh(token.expose().as_str()).subject(family.user))
    }

    async fn revoke(&self, request: RevokeRequest<'_>) -> Result<(), RefreshFailure> {
        let token = self.call(request.token())?;
        self.server.end(&token).await.map(drop).map_err(|_| RefreshFailure::OFFLINE)
    }
}

/// Signs in, lets many callers meet a token that is due, and signs out offline.
pub(super) async fn client(ground: &Ground) -> Told {
    let (db, clock) = ground.with_clock("tokens").await?;
    let server = db.refresh_tokens()?;
    let (first, _) = server.issue("ada", "tour").await?;
    let wire = Arc::new(Wire { server, calls: AtomicU32::new(0), is_down: AtomicBool::new(false) });
    let tokens = Tokens::new(&db, Arc::clone(&wire) as Arc<dyn RefreshTransport>, Arc::new(TokioTimer))?;
    tokens.store("ada", TokenAnswer::new("first").refresh(first.expose().as_str()).subject("ada")).await?;
    held(tokens.access_token("ada").await?.expose() == "first", "a valid token is given at once")?;

    clock.advance(14.minutes());
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let tokens = tokens.clone();
            tokio::spawn(async move { tokens.access_token("ada").await })
        })
        .collect();
    for caller in callers {
        let token = caller.await.map_err(|_| Failure::Bad("not so: no caller panics".to_owned()))??;
        held(token.expose() == "fresh" && token.generation() == 2, "each caller gets the new token")?;
    }
    held(wire.calls.load(Ordering::SeqCst) == 1, "the server is asked once")?;

    wire.is_down.store(true, Ordering::SeqCst);
    held(tokens.clear("ada").await?, "signing out takes no network")?;
    refused(tokens.access_token("ada").await, ErrorKind::Gone, "a token after the sign-out")?;
    held(tokens.revoke_pending().await?.left == 1, "the revocation waits")?;
    wire.is_down.store(false, Ordering::SeqCst);
    clock.advance(1.minutes());
    held(tokens.revoke_pending().await?.revoked == 1, "the server is told when it can be")?;
    held(wire.server.list("ada").await?.is_empty(), "the family has ended at the server")?;
    drop((tokens, wire));
    db.close().await?;
    Ok(format!("{CALLERS} callers, one refresh; signed out offline, revoked later"))
}
