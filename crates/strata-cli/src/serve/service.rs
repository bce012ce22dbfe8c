//! What all requests share: [`Service`], the managers over the open store and the service's own state.

use std::sync::Arc;

use strata::session::analytics::Ingest;
use strata::session::auth::AuthSessions;
use strata::session::document::Documents;
use strata::session::migration::Guests;
use strata::session::refresh::RefreshTokens;
use strata::session::security::SecurityLog;
use strata::session::{SessionId, Sessions};
use strata::{Handle, Result, Strata, Timestamp};
use strata_axum::routes::{AccessSessions, Grants};
use strata_axum::{SessionLayer, Verifier};
use tokio::sync::{Semaphore, watch};

use super::account::Accounts;
use super::attempts::Attempts;
use super::files::most_streams;
use super::metrics::Metrics;
use super::visits::Visits;

/// The service, as handlers have it.
pub(crate) type Shared = Arc<Service>;

/// The managers and the state of one service.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) handle: Handle,
    pub(crate) auth: AuthSessions,
    pub(crate) sessions: Sessions,
    /// Gives requests their sessions.
    pub(crate) layer: SessionLayer,
    pub(crate) guests: Guests,
    /// Tokens of programs: refresh tokens, and the sessions made for them.
    pub(crate) grants: Grants,
    pub(crate) documents: Documents,
    pub(crate) ingest: Ingest,
    pub(crate) verifier: Arc<dyn Verifier>,
    pub(crate) attempts: Attempts,
    pub(crate) visits: Visits,
    pub(crate) metrics: Metrics,
    /// Places for streams of events: fewer than connections, so that there is room for requests.
    pub(crate) streams: Arc<Semaphore>,
    /// Becomes true when the service is about to end.
    pub(crate) closing: watch::Receiver<bool>,
}

impl Service {
    pub(crate) fn new(db: &Strata, accounts: Accounts, closing: watch::Receiver<bool>) -> Result<Shared> {
        let handle = db.handle().clone();
        let log = SecurityLog::new(&handle);
        let auth = AuthSessions::builder(&handle).log(log.clone()).build()?;
        let sessions = db.sessions()?;
        let ingest = Ingest::new(&handle)?;
        let refresh = RefreshTokens::builder(&handle).log(log.clone()).build()?;
        let access = AccessSessions::new(&handle, &auth, Arc::new(accounts.clone()))?;
        let grants = Grants::new(refresh, Arc::new(access));
        Ok(Arc::new(Self {
            layer: SessionLayer::with_users(&sessions, &auth)?,
            auth,
            sessions,
            guests: Guests::builder(&handle).log(log).build()?,
            grants,
            documents: Documents::new(&handle)?,
            verifier: Arc::new(accounts),
            attempts: Attempts::new(Arc::clone(handle.clock())),
            visits: Visits::new(&handle, &ingest)?,
            ingest,
            metrics: Metrics::default(),
            streams: Arc::new(Semaphore::new(most_streams())),
            closing,
            handle,
        }))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.handle.clock().now()
    }

    /// Ends the session of a user, and the refresh tokens it was made by: a program would be back with one.
    pub(crate) async fn end_session(&self, id: SessionId) -> Result<bool> {
        let is_there = self.auth.info(id).await?.is_some();
        self.grants.end_of(id).await?;
        Ok(self.auth.revoke(id).await? || is_there)
    }

    /// Ends all sessions and refresh tokens of these users, refresh tokens first: a client would be back with one.
    pub(crate) async fn end_sessions_of(&self, users: impl Iterator<Item = &str>) -> Result<u64> {
        let mut ended = 0;
        for user in users {
            let families = self.grants.tokens().revoke_user(user).await;
            ended += self.auth.revoke_user(user).await?;
            families?;
        }
        Ok(ended)
    }
}

/// Waits until the service is about to end.
pub(crate) async fn ending(mut closing: watch::Receiver<bool>) {
    // An error means that whoever says so is gone: so is the service.
    drop(closing.wait_for(|closing| *closing).await);
}

#[cfg(test)]
impl Service {
    /// One without accounts, its store, and what ends it.
    pub(crate) async fn in_memory() -> (Strata, watch::Sender<bool>, Shared) {
        let keys = crate::opening::fresh().expect("keys");
        let db = strata::builder().memory().keys(keys).open().await.expect("open");
        let (close, closing) = watch::channel(false);
        let service = Self::new(&db, Accounts::new(&db).expect("accounts"), closing).expect("a service");
        (db, close, service)
    }
}
