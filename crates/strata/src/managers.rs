//! The managers with their defaults, over an open store. Each has a builder of its own for other settings.

use strata_core::Result;

use crate::open::Strata;

impl Strata {
    /// Basic sessions in the namespace `session`, each of which ends after 30 minutes without activity, and 12 hours after it was
    /// created at the latest, however active it is. [`Sessions::builder`](strata_session::Sessions::builder) makes others.
    pub fn sessions(&self) -> Result<strata_session::Sessions> {
        strata_session::Sessions::new(&self.handle)
    }

    /// Sessions of users who have signed in, with claims of the application's own type, in the namespace `auth`: 24 hours at the
    /// latest and one hour without activity, or 30 days for users who asked to be remembered; at most 100 at a time for each user.
    /// [`AuthSessions::builder`](strata_session::auth::AuthSessions::builder) makes others.
    pub fn auth<C: strata_core::Value>(&self) -> Result<strata_session::auth::AuthSessions<C>> {
        strata_session::auth::AuthSessions::new(&self.handle)
    }

    /// Fingerprints of sessions, with the default weights and policy and a key of their own in the namespace `fingerprint`: a risk signal,
    /// never an authenticator. [`Fingerprints::builder`](strata_session::fingerprint::Fingerprints::builder) makes others.
    ///
    /// # Errors
    /// [`ErrorKind::Downgrade`](crate::ErrorKind::Downgrade) where values are not sealed: features are personal data.
    pub fn fingerprints(&self) -> Result<strata_session::fingerprint::Fingerprints> {
        strata_session::fingerprint::Fingerprints::new(&self.handle)
    }

    /// A server's refresh tokens in the namespace `refresh`: families that end 30 days after the sign-in, rotated at each use, with 10 seconds
    /// for the retry of a lost answer. [`RefreshTokens::builder`](strata_session::refresh::RefreshTokens::builder) makes others.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) on a store that cannot commit several records together or cannot list them.
    pub fn refresh_tokens(&self) -> Result<strata_session::refresh::RefreshTokens> {
        strata_session::refresh::RefreshTokens::new(&self.handle)
    }

    /// Guests and the users they become, in the namespaces `guest`, `guest-root` and `user`; a guest's values die after 30 days without
    /// activity. [`Guests::builder`](strata_session::migration::Guests::builder) makes others.
    pub fn guests(&self) -> Result<strata_session::migration::Guests> {
        strata_session::migration::Guests::new(&self.handle)
    }

    /// Records visits in the namespace `analytics`, each of which ends after 30 minutes without activity, and after 24 hours at the
    /// latest. [`Recorder::builder`](strata_session::analytics::Recorder::builder) makes others;
    /// [`Insights`](strata_session::analytics::Insights) tells what they come to.
    pub fn analytics(&self) -> Result<strata_session::analytics::Recorder> {
        strata_session::analytics::Recorder::new(&self.handle)
    }

    /// A client's tokens in the namespace `tokens`, refreshed through `transport` by tasks of the tokio runtime this is called in. Open
    /// the store with [`Builder::keyring`](crate::Builder::keyring), and `.or_memory()`: tokens belong into the operating system's
    /// keyring, or into memory. [`Tokens::builder`](strata_session::tokens::Tokens::builder) makes others.
    ///
    /// # Errors
    /// [`ErrorKind::Downgrade`](crate::ErrorKind::Downgrade) on a store that keeps plaintext on disk.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn tokens(
        &self,
        transport: std::sync::Arc<dyn strata_session::tokens::RefreshTransport>,
    ) -> Result<strata_session::tokens::Tokens> {
        use crate::native::{TokioSpawn, TokioTimer};
        let timer = std::sync::Arc::new(TokioTimer);
        let builder = strata_session::tokens::Tokens::builder(&self.handle, transport, timer);
        match TokioSpawn::current() {
            Some(tasks) => builder.spawn(std::sync::Arc::new(tasks)).build(),
            None => builder.build(),
        }
    }

    /// A document in step with a server through `transport`, in the namespace `server-synced`. Nothing runs by itself:
    /// [`ServerSynced::start`](strata_session::document::ServerSynced::start) keeps it in step, and
    /// [`ServerSynced::builder`](strata_session::document::ServerSynced::builder) makes others.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn server_synced(
        &self,
        transport: std::sync::Arc<dyn strata_session::document::SyncTransport>,
    ) -> Result<strata_session::document::ServerSynced> {
        let timer = std::sync::Arc::new(crate::native::TokioTimer);
        strata_session::document::ServerSynced::new(&self.handle, transport, timer)
    }

    /// The server half of synchronised documents, in the namespace `document`, each of which dies 30 days after it was last asked for.
    pub fn documents(&self) -> Result<strata_session::document::Documents> {
        strata_session::document::Documents::new(&self.handle)
    }
}
